"""What becomes of events: rows in order, current order books, gaps. Starts no thread and opens no connection.

How it stays correct: rows of one subscription leave in the order of segments. A gap that is being repaired is a segment
without rows yet; what comes after it waits behind it. So readers and recorders of the stream see a repaired gap
in its place, and never before it is known whether it could be repaired.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bgresearch.core.clock import Clock
from bgresearch.core.intervals import INTERVALS
from bgresearch.core.spans import Span
from bgresearch.errors import BgresearchError
from bgresearch.live.channels import Subscription
from bgresearch.live.continuity import AccountTail, BarTail, TradeTail
from bgresearch.live.decoding import Unreadable
from bgresearch.live.depth_book import BookBroken, DepthBook
from bgresearch.live.gap_log import GapLog, LiveGap
from bgresearch.live.link import Connection
from bgresearch.live.outlet import Outlet
from bgresearch.live.protocol_core import Acknowledged, Garbage, PushedRows, Refused, Silent
from bgresearch.live.repair import TradeGap
from bgresearch.schemas import Row

_OVER_LIMIT = ("30006", "30007")  # messages that were sent in time may arrive together
Key = tuple[str, ...]
Job = Callable[[], None]

_log = logging.getLogger(__name__)


class Repairs(NamedTuple):
    """How gaps are repaired: each function may raise `BgresearchError`; ``submit`` runs a job outside this thread."""

    trades: Callable[[TradeGap], tuple[list[Row], bool]]
    bars: Callable[[Subscription, Span], list[Row]]
    account: Callable[[Subscription, int], list[Row]]
    submit: Callable[[Job], Any]


@dataclass
class _Segment:
    """Rows that leave together; None while they are being fetched."""

    rows: list[Row] | None = None


@dataclass
class SubscriptionProgress:
    """What is known of one subscription.

    Attributes
    ----------
    since_ms : int or None
        Everything from here on came, or is named as a gap; None before the first data.
    lost_ms : int or None
        From when on nothing is known to be complete; None while the subscription is connected.
    cause : str
        Why.
    heard_ms : int
        When the last push came.
    checked_ms : int
        Up to when a private channel was compared with the account's lists.
    """

    subscription: Subscription
    since_ms: int | None = None
    lost_ms: int | None = None
    cause: str = ""
    heard_ms: int = 0
    checked_ms: int = 0
    trades: TradeTail = field(default_factory=TradeTail)
    bars: BarTail = field(init=False)
    segments: deque[_Segment] = field(default_factory=deque)
    account: AccountTail = field(init=False)

    def __post_init__(self) -> None:
        self.bars = BarTail(INTERVALS[self.subscription.interval or "1m"])
        self.account = AccountTail(self.subscription.channel.identity)


class Intake:
    """Turns events into rows, books and gaps; safe to share between threads.

    Parameters
    ----------
    subscriptions : sequence of Subscription
        All of a stream.
    outlet : Outlet
        Takes rows.
    gaps : GapLog
        Takes gaps.
    repairs : Repairs
        Fetches what is missing.
    clock : Clock
        Time of the exchange.
    """

    def __init__(
        self, subscriptions: Sequence[Subscription], *, outlet: Outlet, gaps: GapLog, repairs: Repairs, clock: Clock
    ) -> None:  # fmt: skip
        self._outlet, self._gaps, self._repairs, self._clock = outlet, gaps, repairs, clock
        self._lock = threading.RLock()
        self.progress: dict[Key, SubscriptionProgress] = {one.key: SubscriptionProgress(one) for one in subscriptions}
        self.books: dict[Key, DepthBook] = {}
        self._newest: dict[Key, float] = {}
        self._changed: set[Key] = set()
        self.messages = 0
        self.latency_ms: float | None = None
        self.refusal: Refused | None = None
        self._take: Mapping[str, Callable[[Connection, PushedRows, SubscriptionProgress, int], None]] = {
            "trades": self._trades, "bars": self._bars, "state": self._rows, "records": self._rows, "book": self._book,
            "account": self._account,
        }  # fmt: skip

    def happened(self, connection: Connection, events: Iterable[Any]) -> str:
        """Take in events; return why the connection has to end, empty if it need not."""
        now = self._clock.now_ms()
        with self._lock:
            for event in events:
                if isinstance(event, Garbage):
                    _log.warning("a live connection is opened again: %s", event.why)
                    return "unreadable"
                if isinstance(event, Refused) and event.code in _OVER_LIMIT:
                    return "over limit"
                if not isinstance(event, PushedRows):
                    self._noted(event, now)
                elif not self._pushed(connection, event, now):
                    return "unreadable"
            if self._changed:
                self._outlet.changed(self._changed, now)
                self._changed.clear()
        return ""

    def _pushed(self, connection: Connection, push: PushedRows, now: int) -> bool:
        """Take in a push, and return whether it could be read."""
        self.messages += 1
        if push.time_ms:
            self.latency_ms = float(now - push.time_ms)
        progress = self.progress[push.subscription.key]
        try:
            self._take[push.subscription.channel.kind](connection, push, progress, now)
        except Unreadable as error:
            _log.warning("a live connection is opened again: %s: %s", push.subscription, error)
            return False
        progress.heard_ms = now
        return True

    def _noted(self, event: Acknowledged | Refused | Silent, now: int) -> None:
        if isinstance(event, Refused):
            self._refused(event, now)
        elif isinstance(event, Acknowledged):
            self._acknowledged(self.progress[event.subscription.key], now)
        else:
            progress = self.progress[event.subscription.key]
            self._lose(progress, "silence", progress.heard_ms)

    def lost(self, subscriptions: Sequence[Subscription], cause: str, heard_ms: int) -> None:
        """Take note that nothing is received for these any more."""
        with self._lock:
            for one in subscriptions:
                self._lose(self.progress[one.key], cause, heard_ms)
                if (book := self.books.get(one.key)) is not None:
                    book.drop()
                self._newest.pop(one.key, None)

    def book(self, key: Key) -> DepthBook | None:
        """Return the current order book, None while there is none."""
        book = self.books.get(key)
        return book if book is not None and book.valid else None

    def locked(self) -> threading.RLock:
        """Return the lock that keeps books and progress as they are."""
        return self._lock

    def _lose(self, progress: SubscriptionProgress, cause: str, heard_ms: int) -> None:
        if progress.lost_ms is None and progress.since_ms is not None:
            progress.lost_ms, progress.cause = heard_ms, cause

    def _refused(self, event: Refused, now: int) -> None:
        """A subscription that never worked ends the stream; one that worked before is a gap from now on."""
        if event.subscription is None or self.progress[event.subscription.key].since_ms is None:
            self.refusal = self.refusal or event
        else:
            self._lose(self.progress[event.subscription.key], "refused", now)

    def _found(self, progress: SubscriptionProgress, now: int) -> LiveGap | None:
        """Return the gap that ends now, if there was one."""
        if progress.lost_ms is None:
            return None
        symbol = progress.subscription.named.symbol
        gap = LiveGap(symbol, progress.lost_ms, max(now, progress.lost_ms), progress.cause)
        progress.lost_ms, progress.cause = None, ""
        return gap

    def _decoded(self, push: PushedRows, now: int) -> list[Row]:
        channel, named = push.subscription.channel, push.subscription.named
        if channel.decode is None:
            raise Unreadable(f"{channel.name} has no rows")
        rows: list[Row] = []
        for row in push.rows:
            found = channel.decode(row, named)
            rows += found if isinstance(found, list) else [found]
        return self._received(push.subscription, rows, now)

    def _received(self, one: Subscription, rows: Sequence[Row], now: int) -> list[Row]:
        """Return the rows that were asked for, with symbol and time of arrival."""
        found = [{"symbol": one.named.symbol or None, **row, "received_at": now} for row in rows]
        return [row for row in found if not one.only or row["symbol"] in one.only]

    def _trades(self, _connection: Connection, push: PushedRows, progress: SubscriptionProgress, now: int) -> None:
        rows = self._decoded(push, now)
        if not rows:
            return
        tail = progress.trades
        oldest_ms = min(row["time"] for row in rows)
        if progress.since_ms is None:
            progress.since_ms = oldest_ms
        gap = self._found(progress, now)
        if gap is not None and not tail.joins(rows):
            gap.start_ms, gap.end_ms = tail.newest_ms, max(oldest_ms, tail.newest_ms)
            task = TradeGap(push.subscription.named, tail.known(), tuple(rows), tail.newest_ms)
            self._repair(progress, gap, lambda: self._repairs.trades(task), now)
        self._deliver(progress, tail.fresh(rows))

    def _bars(self, _connection: Connection, push: PushedRows, progress: SubscriptionProgress, now: int) -> None:
        rows = self._decoded(push, now)
        if not rows:
            return
        tail, first = progress.bars, progress.since_ms is None
        before_ms, forming = tail.final_ms, tail.forming
        done = tail.closed(rows)
        if first:
            progress.since_ms = min(row["open_time"] for row in rows)
        self._outlet.forming(progress.subscription.named.symbol, tail.forming)
        doubt, cause = None if first else tail.missing(done, before_ms), "missing candles"
        if progress.lost_ms is not None and (push.action == "snapshot" or done):
            cause = progress.cause
            self._found(progress, now)
            if push.action != "snapshot" and forming is not None:  # its last pushes were missed
                doubt = Span(forming["open_time"], tail.final_ms + 1)
        if doubt is None:
            self._deliver(progress, done)
            return
        self._deliver(progress, [row for row in done if row["open_time"] < doubt.start_ms])
        self._repair_bars(progress, doubt, cause, now)
        self._deliver(progress, [row for row in done if row["open_time"] >= doubt.end_ms])

    def _repair_bars(self, progress: SubscriptionProgress, span: Span, cause: str, now: int) -> None:
        gap = LiveGap(progress.subscription.named.symbol, span.start_ms, span.end_ms, cause)
        self._repair(progress, gap, lambda: (self._repairs.bars(progress.subscription, span), True), now)

    def _rows(self, _connection: Connection, push: PushedRows, progress: SubscriptionProgress, now: int) -> None:
        rows = self._decoded(push, now)
        progress.since_ms = progress.since_ms or now
        if (gap := self._found(progress, now)) is not None:
            self._gaps.add(gap)
        self._deliver(progress, rows)

    def _account(self, _connection: Connection, push: PushedRows, progress: SubscriptionProgress, now: int) -> None:
        rows = self._decoded(push, now)
        tail, channel = progress.account, push.subscription.channel
        is_whole = channel.name == "positions" and channel.version == "v2" and push.action == "snapshot"
        gone = tail.closed(rows) if is_whole else []
        self._deliver(progress, [*tail.fresh(rows), *self._received(push.subscription, gone, now)])

    def _acknowledged(self, progress: SubscriptionProgress, now: int) -> None:
        """Reconcile a private channel over REST: pushes may be lost, and the first ones say nothing of what was."""
        one = progress.subscription
        if not one.channel.private:
            return
        if progress.since_ms is None:
            progress.since_ms = progress.checked_ms = progress.account.began_ms = now
            if one.channel.identity:
                self._repairs.submit(lambda: self._note_earlier(progress, now))
            return
        gap = self._found(progress, now)
        if gap is None:
            return  # a connection that takes over before the old one ends
        since_ms = min((progress.checked_ms, *progress.account.open_ms.values()))
        progress.checked_ms = gap.start_ms
        self._repair(progress, gap, lambda: (self._repairs.account(one, since_ms), True), now)

    def _note_earlier(self, progress: SubscriptionProgress, now: int) -> None:
        """Remember what was before the stream began: it is not given, and orders that were open may change unseen."""
        try:
            rows = self._repairs.account(progress.subscription, now)
        except BgresearchError as error:
            _log.warning("what was before %s began is not known: %s", progress.subscription, error)
            return
        with self._lock:
            progress.account.note_earlier(rows)

    def _book(self, connection: Connection, push: PushedRows, progress: SubscriptionProgress, now: int) -> None:
        subscription, key = push.subscription, push.subscription.key
        book = connection.books.get(key)
        if book is None:
            book = connection.books[key] = DepthBook(subscription.channel.sides)
        changed, before = False, book.sequence if book.valid else 0
        for row in push.rows:
            if not isinstance(row, dict):
                raise Unreadable("an order book is no object")
            try:
                changed |= book.push(push.action, row, push.time_ms)
            except BookBroken as broken:
                self._lose(progress, broken.cause, now)
                connection.core.resubscribe(subscription)
                return
        opened_s = connection.core.opened_s
        if not changed or opened_s < self._newest.get(key, opened_s):
            return
        self._newest[key], self.books[key] = opened_s, book
        progress.since_ms = progress.since_ms or now
        gap = self._found(progress, now)
        if gap is not None and not (gap.cause == "silence" and before == book.sequence > 0):
            self._gaps.add(gap)  # else the snapshot shows that nothing had changed
        self._changed.add(key)

    def _deliver(self, progress: SubscriptionProgress, rows: list[Row]) -> None:
        if not progress.segments:
            self._outlet.add(rows)
        elif progress.segments[-1].rows is None:
            progress.segments.append(_Segment(rows))
        else:
            progress.segments[-1].rows.extend(rows)

    def _repair(
        self, progress: SubscriptionProgress, gap: LiveGap, fetch: Callable[[], tuple[list[Row], bool]], now: int
    ) -> None:  # fmt: skip
        """Fetch the rows of a gap outside this thread; what comes meanwhile waits."""
        self._gaps.add(gap)
        segment = _Segment()
        progress.segments.append(segment)

        def job() -> None:
            rows: list[Row] = []
            try:
                rows, gap.repaired = fetch()
            except BgresearchError as error:
                _log.warning("a gap of %s could not be repaired: %s", progress.subscription, error)
            finally:
                self._repaired(progress, segment, rows, now, is_whole=gap.repaired)

        self._repairs.submit(job)

    def _repaired(
        self, progress: SubscriptionProgress, segment: _Segment, rows: list[Row], now: int, *, is_whole: bool
    ) -> None:  # fmt: skip
        one, tail = progress.subscription, progress.account
        with self._lock:
            if one.channel.private:
                gone = tail.closed(rows) if is_whole and one.channel.name == "positions" else []
                rows = [*tail.fresh(rows, fetched=True), *gone]
            segment.rows = self._received(one, rows, now)
            while progress.segments and progress.segments[0].rows is not None:
                self._outlet.add(progress.segments.popleft().rows or [])
