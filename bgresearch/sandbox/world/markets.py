"""What is traded in the synthetic world: coins, markets, when they were listed, how finely they are priced. Pure data.

Names are those of well-known coins because readers know them; every price, size and date here is made up.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, NamedTuple

Kind = Literal["spot", "usdt-futures", "usdc-futures", "coin-futures"]
KINDS: tuple[Kind, ...] = ("spot", "usdt-futures", "usdc-futures", "coin-futures")
CATEGORIES: dict[str, Kind] = {
    "SPOT": "spot", "MARGIN": "spot", "USDT-FUTURES": "usdt-futures", "USDC-FUTURES": "usdc-futures",
    "COIN-FUTURES": "coin-futures",
}  # fmt: skip


def utc_ms(year: int, month: int, day: int, hour: int = 0) -> int:
    """Return epoch milliseconds of an hour in UTC."""
    return int(dt.datetime(year, month, day, hour, tzinfo=dt.UTC).timestamp()) * 1000


GENESIS_MS = utc_ms(2019, 1, 1)  # nothing was listed earlier
MAINTENANCE = ((utc_ms(2025, 9, 16, 6), utc_ms(2025, 9, 16, 7)), (utc_ms(2026, 3, 11, 6), utc_ms(2026, 3, 11, 7)))
_ANNOUNCED_MS = 86_400_000  # before it begins
"""Hours in which nothing traded anywhere: bars of these hours do not exist. Half-open, epoch ms, whole hours."""


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin and how its price behaves.

    Attributes
    ----------
    base_price : float
        Level that the price reverts to over months, USDT.
    volatility : float
        Usual standard deviation of a day's return.
    turnover : float
        Usual turnover of the spot market in a day, USDT.
    """

    name: str
    base_price: float
    volatility: float
    turnover: float
    chain: str = "ERC20"


class Split(NamedTuple):
    """One split of the stock behind a contract; ``ratio`` is how many new shares one old share becomes.

    Between the two instants, whole hours, nothing trades.
    """

    ratio: str
    ex_date: str
    halted_ms: int
    resumed_ms: int


class Dividend(NamedTuple):
    """One cash dividend of the stock behind a contract, USDT per share."""

    per_share: str
    ex_date: str
    paid_ms: int


@dataclass(frozen=True, slots=True)
class Market:
    """One symbol of one product.

    Attributes
    ----------
    price_places, size_places : int
        Decimals of prices and of sizes; sizes count the base coin.
    price_step : int
        The smallest price change in units of the last decimal.
    trading : float
        Share of minutes with trades.
    listed_ms, delisted_ms : int or None
        Whole hours; bars exist only in between.
    stock : bool
        Whether the contract follows a stock.
    splits : tuple of Split
        Oldest first; prices before a split are as they were traded.
    """

    symbol: str
    kind: Kind
    base: str
    quote: str
    price_places: int
    size_places: int
    listed_ms: int
    delisted_ms: int | None = None
    price_step: int = 1
    trading: float = 1.0
    turnover_share: float = 1.0
    max_leverage: int = 50
    stock: bool = False
    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()

    @property
    def closed(self) -> tuple[tuple[int, int], ...]:
        """When nothing trades although it is listed: half-open, epoch ms, whole hours."""
        return (*MAINTENANCE, *((split.halted_ms, split.resumed_ms) for split in self.splits))

    def share_factor(self, now_ms: int) -> float:
        """Return how many shares of the end one share of this instant becomes."""
        return prod(float(split.ratio) for split in self.splits if now_ms < split.halted_ms)

    @property
    def futures(self) -> bool:
        """Whether this is a perpetual contract."""
        return self.kind != "spot"

    @property
    def product_type(self) -> str:
        """The exchange's word for the product: v2 productType, v3 category."""
        return self.kind.upper()

    @property
    def margin_coin(self) -> str:
        """The coin that a position's margin and profit are counted in."""
        return self.base if self.kind == "coin-futures" else self.quote

    def listed_at(self, now_ms: int) -> bool:
        """Whether it trades at this instant."""
        return self.listed_ms <= now_ms and not self.delisted_at(now_ms)

    def delisted_at(self, now_ms: int) -> bool:
        """Whether it stopped trading before this instant."""
        return self.delisted_ms is not None and now_ms >= self.delisted_ms


# name, base price, day volatility, day turnover in millions of USDT, spot decimals of price and of size, listing, chain
_COINS = """
BTC     98000      0.022  900   2 6  2019-01-01 BTC
ETH     3400       0.030  600   2 4  2019-01-01 ERC20
SOL     165        0.038  300   3 4  2020-09-16 SOL
XRP     2.1        0.036  200   4 2  2019-01-01 XRP
DOGE    0.19       0.042  150   5 1  2019-07-10 DOGE
BNB     690        0.026  90    2 4  2019-01-01 BEP20
ADA     0.72       0.038  60    4 2  2019-01-01 ADA
TRX     0.27       0.022  40    5 1  2019-01-01 TRC20
LINK    17         0.038  45    3 3  2019-06-20 ERC20
AVAX    24         0.040  35    3 3  2020-09-23 AVAXC
DOT     5.1        0.037  22    4 2  2020-08-20 DOT
LTC     98         0.033  30    2 4  2019-01-01 LTC
BCH     470        0.034  25    2 4  2019-01-01 BCH
UNI     8.8        0.041  18    3 3  2020-09-18 ERC20
ATOM    4.6        0.036  12    3 3  2019-05-02 ATOM
ETC     20         0.036  11    3 3  2019-01-01 ETC
XLM     0.31       0.037  14    5 1  2019-01-01 XLM
NEAR    2.7        0.042  16    3 3  2020-10-14 NEAR
APT     5.0        0.044  14    4 3  2022-10-19 APT
ARB     0.44       0.045  16    4 2  2023-03-23 ARB
OP      0.75       0.046  12    4 2  2022-06-01 OP
SUI     3.3        0.046  55    4 2  2023-05-03 SUI
TON     3.1        0.033  12    4 3  2021-11-10 TON
FIL     2.4        0.041  9     4 3  2020-10-15 FIL
AAVE    270        0.040  14    2 4  2020-10-16 ERC20
SHIB    0.0000128  0.042  30    9 0  2021-05-10 ERC20
PEPE    0.00000108 0.055  80   10 0  2023-05-05 ERC20
BONK    0.0000190  0.056  25    9 0  2023-12-14 SOL
FLOKI   0.0000910  0.054  12    8 0  2021-11-05 ERC20
WIF     0.85       0.058  15    4 2  2024-03-05 SOL
GIGA    104500     0.028  3     1 6  2022-02-22 ERC20
LUNA    0.17       0.048  5     5 1  2022-05-31 LUNA
$ALT    0.032      0.050  4     6 0  2024-01-25 ERC20
MEMECOIN 0.0042    0.052  4     7 0  2023-11-03 ERC20
龙      0.0185     0.070  2     6 0  2025-10-10 BEP20
USDC    1          0.0004 120   4 2  2021-01-05 ERC20
BGB     4.7        0.028  35    4 3  2021-07-26 ERC20
STILL   0.0730     0.035  0.02  5 1  2023-04-04 ERC20
FRESH   1.24       0.080  8     4 2  2025-12-29 SOL
JUNE    0.56       0.075  9     4 2  2026-06-15 SOL
GONE    0.021      0.060  1     5 1  2022-08-01 ERC20
"""
_TRADING = {"STILL": 0.03, "GONE": 0.4, "GIGA": 0.7, "龙": 0.85}
_DELISTED = {"GONE": utc_ms(2026, 2, 10, 10)}
_NO_FUTURES = {"USDC", "BGB", "STILL", "GIGA", "FLOKI", "SHIB", "BONK", "龙", "TON", "XLM", "ETC"}
_FUTURES_NAME = {"LUNA": "LUNA2", "$ALT": "ALT", "MEMECOIN": "MEME"}  # documentation: common/faq Q12
_FUTURES_PLACES = {"BTC": (1, 4), "ETH": (2, 3), "SOL": (3, 1), "PEPE": (10, 0)}
_FUTURES_STEP = {"LTC": 5, "ATOM": 5}
_LEVERAGE = {"BTC": 125, "ETH": 100, "SOL": 75}
_MAJORS = ("BTC", "ETH", "SOL", "XRP")
_CONTRACT_AFTER_MS = 14 * 86_400_000  # contracts follow the spot market by two weeks


def _date_ms(text: str) -> int:
    return utc_ms(*(int(part) for part in text.split("-")))


def _read() -> tuple[tuple[Coin, ...], tuple[Market, ...]]:
    coins: list[Coin] = []
    markets: list[Market] = []
    for line in _COINS.strip().splitlines():
        name, price, volatility, turnover, price_places, size_places, listed, chain = line.split()
        coins.append(Coin(name, float(price), float(volatility), float(turnover) * 1e6, chain))
        places, start, end = (int(price_places), int(size_places)), _date_ms(listed), _DELISTED.get(name)
        trading = _TRADING.get(name, 1.0)
        markets.append(Market(f"{name}USDT", "spot", name, "USDT", *places, start, end, trading=trading))
        if name not in _NO_FUTURES:
            markets += _contracts(name, places, start, end)
    return tuple(coins), tuple(sorted(markets, key=lambda market: KINDS.index(market.kind)))


def maintained(now_ms: int) -> str:
    """Return when the maintenance begins that is on or announced; empty if there is none."""
    starts = [start for start, stop in MAINTENANCE if start - _ANNOUNCED_MS <= now_ms < stop]
    return str(starts[0]) if starts else ""


def _contracts(name: str, places: tuple[int, int], listed_ms: int, delisted_ms: int | None) -> list[Market]:
    """Return the perpetual contracts on one coin."""
    alias = _FUTURES_NAME.get(name, name)
    usdt = Market(
        f"{alias}USDT", "usdt-futures", alias, "USDT", *_FUTURES_PLACES.get(name, places),
        max(listed_ms, utc_ms(2020, 6, 1)) + _CONTRACT_AFTER_MS, delisted_ms, trading=_TRADING.get(name, 1.0),
        price_step=_FUTURES_STEP.get(name, 1), turnover_share=3.0, max_leverage=_LEVERAGE.get(name, 50),
    )  # fmt: skip
    if name not in _MAJORS:
        return [usdt]
    other = replace(usdt, listed_ms=max(listed_ms, utc_ms(2021, 6, 1)), trading=0.97, turnover_share=0.08)
    usdc = replace(other, symbol=f"{name}PERP", kind="usdc-futures", quote="USDC")
    return [usdt, usdc, replace(other, symbol=f"{name}USD", kind="coin-futures", quote="USD")]


# name, base price after all splits, then as of coins, without a chain
_STOCKS = """
NVDA    60   0.020  80  2 3  2025-12-01
SOXS    25   0.045  20  2 2  2026-02-02
"""
_SPLITS = {
    "NVDA": (
        Split("4", "20260615", utc_ms(2026, 6, 13, 0), utc_ms(2026, 6, 15, 8)),
        Split("1.5", "20261026", utc_ms(2026, 10, 25, 20), utc_ms(2026, 10, 26, 13)),
        Split("2", "20261214", utc_ms(2026, 12, 12, 0), utc_ms(2026, 12, 14, 8)),
    ),
    "SOXS": (Split("0.1", "20260715", utc_ms(2026, 7, 14, 22), utc_ms(2026, 7, 15, 8)),),
}
_DIVIDENDS = {
    "NVDA": (
        Dividend("0.24", "20260311", utc_ms(2026, 3, 11, 4)),
        Dividend("0.06", "20260910", utc_ms(2026, 9, 10, 4)),
        Dividend("0.04", "20261209", utc_ms(2026, 12, 9, 5)),
    ),
}


def _read_stocks() -> tuple[tuple[Coin, ...], tuple[Market, ...]]:
    """Return the stocks, and the contracts on them."""
    stocks: list[Coin] = []
    markets: list[Market] = []
    for line in _STOCKS.strip().splitlines():
        name, price, volatility, turnover, price_places, size_places, listed = line.split()
        stocks.append(Coin(name, float(price), float(volatility), float(turnover) * 1e6))
        markets.append(Market(
            f"{name}USDT", "usdt-futures", name, "USDT", int(price_places), int(size_places), _date_ms(listed),
            max_leverage=20, stock=True, splits=_SPLITS.get(name, ()), dividends=_DIVIDENDS.get(name, ()),
        ))  # fmt: skip
    return tuple(stocks), tuple(markets)


_ALL_COINS, _COIN_MARKETS = _read()
_ALL_STOCKS, _STOCK_MARKETS = _read_stocks()
MARKETS = (*_COIN_MARKETS, *_STOCK_MARKETS)
COINS: dict[str, Coin] = {coin.name: coin for coin in _ALL_COINS}
STOCKS: dict[str, Coin] = {stock.name: stock for stock in _ALL_STOCKS}
_COIN_OF = {alias: name for name, alias in _FUTURES_NAME.items()}
_BY_NAME = {(market.kind, market.symbol): market for market in MARKETS}


def coin_of(market: Market) -> Coin:
    """Return the coin or stock that the market follows: renamed coins keep one price under both names."""
    return STOCKS[market.base] if market.stock else COINS[_COIN_OF.get(market.base, market.base)]


def find(kind: Kind, symbol: str) -> Market | None:
    """Return the market of that symbol, in any case of letters, or None."""
    return _BY_NAME.get((kind, symbol.upper()))


def of_kind(kind: Kind, now_ms: int) -> list[Market]:
    """Return what trades at this instant, in listing order."""
    return [market for market in MARKETS if market.kind == kind and market.listed_at(now_ms)]
