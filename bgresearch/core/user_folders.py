"""The user's platform folders, the error if there is no home folder, and folders that only the user can access."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import platformdirs

from bgresearch.errors import ConfigurationError

SUBFOLDERS = (".sandbox", ".sandbox-demo", ".demo")
"""Of BGRESEARCH_DATA_DIR: data that is not of the exchange itself."""

Kind = Literal["cache", "config", "data", "state"]
PRIVATE = 0o700


def user_folder(kind: Kind, variable: str, name: str = "bgresearch") -> Path:
    """Return the platform's folder of this kind for this user.

    Parameters
    ----------
    kind : str
        ``cache``, ``config``, ``data`` or ``state``.
    variable : str
        The environment variable that sets another folder, for the error's hint.
    name : str
        Name of the program.

    Raises
    ------
    ConfigurationError
        There is no home folder: ``HOME`` is not set, and the user id has no entry on this machine (a container).
    """
    try:
        found = Path(getattr(platformdirs, f"user_{kind}_dir")(name, appauthor=False))
    except RuntimeError:
        found = Path("~")
    if not found.is_absolute():  # older releases of platformdirs leave the ~ in place
        raise _homeless(f"Set HOME, or {variable}.")
    return found


def chosen_path(variable: str) -> Path | None:
    """Return the path that an environment variable names, with ``~`` replaced; None if it is not set or empty.

    Programs that set variables for services and containers do not replace it, as a shell does.
    """
    chosen = os.environ.get(variable)
    return expanded(chosen) if chosen else None


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` replaced by the home folder.

    Raises
    ------
    ConfigurationError
        It is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise _homeless(f"Give the full path instead of {os.fspath(path)}.") from None


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


def _homeless(hint: str) -> ConfigurationError:
    return ConfigurationError("The home folder is not known: HOME is not set, or there is no such user.", hint=hint)
