"""A recording as a stream: raw frames through the same decoding, order books and gaps, or recorded rows in their order.

Nothing runs in the background: the next frame is read when it is asked for, so the frames are always the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from bgresearch.core.clock import Clock, ManualClock
from bgresearch.core.intervals import INTERVALS
from bgresearch.core.spans import Span, subtract
from bgresearch.errors import IncompleteData, OfflineError
from bgresearch.live.channels import Subscription
from bgresearch.live.link import Connection
from bgresearch.live.protocol_core import ProtocolCore
from bgresearch.live.raw_frames import RawFrame, frames_of, head_of, recorded_files, subscriptions_of
from bgresearch.live.repair import in_milliseconds, missing_bars
from bgresearch.live.series_writers import EXACT_TIME
from bgresearch.live.stream import Stream
from bgresearch.market.history import trades_series
from bgresearch.market.recorder.reader import series_of
from bgresearch.market.recorder.series import LIVE_BOOK_EVERY, recordable
from bgresearch.schemas import Row
from bgresearch.session.session import Session
from bgresearch.store import Series
from bgresearch.store.pending_pages import PendingPages

Feed = Callable[["Replay"], Iterator[None]]
_END = object()


class Replay(Stream):
    """Frames of a recording; used as a `Stream`, except that nothing is connected and ``received_at`` is as recorded.

    Parameters
    ----------
    source : Session
        Of the client.
    subscriptions : sequence of Subscription
        What is replayed.
    clock : ManualClock
        Is moved to the times of arrival.
    feed : callable
        Takes this replay and yields after each step in which something was taken in.
    """

    def __init__(
        self, source: Session, subscriptions: Sequence[Subscription], *, clock: ManualClock, feed: Feed
    ) -> None:  # fmt: skip
        offline = Session(source.sender, source.store, clock, offline=True)
        super().__init__(offline, None, subscriptions)
        self._steps = feed(self)

    def start(self) -> None:
        """Do nothing: there is nothing to connect to."""
        self._state = "running" if self._state == "new" else self._state

    def next_frame(self, wait_s: float | None = None) -> pd.DataFrame | None:
        """Return the next frame, None at the end of the recording."""
        while True:
            found = self._outlet.take(0.0)
            if isinstance(found, list):
                return self._framed(found)
            if found is not None and (image := self._image(*found)) is not None:
                return image
            if found is None and (self._state == "stopped" or next(self._steps, _END) is _END):
                self._outlet.close()
                return None

    def skip(self) -> None:
        """Drop what is waiting."""
        while self._outlet.take(0.0) is not None:
            pass

    def deliver(self, rows: list[Row]) -> None:
        """Take in recorded rows."""
        self._outlet.add(rows)


class _RawFeed:
    """Takes in the lines of raw files, from the beginning of the recording on, so that order books are known.

    Parameters
    ----------
    replay : Replay
        Takes what they mean.
    span : Span
        What is given; before it nothing is.
    clock : ManualClock
        Is moved to the times of arrival.
    """

    def __init__(self, replay: Replay, span: Span, clock: ManualClock) -> None:
        self._replay, self._span, self._clock = replay, span, clock
        self._connections: dict[int, Connection] = {}
        self._by_symbol = {one.named.symbol: one for one in replay.subscriptions}

    def steps(self, files: Sequence[Path]) -> Iterator[None]:
        """Yield after each line."""
        session = ""
        for path in files:
            if session and head_of(path)["session"] != session:
                self._lost(tuple(self._by_symbol), "not recorded", self._clock.now_ms())
                self._connections.clear()
            session = head_of(path)["session"]
            for frame in frames_of(path, self._span.end_ms):
                self._take(frame)
                if frame.time_ms < self._span.start_ms:
                    self._replay.skip()
                else:
                    yield None

    def _take(self, frame: RawFrame) -> None:
        _move(self._clock, frame.time_ms)
        if frame.cause:
            self._lost(frame.symbols, frame.cause, frame.time_ms)
        elif not frame.text:
            self._connections[frame.connection] = _connection(self._carried(frame.symbols), self._clock)
        elif (connection := self._connections.get(frame.connection)) is not None:
            events = connection.core.received(frame.text, self._clock.monotonic_s())
            self._replay.intake.happened(connection, events)

    def _lost(self, symbols: Sequence[str], cause: str, heard_ms: int) -> None:
        self._replay.intake.lost(self._carried(symbols), cause, heard_ms)

    def _carried(self, symbols: Sequence[str]) -> list[Subscription]:
        return [self._by_symbol[name] for name in symbols if name in self._by_symbol]


def row_feed(rows: Iterator[Row], clock: ManualClock) -> Feed:
    """Return the feed of recorded rows, in the order of ``received_at``; those of one instant come together."""

    def steps(replay: Replay) -> Iterator[None]:
        for at, group in itertools.groupby(rows, key=lambda row: int(row["received_at"])):
            _move(clock, at)
            replay.deliver(list(group))
            yield None

    return steps


def raw_replay(
    source: Session, data_dir: Path, wanted: Sequence[Subscription], span: Span
) -> Replay:  # fmt: skip
    """Return the replay of raw frames.

    Raises
    ------
    IncompleteData
        Nothing of it was recorded.
    """
    one = wanted[0]
    known = {each.named.symbol for each in wanted}
    found: list[Path] = []
    subscriptions: dict[str, Subscription] = {}
    for path in recorded_files(data_dir, one.channel.name, one.named.market):
        head = head_of(path)
        if (head["depth"], head["interval"]) != (one.channel.depth, one.interval) or not known & set(head["symbols"]):
            continue
        found.append(path)
        subscriptions |= {each.named.symbol: each for each in subscriptions_of(head) if each.named.symbol in known}
    if not found:
        said = f"no raw frames of {one.channel.name} of {', '.join(sorted(known))} ({one.named.market}) are recorded."
        raise IncompleteData(said, missing=[span], hint=f"Run: bgresearch record {one.channel.name} ... --live --raw")
    clock = ManualClock(span.start_ms)
    return Replay(
        source, list(subscriptions.values()), clock=clock,
        feed=lambda replay: _RawFeed(replay, span, clock).steps(found),
    )  # fmt: skip


def stored_replay(source: Session, wanted: Sequence[Subscription], span: Span) -> Replay:
    """Return the replay of stored rows: what is covered by the store, in the order of arrival.

    Raises
    ------
    IncompleteData
        Nothing of it is recorded.
    """
    rows = [row for one in wanted for row in _STORED[one.channel.name](source, one, span)]
    if not rows:
        one = wanted[0]
        said = f"no {one.channel.name} of {', '.join(each.named.symbol for each in wanted)} are stored in {span}."
        raise IncompleteData(said, missing=[span], hint=f"Run: bgresearch record {one.channel.name} ... --live")
    rows.sort(key=lambda row: int(row["received_at"]))
    clock = ManualClock(span.start_ms)
    return Replay(source, wanted, clock=clock, feed=row_feed(iter(rows), clock))


def _read(source: Session, series: Series, span: Span) -> list[Row]:
    PendingPages(source.store, series).recover()  # what a recording has written last
    table = source.store.read(series, span)
    return [] if table is None else in_milliseconds(table)


def _stored_trades(source: Session, one: Subscription, span: Span) -> list[Row]:
    rows = _read(source, trades_series(one.named), span)
    for row in rows:
        row["time"] = row.pop(EXACT_TIME, None) or row["time"]
        row |= {"symbol": one.named.symbol, "received_at": row["time"]}
    return rows


def _stored_candles(source: Session, one: Subscription, span: Span) -> list[Row]:
    interval = INTERVALS[one.interval]
    offline = Session(source.sender, source.store, source.clock, offline=True)
    rows = _covered_bars(offline, one, span)
    return [{**row, "symbol": one.named.symbol, "received_at": interval.next_open(row["open_time"])} for row in rows]


def _covered_bars(offline: Session, one: Subscription, span: Span) -> list[Row]:
    """Return the candles of the parts of a span that are stored; while one is read, another candle may close."""
    try:
        return missing_bars(offline, one.named, one.interval, span)
    except OfflineError as error:
        parts = subtract([span], [Span(gap.start_ms, gap.end_ms) for gap in error.missing])
        return [row for part in parts for row in _covered_bars(offline, one, part)]


def _stored_images(source: Session, one: Subscription, span: Span) -> list[Row]:
    series = series_of(recordable("order_book"), one.named.market, one.named.symbol, LIVE_BOOK_EVERY)
    rows = _read(source, series, span)
    return [{**row, "symbol": one.named.symbol, "received_at": row["asked"]} for row in rows]


_STORED: Mapping[str, Callable[[Session, Subscription, Span], list[Row]]] = {
    "trades": _stored_trades, "candles": _stored_candles, "order_book": _stored_images,
}  # fmt: skip


def _connection(subscriptions: Sequence[Subscription], clock: Clock) -> Connection:
    return Connection(_NoSocket(), ProtocolCore(subscriptions, clock.monotonic_s()), clock)


def _move(clock: ManualClock, time_ms: int) -> None:
    if (ahead_ms := time_ms - clock.now_ms()) > 0:
        clock.advance(ahead_ms / 1000)


class _NoSocket:
    """What a recorded connection has instead of a socket."""

    def send(self, text: str) -> None:
        raise OfflineError("a recording takes no message.")

    def receive(self, wait_s: float) -> str | bytes | None:
        return None

    def close(self) -> None:
        return None
