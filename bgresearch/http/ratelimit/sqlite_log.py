"""The store of one user on one machine: one SQLite file that all processes change, one at a time.

A killed process leaves its whole change or none of it, and no lock. Times are of the monotonic clock, which all
processes of one boot share, so a correction of the system time has no effect.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bgresearch.core.clock import Clock
from bgresearch.http.ratelimit.codec import VERSION, DamagedLog, decode, encode
from bgresearch.http.ratelimit.fallback import StoreUnusable
from bgresearch.http.ratelimit.limiter import ADDRESS, ADDRESS_WINDOW_S, Log
from bgresearch.http.ratelimit.sqlite_file import NumberedFiles, raise_if_damage

FORGET_S = 3600.0  # after which an unused log is dropped
_ATTEMPTS = 4
_ANY_HOST = ""
_READ = "SELECT body FROM log WHERE host = ? AND name = ?"
_WRITE = "INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?)"
_FORGET = "DELETE FROM log WHERE written_s < ?"

T = TypeVar("T")
_notices = logging.getLogger(__name__)


class _Gone(Exception):
    """The file that was open is no longer the one that counts."""


class SqliteLogStore:
    """A store in a file; safe to share between threads, processes and forks.

    Parameters
    ----------
    folder : Path
        Folder of the file.
    host : str
        The host of the logs.
    clock : Clock
        Its monotonic time is stored.
    version : int
        Format version; other versions count in separate files.
    """

    def __init__(self, folder: Path, host: str, clock: Clock, *, version: int = VERSION) -> None:
        self._place, self._host, self._clock = NumberedFiles(folder, version), host, clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._number = 0
        self._seen: tuple[int, int] | None = None
        _stores.add(self)

    def change(self, names: tuple[str, ...], decide: Callable[[float, list[Log]], T]) -> T:
        """Return the result of ``decide`` on the logs, with exclusive access.

        Raises
        ------
        StoreUnusable
            The file cannot be used: a read-only folder, a full disk, a folder of another user.
        """
        damage: DamagedLog | None = None
        with self._lock:
            for _ in range(_ATTEMPTS):
                try:
                    if damage is not None:
                        self._start_over(damage)
                    return self._change(names, decide)
                except _Gone:
                    self._close()
                except DamagedLog as found:
                    self._close()
                    damage = found
                except (sqlite3.Error, OSError) as error:
                    was_moved = self._connection is not None and self._identity() != self._seen
                    self._close()
                    if not was_moved:
                        raise self._unusable(str(error)) from error
        raise self._unusable("the file is replaced again and again")

    def close(self) -> None:
        """Close the file; the next change opens it again."""
        with self._lock:
            self._close()

    def _change(self, names: tuple[str, ...], decide: Callable[[float, list[Log]], T]) -> T:
        connection = self._connection or self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            if self._place.path(self._number + 1).exists():
                raise _Gone
            now_s = self._clock.monotonic_s()
            logs = [self._read(connection, name, now_s) for name in names]
            decided = decide(now_s, logs)
            for name, log in zip(names, logs, strict=True):
                if log.changed:
                    connection.execute(_WRITE, (self._host, name, now_s, encode(log, now_s)))
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise_if_damage(error)
            raise
        finally:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
        return decided

    def _read(self, connection: sqlite3.Connection, name: str, now_s: float) -> Log:
        row = connection.execute(_READ, (self._host, name)).fetchone()
        if row is None and name == ADDRESS:
            row = connection.execute(_READ, (_ANY_HOST, ADDRESS)).fetchone()  # the pause after a damaged file
        return decode(row[0], now_s) if row is not None else Log()

    def _open(self) -> sqlite3.Connection:
        self._place.prepare()
        if not (number := self._place.number()):
            number = self._number + 1  # never a name that was in use: another process may still write to that file
            self._place.make(number, [])
        self._number = number
        self._seen = self._identity()
        connection = self._connection = self._place.connect(self._number)
        try:
            connection.execute(_FORGET, (self._clock.monotonic_s() - FORGET_S,))
        except sqlite3.DatabaseError as error:
            raise_if_damage(error)
            raise
        return connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._place.path(self._number), follow_symlinks=False)  # noqa: PTH116 - takes half the time
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _start_over(self, damage: DamagedLog) -> None:
        """Create the next file with a pause of the address: its requests of the last minute are not known."""
        now_s = self._clock.monotonic_s()
        rest = encode(Log(paused_until_s=now_s + ADDRESS_WINDOW_S), now_s)
        damaged = self._place.path(self._number)
        self._place.make(self._number + 1, [(_ANY_HOST, ADDRESS, now_s, rest)])
        _notices.warning(
            "%s, the request budget of this machine, is damaged (%s) and no longer used. The requests of the last "
            "minute are not known, so no request is sent for %.0f s.", damaged, damage, ADDRESS_WINDOW_S,
        )  # fmt: skip

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _unusable(self, cause: str) -> StoreUnusable:
        return StoreUnusable(
            f"{self._place.folder}, the request budget that all processes of this machine share, cannot be used "
            f"({cause}). Set BGRESEARCH_STATE_DIR to a folder that you can write to."
        )

    def __del__(self) -> None:
        self._close()


_stores: weakref.WeakSet[SqliteLogStore] = weakref.WeakSet()
_held: list[SqliteLogStore] = []


def _before_fork() -> None:
    """Close databases before a fork: SQLite's locks do not survive one."""
    for store in list(_stores):
        store._lock.acquire()
        store._close()
        _held.append(store)


def _after_fork() -> None:
    while _held:
        _held.pop()._lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
