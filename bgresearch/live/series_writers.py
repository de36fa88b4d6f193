"""What a recorded stream writes into the store, one symbol each: trades, candles, images of order books.

What is claimed to be complete was confirmed. A stream has no numbers by which a lost trade shows, so trades are
compared by id with what REST lists; candles are taken from REST as soon as a newer one starts. Order books have no
history: an image is written for every second, and a second without a book is a gap with its cause.

Trades of REST's history have times cut to seconds, so live ones are written the same way, and whole seconds at a time:
a series is the same wherever its rows came from. Their milliseconds are in the column ``exact_time``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import pyarrow as pa

from bgresearch.catalogue.assumptions import FINAL_AFTER_MS
from bgresearch.catalogue.value_types import TIME
from bgresearch.core.intervals import INTERVALS
from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput
from bgresearch.live.channels import Subscription
from bgresearch.live.gap_log import LiveGap
from bgresearch.live.repair import in_milliseconds
from bgresearch.live.stream import Stream
from bgresearch.market.candles.read_through import candles
from bgresearch.market.history import TRADES, past_trades, recent_trades, trades_series
from bgresearch.market.recorder.reader import series_of
from bgresearch.market.recorder.series import LIVE_BOOK_EVERY, LIVE_BOOK_LEVELS, recordable
from bgresearch.schemas import Row
from bgresearch.session.session import Session
from bgresearch.store import Gap, Series
from bgresearch.store.coverage import Cause
from bgresearch.store.pending_pages import PendingPages

EXACT_TIME = "exact_time"
_SECOND_MS = 1_000
_MARGIN_MS = FINAL_AFTER_MS.value["last"]  # what is younger may still arrive
_LONGEST_PENDING_MS = 10 * 60_000  # without REST; what is older is left to later downloads
_LATE_ROUNDS = 5  # a live trade that REST does not list after so many rounds is believed
_TRADE_SCHEMA = TRADES.schema.append(pa.field(EXACT_TIME, TIME))


class SeriesWriter(ABC):
    """Writes one symbol of one channel.

    Attributes
    ----------
    rows : int
        Trades, candles or images that were written.
    gaps : int
        Spans that could not be had.
    first_ms, end_ms : int or None
        Span that is written; None before anything is.
    """

    def __init__(self, source: Session, stream: Stream, subscription: Subscription, series: Series | None) -> None:
        self.subscription, self.named = subscription, subscription.named
        self.rows = self.gaps = 0
        self.first_ms: int | None = None
        self.end_ms: int | None = None
        self._source, self._stream = source, stream
        self._series = series
        self._pages = None if series is None else PendingPages(source.store, series)

    @abstractmethod
    def add(self, row: Row) -> None:
        """Take in a row that came live."""

    @abstractmethod
    def commit(self, now_ms: int) -> None:
        """Write what is complete by now.

        Raises
        ------
        BgresearchError
            It cannot be confirmed now, or not be written.
        """

    def tick(self, now_ms: int) -> None:  # noqa: B027 - only order books have something to do
        """Take note of the time, many times a second."""

    def flush(self) -> None:
        """Let the store take in the pages that were written."""
        if self._pages is not None:
            self._pages.recover()

    def _keep(self, table: pa.Table, covered: list[Span], source: str) -> None:
        if self._pages is not None:
            self._pages.keep(table, covered, source)
        self.first_ms = covered[0].start_ms if self.first_ms is None else self.first_ms
        self.end_ms = max(span.end_ms for span in covered)


class TradeWriter(SeriesWriter):
    """Writes trades, whole seconds at a time, once REST lists the same ones."""

    def __init__(self, source: Session, stream: Stream, subscription: Subscription) -> None:
        super().__init__(source, stream, subscription, trades_series(subscription.named))
        self._begin_ms: int | None = None
        self._live: dict[str, Row] = {}
        self._unlisted: dict[str, int] = {}

    def add(self, row: Row) -> None:
        self._live[row["trade_id"]] = row

    def commit(self, now_ms: int) -> None:
        """Write the seconds in which the stream and REST agree, and what REST alone has."""
        since_ms = self._stream.progress_of(self.subscription).since_ms
        if self._begin_ms is None and since_ms is not None:
            self._begin_ms = (since_ms // _SECOND_MS + 1) * _SECOND_MS
        if self._begin_ms is None:
            return
        wanted = Span(self._begin_ms, (now_ms - _MARGIN_MS) // _SECOND_MS * _SECOND_MS)
        if not wanted.duration_ms:
            return
        try:
            self._commit(wanted)
        finally:
            self._give_up(now_ms)

    def _commit(self, wanted: Span) -> None:
        listed = self._listed(wanted)
        span = Span(wanted.start_ms, self._agreed_ms(listed, wanted))
        if not span.duration_ms:
            return
        live = {key: row for key, row in self._live.items() if _second(row) < span.end_ms}
        missed = [row for key, row in listed.items() if key not in live and row["time"] < span.end_ms]
        if missed and self.end_ms is not None:
            times = [row["time"] for row in missed]
            self._stream.gap_log.add(LiveGap(self.named.symbol, min(times), max(times) + 1, "lost push", repaired=True))
        rows = [row for row in live.values() if _second(row) >= span.start_ms] + missed
        self._keep(_trade_table(rows), [span], "live.trades")
        self.rows += len(rows)
        self._begin_ms = span.end_ms
        for key in live:
            del self._live[key]
            self._unlisted.pop(key, None)

    def _listed(self, span: Span) -> dict[str, Row]:
        """Return the trades of a span as REST lists them, by id: the latest ones, or the history."""
        rows = recent_trades(self._source.sender, self.named)
        if not rows or _second(rows[0]) >= span.start_ms:
            rows = in_milliseconds(past_trades(self._source, self.named, span, False))
        return {row["trade_id"]: row for row in rows if span.start_ms <= row["time"] < span.end_ms}

    def _agreed_ms(self, listed: dict[str, Row], wanted: Span) -> int:
        """Return until when REST lists every trade that came live: it may be some seconds late."""
        end_ms = wanted.end_ms
        for key, row in self._live.items():
            if wanted.start_ms <= row["time"] < wanted.end_ms and key not in listed:
                self._unlisted[key] = rounds = self._unlisted.get(key, 0) + 1
                if rounds <= _LATE_ROUNDS:
                    end_ms = min(end_ms, _second(row))
        return end_ms

    def _give_up(self, now_ms: int) -> None:
        """Leave what could not be confirmed for long to later downloads, so that memory does not grow."""
        if self._begin_ms is not None and now_ms - self._begin_ms > _LONGEST_PENDING_MS:
            lost = Span(self._begin_ms, (now_ms - _MARGIN_MS) // _SECOND_MS * _SECOND_MS)
            self._stream.gap_log.add(LiveGap(self.named.symbol, lost.start_ms, lost.end_ms, "not confirmed"))
            self._begin_ms, self.gaps = lost.end_ms, self.gaps + 1
            self._live = {key: row for key, row in self._live.items() if row["time"] >= lost.end_ms}
            self._unlisted.clear()


class CandleWriter(SeriesWriter):
    """Has closed candles fetched, and so written, as soon as the stream shows that one is closed."""

    def __init__(self, source: Session, stream: Stream, subscription: Subscription) -> None:
        super().__init__(source, stream, subscription, None)
        self._interval = INTERVALS[subscription.interval]
        self._waiting: set[int] = set()

    def add(self, row: Row) -> None:
        self._waiting.add(row["open_time"])

    def commit(self, now_ms: int) -> None:
        """Fetch the candles that are closed by now."""
        if not self._waiting:
            return
        start_ms = min(self._waiting) if self.end_ms is None else self.end_ms
        end_ms = self._interval.next_open(max(self._waiting))
        if end_ms <= start_ms:
            self._waiting.clear()
            return
        frame = candles(
            self._source, self.named.symbol, self._interval.name, start_ms, end_ms, market=self.named.market,
            price="last", anchor="utc", include_open=False, progress=False,
        )  # fmt: skip
        closed_ms = min(end_ms, self._interval.floor(now_ms - _MARGIN_MS - 1))  # later ones are not fetched yet
        self.first_ms = start_ms if self.first_ms is None else self.first_ms
        self.rows += len(frame)
        self.end_ms = max(start_ms, closed_ms)
        self._waiting = {opened for opened in self._waiting if opened >= self.end_ms}


class ImageWriter(SeriesWriter):
    """Writes an image of the order book for every second."""

    def __init__(self, source: Session, stream: Stream, subscription: Subscription) -> None:
        self._what = recordable("order_book")
        named = subscription.named
        series = series_of(self._what, named.market, named.symbol, LIVE_BOOK_EVERY)
        super().__init__(source, stream, subscription, series)
        self._taken: list[tuple[Row, ...]] = []
        self._spans: list[Span] = []
        self._missed: list[Gap] = []
        self._last_ms = 0

    def add(self, row: Row) -> None:
        raise InvalidInput("channel", "order books have images, and no rows.")

    def tick(self, now_ms: int) -> None:
        """Take the image of a second when it begins; seconds that this machine slept over are late."""
        second_ms = now_ms // _SECOND_MS * _SECOND_MS
        progress = self._stream.progress_of(self.subscription)
        if second_ms <= self._last_ms or progress.since_ms is None:
            return
        if self._last_ms and second_ms > self._last_ms + _SECOND_MS:
            self._miss(Span(self._last_ms + _SECOND_MS, second_ms), "late", now_ms)
        self._last_ms = second_ms
        instant = Span(second_ms, second_ms + _SECOND_MS)
        found = self._stream.image_rows(self.subscription, LIVE_BOOK_LEVELS)
        if found is None or progress.lost_ms is not None:
            self._miss(instant, "refused" if progress.cause == "refused" else "no connection", now_ms)
            return
        rows, time_ms = found
        more = {"time": second_ms, "told": time_ms, "asked": now_ms}
        self._taken.append(tuple({**row, **more} for row in rows))
        self._spans.append(instant)
        self.rows += 1

    def commit(self, now_ms: int) -> None:
        """Write the images and the gaps of the last seconds."""
        if self._missed and self._series is not None:
            empty = self._what.shape.schema.empty_table()
            self._source.store.write(self._series, empty, [], self._missed)
            self._missed = []
        if self._spans:
            rows = [row for image in self._taken for row in image]
            self._keep(self._what.shape.table(rows), self._spans, "live.order_book")
            self._taken, self._spans = [], []

    def _miss(self, span: Span, cause: Cause, now_ms: int) -> None:
        self._missed.append(Gap(span, cause, now_ms))
        self.gaps += 1


WRITERS: Mapping[str, Callable[[Session, Stream, Subscription], SeriesWriter]] = {
    "trades": TradeWriter,
    "candles": CandleWriter,
    "order_book": ImageWriter,
}
"""How a channel is written, by its name; the others have no place in the store."""


def _second(row: Row) -> int:
    return int(row["time"]) // _SECOND_MS * _SECOND_MS


def _trade_table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist([_stored(row) for row in rows], _TRADE_SCHEMA)


def _stored(row: Row) -> Row:
    exact = row["time"] if row["time"] % _SECOND_MS or "received_at" in row else None
    return {**{name: row[name] for name in TRADES.schema.names}, "time": _second(row), EXACT_TIME: exact}
