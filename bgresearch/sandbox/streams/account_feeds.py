"""What happens on an account as pushes: balances, positions, orders and executions, from the history that REST shows.

Orders and executions are pushed as they happen, with no first push; balances and positions are pushed whole at first,
and those of a unified account every five seconds again.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from typing import Any

from bgresearch.catalogue import load
from bgresearch.sandbox.authentication import permits
from bgresearch.sandbox.call import Call
from bgresearch.sandbox.responders import futures_account, spot_account, unified
from bgresearch.sandbox.responders.account_value import Valued, open_positions
from bgresearch.sandbox.responders.amounts import average, filled, money, price_text, size_text
from bgresearch.sandbox.streams.feed import Action, Feed, Push, Silence
from bgresearch.sandbox.streams.subscriptions import (
    BAD_PARAMETER,
    UNKNOWN,
    V2_PRODUCTS,
    StreamRefusal,
    Wanted,
)  # fmt: skip
from bgresearch.sandbox.traders.accounts import LEVERAGE, Account
from bgresearch.sandbox.traders.history import TraderHistory
from bgresearch.sandbox.traders.keys import SandboxKey
from bgresearch.sandbox.traders.records import Fill, Order, PositionRecord
from bgresearch.sandbox.world.markets import find
from bgresearch.sandbox.world.world import World

_UNIFIED_EVERY_MS = 5000
_LOOK_AGAIN_MS = 3_600_000  # when nothing more is known of the future
_V2_QUIET = ("orders-algo", "positions-history", "equity", "adl-noti")
_V3_QUIET = ("fast-fill", "strategy-order", "adl-notification")
_ROWS = {  # channel to the row of the table that says who may read it
    ("v2", "spot", "account"): "spot.account_assets",
    ("v2", "spot", "orders"): "spot.trade_unfilled_orders",
    ("v2", "spot", "fill"): "spot.trade_fills",
    ("v2", "futures", "account"): "futures.account_accounts",
    ("v2", "futures", "positions"): "futures.position_all_position",
    ("v2", "futures", "orders"): "futures.order_orders_pending",
    ("v2", "futures", "fill"): "futures.order_fills",
    ("v3", "UTA", "account"): "uta.account_assets",
    ("v3", "UTA", "position"): "uta.position_current_position",
    ("v3", "UTA", "order"): "uta.trade_unfilled_orders",
    ("v3", "UTA", "fill"): "uta.trade_fills",
}


def private_feed(world: World, wanted: Wanted, key: SandboxKey, account: Account) -> Feed:
    """Return the feed of a private subscription.

    Raises
    ------
    StreamRefusal
        30016 for a channel that does not exist, 30001 for a symbol that does not, 40085, 40084 or 40014 as on REST.
    """
    v3 = wanted.version == "v3"
    _check_channel(wanted)
    if v3 is not (account.mode == "unified"):
        mode, code = ("Classic", 40084) if v3 else ("Unified", 40085)
        raise StreamRefusal(code, f"You are in {mode} Account mode, and this API is not supported")
    area = wanted.product if v3 else ("spot" if wanted.product == "SPOT" else "futures")
    if (not v3 and wanted.product not in V2_PRODUCTS) or ("v2" if not v3 else "v3", area, wanted.channel) not in _ROWS:
        return Silence()
    endpoint = load()[_ROWS[wanted.version, area, wanted.channel]]
    if not permits(key, endpoint.permission):
        raise StreamRefusal(40014, f"Incorrect permissions, need {endpoint.permission} permissions")
    source = _Source(world, account, key, wanted, endpoint.id)
    return {"account": _balances, "positions": _positions, "position": _positions}.get(
        wanted.channel, _executions if wanted.channel == "fill" else _orders
    )(source)


def _check_channel(wanted: Wanted) -> None:
    if wanted.version == "v3":
        if wanted.channel not in ("account", "position", "order", "fill", *_V3_QUIET):
            raise StreamRefusal(BAD_PARAMETER, "Param error")
        if set(wanted.arg) != {"instType", "topic"}:
            raise StreamRefusal(BAD_PARAMETER, "Param error")
        return
    if wanted.channel not in ("account", "positions", "orders", "fill", *_V2_QUIET):
        raise StreamRefusal(BAD_PARAMETER, "Param error")
    name = "coin" if wanted.channel == "account" else "instId"
    if not set(wanted.arg) <= {"instType", "channel", name} or (name not in wanted.arg and wanted.channel != "equity"):
        raise StreamRefusal(BAD_PARAMETER, "Param error")
    symbol = wanted.arg.get("instId", "default")
    kind = V2_PRODUCTS.get(wanted.product)
    if symbol != "default" and kind is not None and find(kind, symbol) is None:
        shown = ",".join(f"{key}:{value}" for key, value in wanted.arg.items())
        raise StreamRefusal(UNKNOWN, f"{shown} doesn't exist")


class _Source:
    """An account as one subscription sees it."""

    def __init__(self, world: World, account: Account, key: SandboxKey, wanted: Wanted, endpoint_id: str) -> None:
        self.world, self.account, self.key = world, account, key
        self.version, self.product = wanted.version, wanted.product
        self.symbol = wanted.arg.get("instId", "default")
        self.coin = wanted.arg.get("coin", "default")
        self._endpoint_id = endpoint_id

    def call(self, now_ms: int, **params: str) -> Call:
        return Call(load()[self._endpoint_id], params, self.account, now_ms, self.world, self.key)

    def concerns(self, row: Fill | Order | PositionRecord) -> bool:
        """Whether a record is of the product and symbol that were asked for."""
        if self.version == "v2" and row.market.kind != V2_PRODUCTS[self.product]:
            return False
        return self.symbol in ("default", row.market.symbol)


class AccountFeed:
    """Pushes at the instants of an account's history, or every so often.

    Parameters
    ----------
    stream : str
        Id for faults.
    account : Account
        Whose history.
    moments : callable
        Takes a history; returns the instants at which something happens.
    rows : callable
        Takes the instant of the push before (None the first time) and that of this one; returns rows, or None if
        there is nothing to push.
    """

    def __init__(
        self, stream: str, account: Account, *, moments: Callable[[TraderHistory], Iterable[int]],
        rows: Callable[[int | None, int], list[Any] | None], every_ms: int | None = None, later: Action = "snapshot",
    ) -> None:  # fmt: skip
        self.stream = stream
        self._account, self._moments_of, self._rows = account, moments, rows
        self._every_ms, self._later = every_ms, later
        self._known: tuple[TraderHistory | None, list[int]] = (None, [])
        self._pushed_ms = 0
        self.due_ms: int | None = None

    def first(self, now_ms: int) -> Push | None:
        rows = self._rows(None, now_ms)
        self._pushed_ms = now_ms
        self._plan(now_ms)
        return None if rows is None else Push("snapshot", rows, now_ms)

    def push(self, now_ms: int) -> Push | None:
        moment = self.due_ms or now_ms
        if self._every_ms is not None:  # a backlog of states is cut to the newest (changelog 2025-07-31)
            moment += (now_ms - moment) // self._every_ms * self._every_ms
        rows = self._rows(self._pushed_ms, moment)
        self._pushed_ms = moment
        self._plan(moment)
        return None if rows is None else Push(self._later, rows, moment)

    def _plan(self, after_ms: int) -> None:
        history = self._account.history(after_ms + _LOOK_AGAIN_MS)
        if self._known[0] is not history:
            self._known = (history, sorted(set(self._moments_of(history))))
        times = self._known[1]
        place = bisect.bisect_right(times, after_ms)
        due = times[place] if place < len(times) else after_ms + _LOOK_AGAIN_MS
        due = min(due, after_ms + _LOOK_AGAIN_MS)
        self.due_ms = due if self._every_ms is None else min(due, after_ms + self._every_ms)


def _order_moments(history: TraderHistory) -> Iterable[int]:
    for order in history.orders:
        yield order.ts_ms
        yield order.done_ms
        yield from (fill.ts_ms for fill in order.fills)


def _money_moments(history: TraderHistory) -> Iterable[int]:
    yield from (entry.ts_ms for entry in history.entries)
    yield from _order_moments(history)


def _fill_moments(history: TraderHistory) -> Iterable[int]:
    return (fill.ts_ms for fill in history.fills)


# balances


def _balances(source: _Source) -> Feed:
    pushed: dict[str, Any] = {}

    def changed(since_ms: int | None, now_ms: int) -> list[Any] | None:
        rows = _v2_balances(source, now_ms)
        fresh = [row for row in rows if pushed.get(_coin(row)) != _settled(row)]
        pushed.update({_coin(row): _settled(row) for row in rows})
        return rows if since_ms is None else fresh or None

    def whole(since_ms: int | None, now_ms: int) -> list[Any]:
        return [_unified_balance(source, now_ms)]

    v3 = source.version == "v3"
    return AccountFeed(
        "stream.account", source.account, moments=_money_moments, rows=whole if v3 else changed,
        every_ms=_UNIFIED_EVERY_MS if v3 else None, later="snapshot" if v3 else "update",
    )  # fmt: skip


def _coin(row: dict[str, str]) -> str:
    return row.get("coin") or row["marginCoin"]


def _settled(row: dict[str, str]) -> tuple[str, str]:
    return row["available"], row["frozen"]


def _v2_balances(source: _Source, now_ms: int) -> list[dict[str, Any]]:
    if source.product == "SPOT":
        rows = spot_account.assets(source.call(now_ms))
    else:
        rows = [
            {
                "marginCoin": row["marginCoin"], "frozen": row["locked"], "available": row["available"],
                "maxOpenPosAvailable": row["crossedMaxAvailable"], "maxTransferOut": row["maxTransferOut"],
                "equity": row["accountEquity"], "usdtEquity": row["usdtEquity"],
                "crossedRiskRate": row["crossedRiskRate"], "unrealizedPL": row["unrealizedPL"],
                "unionTotalMargin": row["unionTotalMargin"], "unionAvailable": row["unionAvailable"],
                "unionMm": row["unionMm"], "assetsMode": row["assetMode"],
            }
            for row in futures_account.wallets(source.call(now_ms, productType=source.product))
        ]  # fmt: skip
    return [row for row in rows if source.coin in ("default", _coin(row))]


def _unified_balance(source: _Source, now_ms: int) -> dict[str, Any]:
    row = unified.assets(source.call(now_ms))
    coins = [
        {
            "coin": each["coin"], "balance": each["balance"], "locked": each["locked"], "equity": each["equity"],
            "usdValue": each["usdValue"], "available": each["available"], "borrow": "0", "debts": each["debt"],
            "bonus": "0",
        }
        for each in row["assets"]
    ]  # fmt: skip
    names = ("effEquity", "mmr", "imr", "mgnRatio", "positionMgnRatio")
    return {
        "totalEquity": row["accountEquity"], **{name: row[name] for name in names},
        "unrealisedPnL": row["unrealisedPnl"], "coin": coins,
    }  # fmt: skip


# positions


def _positions(source: _Source) -> Feed:
    v3 = source.version == "v3"
    before: dict[int, dict[str, Any]] = {}

    def rows(since_ms: int | None, now_ms: int) -> list[Any]:
        held = [row for row in open_positions(source.account, source.world, now_ms) if source.concerns(row.position)]
        shown = {row.position.position_id: _unified_position(row) if v3 else _v2_position(row) for row in held}
        ended = [{**row, **_ENDED} for known, row in before.items() if known not in shown] if v3 else []
        before.clear()
        before.update(shown)
        return [*shown.values(), *ended]

    return AccountFeed(
        "stream.positions", source.account, moments=_fill_moments, rows=rows,
        every_ms=_UNIFIED_EVERY_MS if v3 else None,
    )  # fmt: skip


_ENDED = {"size": "0", "available": "0", "unrealisedPnl": "0", "positionStatus": "ended"}


def _v2_position(row: Valued) -> dict[str, Any]:
    shown = futures_account.position_row(row)
    names = (
        "marginCoin", "marginSize", "marginMode", "holdSide", "posMode", "total", "available", "openPriceAvg",
        "achievedProfits", "unrealizedPL", "liquidationPrice", "keepMarginRate", "breakEvenPrice", "totalFee",
        "deductedFee", "markPrice", "assetMode", "cTime", "uTime",
    )  # fmt: skip
    return {
        "posId": str(row.position.position_id), "instId": shown["symbol"], **{name: shown[name] for name in names},
        "frozen": shown["locked"], "leverage": LEVERAGE, "marginRate": shown["marginRatio"],
        "unrealizedPLR": f"{row.unrealised / max(row.margin, 1):.8f}", "autoMargin": "off",
    }  # fmt: skip


def _unified_position(row: Valued) -> dict[str, Any]:
    shown = unified.position_row(row)
    names = (
        "symbol", "leverage", "openFeeTotal", "mmr", "breakEvenPrice", "available", "marginMode", "unrealisedPnl",
        "markPrice", "createdTime", "avgPrice", "updatedTime", "marginCoin", "frozen", "profitRate", "closeFeeTotal",
        "curRealisedPnl", "positionStatus", "posSide", "holdMode",
    )  # fmt: skip
    return {
        **{name: shown[name] for name in names}, "liqPrice": shown["liquidationPrice"],
        "totalFundingFee": shown["totalFunding"], "marginSize": shown["positionBalance"], "size": shown["total"],
    }  # fmt: skip


# executions


def _executions(source: _Source) -> Feed:
    def rows(since_ms: int | None, now_ms: int) -> list[Any] | None:
        if since_ms is None:
            return None
        found = [fill for fill in source.account.fills(now_ms) if fill.ts_ms > since_ms and source.concerns(fill)]
        return [_fill_row(source, fill, now_ms) for fill in found] or None

    return AccountFeed("stream.fills", source.account, moments=_fill_moments, rows=rows)


def _fill_row(source: _Source, fill: Fill, now_ms: int) -> dict[str, Any]:
    kind = "limit" if fill.maker else "market"
    if source.version == "v3":
        row = unified.fill_row(fill)
        row.pop("posSide")
        side = {"holdSide": fill.action.partition("_")[2]} if fill.action else {}
        return {
            **row,
            "tradeSide": fill.action.partition("_")[0],
            **side,
            "execTime": row["createdTime"],
            "isRPI": "no",
        }
    if not fill.market.futures:
        row = spot_account.fill_row(source.call(now_ms), fill)
        row.pop("userId")
        return {**row, "feeDetail": [row["feeDetail"]]}
    row = futures_account.fill_row(fill)
    row.pop("enterPointSource")
    return {**row, "clientOid": f"r-{fill.order_id}", "orderType": kind, "uTime": row["cTime"]}


# orders


def _orders(source: _Source) -> Feed:
    def rows(since_ms: int | None, now_ms: int) -> list[Any] | None:
        if since_ms is None:
            return None
        events = []
        for order in source.account.history(now_ms).orders:
            if order.ts_ms <= now_ms and order.done_ms > since_ms and source.concerns(order):
                events += _order_events(source, order, since_ms, now_ms)
        return [row for _, row in sorted(events, key=lambda one: one[0])] or None

    return AccountFeed("stream.orders", source.account, moments=_order_moments, rows=rows)


def _order_events(source: _Source, order: Order, since_ms: int, now_ms: int) -> list[tuple[int, dict[str, Any]]]:
    """Return what happened to one order in ``(since_ms, now_ms]``: placed, each fill, cancelled."""
    events: list[tuple[int, Fill | None]] = [(order.ts_ms, None)]
    events += [(fill.ts_ms, fill) for fill in order.fills]
    if not order.fills:
        events.append((order.done_ms, None))
    row = {"v3": _unified_order, "v2": _futures_order if order.market.futures else _spot_order}[source.version]
    return [
        (moment, row(_as_of(order, moment), fill, moment)) for moment, fill in events if since_ms < moment <= now_ms
    ]


def _as_of(order: Order, now_ms: int) -> Order:
    return order._replace(fills=tuple(fill for fill in order.fills if fill.ts_ms <= now_ms))


def _status(order: Order, now_ms: int, cancelled: str) -> str:
    size = sum(fill.size for fill in order.fills)
    if size:
        return "filled" if size >= order.size else "partially_filled"
    return cancelled if now_ms >= order.done_ms else "live"


def _latest_fill(order: Order, fill: Fill | None) -> dict[str, Any]:
    if fill is None:
        return {}
    return {
        "fillPrice": price_text(fill.market, fill.price), "tradeId": str(fill.fill_id),
        "baseVolume": size_text(fill.market, fill.size), "fillTime": str(fill.ts_ms), "fillFee": money(-fill.fee),
        "fillFeeCoin": fill.fee_coin, "tradeScope": "M" if fill.maker else "T",
    }  # fmt: skip


def _v2_order(order: Order, fill: Fill | None, now_ms: int) -> dict[str, Any]:
    market = order.market
    size, _, fee, _ = filled(order.fills)
    coin = order.fills[0].fee_coin if order.fills else ""
    return {
        "instId": market.symbol, "orderId": str(order.order_id), "clientOid": f"r-{order.order_id}",
        "price": price_text(market, order.limit) if order.limit else "0",
        "orderType": "limit" if order.limit else "market", "force": "gtc", **_latest_fill(order, fill),
        "accBaseVolume": size_text(market, size), "priceAvg": average(market, order.fills),
        "cTime": str(order.ts_ms), "uTime": str(now_ms), "stpMode": "none", "enterPointSource": "API",
        "feeDetail": [{"feeCoin": coin, "fee": money(-fee)}] if order.fills else [],
    }  # fmt: skip


def _spot_order(order: Order, fill: Fill | None, now_ms: int) -> dict[str, Any]:
    market = order.market
    price = order.limit or (order.fills[0].price if order.fills else 0)
    cost = money(_cost(order, price))
    base = size_text(market, order.size)
    return {
        **_v2_order(order, fill, now_ms), "size": cost if order.buy else base,
        "newSize": cost if order.buy and order.limit is None else base, "notional": cost,
        "side": "buy" if order.buy else "sell", "status": _status(order, now_ms, "cancelled"),
    }  # fmt: skip


def _cost(order: Order, price: int) -> int:
    return price * order.size * int(10 ** (8 - order.market.price_places - order.market.size_places))


def _futures_order(order: Order, fill: Fill | None, now_ms: int) -> dict[str, Any]:
    market = order.market
    rest = futures_account.order_row(order, pending=True)
    price = order.limit or (order.fills[0].price if order.fills else 0)
    value = money(fill.value) if fill is not None else "0"
    _, _, _, profit = filled(order.fills)
    names = (
        "tradeSide", "side", "posSide", "marginMode", "marginCoin", "posMode", "leverage", "presetStopSurplusPrice",
        "presetStopLossPrice", "presetStopSurplusType", "presetStopSurplusExecutePrice", "presetStopLossType",
        "presetStopLossExecutePrice", "totalProfits",
    )  # fmt: skip
    return {
        **_v2_order(order, fill, now_ms), **{name: rest[name] for name in names},
        "size": size_text(market, order.size), "notionalUsd": money(_cost(order, price)), "fillNotionalUsd": value,
        "status": _status(order, now_ms, "canceled"), "pnl": money(profit), "reduceOnly": rest["reduceOnly"].lower(),
    }  # fmt: skip


def _unified_order(order: Order, fill: Fill | None, now_ms: int) -> dict[str, Any]:
    ended = now_ms >= order.done_ms and not order.fills
    row = unified.order_row(order, pending=not ended)
    trade, _, side = order.action.partition("_")
    names = (
        "category", "symbol", "orderId", "clientOid", "price", "qty", "amount", "holdMode", "orderType", "timeInForce",
        "side", "reduceOnly", "cumExecQty", "cumExecValue", "avgPrice", "feeDetail", "createdTime", "stpMode",
    )  # fmt: skip
    _, _, _, profit = filled(order.fills)
    return {
        **{name: row[name] for name in names}, "tradeSide": trade, "holdSide": side,
        "marginMode": "crossed" if order.market.futures else "", "marginCoin": "USDT" if order.market.futures else "",
        "totalProfit": money(profit), "orderStatus": _status(order, now_ms, "cancelled"),
        "cancelReason": "normal_cancel" if ended else "", "leverage": str(LEVERAGE) if order.market.futures else "",
        "updatedTime": str(now_ms),
    }  # fmt: skip
