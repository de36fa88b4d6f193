"""The rows of an archive's file as texts, made from the same markets as REST. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from bgresearch.core.intervals import INTERVALS
from bgresearch.sandbox.archive.keys import ArchiveKey, era_of
from bgresearch.sandbox.traders.records import text
from bgresearch.sandbox.world.hash_random import Ints, bits_at, key_of
from bgresearch.sandbox.world.markets import MARKETS, Market, utc_ms
from bgresearch.sandbox.world.minute_bars import QUOTE_PLACES, VOLUME
from bgresearch.sandbox.world.order_books import BookMaker, Level, best_levels
from bgresearch.sandbox.world.world import World

TRADES = ("trade_id", "timestamp", "price", "side", "volume(quote)", "size(base)")
CANDLES = ("timestamp", "open", "high", "low", "close", "basevolume", "usdtvolume")
OLD_CANDLES = ("timestamp", "open", "high", "low", "close", "baseVolume", "usdtVolume")
QUOTES = ("timestamp", "ask_price", "bid_price", "ask_volume", "bid_volume")
BOOKS = ("timestamp", "asks", "bids")
MISSING = "-999999"

_CUT_TO_SECONDS_MS = utc_ms(2024, 1, 1)  # files of earlier days carry milliseconds
_BOOK_LEVELS = 500
_SHORTEST_S, _LONGEST_S = 5, 20  # between quotes
_TWICE_SHARE, _MISSING_SHARE = 256, 512  # one quote in so many shares its second with another, or lacks a side
_NOISE_SHARE = 8  # one volume in so many of the oldest files is off in its last binary digit


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much of a market there is in a file.

    Attributes
    ----------
    part_rows : int
        Trades of a part. The exchange cuts after 100,000; much less is traded here.
    book_every_s : int
        Seconds between images of a book. On the exchange about 20; here files would be too large for a test.
    cut : bool
        Whether times of trades are cut to seconds since 2024.
    """

    part_rows: int = 2000
    book_every_s: int = 3600
    cut: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One file's header and rows; the first column is a number, all others are texts."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


def table_of(world: World, key: ArchiveKey, amounts: Amounts, *, cut: bool = True) -> Table | None:
    """Return what a file holds; None for a part after the last one, or a day without anything.

    ``cut`` is whether times of trades are cut to seconds since 2024.
    """
    amounts = amounts if cut else replace(amounts, cut=False)
    made = {"trades": _trades, "candles": _candles, "quotes": _quotes, "books": _books}[key.data](world, key, amounts)
    return made if made.rows else None


def swapped(key: ArchiveKey) -> ArchiveKey:
    """Return the same file of another market of its kind, that was traded at the time."""
    listed = [
        market for market in MARKETS
        if market.kind == key.market.kind and market.symbol != key.market.symbol and market.listed_ms < key.start_ms
        and market.delisted_ms is None
    ]  # fmt: skip
    return replace(key, market=listed[bits_at(key_of("swapped", key.name), 0) % len(listed)])


def _trades(world: World, key: ArchiveKey, amounts: Amounts) -> Table:
    first = (key.part - 1) * amounts.part_rows if key.part else 0
    wanted = islice(_every_trade(world, key, cut=amounts.cut), first, first + amounts.part_rows if key.part else None)
    return Table(TRADES, list(wanted))


def _every_trade(world: World, key: ArchiveKey, *, cut: bool) -> Iterator[tuple[str, ...]]:
    market = key.market
    places = market.price_places + market.size_places
    for trade in world.trades_in_order(market, key.start_ms, key.end_ms):
        whole = trade.ts_ms < _CUT_TO_SECONDS_MS or not cut
        stamp = trade.ts_ms if whole else trade.ts_ms // 1000 * 1000
        yield (
            str(trade.trade_id), str(stamp), text(trade.price, market.price_places, strip=True),
            "buy" if trade.buy else "sell", text(trade.price * trade.size, places, strip=True),
            text(trade.size, market.size_places, strip=True),
        )  # fmt: skip


def _candles(world: World, key: ArchiveKey, amounts: Amounts) -> Table:
    market = key.market
    bars = world.bars(market, INTERVALS["1m"], key.start_ms, key.end_ms, now_ms=key.end_ms)
    old = not key.monthly and era_of(key.first) == 1
    rows = []
    for opened, values in zip(bars.open_ms.tolist(), bars.values.T.tolist(), strict=True):
        if market.kind == "usdt-futures" and not values[VOLUME]:
            continue  # minutes without a trade may be absent there
        prices = (text(value, market.price_places, strip=True) for value in values[:VOLUME])
        base = text(values[VOLUME], market.size_places, strip=True)
        quote = text(values[VOLUME + 1], QUOTE_PLACES, strip=True)
        if old:
            base, quote = (_noisy(shown, opened + place) for place, shown in enumerate((base, quote)))
        rows.append((str(opened // 1000), *prices, base, quote))
    return Table(OLD_CANDLES if old else CANDLES, rows)


def _noisy(shown: str, counter: int) -> str:
    """Return a number as binary floating point leaves it now and then; 15 digits of it are right."""
    if bits_at(key_of("noise"), counter) % _NOISE_SHARE or shown == "0":
        return shown
    return np.format_float_positional(math.nextafter(float(shown), math.inf), trim="-")


def _quotes(world: World, key: ArchiveKey, amounts: Amounts) -> Table:
    market = key.market
    moments = _quote_moments(key)
    moments = moments[[world.exists(market, moment - moment % 60_000) for moment in moments.tolist()]]
    (bids, bid_sizes), (asks, ask_sizes) = best_levels(world, market, moments)
    drawn = key_of("quote", market.kind, market.symbol)
    rows = []
    for moment, ask, bid, ask_size, bid_size in zip(
        moments.tolist(), asks.tolist(), bids.tolist(), ask_sizes.tolist(), bid_sizes.tolist(), strict=True
    ):
        word = bits_at(drawn, moment)
        row = [
            str(moment // 1000), text(ask, market.price_places, strip=True), text(bid, market.price_places, strip=True),
            text(ask_size, market.size_places, strip=True), text(bid_size, market.size_places, strip=True),
        ]  # fmt: skip
        if word % _MISSING_SHARE == 0:
            side = word >> 16 & 1
            row[1 + side] = row[3 + side] = MISSING
        rows.append(tuple(row))
    return Table(QUOTES, _unsorted(rows, drawn))


def _quote_moments(key: ArchiveKey) -> Ints:
    """Return when quotes were taken, irregular, some twice in a second."""
    drawn = key_of("quote seconds", key.market.kind, key.market.symbol)
    day_s, found = 86_400, []
    for start_s in range(key.start_ms // 1000, key.end_ms // 1000, day_s):  # days alone, so that months agree
        moment, end_s = start_s + bits_at(drawn, start_s) % _LONGEST_S, start_s + day_s
        while moment < end_s:
            word = bits_at(drawn, moment)
            found += [moment * 1000, moment * 1000 + 500] if word % _TWICE_SHARE == 0 else [moment * 1000]
            moment += _SHORTEST_S + (word >> 16) % (_LONGEST_S - _SHORTEST_S + 1)
    return np.array(found, dtype=np.int64)


def _books(world: World, key: ArchiveKey, amounts: Amounts) -> Table:
    market, every_ms = key.market, amounts.book_every_s * 1000
    maker = BookMaker(world, market, levels=_BOOK_LEVELS)
    drawn = key_of("images", market.kind, market.symbol)
    rows: list[tuple[str, ...]] = []
    for slot in range(key.start_ms, key.end_ms, every_ms):
        moment = slot + bits_at(drawn, slot) % (every_ms // 1000) * 1000
        if not world.exists(market, moment - moment % 60_000):
            continue
        image = maker.at(moment)
        quoted = not key.monthly
        sides = (_cell(market, image.asks(), quoted=quoted), _cell(market, image.bids(), quoted=quoted))
        rows.append((str(moment // 1000), *sides))
    return Table(BOOKS, _unsorted(rows, drawn))


def _cell(market: Market, levels: list[Level], *, quoted: bool) -> str:
    """Return one side of a book as JSON: numbers, or texts in the files of a day."""
    mark = '"' if quoted else ""
    shown = (
        f"[{mark}{_number(price, market.price_places)}{mark},{mark}{_number(size, market.size_places)}{mark}]"
        for price, size in levels
    )
    return f"[{','.join(shown)}]"


def _number(amount: int, places: int) -> str:
    shown = text(amount, places, strip=True)
    return shown if "." in shown else f"{shown}.0"


def _unsorted(rows: list[tuple[str, ...]], key: int) -> list[tuple[str, ...]]:
    """Return the rows in the order of the exchange's files, which is none."""
    places = sorted(range(len(rows)), key=lambda place: (bits_at(key, place + 1), place))
    return [rows[place] for place in places]
