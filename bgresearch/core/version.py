"""The release, as sent to the exchange and written to files; and the location of bundled files."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


@functools.cache
def release() -> str:
    """Return ``bgresearch/0.1.0``, only the name in a source tree that is not installed."""
    try:
        return f"bgresearch/{version('bgresearch')}"
    except PackageNotFoundError:
        return "bgresearch"


def clone() -> Path | None:
    """Return the repository that this package runs from, None if it was installed from a wheel."""
    folder = _PACKAGE.parent
    return folder if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir() else None


def notebooks() -> Path:
    """Return the folder of the bundled notebooks: the repository's, or the wheel's."""
    return (clone() or _PACKAGE) / "notebooks"
