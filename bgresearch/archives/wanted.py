"""Which files to fetch for what is missing. A pure function: it sends no request.

A monthly file is taken where enough of its days are needed that one request is cheaper than many, else daily ones. The
archive has neither its own first days nor the last two: those spans are named with their cause.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bgresearch.archives.archive_file import (
    ArchiveFile,
    Data,
    days_of_month,
    file_days,
    first_day,
    has_months,
    month_of,
)
from bgresearch.core.spans import Span, subtract, union
from bgresearch.http.file_host import PER_SECOND

TOO_OLD = "older than the archive"
TOO_YOUNG = "not published in the archive yet"
NOT_TRADED = "before the exchange's first daily candle"

_DAYS_FOR_A_MONTH: dict[Data, int] = {"klines": 3, "quotes": 3, "trades": 25, "books": 99}
"""From how many days of it on a monthly file is taken: of trades it is large, of books it is not sorted and huge."""
_BYTES: dict[tuple[Data, str], int] = {
    ("klines", "day"): 60_000, ("klines", "month"): 1_200_000, ("quotes", "day"): 250_000,
    ("quotes", "month"): 6_000_000, ("trades", "day"): 2_000_000, ("trades", "month"): 60_000_000,
    ("books", "day"): 8_000_000, ("books", "month"): 240_000_000,
}  # fmt: skip
"""What a file weighs, about; measured at others' and in the sandbox."""
_BYTES_PER_S = 5_000_000  # of an ordinary line


class WantedFiles(NamedTuple):
    """Files to fetch, in order, and what the archive cannot have.

    Attributes
    ----------
    files : tuple of ArchiveFile
        In order of time.
    gaps : tuple of (Span, str)
        Spans with their cause.
    """

    files: tuple[ArchiveFile, ...]
    gaps: tuple[tuple[Span, str], ...]

    @property
    def bytes(self) -> int:
        """What they weigh, about."""
        return sum(_BYTES[file.data, file.length] for file in self.files)

    @property
    def seconds(self) -> float:
        """How long fetching them takes, about."""
        return len(self.files) / PER_SECOND + self.bytes / _BYTES_PER_S

    @property
    def spans(self) -> tuple[Span, ...]:
        """What the files are about."""
        return union(file.span for file in self.files)


NO_FILES = WantedFiles((), ())


def wanted_files(
    market: str, symbol: str, data: Data, missing: Iterable[Span], now_ms: int, *, listed_ms: int | None = None
) -> WantedFiles:  # fmt: skip
    """Return the files that hold what is missing.

    Parameters
    ----------
    market, symbol : str
        As the API spells them.
    data : str
        Which kind.
    missing : iterable of Span
        What is wanted.
    now_ms : int
        Epoch milliseconds; decides what is published.
    listed_ms : int, optional
        When the symbol's first daily candle opens: nothing is asked for before it.
    """
    spans = union(missing)
    days = sorted({day for span in spans for day in file_days(span)})
    first = first_day(market, data)
    causes: dict[str, list[Span]] = {TOO_OLD: [], TOO_YOUNG: [], NOT_TRADED: []}
    asked: list[dt.date] = []
    for day in days:
        file = ArchiveFile(market, symbol, data, day)
        if day < first:
            causes[TOO_OLD].append(file.span)
        elif listed_ms is not None and file.span.end_ms <= listed_ms:
            causes[NOT_TRADED].append(file.span)
        elif file.published_ms > now_ms:
            causes[TOO_YOUNG].append(file.span)
        else:
            asked.append(day)
    gaps = [(part, why) for why, found in causes.items() for part in _both(spans, union(found))]
    return WantedFiles(tuple(_files(market, symbol, data, asked, now_ms)), tuple(sorted(gaps)))


def days_of(file: ArchiveFile) -> tuple[ArchiveFile, ...]:
    """Return the daily files that hold what a monthly one does."""
    return tuple(ArchiveFile(file.market, file.symbol, file.data, day) for day in days_of_month(file.day))


def _files(market: str, symbol: str, data: Data, days: Sequence[dt.date], now_ms: int) -> Iterable[ArchiveFile]:
    months: dict[dt.date, list[dt.date]] = {}
    for day in days:
        months.setdefault(month_of(day), []).append(day)
    for month, needed in months.items():
        whole = ArchiveFile(market, symbol, data, month, "month")
        enough = len(needed) >= _DAYS_FOR_A_MONTH[data]
        if enough and has_months(data, month) and whole.published_ms <= now_ms:
            yield whole
        else:
            yield from (ArchiveFile(market, symbol, data, day) for day in needed)


def _both(spans: Sequence[Span], others: Sequence[Span]) -> tuple[Span, ...]:
    """Return the intersection."""
    return subtract(spans, subtract(spans, others))
