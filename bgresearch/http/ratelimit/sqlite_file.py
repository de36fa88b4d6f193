"""The file of the shared logs: where it is, how it is created, how a damaged one is replaced. Not its content.

Files are numbered, and the one with the highest number counts: a damaged file is not replaced, the next number is made.
So no name is used twice, and what another process still does to the old file does not affect the new one. The format
version is in the name: two versions of this package that run at the same time count in separate files.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sqlite3
import stat
import tempfile
from pathlib import Path

from bgresearch.core.user_folders import chosen_path, make_private, user_folder
from bgresearch.http.ratelimit.codec import VERSION, DamagedLog

FOLDER_MODE, FILE_MODE = 0o700, 0o600
LOCK_S = 5.0  # longest wait for another process's change, which takes 0.1 ms
_APPLICATION = 0x62677262  # marks a file as ours
_TABLE = "CREATE TABLE log (host TEXT, name TEXT, written_s REAL, body BLOB, PRIMARY KEY (host, name)) WITHOUT ROWID"
_PASSING = {  # the file is not at fault
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_AUTH,
}  # fmt: skip


def default_folder() -> Path:
    """Return the folder of this user's logs: below ``BGRESEARCH_STATE_DIR``, else the platform's state folder.

    Each machine has its own folder: a home folder may be shared by machines, whose monotonic clocks are unrelated.
    """
    state = chosen_path("BGRESEARCH_STATE_DIR") or user_folder("state", "BGRESEARCH_STATE_DIR")
    machine = re.sub(r"[^A-Za-z0-9-]", "_", platform.node())[:64]
    return state.absolute() / f"budget-{machine or 'here'}"


class NumberedFiles:
    """A folder of numbered files.

    Parameters
    ----------
    folder : Path
        Created, accessible only to the user, if it does not exist.
    version : int
        Format version; files of other versions are not touched.
    """

    def __init__(self, folder: Path, version: int = VERSION) -> None:
        self.folder, self._version = folder, version
        self._name = re.compile(rf"v{version}-([1-9][0-9]{{0,8}})\.sqlite")

    def path(self, number: int) -> Path:
        """Return a file's path; it may not exist."""
        return self.folder / f"v{self._version}-{number}.sqlite"

    def number(self) -> int:
        """Return the number of the current file, 0 if there is none."""
        found = map(self._name.fullmatch, (file.name for file in self.folder.iterdir()))
        return max((int(name[1]) for name in found if name), default=0)

    def prepare(self) -> None:
        """Create the folder, or remove other users' access to it.

        Raises
        ------
        OSError
            It belongs to another user, or cannot be created.
        """
        if not os.path.lexists(self.folder):
            make_private(self.folder)
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(f"{self.folder} is not a folder")
        if os.name == "posix":
            if found.st_uid != os.geteuid():
                raise PermissionError(f"{self.folder} belongs to user {found.st_uid}, you are user {os.geteuid()}")
            if stat.S_IMODE(found.st_mode) & 0o077:
                self.folder.chmod(FOLDER_MODE)

    def make(self, number: int, rows: list[tuple[str, str, float, bytes]]) -> None:
        """Create a file with these rows atomically; if another process was faster, its file is kept."""
        descriptor, name = tempfile.mkstemp(prefix="new-", dir=self.folder)  # accessible only to the user
        os.close(descriptor)
        new = Path(name)
        try:
            with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as connection:
                connection.executescript(
                    f"PRAGMA application_id={_APPLICATION}; PRAGMA user_version={self._version}; {_TABLE};"
                )
                connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", rows)
            with contextlib.suppress(FileExistsError):
                os.link(new, self.path(number))
        finally:
            new.unlink(missing_ok=True)
        for old in range(1, number - 1):  # the last damaged file is kept for inspection
            for ending in ("", "-journal"):
                Path(f"{self.path(old)}{ending}").unlink(missing_ok=True)

    def connect(self, number: int) -> sqlite3.Connection:
        """Return a connection that survives a kill at any time; the caller begins and ends every transaction.

        Raises
        ------
        Damaged
            The file is not a log file.
        sqlite3.Error, OSError
            It cannot be opened now.
        """
        path = self.path(number)
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise DamagedLog("it is not a regular file")
        if os.name == "posix" and stat.S_IMODE(found.st_mode) & 0o777 != FILE_MODE:
            path.chmod(FILE_MODE)
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, timeout=LOCK_S, isolation_level=None, check_same_thread=False
        )
        try:
            marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if marks != [_APPLICATION, self._version]:
                raise DamagedLog("another program or version has made it")
            if (verdict := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise DamagedLog(str(verdict))
            connection.execute("PRAGMA journal_mode=PERSIST")
            connection.execute("PRAGMA synchronous=OFF")  # a power cut also ends every process that counts
        except sqlite3.DatabaseError as error:
            connection.close()
            raise_if_damage(error)
            raise
        except DamagedLog:
            connection.close()
            raise
        return connection


def raise_if_damage(error: sqlite3.DatabaseError) -> None:
    """Raise `DamagedLog` where the error says that the file is at fault."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_NOMEM)
    if code & 0xFF not in _PASSING:
        raise DamagedLog(str(error)) from error
