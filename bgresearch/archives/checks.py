"""Is a file what it was asked for? Rows in order and of the right days, prices those of the symbol. Pure.

Names are no proof: hundreds of the exchange's files hold another instrument's rows. So every day is compared with the
exchange's own daily candle of that day, which opens at 16:00 UTC as files do; where there is none, against the prices
that are stored next to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.archives.archive_file import ZONE_MS, ArchiveFile, file_days
from bgresearch.archives.archive_reader import BOOK_SCHEMA, QUOTE_SCHEMA
from bgresearch.archives.container import UnreadableFile
from bgresearch.core.intervals import DAY_MS, INTERVALS, Grid
from bgresearch.core.spans import Span, iso, subtract
from bgresearch.store.candle_checks import check_page
from bgresearch.store.parquet_file import times_of, within

NO_ROWS = "the file of the archive has no rows of that day"
_HAIR = 1e-9  # two decimals written in different ways may differ by so much
_STRAY_SHARE, _STRAY_FAR = 0.001, 0.005  # so many trades may be so far outside their day's candle
_BOOK_FAR = 0.03  # quotes may be so far outside what was traded
_NEIGHBOUR = 3.0  # prices of neighbouring days differ by less than this factor
_VOLUME_FAR = 0.01
_Numbers = np.ndarray[Any, np.dtype[np.float64]]


class ForeignRows(Exception):
    """Rows of another instrument, or of other days, in a file whose name says otherwise."""


class Daily(NamedTuple):
    """The exchange's candle of one file day."""

    low: float
    high: float
    volume: float


@dataclass(frozen=True)
class Reference:
    """What the prices of a file are compared with.

    Attributes
    ----------
    daily : mapping of int to Daily
        By the start of the day of the file, epoch milliseconds.
    near : callable
        A span to a price that is stored next to it, None where there is none.
    """

    daily: Mapping[int, Daily]
    near: Callable[[Span], float | None] = lambda _span: None

    def first_ms(self) -> int | None:
        """Return the start of the first day that has a candle."""
        return min(self.daily, default=None)


class CheckedFile(NamedTuple):
    """What of a file is believed.

    Attributes
    ----------
    table : pyarrow.Table
        In order, each row once.
    covered : tuple of Span
        Where everything that there is, is in the table.
    problems : tuple of (Span, str)
        Where it is not, and why.
    foreign : bool
        Whether a part holds another instrument's rows.
    """

    table: pa.Table
    covered: tuple[Span, ...]
    problems: tuple[tuple[Span, str], ...] = ()
    foreign: bool = False


def checked_klines(file: ArchiveFile, table: pa.Table, reference: Reference) -> CheckedFile:
    """Return the candles of a file that are believed, day by day.

    Raises
    ------
    ForeignRows
        Candles of other days, or all of another instrument.
    UnreadableFile
        They do not open at whole minutes.
    """
    _inside(file, times_of(table, "open_time"))
    span = file.span
    page = check_page(table, span, Grid(INTERVALS["1m"], "utc"))
    if page.fault:
        raise UnreadableFile(page.fault)
    problems = [(hole, "not in the file of the archive") for hole in subtract(page.absent, [o.span for o in page.odd])]
    problems += [(odd.span, odd.problem) for odd in page.odd]
    foreign = []
    for day in days_in(span):
        rows = within(page.table, "open_time", day)
        if rows.num_rows and (why := _other_klines(rows, day, reference)):
            foreign.append((day, why))
    if foreign and len(foreign) == len(list(days_in(span))):
        raise ForeignRows(foreign[0][1])
    bad = [hole for hole, _why in (*problems, *foreign)]
    covered = subtract([span], bad)
    parts = [within(page.table, "open_time", part) for part in covered]
    kept = pa.concat_tables([table.slice(0, 0), *parts])
    return CheckedFile(kept, covered, (*problems, *foreign), foreign=bool(foreign))


def checked_trades(file: ArchiveFile, table: pa.Table, reference: Reference) -> pa.Table:
    """Return the trades of a file, or of a stretch of it, in order.

    Raises
    ------
    ForeignRows
        Trades of other days, or of another instrument.
    """
    times = times_of(table, "time")
    _inside(file, times)
    prices = table.column("price").to_numpy()
    for day in days_in(file.span):
        inside = (times >= day.start_ms) & (times < day.end_ms)
        if inside.any() and (why := _other_prices(prices[inside], day, reference, _STRAY_SHARE, _STRAY_FAR)):
            raise ForeignRows(why)
    return table


def volumes_of(table: pa.Table) -> dict[int, float]:
    """Return the volume of the trades of each day of files, by its start."""
    starts, places = np.unique((times_of(table, "time") + ZONE_MS) // DAY_MS * DAY_MS - ZONE_MS, return_inverse=True)
    sums = np.bincount(places, weights=table.column("amount").to_numpy(), minlength=len(starts))
    return dict(zip(starts.tolist(), sums.tolist(), strict=True))


def lacking(volume: float, day: Span, reference: Reference) -> float | None:
    """Return what share of a day's volume its trades lack, None where the volume is not known."""
    said = reference.daily.get(day.start_ms)
    return 1 - volume / said.volume if said is not None and said.volume else None


def may_be_empty(day: Span, reference: Reference, *, trades: bool) -> bool:
    """Return whether the exchange's candles agree that there are no rows of a day: a file alone proves nothing."""
    said = reference.daily.get(day.start_ms)
    return bool(reference.daily) if said is None else trades and not said.volume


def in_order(table: pa.Table, *, after: pa.Table | None = None, by_id: bool = True) -> bool:
    """Return whether trades are in order of time and id, each once.

    Parameters
    ----------
    table : pyarrow.Table
        The trades.
    after : pyarrow.Table, optional
        Others in order, which they have to follow.
    by_id : bool
        Whether ids have to ascend throughout, and not only those of one time.
    """
    rows = table if after is None else pa.concat_tables([after.slice(after.num_rows - 1), table])
    times, ids = times_of(rows, "time"), _id_numbers(rows)
    if ids is None or (times[1:] < times[:-1]).any():
        return False
    wrong = ids[1:] <= ids[:-1]
    return not (wrong if by_id else wrong & (times[1:] == times[:-1])).any()


def sorted_trades(table: pa.Table) -> pa.Table:
    """Return trades in order of time and id, each once.

    Raises
    ------
    UnreadableFile
        Two different trades have one id.
    """
    table = table.sort_by([("time", "ascending"), ("trade_id", "ascending")]).combine_chunks()
    if table.num_rows < 2:
        return table
    ids = table.column("trade_id").combine_chunks()
    times = times_of(table, "time")
    same = (times[1:] == times[:-1]) & pc.equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    for at in np.flatnonzero(same).tolist():
        if not table.slice(at, 1).equals(table.slice(at + 1, 1)):
            raise UnreadableFile(f"two different trades have the id {ids[at].as_py()}")
    table = table.filter(pa.array(np.concatenate([[True], ~same])))
    counts = pc.value_counts(table.column("trade_id").combine_chunks())
    if len(counts) < table.num_rows:
        often = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"].as_py()
        raise UnreadableFile(f"trades of different times have the id {often}")
    return table


def checked_books(file: ArchiveFile, table: pa.Table, reference: Reference) -> CheckedFile:
    """Return the quotes or books of a file in order of time; those that share a second are numbered by ``place``.

    Raises
    ------
    ForeignRows
        Rows of other days, or of another instrument.
    """
    _inside(file, times_of(table, "time"))
    if table.schema == BOOK_SCHEMA:
        table = _numbered_books(table)
        best = table.filter(pc.equal(table.column("level"), 1))
        times, prices = times_of(best, "time"), best.column("price").to_numpy()
    else:
        table = _numbered_quotes(table)
        bids, asks = (table.column(name).to_numpy(zero_copy_only=False) for name in ("bid", "ask"))
        times, prices = times_of(table, "time"), np.where(np.isnan(bids), asks, bids)
    problems, foreign = [], []
    for day in days_in(file.span):
        of_day = (times >= day.start_ms) & (times < day.end_ms)
        inside = of_day & np.isfinite(prices)
        if not of_day.any() and not may_be_empty(day, reference, trades=False):
            problems.append((day, NO_ROWS))
        elif inside.any() and (why := _other_prices(prices[inside], day, reference, 0.5, _BOOK_FAR)):
            foreign.append((day, why))
    if foreign and len(foreign) == len(list(days_in(file.span))):
        raise ForeignRows(foreign[0][1])
    covered = subtract([file.span], [day for day, _why in (*problems, *foreign)])
    kept = pa.concat_tables([table.slice(0, 0), *(within(table, "time", part) for part in covered)])
    return CheckedFile(kept, covered, (*problems, *foreign), foreign=bool(foreign))


def _other_klines(rows: pa.Table, day: Span, reference: Reference) -> str:
    """Return why candles are not those of the day's candle, or ""."""
    low, high = pc.min(rows.column("low")).as_py(), pc.max(rows.column("high")).as_py()
    said = reference.daily.get(day.start_ms)
    if said is None:
        return _far_from_neighbours(rows.column("close")[0].as_py(), day, reference)
    if low < said.low * (1 - _HAIR) or high > said.high * (1 + _HAIR):
        return _words(day, low, high, said)
    if rows.num_rows == day.duration_ms // 60_000:
        volume = pc.sum(rows.column("volume")).as_py()
        whole = low <= said.low * (1 + _HAIR) and high >= said.high * (1 - _HAIR)
        if not whole or abs(volume - said.volume) > _VOLUME_FAR * max(said.volume, volume):
            return _words(day, low, high, said)
    return ""


def _other_prices(prices: _Numbers, day: Span, reference: Reference, share: float, far: float) -> str:
    """Return why prices are not those of the day's candle, or ""; a share may be outside, a little further."""
    low, high = float(prices.min()), float(prices.max())
    said = reference.daily.get(day.start_ms)
    if said is None:
        return _far_from_neighbours(float(prices[0]), day, reference)
    near = (prices >= said.low * (1 - far)) & (prices <= said.high * (1 + far))
    strict = share < 0.5
    outside = ((prices < said.low * (1 - _HAIR)) | (prices > said.high * (1 + _HAIR))).mean() if strict else 0.0
    if (strict and not near.all()) or near.mean() < 0.5 or outside > share:
        return _words(day, low, high, said)
    return ""


def _far_from_neighbours(price: float, day: Span, reference: Reference) -> str:
    near = reference.near(day)
    if near is None or 1 / _NEIGHBOUR < price / near < _NEIGHBOUR:
        return ""
    return f"it begins at {price:g} on {iso(day.start_ms)}, and what is stored next to it is {near:g}"


def _words(day: Span, low: float, high: float, said: Daily) -> str:
    return (
        f"its prices from {iso(day.start_ms)} on range from {low:g} to {high:g}, and the exchange's candle of that day "
        f"from {said.low:g} to {said.high:g}"
    )


def _inside(file: ArchiveFile, times: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    if len(times) and (int(times.min()) < file.span.start_ms or int(times.max()) >= file.span.end_ms):
        first, last = iso(int(times.min())), iso(int(times.max()))
        raise ForeignRows(f"its rows are of {first} to {last}, and its name says {file.span}")


def days_in(span: Span) -> Iterator[Span]:
    """Yield the days of files that a span touches, as spans."""
    for day in file_days(span):
        yield ArchiveFile("spot", "", "klines", day).span


def _id_numbers(table: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    try:
        numbers: np.ndarray[Any, np.dtype[np.int64]] = pc.cast(table.column("trade_id"), pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return numbers


def _numbered_quotes(table: pa.Table) -> pa.Table:
    """Return quotes in order; identical ones of one second once, others numbered in the order of the file."""
    times = times_of(table, "time")
    table = table.take(pa.array(np.argsort(times, kind="stable"))).combine_chunks()
    names = [name for name in QUOTE_SCHEMA.names if name != "place"]
    frame = table.select(names).to_pandas()
    keep = ~frame.duplicated().to_numpy()
    table = table.filter(pa.array(keep))
    return table.set_column(1, "place", pa.array(_places(times_of(table, "time"))))


def _numbered_books(table: pa.Table) -> pa.Table:
    """Return books in order; those of one second are numbered in the order of the file."""
    images, times = table.column("place").to_numpy(), times_of(table, "time")
    order = np.lexsort((np.arange(len(times)), images, times))
    table = table.take(pa.array(order)).combine_chunks()
    images, times = images[order], times[order]
    starts = np.flatnonzero(np.r_[True, (images[1:] != images[:-1]) | (times[1:] != times[:-1])][: len(times)])
    counts = np.diff(np.append(starts, len(times)))
    return table.set_column(1, "place", pa.array(np.repeat(_places(times[starts]), counts)))


def _places(times: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return 0, 1, 2 ... for rows that share a time, in order."""
    first = np.flatnonzero(np.r_[True, times[1:] != times[:-1]][: len(times)])
    starts = np.repeat(first, np.diff(np.append(first, len(times))))
    places: np.ndarray[Any, np.dtype[np.int64]] = np.arange(len(times)) - starts
    return places
