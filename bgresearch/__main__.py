"""``python -m bgresearch`` is the command line."""

from __future__ import annotations

from bgresearch.cli import main

main()
