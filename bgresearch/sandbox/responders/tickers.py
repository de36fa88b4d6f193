"""What everything costs now, and the last 24 hours in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from bgresearch.core.intervals import DAY_MS, INTERVALS
from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.books import best
from bgresearch.sandbox.responders.lookup import markets_of
from bgresearch.sandbox.traders.records import text
from bgresearch.sandbox.world.funding import RATE_PLACES, funding_rate, next_funding_ms, open_interest
from bgresearch.sandbox.world.markets import Market
from bgresearch.sandbox.world.minute_bars import HIGH, LOW, OPEN, QUOTE_PLACES, QUOTE_VOLUME, VOLUME
from bgresearch.sandbox.world.world import World


@dataclass(frozen=True, slots=True)
class Quote:
    """A market at an instant; prices in units of its last decimal."""

    last: int
    open_24h: int
    high_24h: int
    low_24h: int
    open_utc: int
    volume: int
    quote_volume: int

    @classmethod
    def of(cls, world: World, market: Market, now_ms: int) -> Quote:
        """Return the figures of the last 24 hours; a market without minutes in them stays at its last price."""
        minute, day = INTERVALS["1m"], INTERVALS["1d"]
        bars = world.bars(market, minute, now_ms - DAY_MS, now_ms + 1, now_ms=now_ms).values
        today = world.bars(market, day, now_ms - now_ms % DAY_MS, now_ms + 1, now_ms=now_ms).values
        last = world.price(market, now_ms)
        if not bars.size:
            return cls(last, last, last, last, last, 0, 0)
        opened = int(bars[OPEN, 0])
        return cls(
            last, opened, int(bars[HIGH].max()), int(bars[LOW].min()), int(today[OPEN, 0]) if today.size else last,
            int(bars[VOLUME].sum()), int(bars[QUOTE_VOLUME].sum()),
        )  # fmt: skip


def change(last: int, before: int) -> str:
    """Return the relative change with five decimals."""
    return text((last - before) * 10**5 // before, 5)


def spot_tickers(call: Call) -> list[dict[str, str]]:
    """Return spot prices and the last 24 hours in numbers."""
    return [spot_ticker_row(call, market) for market in markets_of(call) if not market.delisted_at(call.now_ms)]


def spot_ticker_row(call: Call, market: Market) -> dict[str, str]:
    """Return one spot market at the instant of the call."""
    now, places, sizes = Quote.of(call.world, market, call.now_ms), market.price_places, market.size_places
    bid, ask = best(call.world, market, call.now_ms)
    turnover = text(now.quote_volume, QUOTE_PLACES)
    return {
        "symbol": market.symbol, "high24h": text(now.high_24h, places), "open": text(now.open_24h, places),
        "lastPr": text(now.last, places), "low24h": text(now.low_24h, places), "quoteVolume": turnover,
        "baseVolume": text(now.volume, sizes), "usdtVolume": turnover, "bidPr": text(bid[0], places),
        "askPr": text(ask[0], places), "bidSz": text(bid[1], sizes), "askSz": text(ask[1], sizes),
        "openUtc": text(now.open_utc, places), "ts": str(call.now_ms),
        "changeUtc24h": change(now.last, now.open_utc), "change24h": change(now.last, now.open_24h),
    }  # fmt: skip


def futures_tickers(call: Call) -> list[dict[str, str]]:
    """Return contract prices and the last 24 hours in numbers."""
    return [futures_ticker_row(call, market) for market in markets_of(call)]


def futures_ticker_row(call: Call, market: Market) -> dict[str, str]:
    """Return one contract at the instant of the call."""
    now, places, sizes = Quote.of(call.world, market, call.now_ms), market.price_places, market.size_places
    bid, ask = best(call.world, market, call.now_ms)
    turnover = text(now.quote_volume, QUOTE_PLACES)
    return {
        "symbol": market.symbol, "lastPr": text(now.last, places), "askPr": text(ask[0], places),
        "bidPr": text(bid[0], places), "bidSz": text(bid[1], sizes), "askSz": text(ask[1], sizes),
        "high24h": text(now.high_24h, places), "low24h": text(now.low_24h, places), "ts": str(call.now_ms),
        "change24h": change(now.last, now.open_24h), "baseVolume": text(now.volume, sizes), "quoteVolume": turnover,
        "usdtVolume": turnover, "openUtc": text(now.open_utc, places),
        "changeUtc24h": change(now.last, now.open_utc), **_contract_prices(call, market),
        "holdingAmount": text(open_interest(call.world.seed, market, call.now_ms), sizes),
        "open24h": text(now.open_24h, places), "deliveryStartTime": "", "deliveryTime": "", "deliveryStatus": "",
    }  # fmt: skip


def _contract_prices(call: Call, market: Market) -> dict[str, str]:
    places = market.price_places
    rate = funding_rate(call.world.seed, market, next_funding_ms(call.now_ms))
    return {
        "indexPrice": text(call.world.price(market, call.now_ms, price="index"), places),
        "markPrice": text(call.world.price(market, call.now_ms, price="mark"), places),
        "fundingRate": text(rate, RATE_PLACES),
    }


def unified_tickers(call: Call) -> list[dict[str, str]]:
    """Return the prices of one v3 category."""
    return [unified_ticker_row(call, market) for market in markets_of(call) if not market.delisted_at(call.now_ms)]


def unified_ticker_row(call: Call, market: Market) -> dict[str, str]:
    """Return one market in v3 spelling at the instant of the call."""
    now, places, sizes = Quote.of(call.world, market, call.now_ms), market.price_places, market.size_places
    bid, ask = best(call.world, market, call.now_ms)
    contract = dict.fromkeys(("indexPrice", "markPrice", "fundingRate", "openInterest"), "")
    if market.futures:
        interest = text(open_interest(call.world.seed, market, call.now_ms), sizes)
        contract = {**_contract_prices(call, market), "openInterest": interest}
    return {
        "symbol": market.symbol, "category": market.product_type, "lastPrice": text(now.last, places),
        "openPrice24h": text(now.open_24h, places), "lowPrice24h": text(now.low_24h, places),
        "highPrice24h": text(now.high_24h, places), "ask1Price": text(ask[0], places),
        "bid1Price": text(bid[0], places), "bid1Size": text(bid[1], sizes), "ask1Size": text(ask[1], sizes),
        "price24hPcnt": change(now.last, now.open_24h), "turnover24h": text(now.quote_volume, QUOTE_PLACES),
        "platformTurnover24h": text(now.quote_volume, QUOTE_PLACES),
        "volume24h": text(now.volume, sizes), **contract, "deliveryStartTime": "", "deliveryTime": "",
        "deliveryStatus": "", "ts": str(call.now_ms),
    }  # fmt: skip


TICKER_RESPONDERS: dict[str, Responder] = {
    "spot.tickers": spot_tickers,
    "futures.ticker": futures_tickers,
    "futures.tickers": futures_tickers,
    "uta.tickers": unified_tickers,
}
