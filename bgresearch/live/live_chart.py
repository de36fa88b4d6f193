"""A chart of a stream in a notebook, redrawn a few times a second, with a button that stops it."""

from __future__ import annotations
