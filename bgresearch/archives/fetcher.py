"""Files of the archive onto this disk, several at a time and in order, each until it is read.

They are in a hidden folder below the data folder, one per process; what a killed process left there is removed by the
next one. A file that is absent under all its names is named so; a month that is absent is fetched as days.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from bgresearch.archives.archive_file import ArchiveFile
from bgresearch.archives.fetched_files import FOLDER
from bgresearch.archives.wanted import days_of
from bgresearch.core.spans import Span, subtract
from bgresearch.core.thread_pool import ThreadPool
from bgresearch.errors import AccessBlocked, NetworkError
from bgresearch.http.file_host import AT_ONCE, FileHost, FileInfo
from bgresearch.store.atomic_files import in_words, names_in

ABSENT = "absent in the archive"
LAST_PART_FULL = "the last part that the archive has is full, so there is more that it has not"
_MOST_BYTES = 8 * 1024**3
_MOST_PARTS = 999
_AHEAD = 2 * AT_ONCE  # files on this disk, or on their way to it, before they are read
_FAILURES = 3  # files in a row that cannot be fetched: then the archive is not reachable


@dataclass
class Delivered:
    """A file as it was fetched, in one or several parts, or why it was not.

    Attributes
    ----------
    file : ArchiveFile
        What it should hold.
    parts : list of (FileInfo, Path)
        In order.
    problem : str
        Why there is none; empty if there is.
    short : list of (Span, str)
        Where it is known to lack rows, and why.
    sort_whole : bool
        Whether it is known that its rows are in no order.
    """

    file: ArchiveFile
    parts: list[tuple[FileInfo, Path]] = field(default_factory=list)
    problem: str = ""
    short: list[tuple[Span, str]] = field(default_factory=list)
    sort_whole: bool = False

    @property
    def whole(self) -> tuple[Span, ...]:
        """What of the file's span has all its rows, as far as is known."""
        return subtract([self.file.span], [span for span, _why in self.short])

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(info.length or 0 for info, _path in self.parts)

    def remove(self) -> None:
        """Delete what was fetched."""
        for _info, path in self.parts:
            path.unlink(missing_ok=True)


class ArchiveFetcher:
    """Fetches files of one archive.

    Parameters
    ----------
    host : FileHost
        Where they are.
    root : Path
        The data folder.
    """

    def __init__(self, host: FileHost, root: Path) -> None:
        self._host = host
        self._stop, self._creating = threading.Event(), threading.Lock()
        self._incoming = root / FOLDER / "incoming"
        self.folder = self._incoming / f"{os.getpid()}-{secrets.token_hex(4)}"

    def __enter__(self) -> ArchiveFetcher:
        with in_words("write", self.folder):
            for name in names_in(self._incoming):
                if not _is_running(name):
                    shutil.rmtree(self._incoming / name, ignore_errors=True)
            self.folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        with self._creating:  # from here on no thread creates a file, so what is removed stays removed
            self._stop.set()
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                self._incoming.rmdir()

    def deliveries(self, files: Sequence[ArchiveFile], needed: Iterable[Span]) -> Iterator[Delivered]:
        """Yield the result of each file, in order; days take the place of a month that is absent.

        Raises
        ------
        AccessBlocked
            The archive refuses this client.
        NetworkError
            Several files in a row could not be fetched, or none at all.
        """
        waiting, running = deque(files), deque[Future[Delivered]]()
        needed = tuple(needed)
        pool = ThreadPool(AT_ONCE, "bgresearch-archive")
        failures = successes = 0
        try:
            while waiting or running:
                while waiting and len(running) < _AHEAD:
                    running.append(pool.submit(self._delivered, waiting.popleft()))
                future = running.popleft()
                try:
                    done = future.result()
                    failures, successes = 0, successes + 1
                except AccessBlocked:
                    raise
                except _NotFetched as failed:
                    failures += 1
                    if failures >= _FAILURES or not (successes or waiting or running):
                        raise failed.error from None
                    done = failed.delivered
                if done.problem == ABSENT and done.file.length == "month":
                    days = [one for one in days_of(done.file) if any(one.span.intersect(part) for part in needed)]
                    running.extendleft(pool.submit(self._delivered, one) for one in reversed(days))
                    continue
                yield done
        finally:
            self._stop.set()
            pool.dismiss()

    def _delivered(self, file: ArchiveFile) -> Delivered:
        done = Delivered(file)
        try:
            if not file.parts:
                self._add(done, file)
            else:
                for part in range(1, _MOST_PARTS):
                    if not self._add(done, file.of_part(part)):
                        break
        except AccessBlocked:
            raise
        except NetworkError as error:
            done.remove()
            raise _NotFetched(Delivered(file, problem=f"could not be fetched: {error}"), error) from None
        if not done.parts:
            done.problem = ABSENT
        return done

    def _add(self, done: Delivered, file: ArchiveFile) -> bool:
        """Fetch a file under the first name that it has; return whether it has one."""
        for key in file.candidates():
            path = self.folder / f"{secrets.token_hex(8)}.zip"
            with self._creating, in_words("write", path):
                if self._stop.is_set():
                    return False
                sink = path.open("wb")
            with in_words("write", path), sink:
                info = self._host.fetch(key, sink, _MOST_BYTES)
            if info is not None:
                done.parts.append((info, path))
                return True
            path.unlink(missing_ok=True)
        return False


class _NotFetched(Exception):
    def __init__(self, delivered: Delivered, error: NetworkError) -> None:
        super().__init__(str(error))
        self.delivered, self.error = delivered, error


def _is_running(name: str) -> bool:
    """Return whether the process of a folder may still be there."""
    try:
        os.kill(int(name.partition("-")[0]), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except OSError:
        return True
    return True
