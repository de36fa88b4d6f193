"""Which release this is, in the words that go out: to the exchange as user agent, into files as who made them."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version


@functools.cache
def release() -> str:
    """Return ``bgresearch/0.1.0``, the name alone in a source tree that is not installed."""
    try:
        return f"bgresearch/{version('bgresearch')}"
    except PackageNotFoundError:
        return "bgresearch"
