"""The verb ``candles``: what is requested, what the store has, what is fetched, and a report of it all."""

from __future__ import annotations

import logging
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bgresearch.archives.archive_file import ArchiveFile
from bgresearch.archives.checks import Daily, Reference
from bgresearch.archives.wanted import NO_FILES, WantedFiles, wanted_files
from bgresearch.catalogue.assumptions import FINAL_AFTER_MS, SPLITS_AS_TRADED
from bgresearch.catalogue.value_types import TIME
from bgresearch.core.intervals import DAY_MS, INTERVALS
from bgresearch.core.progress import Wish, shown
from bgresearch.core.spans import Span, iso, subtract, union
from bgresearch.core.symbols import Named
from bgresearch.core.timestamps import Moment, span_of
from bgresearch.errors import (
    AccessBlocked,
    AddressRejected,
    AuthenticationError,
    BgresearchError,
    ExchangeError,
    ExchangeUnavailable,
    IncompleteData,
    NetworkError,
    OfflineError,
    PermissionDenied,
    RateLimited,
    TimestampError,
    UndocumentedData,
    UnknownSymbol,
)
from bgresearch.frames import CANDLE_SCHEMA, to_frame
from bgresearch.market.archived import (
    ArchiveUse,
    Choice,
    archived_words,
    checked_choice,
    fetch_archived,
    reachable,
    share_of_archive,
)
from bgresearch.market.candles.changed import MAY_CHANGE_MS, StoredCandles
from bgresearch.market.candles.downloader import Download
from bgresearch.market.candles.gap_fill import check_fill, filled
from bgresearch.market.candles.lookback import lookbacks_of, remember_lookbacks
from bgresearch.market.candles.maintenance import began_ms
from bgresearch.market.candles.page_fetcher import Failure, Fetcher, PageRequester
from bgresearch.market.candles.plan import CandleSeries, Plan, plan, routes, subject, with_archive
from bgresearch.market.candles.split_adjust import adjusted, check_adjust, rescaled
from bgresearch.market.contract_events import SplitStep, split_steps
from bgresearch.session.cached_sender import CachedSender
from bgresearch.session.differences import differences, say_differences
from bgresearch.session.session import Session
from bgresearch.session.unknown_symbol import UNKNOWN_CODES, did_you_mean, list_of, symbols_of
from bgresearch.store import Gap, Series
from bgresearch.store.candle_checks import contradictory
from bgresearch.store.coverage import NEVER_MS, joined
from bgresearch.store.parquet_file import within
from bgresearch.store.pending_pages import PendingPages

_log = logging.getLogger(__name__)

_NO_MARKET = ("before listing", "delisted")  # there was nothing to fill
_SPLITS_AGE_S = 60  # so that many symbols at once share one list of splits
_ROUNDS = 3  # how often a partition that turns out damaged is fetched again


def candles(
    source: Session, symbol: str, interval: str, start: Moment | None, end: Moment | None, *, market: str, price: str,
    anchor: str, include_open: bool, progress: Wish, fill: str = "none", adjust: str = "none",
) -> pd.DataFrame:  # fmt: skip
    """Return candles; the verb of the client, which documents it."""
    if fill != "none":
        check_fill(fill)
    if adjust != "none":
        check_adjust(adjust, market)
    what = subject(symbol, interval, market, price, anchor)
    now = source.clock.now_ms()
    asked = span_of(start, end, now)
    say_differences(source, "candles")
    report = CandleReport(source, what, asked)
    span, closed_span = what.grid.outer(asked), closed_part(source, what, asked, now)
    table = _closed(source, what.base, closed_span, progress, report)
    if include_open and closed_span.end_ms < span.end_ms and not source.offline:
        table = pa.concat_tables([table, _still_open(source, what.base, Span(closed_span.end_ms, span.end_ms), report)])
    if what.base != what:
        table = _folded(table, what)
    frame = to_frame(within(table, "open_time", asked), **report.words(closed_span)).set_index("open_time")
    if fill != "none":
        gaps = [gap.span for gap in report.all_gaps() if gap.cause not in _NO_MARKET]
        frame = filled(frame, [part for span in gaps if (part := span.intersect(asked))], what.grid, fill)
    if adjust == "none":
        return frame
    return _split_adjusted(source, what, frame, include_open=include_open, progress=progress)


def _split_adjusted(
    source: Session, what: CandleSeries, frame: pd.DataFrame, *, include_open: bool, progress: Wish
) -> pd.DataFrame:  # fmt: skip
    """Return candles in shares of today: the splits are those that the exchange names now, or the stored ones."""
    steps = _steps(source, what.symbol)

    def shorter(name: str, span: Span) -> pd.DataFrame:
        return candles(
            source, what.symbol, name, span.start_ms, span.end_ms, market=what.market, price=what.price,
            anchor=what.anchor, include_open=include_open, progress=progress,
        )  # fmt: skip

    return adjusted(frame, steps, what.grid, shorter)


def split_adjusted(source: Session, symbol: str, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return rows whose index is a time with a count of shares in shares of today."""
    times = pd.DatetimeIndex(rows.index).as_unit("ms").asi8
    counts = rescaled(rows[column].to_numpy(dtype="float64"), times, _steps(source, symbol), times=True)
    return rows.assign(**{column: counts})


def _steps(source: Session, symbol: str) -> list[SplitStep]:
    if (text := differences(source).text(SPLITS_AS_TRADED.name)) is not None:
        said = f"{SPLITS_AS_TRADED.name} does not hold at {source.sender.host}: {text} {SPLITS_AS_TRADED.otherwise}"
        warnings.warn(said, UndocumentedData, stacklevel=5)
        return []
    answers = CachedSender(source, _SPLITS_AGE_S, again="client.splits()")
    return split_steps(answers, symbol, source.clock.now_ms())


def foreseen(
    source: Session, symbol: str, interval: str, start: Moment | None, end: Moment | None, *, market: str, price: str,
    anchor: str, choice: str = "auto",
) -> Plan:  # fmt: skip
    """Return the requests that `candles` would begin with; reads the store's footers and sends nothing."""
    what, chosen = subject(symbol, interval, market, price, anchor), checked_choice(choice, source)
    now = source.clock.now_ms()
    todo = planned(source, what.base, closed_part(source, what, span_of(start, end, now), now))
    return with_archive(todo, what.base, _archive_share(source, what.base, todo, chosen), chosen, now)


def closed_part(source: Session, what: CandleSeries, asked: Span, now_ms: int) -> Span:
    """Return the part of a span whose candles are final, cut where they open."""
    span, assumed = what.grid.outer(asked), FINAL_AFTER_MS.value[what.price]
    late_ms = max(assumed, differences(source).value(FINAL_AFTER_MS.name, what.price) or assumed)
    closed = min(span.end_ms, what.grid.closed_before(now_ms - late_ms))
    return Span(span.start_ms, max(span.start_ms, closed))


def planned(source: Session, what: CandleSeries, span: Span) -> Plan:
    """Return the requests that would fetch what the store misses of a span that is cut where candles open."""
    series = what.stored
    wanted = source.store.missing(series, span)
    if not (source.offline or source.store.pin):
        due = [part for gap in source.store.due(series, span) if (part := gap.span.intersect(span))]
        wanted = union([*wanted, *due])
    missing = [
        part for hole in wanted for _name, period in series.periods(hole) if (part := hole.intersect(period))
    ]  # fmt: skip
    if not missing:
        return Plan(span, rows_kept=what.grid.count(span))
    return plan(what, span, missing, source.clock.now_ms(), lookbacks_of(source))


def _closed(source: Session, what: CandleSeries, span: Span, progress: Wish, report: CandleReport) -> pa.Table:
    """Return the closed candles of a span, fetching what the store misses."""
    series = what.stored
    source.store.check_host()
    empty = CANDLE_SCHEMA.empty_table()
    if not span.duration_ms:
        return empty
    for _ in range(_ROUNDS):
        table, _ = source.store.read_after(lambda: ensure_stored(source, what, span, progress, report), series, span)
        left = subtract(source.store.missing(series, span), [gap.span for gap in report.late])
        if not left:
            break
    else:
        raise IncompleteData(f"{what.symbol} {what.interval.name}: the store keeps losing spans.", missing=left)
    report.gaps = source.store.gaps(series, span)
    report.endpoints = source.store.routes(series, span)
    report.archived = source.store.archived(series, span)
    table = empty if table is None else table.cast(empty.schema)
    report.contradictory = contradictory(table)
    return table


def ensure_stored(
    source: Session, what: CandleSeries, span: Span, progress: Wish, report: CandleReport, *,
    stop: threading.Event | None = None,
) -> None:  # fmt: skip
    """Fetch into the store what it lacks of a span; no rows are read back.

    Parameters
    ----------
    source : Session
        One exchange, one store.
    what : CandleSeries
        The series to fetch, see `CandleSeries.base`.
    span : Span
        Closed candles, cut where they open.
    progress : "auto", bool or callable
        How progress is shown or reported.
    report : CandleReport
        Collects the requests, and absences too young to be stored.
    stop : Event, optional
        Set by the caller to end the download soon.

    Raises
    ------
    BgresearchError
        As the verb ``candles``.
    Stopped
        If ``stop`` was set.
    """
    series = what.stored
    if not source.store.pin:
        PendingPages(source.store, series).recover()
    if not (source.offline or source.store.pin):
        source.store.reopen(series, span)
    _ensure_archived(source, what, span, progress, report, stop)
    for _ in range(_ROUNDS if report.choice != "archive" or source.offline else 0):
        todo = planned(source, what, span)
        if not todo.missing or not _fetch(source, what, todo, progress, report, stop=stop):
            break


def _fetch(
    source: Session, what: CandleSeries, todo: Plan, progress: Wish, report: CandleReport, *,
    stop: threading.Event | None,
) -> bool:  # fmt: skip
    """Carry out a plan; return whether skipped spans have to be fetched after all."""
    if source.offline:
        raise OfflineError(
            f"{what.symbol} {what.interval.name} ({what.market}, {what.price}) is not all in {source.store.place}: "
            f"{_listed(todo.missing)} is missing.",
            missing=todo.missing,
            hint=f"Connect without {source.store.frozen_by or 'offline=True'} to fetch it."
            + source.store.aside_hint(what.stored, todo.asked),
        )  # fmt: skip
    start_ms = todo.missing[0].start_ms
    due = source.store.due(what.stored, todo.asked)
    needed = subtract(todo.missing, [gap.span for gap in due])  # absences confirmed before may fail to be checked again
    lookbacks = lookbacks_of(source)
    unknown_symbol = partial(_unlisted_symbol, source, what)
    maintained = partial(began_ms, source.sender, what)
    kept = partial(source.store.kept, what.stored, Span(0, source.clock.now_ms()))
    fetcher = Fetcher(
        report.requester, source.clock, what, start_ms, unknown_symbol=unknown_symbol, lookbacks=lookbacks,
        maintained=maintained, kept=kept,
    )  # fmt: skip
    newest_ms, stored = todo.missing[-1].start_ms, None
    if newest_ms >= source.clock.now_ms() - MAY_CHANGE_MS:
        stored = StoredCandles(source, what, newest_ms)
        report.requester.seen = stored.compare
    download = Download(fetcher, source.store, source.clock, what.stored, routes(what, lookbacks), stop=stop)
    try:
        with shown(progress, todo.rows, f"{what.symbol} {what.interval.name}", limit_s=todo.seconds) as done:
            outcome = download.run(todo, done)
    except ExchangeError as error:
        if not needed:
            _look_later(source, what.stored, due)
            return False
        better = _unlisted_symbol(source, what, error) if _may_be_the_symbol(error) else None
        if better is None:
            raise
        raise better from error
    finally:
        remember_lookbacks(source, lookbacks)
    report.late = outcome.late
    failed = [failure for failure in outcome.failed if any(failure.span.intersect(part) for part in needed)]
    if failed:
        raise _incomplete(what, failed)
    if outcome.failed:
        source.store.rest(what.stored)
    changed = stored.forget_changed() if stored else ""
    if changed:
        warnings.warn(changed, UndocumentedData, stacklevel=2)
    return bool(outcome.refuted or changed)


def _archive_share(source: Session, what: CandleSeries, todo: Plan, choice: Choice) -> WantedFiles:
    """Return which files of the archive to fetch for a plan."""
    if not what.archivable or choice == "rest":
        return NO_FILES
    missing = union(todo.missing)

    def seconds(spans: Sequence[Span]) -> float:
        return plan(what, todo.asked, spans, source.clock.now_ms(), lookbacks_of(source)).seconds

    return share_of_archive(source, what.market, what.symbol, "klines", missing, choice, seconds)


def _ensure_archived(  # noqa: PLR0917 - as `ensure_stored`
    source: Session, what: CandleSeries, span: Span, progress: Wish, report: CandleReport,
    stop: threading.Event | None,
) -> None:  # fmt: skip
    """Fetch from the archive what it has of a span, where that is cheaper; the rest is left to REST."""
    if report.choice == "rest" or not what.archivable or not reachable(source):
        return
    report.archive = report.archive or ArchiveUse()
    missing = source.store.missing(what.stored, span)
    share = _archive_share(source, what, planned(source, what, span), report.choice) if missing else NO_FILES
    if not share.files:
        report.archive.gaps += share.gaps
        return
    reference, listed_ms = daily_reference(source, what, share.spans, report.requester)
    if listed_ms is None and report.choice == "auto":
        return  # there are no daily candles to check the files against
    wanted = wanted_files(
        what.market, what.symbol, "klines", share.spans, source.clock.now_ms(), listed_ms=listed_ms
    )  # fmt: skip
    wanted = wanted._replace(gaps=(*share.gaps, *wanted.gaps))
    rows = sum(map(what.grid.count, missing))

    def count(file: ArchiveFile) -> int:
        return sum(what.grid.count(part) for hole in missing if (part := hole.intersect(file.span)))

    try:
        with shown(progress, rows, f"{what.symbol} {what.interval.name} from the archive") as done:
            found = fetch_archived(
                source, what.stored, wanted, missing, reference, done=lambda file: done(count(file)), stop=stop
            )  # fmt: skip
    except (AccessBlocked, NetworkError) as error:
        if report.choice == "archive":
            raise
        _log.warning("the archive failed for %s, REST is used instead: %s", what.symbol, error)
        return
    report.archive.add(wanted, found)


def daily_reference(
    source: Session, what: CandleSeries, spans: Sequence[Span], requester: PageRequester | None = None
) -> tuple[Reference, int | None]:
    """Return the exchange's daily candles of days as files have them, and when the first one opens.

    They are requested page by page, from the newest on, and not stored. Days without one are compared with prices
    that are stored nearby. If the requests fail there is no reference.
    """
    day = replace(what, interval=INTERVALS["1d"], anchor="exchange", price="last")
    whole = Span(min(span.start_ms for span in spans), max(span.end_ms for span in spans))
    requester = requester or PageRequester(source.sender, source.clock)
    daily: dict[int, Daily] = {}
    try:
        for table in _daily_pages(requester, day, whole) if not source.offline else ():
            names = ("low", "high", "volume")
            opens = table.column("open_time").cast(pa.int64()).to_pylist()
            numbers = zip(*(table.column(name).to_pylist() for name in names), strict=True)
            daily |= {at: Daily(*row) for at, row in zip(opens, numbers, strict=True)}
    except (ExchangeError, NetworkError) as error:
        _log.info("no daily candles of %s to compare the archive with: %s", what.symbol, error)
    reference = Reference(daily, partial(_near_price, source, replace(what, interval=INTERVALS["1m"]).stored))
    return reference, reference.first_ms()


def _daily_pages(requester: PageRequester, day: CandleSeries, whole: Span) -> Iterator[pa.Table]:
    """Yield daily candles from the newest on, until two responses in a row have none: a symbol may be young."""
    route = next(one for one in routes(day) if one.lookback_ms is None)
    for span in reversed(list(day.grid.cut(whole, route.rows))):
        table = requester.ask(route, span, day.grid).table
        if not table.num_rows:
            table = requester.ask(route, span, day.grid).table
        if not table.num_rows:
            return
        yield table


def _near_price(source: Session, series: Series, span: Span) -> float | None:
    """Return a price that is stored right before a span, or right after it."""
    before, after = Span(span.start_ms - DAY_MS, span.start_ms), Span(span.end_ms, span.end_ms + DAY_MS)
    for part, at in ((before, -1), (after, 0)):
        table = source.store.read(series, part)
        if table is not None and table.num_rows:
            return float(table.column("close")[at].as_py())
    return None


def _look_later(source: Session, series: Series, due: Sequence[Gap]) -> None:
    """Store that gaps were checked again just now, and that the exchange still has nothing."""
    now = source.clock.now_ms()
    source.store.write(series, CANDLE_SCHEMA.empty_table(), (), [gap._replace(noticed_ms=now) for gap in due])


def _incomplete(what: CandleSeries, failed: Sequence[Failure]) -> BgresearchError:
    missing = subtract([failure.span for failure in failed], [])
    first = next((failure for failure in failed if failure.error), failed[0])
    error = IncompleteData(
        f"{what.symbol} {what.interval.name} ({what.market}, {what.price}): {_listed(missing)} could not be fetched; "
        f"the first reason was: {first.words}",
        missing=missing, hint="What was complete is in the store: call again to fetch only the rest.",
    )  # fmt: skip
    error.__cause__ = first.error
    return error


def _still_open(source: Session, what: CandleSeries, span: Span, report: CandleReport) -> pa.Table:
    """Return the candles that are not closed yet; they are never stored."""
    now = source.clock.now_ms()
    route = routes(what)[0]
    end = min(span.end_ms, what.grid.edge(now + 1))
    if end <= span.start_ms:
        return CANDLE_SCHEMA.empty_table()
    return report.requester.ask(route, Span(span.start_ms, end), what.grid).table


def _folded(table: pa.Table, what: CandleSeries) -> pa.Table:
    """Return longer candles made of shorter ones, exactly."""
    if not table.num_rows:
        return table
    length = what.interval.nominal_ms
    times = table.column("open_time").cast(pa.int64()).to_numpy()
    opens = times - times % length
    first = np.flatnonzero(np.diff(opens, prepend=-1))
    last = np.append(first[1:], len(opens)) - 1
    columns = {name: table.column(name).to_numpy() for name in table.column_names[1:]}
    folded = [
        columns["open"][first], np.maximum.reduceat(columns["high"], first),
        np.minimum.reduceat(columns["low"], first), columns["close"][last],
        np.add.reduceat(columns["volume"], first), np.add.reduceat(columns["quote_volume"], first),
    ]  # fmt: skip
    return pa.Table.from_arrays([pa.array(opens[first]).cast(TIME), *map(pa.array, folded)], schema=table.schema)


def _listed(spans: Sequence[Span]) -> str:
    first = ", ".join(str(span) for span in spans[:3])
    return first if len(spans) <= 3 else f"{first} and {len(spans) - 3} more"


_FOUND_OUT = "00000"  # no request was refused: the symbol is in no list and has no candles
_KEYS_FAULT = (AddressRejected, AuthenticationError, ExchangeUnavailable, PermissionDenied, RateLimited, TimestampError)


def _may_be_the_symbol(error: ExchangeError) -> bool:
    """Return whether an unknown symbol may be behind this: exchanges were seen to name it in many ways."""
    return not isinstance(error, _KEYS_FAULT) and error.code != _FOUND_OUT


def _unlisted_symbol(source: Session, what: CandleSeries, error: ExchangeError | None = None) -> UnknownSymbol | None:
    """Return an error that names near symbols, if the exchange really does not list this one."""
    try:
        symbols = symbols_of(source.sender, what.market)
    except BgresearchError:
        return None if error is None or error.code not in UNKNOWN_CODES else _unknown(what, error)
    if what.symbol in symbols or not (symbols or error):
        return None
    named = Named(what.symbol, what.market)
    hint = did_you_mean(named, symbols) or f"Look at client.symbols({what.market!r}) for what there is."
    if kept := source.store.kept(what.stored, Span(0, source.clock.now_ms())):
        hint = f"The exchange no longer has it. The store has {_listed(kept)}: ask for no more than that."
    said = f"{what.symbol!r} is not listed in the {what.market} market"
    if error is None:
        return UnknownSymbol(list_of(what.market), _FOUND_OUT, f"{said}, and has no candles", hint=hint)
    return UnknownSymbol(error.endpoint, error.code, said, http_status=error.http_status, hint=hint)


def _unknown(what: CandleSeries, error: ExchangeError) -> UnknownSymbol:
    """Return the likeliest meaning of a refusal where no list of symbols can be had: nothing else is left to chance."""
    said = f"{error.said or 'no message'}; asked for {what.symbol!r} in the {what.market} market"
    hint = "Check the spelling; the exchange's list of symbols could not be read."
    return UnknownSymbol(error.endpoint, error.code, said, http_status=error.http_status, hint=hint)


class CandleReport:
    """Collects what is put into ``df.attrs``: plain JSON values, never a secret."""

    def __init__(self, source: Session, what: CandleSeries, asked: Span, choice: Choice = "auto") -> None:
        self.choice, self.requests = choice, Counter[str]()
        self.archive: ArchiveUse | None = None
        self.archived: tuple[Span, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self.late: list[Gap] = []
        self.endpoints: tuple[str, ...] = ()
        self.contradictory: list[tuple[int, str]] = []
        self._source, self._what, self._asked = source, what, asked

    @cached_property
    def requester(self) -> PageRequester:
        """Sends the requests and counts them."""
        return PageRequester(self._source.sender, self._source.clock, self.requests)

    def all_gaps(self) -> tuple[Gap, ...]:
        """Return the gaps of the store and those too young to be stored."""
        return joined([*self.gaps, *self.late])

    def words(self, closed: Span) -> dict[str, Any]:
        """Return the report."""
        what = self._what
        archive = self.archive.words() if self.archive else {}
        archived = archived_words(self.archived) if self.archived else {}
        made = {"derived_from": what.base.interval.name} if what.base != what else {}
        return {
            "verb": "candles", "host": self._source.sender.host, "label": self._source.sender.label,
            "market": what.market, "price": what.price, "symbol": what.symbol, "interval": what.interval.name,
            "anchor": what.anchor, **made, **({"pin": self._source.store.pin} if self._source.store.pin else {}),
            "asked": [iso(self._asked.start_ms), iso(self._asked.end_ms)],
            "closed": [iso(closed.start_ms), iso(closed.end_ms)],
            "endpoints": sorted({*self.endpoints, *self.requests}), "requests": dict(self.requests),
            "gaps": [gap_in_words(gap) for gap in self.all_gaps()],
            "contradictory": [{"open_time": iso(at), "problem": problem} for at, problem in self.contradictory],
            **archived, **archive,
        }  # fmt: skip


def gap_in_words(gap: Gap) -> dict[str, str | None]:
    """Return a gap as plain values: when it was noticed, and when it will be checked again, None for never."""
    again = iso(gap.again_ms) if gap.again_ms < NEVER_MS else None
    span = {"start": iso(gap.span.start_ms), "end": iso(gap.span.end_ms)}
    return {**span, "cause": gap.cause, "noticed": iso(gap.noticed_ms), "again": again}
