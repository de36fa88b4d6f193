"""Endpoints of contracts only: funding, open interest, mark and index prices, leverage tiers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.lookup import market_of, markets_of
from bgresearch.sandbox.traders.records import text
from bgresearch.sandbox.world.funding import (
    FUNDING_HOURS,
    FUNDING_MS,
    HIGHEST_RATE,
    RATE_PLACES,
    funding_rate,
    next_funding_ms,
    open_interest,
    tiers,
)  # fmt: skip
from bgresearch.sandbox.world.markets import Market

_V3_PAGES = 100


def _settlements(call: Call, market: Market, page: int, size: int) -> Iterator[tuple[int, str]]:
    """Yield time and rate of past settlements, newest first, page by page."""
    newest = next_funding_ms(call.now_ms) - FUNDING_MS
    for place in range((page - 1) * size, page * size):
        instant = newest - place * FUNDING_MS
        if instant < market.listed_ms:
            return
        yield instant, text(funding_rate(call.world.seed, market, instant), RATE_PLACES)


def funding_history(call: Call) -> list[dict[str, str]]:
    """Return past funding rates, newest first."""
    market = market_of(call)
    page, size = int(call.params.get("pageNo", "1")), int(call.params.get("pageSize", "20"))
    return [
        {"symbol": market.symbol, "fundingRate": rate, "fundingTime": str(instant)}
        for instant, rate in _settlements(call, market, page, size)
    ]


def unified_funding_history(call: Call) -> dict[str, Any]:
    """Return past funding rates in v3 spelling, newest first; its cursor is a page number."""
    market = market_of(call)
    page, size = int(call.params.get("cursor", "1")), int(call.params.get("limit", "200"))
    rows = _settlements(call, market, page, size) if page <= _V3_PAGES else iter(())
    return {
        "resultList": [
            {"symbol": market.symbol, "fundingRate": rate, "fundingRateTimestamp": str(instant)}
            for instant, rate in rows
        ]
    }


def current_funding(call: Call) -> list[dict[str, str]]:
    """Return the rate of the next settlement, its bounds and when it is."""
    following = next_funding_ms(call.now_ms)
    rows = []
    for market in markets_of(call):
        row = {
            "symbol": market.symbol, "fundingRate": text(funding_rate(call.world.seed, market, following), RATE_PLACES),
            "fundingRateInterval": str(FUNDING_HOURS), "nextUpdate": str(following),
            "minFundingRate": text(-HIGHEST_RATE, RATE_PLACES), "maxFundingRate": text(HIGHEST_RATE, RATE_PLACES),
        }  # fmt: skip
        if call.endpoint.version == "v3":
            row |= {"cashDividend": "", "cashDividendNextUpdate": ""}
        rows.append(row)
    return rows


def funding_time(call: Call) -> list[dict[str, str]]:
    """Return when the next settlement is."""
    following = str(next_funding_ms(call.now_ms))
    return [{"symbol": market_of(call).symbol, "nextFundingTime": following, "ratePeriod": str(FUNDING_HOURS)}]


def interest(call: Call) -> dict[str, Any]:
    """Return the open interest; the time is next to the list."""
    unified = call.endpoint.version == "v3"
    rows = [
        {
            "symbol": market.symbol,
            "openInterest" if unified else "size": text(
                open_interest(call.world.seed, market, call.now_ms), market.size_places
            ),
        }
        for market in markets_of(call)
    ]
    return {call.endpoint.rows_at: rows, "ts": str(call.now_ms)}


def prices(call: Call) -> list[dict[str, str]]:
    """Return last, index and mark price of one contract."""
    market = market_of(call)
    shown = {
        name: text(call.world.price(market, call.now_ms, price=price), market.price_places)
        for name, price in (("price", "last"), ("indexPrice", "index"), ("markPrice", "mark"))
    }
    return [{"symbol": market.symbol, **shown, "ts": str(call.now_ms)}]


def leverage_tiers(call: Call) -> list[dict[str, str]]:
    """Return one contract's tiers; their bounds are in quote coin."""
    market = market_of(call)
    return [
        {
            "symbol": market.symbol, "level": str(level), "startUnit": str(start), "endUnit": str(end),
            "leverage": str(leverage), "keepMarginRate": ratio,
        }
        for level, (start, end, leverage, ratio) in enumerate(tiers(market), start=1)
    ]  # fmt: skip


def unified_tiers(call: Call) -> list[dict[str, str]]:
    """Return tiers in v3 spelling; for margin the coin names the market."""
    params = dict(call.params)
    if "symbol" not in params:
        params["symbol"] = f"{params.get('coin', 'BTC')}USDT"
    rows = tiers(market_of(call._replace(params=params)))
    return [
        {
            "tier": str(tier), "leverage": str(leverage), "minTierValue": str(start), "maxTierValue": str(end),
            "mmr": ratio,
        }
        for tier, (start, end, leverage, ratio) in enumerate(rows, start=1)
    ]  # fmt: skip


def interest_limits(call: Call) -> list[dict[str, str]]:
    """Return how much one account, and it with its sub-accounts, may hold open."""
    return [
        {"symbol": market.symbol, "notionalValue": "20000000", "totalNotionalValue": "40000000"}
        for market in markets_of(call)
    ]


CONTRACT_RESPONDERS: dict[str, Responder] = {
    "futures.history_fund_rate": funding_history,
    "futures.current_fund_rate": current_funding,
    "futures.funding_time": funding_time,
    "futures.open_interest": interest,
    "futures.symbol_price": prices,
    "futures.query_position_lever": leverage_tiers,
    "futures.oi_limit": interest_limits,
    "uta.history_fund_rate": unified_funding_history,
    "uta.current_fund_rate": current_funding,
    "uta.open_interest": interest,
    "uta.position_tier": unified_tiers,
    "uta.oi_limit": interest_limits,
}
