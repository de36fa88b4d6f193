"""Which release this is, as it is named to the exchange and in files; and where the files that come with it are."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


@functools.cache
def release() -> str:
    """Return ``bgresearch/0.1.0``, the name alone in a source tree that is not installed."""
    try:
        return f"bgresearch/{version('bgresearch')}"
    except PackageNotFoundError:
        return "bgresearch"


def clone() -> Path | None:
    """Return the folder of the repository that this package runs from, None if it was installed from a wheel."""
    folder = _PACKAGE.parent
    return folder if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir() else None


def notebooks() -> Path:
    """Return the folder of the notebooks that come with the package: the repository's, or the wheel's."""
    return (clone() or _PACKAGE) / "notebooks"
