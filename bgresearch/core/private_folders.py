"""Folders for the user alone, with every folder above them that has to be made."""

from __future__ import annotations

from pathlib import Path

PRIVATE = 0o700


def make_private(folder: Path) -> None:
    """Make a folder with mode 0700, and so every missing folder above it, whatever the umask; leave those there are.

    Raises
    ------
    OSError
        One of them cannot be made, or is no folder.
    """
    missing = []
    at = folder
    while not at.is_dir():
        missing.append(at)
        at = at.parent
    for one in reversed(missing):
        try:
            one.mkdir(mode=PRIVATE)
        except FileExistsError:
            if not one.is_dir():
                raise
        else:
            one.chmod(PRIVATE)
