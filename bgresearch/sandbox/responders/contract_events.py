"""Splits and dividends of the stocks behind contracts, and liquidations."""

from __future__ import annotations

import re
from itertools import dropwhile, islice
from typing import Any

from bgresearch.core.intervals import DAY_MS
from bgresearch.sandbox.call import Call, Refusal, Responder
from bgresearch.sandbox.responders.lookup import market_of, markets_of
from bgresearch.sandbox.traders.records import text
from bgresearch.sandbox.world.liquidations import newest_first
from bgresearch.sandbox.world.markets import MARKETS, Market, Split
from bgresearch.sandbox.world.trades import Trade, instant_of

_CURSOR = re.compile(r"[0-9]{4,25}")
_ANNOUNCED_MS = 30 * DAY_MS  # before it happens


def splits(call: Call) -> list[dict[str, str]]:
    """Return the splits that have happened or were announced, newest first."""
    known = [
        (split.resumed_ms, market.symbol, split)
        for market in MARKETS
        for split in market.splits
        if split.halted_ms - _ANNOUNCED_MS <= call.now_ms
    ]
    return [_split_row(symbol, split, call.now_ms) for _, symbol, split in sorted(known, reverse=True)]


def _split_row(symbol: str, split: Split, now_ms: int) -> dict[str, str]:
    status = "pending" if now_ms < split.halted_ms else "ongoing" if now_ms < split.resumed_ms else "completed"
    return {
        "symbol": symbol, "type": "split" if float(split.ratio) > 1 else "reverse_split", "status": status,
        "adjustmentRatio": split.ratio, "exDividendDate": split.ex_date, "exDividendDateTimezone": "ET",
        "tradingHaltStartTime": str(split.halted_ms), "tradingHaltEndTime": str(split.resumed_ms),
    }  # fmt: skip


def dividends(call: Call) -> dict[str, Any]:
    """Return the cash dividends of one contract's stock that were paid, or those that were announced, newest first."""
    market = market_of(call)
    paid = call.params["type"] == "paid"
    rows = [
        {
            "symbol": market.symbol, "exDividendDate": one.ex_date, "cashDividendPerShare": one.per_share,
            "cashDividendTimestamp": str(one.paid_ms),
        }
        for one in reversed(market.dividends)
        if (one.paid_ms <= call.now_ms) is paid and one.paid_ms - _ANNOUNCED_MS <= call.now_ms
    ]  # fmt: skip
    after, limit = call.params.get("cursor"), int(call.params.get("limit", "100"))
    if after is not None:
        if not _CURSOR.fullmatch(after):
            raise Refusal("40700", "The cursor is wrong")
        rows = [row for row in rows if int(row["cashDividendTimestamp"]) < int(after)]
    more = len(rows) > limit
    return {"list": rows[:limit], "cursor": rows[limit - 1]["cashDividendTimestamp"] if more else ""}


def liquidations(call: Call) -> dict[str, Any]:
    """Return the liquidations of the last days, newest first; the cursor is the last row of the page before."""
    markets = [market for market in markets_of(call) if market.futures]
    start_ms = call.now_ms - (call.endpoint.lookback_days or 0) * DAY_MS
    limit, after = int(call.params.get("limit", "100")), call.params.get("cursor")
    end_ms = call.now_ms if after is None else min(call.now_ms, _instant(after) + 1)
    coming = newest_first(call.world, markets, start_ms, end_ms)
    if after is not None:
        coming = dropwhile(lambda one: _cursor(*one) != after, coming)
        next(coming, None)
    page = list(islice(coming, limit + 1))
    last = page[limit - 1] if len(page) > limit else None
    return {"list": [liquidation_row(*one) for one in page[:limit]], "cursor": _cursor(*last) if last else ""}


def _cursor(market: Market, trade: Trade) -> str:
    return f"{trade.trade_id}{MARKETS.index(market):03d}"


def _instant(cursor: str) -> int:
    if not _CURSOR.fullmatch(cursor):
        raise Refusal("40700", "The cursor is wrong")
    return instant_of(int(cursor[:-3]))


def liquidation_row(market: Market, trade: Trade) -> dict[str, str]:
    """Return a liquidation as REST and sockets write it."""
    return {
        "symbol": market.symbol, "side": "buy" if trade.buy else "sell",
        "price": text(trade.price, market.price_places), "amount": text(trade.size, market.size_places),
        "ts": str(trade.ts_ms),
    }  # fmt: skip


CONTRACT_EVENT_RESPONDERS: dict[str, Responder] = {
    "uta.split_records": splits,
    "uta.cash_dividend_records": dividends,
    "uta.liquidations": liquidations,
}
