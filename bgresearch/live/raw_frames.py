"""The frames of a stream as they arrived, in compressed files: one line each with the time of arrival.

A file begins with a line that says what was subscribed to; further lines say when a connection was opened or lost.
It is written under a name that ends in ``.part`` and gets its own name when it is closed, after an hour or at the end.
After a kill the part is complete up to the last flush; the next recording closes it.
"""

from __future__ import annotations

import gzip
import json
import os
import secrets
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

from bgresearch.core.clock import Clock
from bgresearch.core.spans import iso
from bgresearch.core.symbols import Named
from bgresearch.errors import StoreError
from bgresearch.live.channels import CHANNELS, Subscription

FOLDER = "raw"
FORMAT = 1
FILE_S, FLUSH_S = 3600.0, 2.0  # a file is closed, and what was written is safe, after so long
_PART, _SUFFIX = ".part", ".jsonl.gz"


class RawFrame(NamedTuple):
    """One line of a recording.

    Attributes
    ----------
    time_ms : int
        When the frame arrived, or when the connection was opened or lost.
    connection : int
        Which connection of the recording.
    text : str
        The frame; empty for an opened or lost connection.
    symbols : tuple of str
        What the connection carries, of an opened or lost one.
    cause : str
        Why it was lost; empty for an opened one.
    """

    time_ms: int
    connection: int
    text: str
    symbols: tuple[str, ...] = ()
    cause: str = ""


class RawFile:
    """Writes the frames of one stream; safe to share between threads.

    Parameters
    ----------
    data_dir : Path
        The folder of the store.
    subscriptions : sequence of Subscription
        What is streamed: of one channel and market.
    clock : Clock
        Names the files, and says when one is closed.
    """

    def __init__(self, data_dir: Path, subscriptions: Sequence[Subscription], clock: Clock) -> None:
        one = subscriptions[0]
        self._folder = data_dir / FOLDER / one.channel.name / one.named.market
        self._head = {
            "format": FORMAT, "channel": one.channel.name, "version": one.channel.version, "market": one.named.market,
            "depth": one.channel.depth, "interval": one.interval,
            "symbols": [each.named.symbol for each in subscriptions], "session": secrets.token_hex(8),
        }  # fmt: skip
        self._clock = clock
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._part = self._folder
        self._opened_s = self._flushed_s = 0.0
        self._connections = 0
        close_parts(self._folder)

    def opened(self, symbols: Sequence[str]) -> Callable[[int, str | bytes], None]:
        """Note that a connection is open, and return what writes its frames: time of arrival and text."""
        with self._lock:
            self._connections += 1
            number = self._connections
        self._write([self._clock.now_ms(), number, "", [*symbols], ""])

        def write(time_ms: int, text: str | bytes) -> None:
            self._write([time_ms, number, text if isinstance(text, str) else text.decode(errors="replace")])

        return write

    def lost(self, symbols: Sequence[str], cause: str, heard_ms: int) -> None:
        """Note that nothing is received for some symbols since an instant."""
        self._write([heard_ms, 0, "", [*symbols], cause])

    def _write(self, line: list[Any]) -> None:
        """Add a line.

        Raises
        ------
        StoreError
            The folder cannot be written.
        """
        now_s = self._clock.monotonic_s()
        with self._lock:
            try:
                if self._file is not None and now_s - self._opened_s > FILE_S:
                    self._close()
                file = self._file or self._open(line[0], now_s)
                file.write(json.dumps(line) + "\n")
                if now_s - self._flushed_s > FLUSH_S:
                    file.flush()
                    self._flushed_s = now_s
            except OSError as error:
                raise StoreError(f"raw frames cannot be written to {self._folder}: {error}.") from None

    def close(self) -> None:
        """Close the file and give it its name; the next frame begins another one."""
        with self._lock:
            self._close()

    def _open(self, time_ms: int, now_s: float) -> TextIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = iso(time_ms).replace(":", "").replace("-", "").replace(".", "_")
        self._part = self._folder / f"{name}-{os.getpid()}{_SUFFIX}{_PART}"
        self._file = cast("TextIO", gzip.open(self._part, "at", compresslevel=5, encoding="utf-8"))  # noqa: SIM115
        self._opened_s = self._flushed_s = now_s
        self._file.write(json.dumps(self._head) + "\n")
        self._file.flush()
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._part.replace(self._part.with_suffix(""))


def close_parts(folder: Path) -> None:
    """Give files that a killed recording left their names."""
    for part in folder.glob(f"*{_SUFFIX}{_PART}"):
        pid = part.name.removesuffix(f"{_SUFFIX}{_PART}").rpartition("-")[2]
        if not _is_alive(pid):
            part.replace(part.with_suffix(""))


def _is_alive(pid: str) -> bool:
    if int(pid or 0) == os.getpid():
        return True
    try:
        os.kill(int(pid or 0), 0)
    except (OSError, ValueError):
        return False
    return True


def recorded_files(data_dir: Path, channel: str, market: str) -> list[Path]:
    """Return the files of a channel and market, oldest first; parts of recordings that run are among them."""
    folder = data_dir / FOLDER / channel / market
    return sorted([*folder.glob(f"*{_SUFFIX}"), *folder.glob(f"*{_SUFFIX}{_PART}")])


def head_of(path: Path) -> dict[str, Any]:
    """Return what a file says of its stream.

    Raises
    ------
    StoreError
        It is no file of raw frames, or of a newer version.
    """
    head = next(_lines(path), None)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise StoreError(f"{path} is no file of raw frames that this version reads.")
    return head


def frames_of(path: Path, before_ms: int) -> Iterator[RawFrame]:
    """Yield the lines of a file until an instant; a file that a kill cut ends where it was cut."""
    for line in _lines(path):
        if isinstance(line, list) and len(line) in (3, 5):
            frame = RawFrame(*line)
            if frame.time_ms >= before_ms:
                return
            yield frame


def subscriptions_of(head: dict[str, Any]) -> list[Subscription]:
    """Return what a file's stream was subscribed to."""
    wanted = (head["channel"], head["version"], head["depth"])
    row = next(row for row in CHANNELS if (row.name, row.version, row.depth) == wanted)
    return [Subscription(row, Named(symbol, head["market"]), head["interval"]) for symbol in head["symbols"]]


def _lines(path: Path) -> Iterator[Any]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    return  # the last line of a file that was cut
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error}.") from None
