"""Names of the archive's files, in the three ways of three eras, and which of them exist at an instant. Pure."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal

from bgresearch.core.intervals import DAY_MS, HOUR_MS
from bgresearch.sandbox.world.hash_random import bits_at, key_of
from bgresearch.sandbox.world.markets import Kind, Market, find

Data = Literal["candles", "trades", "quotes", "books"]

ZONE_MS = 8 * HOUR_MS  # a file's day is a day of UTC+8
_PUBLISHED_AFTER_MS = 2 * DAY_MS + 3 * HOUR_MS  # counted from the UTC midnight that its date names
_SECOND_ERA, _THIRD_ERA = dt.date(2024, 4, 19), dt.date(2026, 8, 18)
_BOTH_NAMES = dt.date(2024, 4, 18)  # trades of this day exist under the names of two eras
_EARLY_NAME_SHARE = 64  # one candle file in so many of the first era exists under the second era's name alone
_FIRST = {
    ("spot", "candles"): dt.date(2018, 7, 25), ("spot", "trades"): dt.date(2018, 7, 25),
    ("futures", "candles"): dt.date(2019, 4, 23), ("futures", "trades"): dt.date(2021, 5, 18),
}  # fmt: skip
_FIRST_QUOTES, _FIRST_BOOKS = dt.date(2024, 7, 9), dt.date(2025, 8, 1)
_FIRST_MONTH = {"candles": (2025, 8), "trades": (2025, 8), "quotes": (2025, 8), "books": (2025, 9)}
_HOLES = {("spot", "BTCUSDT", "trades", dt.date(2019, 6, 1))}
_TRADE_KINDS: dict[str, Kind] = {
    "SPBL": "spot", "UMCBL": "usdt-futures", "CMCBL": "usdc-futures", "DMCBL": "coin-futures",
}  # fmt: skip
_FUTURES: tuple[Kind, ...] = ("usdt-futures", "usdc-futures", "coin-futures")
_TOKENS: dict[str, tuple[Kind, ...]] = {
    "SP": ("spot",), "UMCBL": _FUTURES, "1": ("spot",), "2": _FUTURES,
}  # fmt: skip

_PATTERNS: tuple[tuple[Data, tuple[int, ...], str], ...] = (
    ("candles", (1,), "kline/{S}/{S}_{K}_1min_{D}"),
    ("candles", (2,), "kline/{S}/{K}/{D}"),
    ("candles", (3,), "kline/{S}/{K}/{S}_{K}_1min_{D}"),
    ("trades", (1,), "trades/{T}/{S}/{S}_{T}_{D}_{N}"),
    ("trades", (2,), "trades/{T}/{S}/{D}_{N}"),
    ("trades", (3,), "trades/{T}/{S}/{S}_{D}_{N}"),
    ("quotes", (1, 2), "depth/{S}/{Q}/{D}"),
    ("quotes", (3,), "depth/{S}/{Q}/{S}_{F}_{D}"),
    ("books", (1, 2, 3), "depth_500/{S}/{Q}/{S}_{F}_{D}"),
    ("candles", (), "kline_month/{S}/{K}/{S}_{K}_1min_{M}"),
    ("trades", (), "trades_month/{T}/{S}/{S}_{T}_{M}"),
    ("quotes", (), "depth_month/{S}/{Q}/{S}_{F}_{M}"),
    ("books", (), "depth_500_month/{S}/{Q}/{S}_{F}_{M}"),
)
_GROUPS = {
    "S": r"[^/]+", "K": "SP|UMCBL", "T": "SPBL|UMCBL|CMCBL|DMCBL", "D": r"\d{8}", "M": r"\d{6}", "N": r"\d{3}",
    "Q": "1|2", "F": "1|3",
}  # fmt: skip


def _compiled(template: str) -> re.Pattern[str]:
    seen: set[str] = set()

    def group(found: re.Match[str]) -> str:
        name = found[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{_GROUPS[name]})"

    return re.compile(re.sub(r"\{(\w)\}", group, template) + r"\.zip")


_COMPILED = tuple((data, eras, _compiled(template)) for data, eras, template in _PATTERNS)


@dataclass(frozen=True, slots=True)
class ArchiveKey:
    """One file of the archive.

    Attributes
    ----------
    name : str
        Its key below ``/online/``.
    eras : tuple of int
        Whose way of naming it is; empty for a month.
    first, last : date
        The days of UTC+8 that it covers.
    part : int
        Of the trades of a day, from 1; 0 for what has no parts.
    """

    name: str
    data: Data
    market: Market
    eras: tuple[int, ...]
    first: dt.date
    last: dt.date
    part: int
    zone_ms: int = ZONE_MS

    @property
    def monthly(self) -> bool:
        """Whether it covers a month."""
        return not self.eras

    @property
    def start_ms(self) -> int:
        """The first instant that it covers."""
        return _midnight_ms(self.first) - self.zone_ms

    @property
    def end_ms(self) -> int:
        """The first instant after what it covers."""
        return _midnight_ms(self.last) + DAY_MS - self.zone_ms

    @property
    def published_ms(self) -> int:
        """When it appears."""
        minutes = bits_at(key_of("published", self.name), 0) % 90
        return _midnight_ms(self.last) + _PUBLISHED_AFTER_MS + minutes * 60_000

    def exists(self, now_ms: int) -> bool:
        """Return whether there is such a file: the right name for its day, published, its market listed all day.

        The day of a listing is not published. Nothing is said of parts.
        """
        market = self.market
        if now_ms < self.published_ms or market.listed_ms >= self.end_ms:
            return False
        if market.delisted_ms is not None and market.delisted_ms <= self.start_ms:
            return False
        if self.monthly:
            return (self.first.year, self.first.month) >= _FIRST_MONTH[self.data]
        launch_day = market.listed_ms >= self.start_ms
        return not launch_day and self.first >= self._first_day() and self._named() and self._hole() not in _HOLES

    def _first_day(self) -> dt.date:
        if self.data == "quotes":
            return _FIRST_QUOTES
        return _FIRST_BOOKS if self.data == "books" else _FIRST[self._family(), self.data]

    def _family(self) -> str:
        return "futures" if self.market.futures else "spot"

    def _hole(self) -> tuple[str, str, str, dt.date]:
        return (self._family(), self.market.symbol, self.data, self.first)

    def _named(self) -> bool:
        """Return whether files of that day have this name."""
        if self.data == "trades" and self.first == _BOTH_NAMES:
            return self.eras[0] in (1, 2)
        era = era_of(self.first)
        if self.data == "candles" and era == 1:
            key = key_of("early name", self.market.kind, self.market.symbol)
            if bits_at(key, self.first.toordinal()) % _EARLY_NAME_SHARE == 0:
                era = 2
        return era in self.eras


def era_of(day: dt.date) -> int:
    """Return which way of naming a day's files have, as a rule."""
    return 1 if day < _SECOND_ERA else 2 if day < _THIRD_ERA else 3


def parse(name: str) -> ArchiveKey | None:
    """Return what a key names, or None if it names nothing that could exist."""
    for data, eras, pattern in _COMPILED:
        found = pattern.fullmatch(name)
        if found is not None:
            return _built(name, data, eras, found.groupdict())
    return None


def _built(name: str, data: Data, eras: tuple[int, ...], words: dict[str, str]) -> ArchiveKey | None:
    market = _market(words)
    days = _days(words)
    if market is None or days is None or not _fits(words):
        return None
    part = int(words.get("N", "0"))
    if "N" in words and part == 0:
        return None
    return ArchiveKey(name, data, market, eras, *days, part)


def _fits(words: dict[str, str]) -> bool:
    """Return whether folder and name agree on the product: folder 2 has names with a 3."""
    return "F" not in words or words["F"] == {"1": "1", "2": "3"}[words["Q"]]


def _market(words: dict[str, str]) -> Market | None:
    kinds = (_TRADE_KINDS[words["T"]],) if "T" in words else _TOKENS[words.get("K") or words["Q"]]
    found = (find(kind, words["S"]) for kind in kinds)
    return next((market for market in found if market is not None and market.symbol == words["S"]), None)


def _days(words: dict[str, str]) -> tuple[dt.date, dt.date] | None:
    text = words.get("D") or words["M"] + "01"
    try:
        first = dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
    if "D" in words:
        return first, first
    following = (first + dt.timedelta(days=31)).replace(day=1)
    return first, following - dt.timedelta(days=1)


def _midnight_ms(day: dt.date) -> int:
    return (day.toordinal() - dt.date(1970, 1, 1).toordinal()) * DAY_MS
