"""Public histories in the store: trades (the exchange serves 90 days) and funding rates (since the listing).

Both lists come newest first. Complete parts are stored while a list is read, so that memory holds some thousand rows
and an interruption loses little.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.archives.archive_file import ArchiveFile
from bgresearch.archives.wanted import days_of, wanted_files
from bgresearch.catalogue import load
from bgresearch.catalogue.answer_row import UNREADABLE, AnswerRow, KeyMissing
from bgresearch.catalogue.assumptions import TRADE_ID_CLOCK, TRADES_DAYS
from bgresearch.catalogue.response import rows_of
from bgresearch.catalogue.value_types import TIME
from bgresearch.core.intervals import DAY_MS, HOUR_MS, windows
from bgresearch.core.progress import Wish, shown
from bgresearch.core.spans import Span, after_instant, halves, iso, subtract, union, whole_seconds
from bgresearch.core.symbols import Named
from bgresearch.errors import (
    BgresearchError,
    ExchangeError,
    IncompleteData,
    NetworkError,
    OfflineError,
    UndocumentedData,
)
from bgresearch.http.confirming_sender import confirming
from bgresearch.http.pagination.paged_list import EndUnknown, PagedList
from bgresearch.http.rows import rows_from, shaped
from bgresearch.http.sender import Sender
from bgresearch.market.archived import ArchiveUse, Choice, checked_choice, reachable, whole_days, worth_it
from bgresearch.market.archived_books import fetch_whole_files
from bgresearch.market.settlements import holes, next_due
from bgresearch.market.traded import was_traded
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.differences import differences
from bgresearch.session.session import Session
from bgresearch.session.unknown_symbol import unlisted
from bgresearch.store import Gap, Series
from bgresearch.store.coverage import joined
from bgresearch.store.pending_pages import PendingPages

_SECOND_MS = 1_000  # times of the history are cut to seconds
_FINAL_MS = 5 * 60_000  # younger rows are returned, but not stored
_EDGE_MS = 60_000
_FLUSH_ROWS = 20_000
_NEVER_MS = 2**53
_SHALLOW = (
    "The exchange stopped serving pages of the trades of {symbol} before the list ended, so they were requested in "
    "shorter windows. Its list of a contract's trades obeys no start and is ordered by id: a trade whose id is several "
    "pages older than its time is on no page that is served, and no response shows whether there is one."
)
_LEAST_ARCHIVED_DAYS = 3
_BYTES_OF_A_TRADE = 22  # in a packed file
_ID_DIGITS = 18 + 1  # of ids until the year 2084; longer ones do not fit
_DAILY, _FUNDING = "futures.history_candles", "futures.history_fund_rate"
_OTHER_SIZES = (30, 40, 70)  # of pages of settlements, to see whether they end at the same one
_LATE_MS = 30 * 60_000  # after which a settlement that is due is missing from the list
_MOST_NAMED = 3

TRADES = Shape(
    "trades",
    fields("""
        time time when it was traded; to the second in the history
        trade_id text of the trade
        side category buy or sell: what the taker did
        price number quote coin
        amount number base coin
    """),
    ("spot.fills", "spot.fills_history", "futures.fills", "futures.fills_history"),
    index="time",
)
FUNDING_RATES = Shape(
    "funding_rates",
    fields("""
        time time of the settlement
        funding_rate number ratio of the position's value; positive: longs paid shorts
    """),
    ("futures.history_fund_rate",),
    index="time",
)
FUNDING = Shape(
    "funding",
    fields("""
        symbol text as the exchange spells it
        market category futures market
        funding_rate number ratio that is paid at the next settlement, by its present value
        next time next settlement
        interval_hours number hours between two settlements
        min_rate number ratio
        max_rate number ratio
    """),
    ("futures.current_fund_rate",),
)


def funding(sender: Sender, named: Named) -> list[Row]:
    """Return the funding rate that is due next."""
    params = {"symbol": named.symbol, "productType": named.market.upper()}

    def row_of(row: AnswerRow) -> Row:
        return {
            "symbol": row.key("symbol"), "market": named.market, "funding_rate": row.number("fundingRate", needed=True),
            "next": row.time("nextUpdate"), "interval_hours": row.number("fundingRateInterval"),
            "min_rate": row.number("minFundingRate"), "max_rate": row.number("maxFundingRate"),
        }  # fmt: skip

    return shaped("futures.current_fund_rate", row_of, rows_from(sender, "futures.current_fund_rate", params))


def recent_trades(sender: Sender, named: Named) -> list[Row]:
    """Return the latest trades, oldest first: at most 500 in spot, 100 of a contract."""
    row_id = "spot.fills" if named.market == "spot" else "futures.fills"
    rows = shaped(row_id, _trade, rows_from(sender, row_id, _of(named) | {"limit": _most(row_id)}))
    return sorted(rows, key=lambda row: (row["time"], row["trade_id"]))


def past_trades(  # noqa: PLR0917 - the verb's arguments
    source: Session, named: Named, span: Span, wish: Wish, choice: str = "auto", use: ArchiveUse | None = None
) -> pa.Table:  # fmt: skip
    """Return the trades of a span, from the store, the exchange and its bulk archive; ``use`` collects what that gave.

    Raises
    ------
    IncompleteData
        Part of it is older than the exchange serves, and neither stored nor in the archive.
    OfflineError
        Offline, and part of it is not stored.
    """
    row_id = "spot.fills_history" if named.market == "spot" else "futures.fills_history"
    endpoint = load()[row_id]
    days = differences(source).value(TRADES_DAYS.name, row_id) or endpoint.lookback_days or 90
    lookback = days * DAY_MS - _EDGE_MS
    longest = (endpoint.max_span_days or 7) * DAY_MS - _EDGE_MS

    use, chosen = use or ArchiveUse(), checked_choice(choice, source)

    def fetch(kept: _Kept, missing: Span) -> None:
        for window in reversed(list(windows(missing, longest))):
            _walk_trades(source.sender, row_id, named, window, kept)
        if kept.shallow and named.market != "spot":
            warnings.warn(_SHALLOW.format(symbol=named.symbol), UserWarning, stacklevel=2)

    def from_archive(missing: tuple[Span, ...], gone: tuple[Span, ...]) -> None:
        spans = _archived_share(source, named, missing, gone, chosen)
        if spans:
            fetch_whole_files(source, "trades", named, past.series, spans, wish, use)

    past = _Past(TRADES, named, "trade_id", lookback, f"trades of {named.symbol}", from_archive, use, chosen)
    return _read(source, past, span, wish, fetch)


def trades_series(named: Named) -> Series:
    """Return the stored series of trades."""
    return _Past(TRADES, named, "trade_id", None, "").series


def _archived_share(
    source: Session, named: Named, missing: tuple[Span, ...], gone: tuple[Span, ...], choice: Choice
) -> tuple[Span, ...]:
    """Return the missing trades to take from the archive: those REST does not serve, and those it serves more slowly.

    The number of trades a day is unknown before; it is estimated from the length of one file.
    """
    if choice == "rest" or source.archive is None or not reachable(source):
        return ()
    if choice == "archive":
        return missing
    near = subtract(whole_days(named.market, "trades", subtract(missing, gone)), gone)
    wanted = wanted_files(named.market, named.symbol, "trades", near, source.clock.now_ms())
    near = subtract(near, [gap for gap, _why in wanted.gaps])
    days = sum(span.duration_ms for span in near) / DAY_MS
    if days < _LEAST_ARCHIVED_DAYS:
        return gone
    try:
        looks = (source.archive.look(key) for key in _middle(wanted.files).of_part(1).candidates())
        found = next((info for info in looks if info is not None), None)
    except NetworkError:
        return gone
    rows = days * (found.length or 0) / _BYTES_OF_A_TRADE if found is not None else 0.0
    row = load()["spot.fills_history" if named.market == "spot" else "futures.fills_history"]
    rest_s = rows / int(_most(row.id)) * row.limit.seconds / row.limit.count
    return union([*gone, *(near if worth_it(rest_s, wanted) else ())])


def _middle(files: Sequence[ArchiveFile]) -> ArchiveFile:
    """Return a daily file in the middle of some."""
    file = files[len(files) // 2]
    return days_of(file)[-1] if file.length == "month" else file


def past_funding(source: Session, named: Named, span: Span, wish: Wish) -> tuple[pa.Table, tuple[Gap, ...]]:
    """Return the funding rates of a span, from the store and the exchange, and where it is known to have none."""
    absent: list[Span] = []

    def fetch(kept: _Kept, missing: Span) -> None:
        _walk_funding(source.sender, named, missing, kept)
        absent.extend(kept.holes)

    past = _Past(FUNDING_RATES, named, "time", None, f"funding of {named.symbol}")
    table = _read(source, past, span, wish, fetch)
    times = table.column("time").cast(pa.int64()).to_pylist()
    _say_holes(named, union(_inside([*absent, *holes(times)], span)))
    return table, joined(source.store.gaps(past.series, span))


def _inside(spans: Iterable[Span], whole: Span) -> tuple[Span, ...]:
    return tuple(part for one in spans if (part := one.intersect(whole)) is not None)


def _say_holes(named: Named, found: Sequence[Span]) -> None:
    """Warn of settlements that the exchange does not list."""
    if not found:
        return
    more = len(found) - _MOST_NAMED
    some = ", ".join(map(str, found[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
    warnings.warn(
        f"{_FUNDING}: settlements of {named.symbol} seem to be missing, by the pauses before and after: {some}. The "
        "exchange was asked twice; sums over these spans lack them.",
        UndocumentedData, stacklevel=4,
    )  # fmt: skip


@dataclass(frozen=True)
class _Past:
    """A history: its columns, symbol, the column that identifies a row, and how far back the exchange serves it."""

    shape: Shape
    named: Named
    id: str
    lookback_ms: int | None
    title: str
    from_archive: Callable[[tuple[Span, ...], tuple[Span, ...]], None] | None = None
    use: ArchiveUse = field(default_factory=ArchiveUse)
    choice: Choice = "rest"

    @property
    def series(self) -> Series:
        keys = (("market", self.named.market), ("symbol", self.named.symbol))
        return Series(self.shape.verb, keys, "time", unique=(self.id,) if self.id != "time" else ())


@dataclass
class _Kept:
    """Rows received while reading from new to old and not yet stored; ``upper_ms`` is the end of what is not stored.

    Trades are listed by their ids, which nearly follow their times. So a page is no evidence about times inside itself,
    and everything newer than the newest row of the last page counts as complete. A page with a row that is newer than
    the page before shows that the order of times is looser than that: the rows stored of this window are taken back,
    and stored again when the whole window was received.
    """

    source: Session
    past: _Past
    endpoint: str
    upper_ms: int
    final_ms: int
    top_ms: int = field(init=False)  # end of the window that is walked
    rows: dict[Any, Row] = field(default_factory=dict)
    young: list[Row] = field(default_factory=list)
    oldest_ms: int = _NEVER_MS
    newest_ms: int = _NEVER_MS  # of the last page
    middle_ms: int = _NEVER_MS  # half of the last page is older: one odd time does not move it
    ordered: bool = True
    listed: bool = False
    holes: tuple[Span, ...] = ()  # where rows are missing, as far as the others show it
    shallow: bool = False  # whether the exchange stopped serving pages before the end of a window
    none_before: bool = False  # whether the exchange has no row older than the oldest, though the contract traded

    def __post_init__(self) -> None:
        self.top_ms = self.upper_ms

    @property
    def edge_ms(self) -> int:
        """Everything newer was received; funding rates are listed by their times themselves."""
        return self.oldest_ms if self.past.id == "time" else self.newest_ms

    def begin(self, window: Span) -> None:
        """Begin with a window."""
        self.top_ms, self.newest_ms = window.end_ms, _NEVER_MS

    def add(self, rows: list[Row]) -> None:
        """Add a page."""
        times = sorted(row["time"] for row in rows)
        if not times:
            return
        if self.ordered and times[-1] > self.edge_ms:
            self.ordered = False
            self.take_back()
        self.rows |= {row[self.past.id]: row for row in rows}
        self.oldest_ms = min(self.oldest_ms, times[0])
        self.newest_ms, self.middle_ms = times[-1], times[len(times) // 2]

    def take_back(self) -> None:
        """Take the rows of this window out of the store again: it may be incomplete."""
        taken = Span(self.upper_ms, self.top_ms)
        if not taken.duration_ms:
            return
        kept = self.source.store.read(self.past.series, taken)
        rows = [] if kept is None else _rows(kept.select(self.past.shape.schema.names))
        again = [row for row in self.young if row["time"] < taken.end_ms]  # of this window: it is the oldest so far
        self.rows |= {row[self.past.id]: row for row in (*rows, *again)}
        self.young = [row for row in self.young if row["time"] >= taken.end_ms]
        self.source.store.forget(self.past.series, taken)
        self.upper_ms = taken.end_ms

    def keep_what_came(self, start_ms: int) -> None:
        """Store the complete pages when the list is interrupted."""
        if self.ordered and self.oldest_ms < _NEVER_MS:
            self.flush(max(start_ms, min(self.edge_ms + 1, self.upper_ms)))

    def must_be_listed(self) -> None:
        """Raise `UnknownSymbol`, before anything is stored, if there are no rows because there is no such symbol."""
        if self.listed or self.oldest_ms < _NEVER_MS or self.source.store.known(self.past.series):
            return
        error = unlisted(self.source.sender, self.past.named, self.endpoint)
        if error is not None:
            raise error
        self.listed = True

    def flush(self, lower_ms: int) -> None:
        """Store everything from an instant on: all of it was received."""
        whole = [row for row in self.rows.values() if lower_ms <= row["time"] < self.upper_ms]
        final = Span(lower_ms, max(lower_ms, min(self.upper_ms, self.final_ms)))
        holes = sorted({row["time"] for row in whole if UNREADABLE in row})  # requested and reported again next time
        covered = subtract([final], [Span(at, at + _SECOND_MS) for at in holes]) if final.duration_ms else ()
        kept = [row for row in whole if any(part.start_ms <= row["time"] < part.end_ms for part in covered)]
        if covered:
            self.source.store.write(self.past.series, self.past.shape.table(kept), covered, source=self.endpoint)
        sure = {row[self.past.id] for row in kept}
        self.young += [row for row in whole if row[self.past.id] not in sure]
        self.rows = {key: row for key, row in self.rows.items() if row["time"] < lower_ms}
        self.upper_ms = min(self.upper_ms, lower_ms)


def _read(
    source: Session, past: _Past, span: Span, wish: Wish, fetch: Callable[[_Kept, Span], None]
) -> pa.Table:  # fmt: skip
    source.store.check_host()
    if not source.store.pin:
        PendingPages(source.store, past.series).recover()  # what a recording left when it was killed
    table, young = source.store.read_after(lambda: _fetched(source, past, span, wish, fetch), past.series, span)
    tables = [past.shape.table(young)] + (
        [table.select(past.shape.schema.names).cast(past.shape.schema)] if table is not None else []
    )
    return pa.concat_tables(tables).sort_by([("time", "ascending"), (past.id, "ascending")])


def _fetched(
    source: Session, past: _Past, span: Span, wish: Wish, fetch: Callable[[_Kept, Span], None]
) -> list[Row]:  # fmt: skip
    """Fetch and store what is missing of a span; return the rows that are too young to be stored."""
    missing = source.store.missing(past.series, span)
    young: list[Row] = []
    if missing and source.offline:
        raise OfflineError(
            f"{past.title} are not all in the store: {missing[0]} is missing.", missing=missing,
            hint="Connect without offline=True to fetch them." + source.store.aside_hint(past.series, span),
        )  # fmt: skip
    now = source.clock.now_ms()
    gone = _gone(past, missing, now)
    if missing and past.from_archive is not None:
        past.from_archive(missing, gone)
        missing = source.store.missing(past.series, span)
        gone = missing if past.choice == "archive" else _gone(past, missing, now)
    if gone and past.lookback_ms is not None:
        raise _too_old(source, past, span, gone)
    with shown(wish, len(missing), past.title, unit="spans", least=2) as done:
        for part in reversed(missing):
            kept = _Kept(source, past, past.shape.sources[-1], part.end_ms, now - _FINAL_MS)
            try:
                fetch(kept, part)
            except BgresearchError:
                kept.keep_what_came(part.start_ms)
                raise
            young += kept.young
            done(1)
    return young


def _gone(past: _Past, missing: Sequence[Span], now_ms: int) -> tuple[Span, ...]:
    """Return the missing spans that the exchange no longer serves."""
    return subtract(missing, [Span(now_ms - past.lookback_ms, now_ms)]) if past.lookback_ms is not None else ()


def _too_old(source: Session, past: _Past, span: Span, gone: tuple[Span, ...]) -> IncompleteData:
    days, aside = round((past.lookback_ms or 0) / DAY_MS), source.store.aside_hint(past.series, span)
    causes = past.use.causes(gone) if past.use.gaps else []
    archived = "".join(f" In the archive: [{one['start']}, {one['end']}) {one['cause']}." for one in causes[:3])
    if past.choice == "archive":
        said = f"the archive does not have all {past.title}; {gone[0]} is missing."
        return IncompleteData(said + archived, missing=gone, hint='source="auto" asks the exchange for the rest.')
    said = (
        f"the exchange serves {past.title} {days} days back; {gone[0]} is older and "
        f"{'is no longer in the store' if aside else 'was never stored'}."
    )
    first = iso(source.clock.now_ms() - (past.lookback_ms or 0) + _EDGE_MS)
    return IncompleteData(said + archived, missing=gone, hint=f"Ask from {first} on.{aside}")


def precision(times: pa.ChunkedArray) -> str:
    """Return whether times of trades are known to the second or to the millisecond: ``s`` or ``ms``."""
    parts = times.cast(pa.int64()).to_numpy() % _SECOND_MS
    return "ms" if parts.any() else "s"


def times_of_ids(table: pa.Table) -> pa.Array:
    """Return the times of trades from their ids, to the millisecond; missing where the id does not fit the time.

    Ids are snowflakes: a count of milliseconds, then 22 bits. The exchange does not document it, so an id is used only
    where its time is within the second that its trade's time was cut to.
    """
    ids = table.column("trade_id").combine_chunks()
    plain = pc.and_(pc.utf8_is_digit(ids), pc.less_equal(pc.utf8_length(ids), _ID_DIGITS))
    numbers = pc.if_else(plain, ids, "0").cast(pa.int64()).to_numpy(zero_copy_only=False)
    epoch_ms, bits = TRADE_ID_CLOCK.value
    derived = (numbers >> bits) + epoch_ms
    late = derived - table.column("time").cast(pa.int64()).to_numpy()
    return pa.array(derived, mask=(late < 0) | (late >= _SECOND_MS)).cast(TIME)


def _walk_trades(sender: Sender, row_id: str, named: Named, window: Span, kept: _Kept) -> None:
    """Read one window by id; it is halved where no further page is served, whatever order its times have."""
    kept.begin(window)
    try:
        _walk_by_id(sender, row_id, named, window, kept)
    except EndUnknown:
        parts = halves(window)
        if parts is None:
            raise
        kept.take_back()
        kept.shallow = True
        for half in reversed(parts):
            _walk_trades(sender, row_id, named, half, kept)
        return
    kept.must_be_listed()
    unserved = _unserved(sender, named, window, kept)
    kept.flush(window.start_ms if unserved is None else unserved.end_ms)
    if unserved is not None:
        raise IncompleteData(
            f"the exchange serves no trades of {named.symbol} in {unserved}, although its candles show some: it does "
            "not serve trades as far back as it documents.",
            missing=[Span(window.start_ms, unserved.end_ms)],
            hint=f'Ask from {iso(unserved.end_ms)} on; source="archive" takes whole days from the bulk archive.',
        )  # fmt: skip


def _unserved(sender: Sender, named: Named, window: Span, kept: _Kept) -> Span | None:
    """Return the oldest part of a window without trades, if a candle inside it has a volume; None without such a part.

    Beyond its look-back the exchange answers with an empty list, as it does where nothing was traded.
    """
    inside = [row["time"] for row in kept.rows.values() if window.start_ms <= row["time"] < window.end_ms]
    end_ms = min(inside, default=min(kept.upper_ms, kept.source.clock.now_ms() - _FINAL_MS))
    empty = Span(window.start_ms, max(window.start_ms, end_ms))
    if (inside and empty.duration_ms < HOUR_MS) or not was_traded(sender, named, empty):
        return None
    return empty


def _walk_by_id(sender: Sender, row_id: str, named: Named, window: Span, kept: _Kept) -> None:
    """Read pages until one is before the window: for contracts the exchange ignores the start and fills the page."""
    endpoint, read = load()[row_id], partial(shaped, row_id, _trade, whole=True)
    asked = whole_seconds(window)

    def paged(span: Span, goes_on: Callable[[], bool] | None = None) -> PagedList[Row]:
        params = _of(named) | {"startTime": str(span.start_ms), "endTime": str(span.end_ms)}
        return PagedList(sender, endpoint, params, read, lambda row: str(row["trade_id"]), goes_on)

    def goes_on() -> bool:
        """Request the older part of the window without an id, from the middle of the last page, as times may be odd."""
        older, full = Span(asked.start_ms, after_instant(max(kept.middle_ms, asked.start_ms))), False
        for page in paged(older).pages():
            # a newer row than requested: the response ignores the window, so it is no evidence
            if any(row["time"] > older.end_ms for row in page):
                return True
            inside = [row for row in page if row["time"] >= older.start_ms]
            new = any(row["trade_id"] not in kept.rows for row in inside)
            if new or not inside:
                return new
            full = len(page) >= int(_most(row_id))
        return full  # a list that ends right after a full page shows no end

    for page in paged(asked, goes_on).pages():
        kept.add([row for row in page if row["time"] < window.end_ms])
        if max(row["time"] for row in page) < window.start_ms:
            break
        if kept.ordered and len(kept.rows) >= _FLUSH_ROWS:
            kept.flush(kept.edge_ms + 1)


def _walk_funding(sender: Sender, named: Named, missing: Span, kept: _Kept) -> None:
    """Read numbered pages from new to old until one begins before the span, or the list ends.

    Pages may be cut short while their numbers go on, so the pauses between the settlements are looked at, and what is
    missing is asked for once more.
    """

    def goes_on() -> bool:
        """Look for a candle from before the oldest rate: then the contract traded, and was paid funding."""
        params = {"granularity": "1Dutc", "endTime": str((kept.oldest_ms // DAY_MS - 1) * DAY_MS), "limit": "2"}
        reply = sender.send(load()[_DAILY], _of(named) | params)
        return bool(rows_of(reply.endpoint, reply.data))

    read = partial(shaped, _FUNDING, _rate, whole=True)
    paged = PagedList(sender, load()[_FUNDING], _of(named), read, lambda row: str(row["time"]), goes_on)
    try:
        for page in paged.pages():
            kept.add(page)
            if (kept.middle_ms if kept.ordered else kept.newest_ms) < missing.start_ms:
                break
        else:
            if missing.start_ms < kept.oldest_ms < _NEVER_MS and goes_on():
                raise EndUnknown(_FUNDING, "the pages end, and the list goes on.")
    except EndUnknown:
        unknown = Span(missing.start_ms, kept.oldest_ms)
        kept.none_before = _ends_there(sender, named, kept)
        if not kept.none_before:
            raise _unknown_before(named, unknown) from None
    kept.must_be_listed()
    if _funding_holes(sender, named, missing, kept):
        for page in replace(paged, goes_on=None).pages():
            kept.rows |= {row["time"]: row for row in page}
            if max(row["time"] for row in page) < missing.start_ms:
                break
        kept.holes = _funding_holes(sender, named, missing, kept)
        if kept.holes and kept.holes[-1].end_ms > max(kept.rows):
            kept.final_ms = min(kept.final_ms, kept.holes[-1].start_ms)  # it may only be late: asked for again
    kept.flush(missing.start_ms)
    if kept.none_before:
        now_ms = kept.source.clock.now_ms()
        none = Gap(Span(missing.start_ms, min(kept.oldest_ms, missing.end_ms)), "exchange has none", now_ms)
        kept.source.store.write(kept.past.series, kept.past.shape.table([]), (), [none.looked_at(now_ms)])


def _unknown_before(named: Named, unknown: Span) -> IncompleteData:
    return IncompleteData(
        f"the exchange serves no funding rates of {named.symbol} from before {iso(unknown.end_ms)}, although the "
        "contract traded earlier: whether there were any is unknown.",
        missing=[unknown], hint=f"Ask from {iso(unknown.end_ms)} on; the rates received are stored.",
    )  # fmt: skip


def _ends_there(sender: Sender, named: Named, kept: _Kept) -> bool:
    """Return whether pages of another size end at the same settlement: then the exchange has none before it.

    Where it stops serving pages at some depth, the last one is full; one that is cut short ends elsewhere when it
    holds other rows.
    """
    count, endpoint = len(kept.rows), load()[_FUNDING]
    size = next((size for size in _OTHER_SIZES if count % size), None)
    if size is None or count % int(_most(_FUNDING)) == 0:
        return False

    def times(page: int) -> list[int]:
        params = _of(named) | {"pageSize": str(size), "pageNo": str(page)}
        rows = rows_of(endpoint, confirming(sender).send(endpoint, params).data)
        return sorted(row["time"] for row in shaped(_FUNDING, _rate, rows, whole=True))

    last = times(count // size + 1)
    return last == sorted(kept.rows)[: count % size] and not times(count // size + 2)


def _funding_holes(sender: Sender, named: Named, missing: Span, kept: _Kept) -> tuple[Span, ...]:
    """Return where settlements are missing among the rates received, and after the newest of them until now."""
    times, now_ms = sorted(kept.rows), kept.source.clock.now_ms()
    found, due_ms = _inside(holes(times), missing), next_due(times)
    late = due_ms is not None and due_ms < min(missing.end_ms, now_ms - _LATE_MS)
    if not late or not _is_settled(sender, named, now_ms):
        return found
    return (*found, Span(times[-1] + 1, missing.end_ms))


def _is_settled(sender: Sender, named: Named, now_ms: int) -> bool:
    """Return whether a contract is still settled: it has a next settlement."""
    try:
        return any((row["next"] or 0) > now_ms for row in funding(sender, named))
    except ExchangeError:
        return False


def _rows(kept: pa.Table) -> list[Row]:
    at = kept.column_names.index("time")
    return cast("list[Row]", kept.set_column(at, "time", kept.column("time").cast(pa.int64())).to_pylist())


def _of(named: Named) -> dict[str, str]:
    return {"symbol": named.symbol} | ({} if named.market == "spot" else {"productType": named.market.upper()})


def _most(row_id: str) -> str:
    endpoint = load()[row_id]
    sizes = [param.maximum for param in endpoint.params if param.name in ("limit", "pageSize")]
    return str(endpoint.paging.max_rows or sizes[0] or 100)


def _trade(row: AnswerRow) -> Row:
    return {
        "time": _time(row, "ts"), "trade_id": row.key("tradeId"),
        "side": row.one_of(("buy", "sell"), "side", needed=True),
        "price": row.number("price", needed=True), "amount": row.number("size", needed=True),
    }  # fmt: skip


def _rate(row: AnswerRow) -> Row:
    return {"time": _time(row, "fundingTime"), "funding_rate": row.number("fundingRate", needed=True)}


def _time(row: AnswerRow, name: str) -> int:
    """Return the time of a row; without one it is left out."""
    if (time := row.time(name, needed=True)) is None:
        raise KeyMissing
    return time
