"""Where the agent listens: a socket in a folder of the user's own. Both sides check owner, mode and each other."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from bgresearch.core.user_folders import chosen_path, make_private, user_folder
from bgresearch.errors import AgentError, AgentUnavailable, ConfigurationError

FOLDER_MODE, SOCKET_MODE = 0o700, 0o600
MAKE_VAULT = "Make one: bgresearch setup, or bg.setup() in a notebook."
UNLOCK = "Type: bgresearch vault unlock."
ELSEWHERE = "Set BGRESEARCH_AGENT_DIR to a folder that only you can use."
_PLATFORM: str = sys.platform
_LONGEST_SOCKET_PATH = 100  # bytes; macOS allows 104, Linux 108, and a temporary name is longer


@dataclass(frozen=True, slots=True)
class Place:
    """One agent's folder: its socket and the lock that it holds until it ends."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The socket that it listens on."""
        return self.folder / "agent.sock"

    @property
    def lock(self) -> Path:
        """Held by the one agent that may listen."""
        return self.folder / "agent.lock"

    @property
    def newborn(self) -> Path:
        """Where a socket is made before it replaces the last one."""
        return self.folder / "agent.new"


def default_place() -> Place:
    """Return the user's own: ``BGRESEARCH_AGENT_DIR``, else below the platform's folder for sockets.

    Raises
    ------
    AgentError
        There is none that is safe: another user has made the one below the temporary folder.
    """
    if chosen := chosen_path("BGRESEARCH_AGENT_DIR"):
        return Place(chosen.absolute())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the system has no such folder, one in the temporary folder is used
        try:
            return Place(platformdirs.user_runtime_path("bgresearch", appauthor=False))
        except OSError as error:
            raise AgentError(
                f"there is no safe folder for the agent's socket: {error.strerror or error}.", hint=ELSEWHERE
            ) from None


def default_vault() -> Path:
    """Return the vault's path: ``BGRESEARCH_VAULT``, else in the platform's folder for a user's settings."""
    if chosen := chosen_path("BGRESEARCH_VAULT"):
        return chosen.absolute()
    return user_folder("config", "BGRESEARCH_VAULT") / "vault"


def unlock_hint() -> str:
    """Return what to do where no unlocked agent is running: unlock the vault, or make one if there is none yet."""
    try:
        missing = not os.path.lexists(default_vault())
    except ConfigurationError:  # there is no folder for it
        missing = False
    return f"There is no vault yet. {MAKE_VAULT}" if missing else UNLOCK


def not_unlocked(vault: Path) -> AgentUnavailable:
    """Return the error of an agent that holds no key: its vault is locked, or there is none yet."""
    if os.path.lexists(vault):
        return AgentUnavailable("the vault is locked.", hint=UNLOCK)
    return AgentUnavailable(f"there is no vault yet at {vault}.", hint=MAKE_VAULT)


def need_sockets() -> None:
    """Raise `AgentUnavailable` where there are no unix sockets."""
    if not hasattr(socket, "AF_UNIX") or sys.platform == "win32":
        raise AgentUnavailable(
            "this platform has no unix sockets, so there is no agent.",
            hint="Pass an opened vault, with less protection: connect(key=..., vault=Vault.open(path, password)).",
        )


def prepare(place: Place) -> None:
    """Make the folder if it is not there, and refuse one that others could touch.

    Raises
    ------
    AgentError
        The folder is not safe, or its path is too long for a socket.
    """
    if len(os.fsencode(place.socket)) > _LONGEST_SOCKET_PATH:
        raise AgentError(f"{place.folder} is too long for a socket.", hint="Set BGRESEARCH_AGENT_DIR to a shorter one.")
    _check_fallback(place.folder.parent)
    try:
        if not os.path.lexists(place.folder):
            make_private(place.folder)
    except OSError as error:
        raise _unusable(place.folder, error) from None
    check_folder(place)


def check_folder(place: Place) -> None:
    """Raise `AgentError` if the folder is not the user's own and for the user alone."""
    _check_fallback(place.folder.parent)
    found = _found(place.folder)
    _check(place.folder, found, FOLDER_MODE, is_right=stat.S_ISDIR(found.st_mode), kind="a folder")


def check_socket(place: Place) -> None:
    """Raise `AgentError` if folder or socket could belong to another user; `AgentUnavailable` if there is none."""
    check_folder(place)
    found = _found(place.socket)
    _check(place.socket, found, SOCKET_MODE, is_right=stat.S_ISSOCK(found.st_mode), kind="a socket")


def identity_of(place: Place) -> tuple[int, int] | None:
    """Return the device and inode of the socket, None if there is none."""
    try:
        found = place.socket.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def peer_is_me(connection: socket.socket) -> bool:
    """Return whether the process at the other end runs as the same user; False where that is unknown."""
    return _peer_uid(connection) == os.geteuid()


def _found(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise AgentUnavailable("no agent is running.", hint=unlock_hint()) from None
    except OSError as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: OSError) -> AgentError:
    return AgentError(f"{path}, which the agent needs, cannot be used: {error.strerror or error}.", hint=ELSEWHERE)


def _check_fallback(parent: Path) -> None:
    """Refuse a folder below the temporary one that another user made: that user could replace the agent's folder."""
    if parent.parent != Path(tempfile.gettempdir()) or not hasattr(os, "geteuid"):
        return
    try:
        found = parent.lstat()
    except OSError:  # the next check reports it
        return
    where = f"{parent}, where the agent's folder would be,"
    if not stat.S_ISDIR(found.st_mode):
        raise AgentError(f"{where} is no folder.", hint=ELSEWHERE)
    if found.st_uid != os.geteuid():
        raise AgentError(f"{where} belongs to user {found.st_uid}, you are user {os.geteuid()}.", hint=ELSEWHERE)


def _check(path: Path, found: os.stat_result, mode: int, *, is_right: bool, kind: str) -> None:
    advice = f"Look who made it, then remove it and unlock again. {ELSEWHERE}"
    if not is_right:
        raise AgentError(f"{path} is not {kind}.", hint=advice)
    if found.st_uid != os.geteuid():
        raise AgentError(f"{path} belongs to user {found.st_uid}, you are user {os.geteuid()}.", hint=advice)
    if stat.S_IMODE(found.st_mode) & 0o777 & ~mode:
        raise AgentError(f"{path} has mode {stat.S_IMODE(found.st_mode):04o}: others can use it.", hint=advice)


def _peer_uid(connection: socket.socket) -> int | None:
    if _PLATFORM == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[1])
    uid, gid = ctypes.c_uint(), ctypes.c_uint()
    if ctypes.CDLL(None).getpeereid(connection.fileno(), ctypes.byref(uid), ctypes.byref(gid)) != 0:
        return None
    return uid.value
