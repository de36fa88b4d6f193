"""Which file of the archive holds what: market, kind of data, symbol and day or month to candidate keys. Pure.

A key is the path below the archive's base address. Keys are made from patterns, because the exchange's own index is
incomplete and lists files that are absent. Files were named in three ways over the years; near the dates of change a
file may have either name, so the neighbouring ways are candidates as well. The day of a file is one of UTC+8.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args
from urllib.parse import quote

from bgresearch.catalogue.assumptions import ARCHIVE_PUBLISHED_MS, ARCHIVE_ZONE_MS
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span

Data = Literal["klines", "trades", "quotes", "books"]
Length = Literal["day", "month"]
DATA: tuple[Data, ...] = get_args(Data)

ZONE_MS = ARCHIVE_ZONE_MS.value
_ERA_STARTS = (dt.date.min, dt.date(2024, 4, 19), dt.date(2026, 8, 18))
_TRADE_TOKENS = {"spot": "SPBL", "usdt-futures": "UMCBL", "coin-futures": "DMCBL", "usdc-futures": "CMCBL"}
_FIRST_MONTH = {"books": dt.date(2025, 9, 1)}
_FIRST_MONTHS = dt.date(2025, 8, 1)
_FIRST_DAYS: dict[tuple[str, bool], dt.date] = {
    ("klines", True): dt.date(2018, 7, 25), ("klines", False): dt.date(2019, 4, 23),
    ("trades", True): dt.date(2018, 7, 25), ("trades", False): dt.date(2021, 5, 18),
}  # fmt: skip
"""Per kind of data and whether it is spot: measured by others; no file is older."""
_FIRST_BOOKS = {"quotes": dt.date(2024, 7, 9), "books": dt.date(2025, 8, 1)}

# {s} symbol, {d} YYYYMMDD, {m} YYYYMM, {p} part, {t} token of the market; by kind, per era where there is one
_SPOT_DAYS: dict[Data, tuple[str, ...]] = {
    "klines": ("kline/{s}/{s}_SP_1min_{d}.zip", "kline/{s}/SP/{d}.zip", "kline/{s}/SP/{s}_SP_1min_{d}.zip"),
    "trades": ("trades/{t}/{s}/{s}_{t}_{d}_{p}.zip", "trades/{t}/{s}/{d}_{p}.zip", "trades/{t}/{s}/{s}_{d}_{p}.zip"),
    "quotes": ("", "depth/{s}/1/{d}.zip", "depth/{s}/1/{s}_1_{d}.zip"),
    "books": ("", "", "depth_500/{s}/1/{s}_1_{d}.zip"),
}
_FUTURES_DAYS: dict[Data, tuple[str, ...]] = {
    "klines": (
        "kline/{s}/{s}_UMCBL_1min_{d}.zip", "kline/{s}/UMCBL/{d}.zip", "kline/{s}/UMCBL/{s}_UMCBL_1min_{d}.zip"
    ),
    "trades": _SPOT_DAYS["trades"],
    "quotes": ("", "depth/{s}/2/{d}.zip", "depth/{s}/2/{s}_3_{d}.zip"),
    "books": ("", "", "depth_500/{s}/2/{s}_3_{d}.zip"),
}  # fmt: skip
_SPOT_MONTHS: dict[Data, str] = {
    "klines": "kline_month/{s}/SP/{s}_SP_1min_{m}.zip",
    "trades": "trades_month/{t}/{s}/{s}_{t}_{m}.zip",
    "quotes": "depth_month/{s}/1/{s}_1_{m}.zip",
    "books": "depth_500_month/{s}/1/{s}_1_{m}.zip",
}
_FUTURES_MONTHS: dict[Data, str] = {
    "klines": "kline_month/{s}/UMCBL/{s}_UMCBL_1min_{m}.zip",
    "trades": _SPOT_MONTHS["trades"],
    "quotes": "depth_month/{s}/2/{s}_3_{m}.zip",
    "books": "depth_500_month/{s}/2/{s}_3_{m}.zip",
}
_ALIASES = (("KAIA", "KLAY"),)  # a coin that was renamed; files keep either name
_DELIVERY = re.compile(r"(?P<base>[A-Z0-9]+USD)(?P<month>[HMUZ])(?P<year>\d\d)")
_DELIVERY_FILE = re.compile(r"(?P<base>[A-Z0-9]+USD)(?P<month>\d\d)(?P<day>\d\d)")
_DELIVERY_MONTHS = {"H": 3, "M": 6, "U": 9, "Z": 12}


@dataclass(frozen=True, order=True)
class ArchiveFile:
    """What one file of the archive holds.

    Attributes
    ----------
    market, symbol : str
        As the exchange's API spells them.
    data : str
        ``klines``, ``trades``, ``quotes`` (best bid and ask) or ``books`` (500 levels).
    day : date
        Of UTC+8; the first day of the month for a monthly file.
    length : str
        ``day`` or ``month``.
    part : int
        Of a day's trades, from 1; 0 for files without parts.
    """

    market: str
    symbol: str
    data: Data
    day: dt.date
    length: Length = "day"
    part: int = 0

    @property
    def span(self) -> Span:
        """The instants that the file is about."""
        end = _next_month(self.day) if self.length == "month" else self.day + dt.timedelta(days=1)
        return Span(_midnight_ms(self.day) - ZONE_MS, _midnight_ms(end) - ZONE_MS)

    @property
    def published_ms(self) -> int:
        """When it is usually there."""
        last = _next_month(self.day) - dt.timedelta(days=1) if self.length == "month" else self.day
        return _midnight_ms(last) + ARCHIVE_PUBLISHED_MS.value

    @property
    def parts(self) -> bool:
        """Whether it may come in several parts."""
        return self.data == "trades" and self.length == "day"

    def of_part(self, part: int) -> ArchiveFile:
        """Return one part of it."""
        return replace(self, part=part)

    def candidates(self) -> tuple[str, ...]:
        """Return the keys that it may have, the likeliest first; characters outside ASCII are percent-encoded."""
        names = archive_names(self.symbol, self.market, self.data)
        return tuple(dict.fromkeys(self._key(pattern, name) for name in names for pattern in self._patterns()))

    def _patterns(self) -> Iterator[str]:
        spot = self.market == "spot"
        if self.length == "month":
            yield (_SPOT_MONTHS if spot else _FUTURES_MONTHS)[self.data]
            return
        patterns = (_SPOT_DAYS if spot else _FUTURES_DAYS)[self.data]
        era = era_of(self.day)
        yield from (pattern for at in _near(era) if (pattern := patterns[at]))
        if self.data == "books" and era == 0:
            yield patterns[-1]

    def _key(self, pattern: str, name: str) -> str:
        return pattern.format(
            s=quote(name, safe=""), t=_TRADE_TOKENS[self.market], d=f"{self.day:%Y%m%d}", m=f"{self.day:%Y%m}",
            p=f"{max(self.part, 1):03}",
        )  # fmt: skip

    def __str__(self) -> str:
        when = f"{self.day:%Y-%m}" if self.length == "month" else f"{self.day}"
        part = f", part {self.part}" if self.part else ""
        return f"{self.data} of {self.symbol} ({self.market}), {when}{part}"


def era_of(day: dt.date) -> int:
    """Return in which of three ways files of a day are named: 0, 1 or 2."""
    return max(at for at, start in enumerate(_ERA_STARTS) if day >= start)


def file_days(span: Span) -> Iterator[dt.date]:
    """Yield the days of files that a span touches, in order."""
    first, last = (span.start_ms + ZONE_MS) // DAY_MS, (span.end_ms - 1 + ZONE_MS) // DAY_MS
    yield from (_day(number) for number in range(first, last + 1))


def first_day(market: str, data: Data) -> dt.date:
    """Return the day before which the archive has nothing."""
    return _FIRST_BOOKS.get(data) or _FIRST_DAYS[data, market == "spot"]


def has_months(data: Data, day: dt.date) -> bool:
    """Return whether there are monthly files of the month of a day."""
    return day.replace(day=1) >= _FIRST_MONTH.get(data, _FIRST_MONTHS)


def month_of(day: dt.date) -> dt.date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def days_of_month(day: dt.date) -> tuple[dt.date, ...]:
    """Return the days of a day's month."""
    return tuple(day.replace(day=one) for one in range(1, calendar.monthrange(day.year, day.month)[1] + 1))


def archive_names(symbol: str, market: str, data: Data) -> tuple[str, ...]:
    """Return what the archive may call a symbol, the likeliest first.

    Delivery contracts carry the day of settlement (``BTCUSDU26`` is ``BTCUSD0925``), the unified coin-margined line is
    ``BTCCM`` or ``BTCUSDCM``, and books drop the prefix 1000.
    """
    names = [symbol]
    if market == "coin-futures":
        if found := _DELIVERY.fullmatch(symbol):
            names.append(_delivery_name(found["base"], int(found["year"]), _DELIVERY_MONTHS[found["month"]]))
        if symbol.endswith("USD_CM"):
            base = symbol.removesuffix("USD_CM")
            names.append(f"{base}CM" if data in ("klines", "trades") else f"{base}USDCM")
    if market != "spot" and data in ("quotes", "books") and re.match(r"1000+[A-Z]", symbol):
        names.append(symbol.lstrip("0123456789"))
    for old, new in _ALIASES:
        names += [symbol.replace(*pair, 1) for pair in ((old, new), (new, old)) if symbol.startswith(pair[0])]
    return tuple(dict.fromkeys(names))


def api_symbol(name: str, market: str, day: dt.date) -> str:
    """Return what the API calls a symbol that the archive has a file of."""
    if market == "coin-futures":
        if found := _DELIVERY_FILE.fullmatch(name):
            month = int(found["month"])
            letter = next((one for one, number in _DELIVERY_MONTHS.items() if number == month), "")
            year = day.year if day.month <= month else day.year + 1
            return f"{found['base']}{letter}{year % 100:02}" if letter else name
        if name.endswith("CM") and not name.endswith("_CM"):
            return f"{name.removesuffix('CM').removesuffix('USD')}USD_CM"
    return name


def _delivery_name(base: str, year: int, month: int) -> str:
    """Return the archive's name of a delivery contract: it is settled on the last Friday of its month."""
    last = dt.date(2000 + year, month, calendar.monthrange(2000 + year, month)[1])
    friday = last - dt.timedelta(days=(last.weekday() - calendar.FRIDAY) % 7)
    return f"{base}{friday:%m%d}"


def _near(era: int) -> Iterable[int]:
    """Return an era and those before and after it."""
    return (era, *(one for one in (era + 1, era - 1) if 0 <= one < len(_ERA_STARTS)))


def _midnight_ms(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * DAY_MS


def _day(number: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=number)


def _next_month(day: dt.date) -> dt.date:
    return (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
