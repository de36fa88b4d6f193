"""The layout on disk: series, hive-style folders, the period that one file holds, and its format number. Pure.

One file holds a month of intervals below an hour, a year from there to below a day, and everything from a day up: a
month of 1m bars is 44,640 rows and about a megabyte, small enough to rewrite for one appended bar and large enough
that a decade is 120 files. Rows without an interval (fills) are stored by month, recordings by day, as a day's file is
rewritten for every instant. Live order books are stored by hour: a hundred rows a second are 360,000 an hour.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS
from bgresearch.core.spans import Span

Period = Literal["hour", "day", "month", "year", "all"]
LIVE_BOOKS = "order_book"  # kind of recordings
SPELLED = {("interval", "1M"): "1month"}
PERIOD = r"all|\d{4}(-\d\d){0,2}(T\d\d)?"  # names of files; what others made of them ("2026-10 copy") is no partition
WHOLE = Span(-(2**53), 2**53)  # "all": wider than any timestamp of the exchange, exact in JSON


@dataclass(frozen=True)
class Series:
    """One thing that grows in time.

    Attributes
    ----------
    name : str
        First folder, for instance ``candles``.
    keys : tuple of (str, str)
        Hive-style folders below it, in order: ``(("market", "spot"), ("symbol", "BTCUSDT"))``.
    time : str
        The column that orders the rows, ``timestamp[ms, UTC]``.
    private : bool
        Whether folders are 0700 and files 0600.
    unique : tuple of str
        The columns that distinguish rows of the same instant; none where the time alone does.
    """

    name: str
    keys: tuple[tuple[str, str], ...]
    time: str
    private: bool = False
    unique: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Relative folder; awkward characters are percent-encoded as Arrow's hive partitioning does.

        Months are written ``interval=1month``: 1m and 1M are one folder where case does not count (macOS, Windows).
        """
        return _folder(self.name, self.keys)

    @property
    def uniform(self) -> bool:
        """Whether all files have the same columns; other series may gain one with time."""
        return self.name.startswith("candles")

    @property
    def period(self) -> Period:
        """How much time one file holds."""
        keys = dict(self.keys)
        if "every" in keys:
            return "hour" if keys.get("kind") == LIVE_BOOKS else "day"
        interval = INTERVALS.get(keys.get("interval", ""))
        if interval is None or interval.nominal_ms < HOUR_MS:
            return "month"
        return "year" if interval.nominal_ms < DAY_MS else "all"

    def periods(self, span: Span) -> Iterator[tuple[str, Span]]:
        """Yield file name and period of every partition that the span touches, in order."""
        at = span.start_ms
        while at < span.end_ms:
            name, period = self.period_at(at)
            yield name, period
            at = period.end_ms

    def period_at(self, timestamp_ms: int) -> tuple[str, Span]:
        """Return file name and period of the partition that holds this instant."""
        if self.period == "all":
            return "all.parquet", WHOLE
        moment = dt.datetime.fromtimestamp(timestamp_ms / 1000, tz=dt.UTC)
        if self.period == "day":
            start_ms = timestamp_ms // DAY_MS * DAY_MS
            return f"{moment:%Y-%m-%d}.parquet", Span(start_ms, start_ms + DAY_MS)
        if self.period == "hour":
            start_ms = timestamp_ms // HOUR_MS * HOUR_MS
            return f"{moment:%Y-%m-%dT%H}.parquet", Span(start_ms, start_ms + HOUR_MS)
        if self.period == "year":
            return f"{moment.year:04}.parquet", Span(_ms(moment.year, 1), _ms(moment.year + 1, 1))
        year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
        return f"{moment:%Y-%m}.parquet", Span(_ms(moment.year, moment.month), _ms(year, month))


class NewerFormat(Exception):
    """Written by a newer version: neither damaged nor readable; the file is left as it is."""


def check_format(found: object, newest: int) -> None:
    """Refuse a format that this version does not read.

    Raises
    ------
    NewerFormat
        A whole number above ``newest``.
    ValueError
        Anything else than a whole number from 1: the file is damaged.
    """
    if type(found) is not int or found < 1:
        raise ValueError(f"{str(found)[:20]!r} is no format")
    if found > newest:
        raise NewerFormat(f"it has format {str(found)[:20]}, this version reads up to {newest}; update bgresearch")


def is_partition(path: Path) -> bool:
    """Return whether a file has the name of a period."""
    return path.suffix == ".parquet" and re.fullmatch(PERIOD, path.stem, re.ASCII) is not None


@functools.lru_cache(4096)
def _folder(name: str, keys: tuple[tuple[str, str], ...]) -> Path:
    return Path(name, *(f"{key}={quote(SPELLED.get((key, value), value), safe='')}" for key, value in keys))


@functools.lru_cache(4096)
def _ms(year: int, month: int) -> int:
    return int(dt.datetime(year, month, 1, tzinfo=dt.UTC).timestamp()) * 1000
