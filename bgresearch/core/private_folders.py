"""Creating folders that only the user can access, with missing parent folders."""

from __future__ import annotations

from pathlib import Path

PRIVATE = 0o700


def make_private(folder: Path) -> None:
    """Create a folder and its missing parents with mode 0700, whatever the umask; existing ones are left unchanged.

    Raises
    ------
    OSError
        One of them cannot be created, or is not a folder.
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
