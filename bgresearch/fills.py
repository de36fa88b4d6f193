"""Own trades as the three families of endpoints tell them, walked to the end, as rows of one shape. Keeps nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from bgresearch.assets import number
from bgresearch.catalogue import load
from bgresearch.envelope import rows_of
from bgresearch.errors import BadResponse, InvalidInput
from bgresearch.intervals import DAY_MS
from bgresearch.paging import next_cursor
from bgresearch.spans import Span
from bgresearch.wire import Sender

FILL_SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ms", "UTC")), ("fill_id", pa.string()), ("order_id", pa.string()),
        ("market", pa.string()), ("symbol", pa.string()), ("side", pa.string()), ("role", pa.string()),
        ("price", pa.float64()), ("amount", pa.float64()), ("value", pa.float64()), ("fee", pa.float64()),
        ("fee_coin", pa.string()), ("profit", pa.float64()),
    ]
)  # fmt: skip
_MARKETS = ("spot", "usdt-futures", "usdc-futures", "coin-futures")
_LOOKBACK_DAYS = 90  # spot/trade/Get-Fills, uta/trade/Get-Order-Fills; of futures it is not stated, and the same
_EDGE_MS = 60_000  # windows stay this far inside the exchange's own limits, which move while one walks
_EMPTY_ANSWERS = 3  # an empty page is believed after this many, one that follows a short page at once
_OTHER = {"buy": "sell", "sell": "buy"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Walk:
    """How one market's own trades are walked.

    Attributes
    ----------
    endpoint : str
        Id of the table row.
    market : str
        Name of the market here.
    fixed : dict
        Parameters that are the same for every page.
    cursor : str
        The parameter that takes the cursor.
    shape : callable
        Makes a row of this package out of one of the exchange's.
    """

    endpoint: str
    market: str
    fixed: dict[str, str]
    cursor: str
    shape: Callable[[Mapping[str, Any]], Row]

    @property
    def longest_ms(self) -> int:
        """Longest span of one window."""
        return (load()[self.endpoint].max_span_days or _LOOKBACK_DAYS) * DAY_MS - _EDGE_MS

    @property
    def lookback_ms(self) -> int:
        """How far back the exchange answers."""
        return (load()[self.endpoint].lookback_days or _LOOKBACK_DAYS) * DAY_MS - _EDGE_MS

    def run(self, sender: Sender, span: Span) -> pa.Table:
        """Return every own trade of a window, each once, in any order.

        Raises
        ------
        BadResponse
            If the cursor does not advance or a row is not a trade.
        """
        found: dict[str, Row] = {}
        cursor, empty, limit = "", 0, self._limit
        short = False
        while True:
            data = self._page(sender, span, cursor)
            fills = [self._believed(row) for row in rows_of(load()[self.endpoint], data)]
            if not fills:
                empty += 1
                if short or empty >= _EMPTY_ANSWERS:
                    break
                continue
            new = {fill["fill_id"]: fill for fill in fills if fill["fill_id"] not in found}
            found |= new
            following = self._following(data, fills)
            # a short page is the last one, unless the exchange's pages are shorter than documented: one more tells
            short = len({fill["fill_id"] for fill in fills}) < limit
            if (not new or following == cursor) and not short:
                raise BadResponse(self.endpoint, f"the page after {cursor} came twice; the list has no end.")
            if not new or following in ("", cursor):
                break
            cursor, empty = following, 0
        inside = [fill for fill in found.values() if span.start_ms <= fill["time"] < span.end_ms]
        return pa.Table.from_pylist(inside, FILL_SCHEMA)

    @property
    def _limit(self) -> int:
        return load()[self.endpoint].paging.max_rows or 100

    def _following(self, data: Any, fills: list[Row]) -> str:
        """Return the cursor of the page after this one: the smallest id where ids are compared, in whatever order."""
        ids: list[str] = [fill["fill_id"] for fill in fills]
        if self.cursor == "idLessThan" and all(one.isascii() and one.isdecimal() for one in ids):
            return str(min(map(int, ids)))
        return next_cursor(load()[self.endpoint].paging.cursor_from, data, rows_of(load()[self.endpoint], data))

    def _page(self, sender: Sender, span: Span, cursor: str) -> Any:
        # whether the exchange's ends are inclusive is not documented: both are asked for and trimmed
        times = {"startTime": str(span.start_ms - 1), "endTime": str(span.end_ms)}
        params = self.fixed | times | {"limit": str(self._limit)}
        if cursor:
            params[self.cursor] = cursor
        return sender.send(load()[self.endpoint], params).data

    def _believed(self, row: object) -> Row:
        if not isinstance(row, dict):
            raise BadResponse(self.endpoint, "a trade is no object.")
        try:
            fill = {"market": self.market, **self.shape(row)}
        except (KeyError, ValueError, TypeError, IndexError, AttributeError):
            raise BadResponse(self.endpoint, "a trade lacks a field or holds something else than numbers.") from None
        if self.market == "spot":
            fill["profit"] = None  # classic accounts are not told any, unified ones are told 0
        if not fill["fill_id"]:
            raise BadResponse(self.endpoint, "a trade without an id.")
        return fill


def walk_for(mode: Literal["classic", "unified"], market: str) -> Walk:
    """Return how the own trades of a market are walked.

    Raises
    ------
    InvalidInput
        If there is no such market.
    """
    if market not in _MARKETS:
        raise InvalidInput("market", f"{market!r} is unknown.", hint=f"Use one of {', '.join(_MARKETS)}.")
    product = market.upper()
    if mode == "unified":
        return Walk("uta.trade_fills", market, {"category": product}, "cursor", _unified)
    if market == "spot":
        return Walk("spot.trade_fills", market, {}, "idLessThan", _spot)
    return Walk("futures.order_fills", market, {"productType": product}, "idLessThan", _futures)


def _spot(row: Mapping[str, Any]) -> Row:
    numbers = {"price": "priceAvg", "amount": "size", "value": "amount"}
    return _row(row, "tradeId", "cTime", numbers) | _fee(row, "totalFee", paid_is_negative=True)


def _futures(row: Mapping[str, Any]) -> Row:
    numbers = {"price": "price", "amount": "baseVolume", "value": "quoteVolume", "profit": "profit"}
    fee = _fee(row, "totalFee", paid_is_negative=True)
    return _row(row, "tradeId", "cTime", numbers) | fee | {"side": _traded_side(row)}


def _traded_side(row: Mapping[str, Any]) -> str:
    """Return what was done in the market: rows of hedge mode name the side of the position instead.

    There, closing a long position is side buy with tradeSide close. Forced closings name the position, too:
    burst_close_long. In one-way mode, side is the trade's own.
    """
    side, trade = str(row["side"]).lower(), str(row.get("tradeSide") or "").lower()
    if trade.endswith(("close_long", "open_short")):
        return "sell"
    if trade.endswith(("close_short", "open_long")):
        return "buy"
    hedged = str(row.get("posMode") or "hedge_mode").lower() == "hedge_mode"
    return _OTHER.get(side, side) if trade == "close" and hedged else side


def _unified(row: Mapping[str, Any]) -> Row:
    numbers = {"price": "execPrice", "amount": "execQty", "value": "execValue", "profit": "execPnl"}
    return _row(row, "execId", "createdTime", numbers) | _fee(row, "fee", paid_is_negative=False)


def _row(row: Mapping[str, Any], fill_id: str, time: str, numbers: Mapping[str, str]) -> Row:
    return {
        "time": int(row[time]), "fill_id": str(row[fill_id]), "order_id": str(row["orderId"]),
        "symbol": str(row["symbol"]).upper(), "side": str(row["side"]).lower(),
        "role": str(row.get("tradeScope") or "").lower(),
        **{name: number(row.get(theirs)) for name, theirs in numbers.items()},
    }  # fmt: skip


def _fee(row: Mapping[str, Any], field: str, *, paid_is_negative: bool) -> Row:
    """Return the fee, positive if paid: v2 counts what leaves as negative, v3 as positive."""
    detail = row.get("feeDetail") or []
    if isinstance(detail, str):
        detail = json.loads(detail)
    parts = detail if isinstance(detail, list) else [detail]
    if not parts:
        return {"fee": None, "fee_coin": None}
    coin = str(parts[0].get("feeCoin") or "")
    fees = [number(part.get(field)) or 0.0 for part in parts if str(part.get("feeCoin") or "") == coin]
    return {"fee": (-1.0 if paid_is_negative else 1.0) * sum(fees) + 0.0, "fee_coin": coin}
