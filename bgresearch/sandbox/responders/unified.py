"""The unified account: one balance a coin, and every row in v3 spelling. Sides are those of the execution."""

from __future__ import annotations

from functools import partial
from typing import Any

from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.account_value import Valued, coin_price, open_positions, worth
from bgresearch.sandbox.responders.amounts import average, filled, money, price_text, size_text
from bgresearch.sandbox.responders.pagination import account_of, concerns, page
from bgresearch.sandbox.responders.spot_account import deposits as v2_deposits
from bgresearch.sandbox.responders.spot_account import withdrawals as v2_withdrawals
from bgresearch.sandbox.traders.accounts import LEVERAGE, Holding
from bgresearch.sandbox.traders.records import UNIT, Fill, LedgerEntry, Order, PositionRecord

_HEDGED = {"holdMode": "hedge_mode"}
_LEDGER_WORDS = {
    "deposit": "TRANSFER_IN", "withdraw": "TRANSFER_OUT", "transfer_in": "TRANSFER_IN",
    "transfer_out": "TRANSFER_OUT", "open_long": "OPEN_LONG", "close_long": "CLOSE_LONG", "open_short": "OPEN_SHORT",
    "close_short": "CLOSE_SHORT",
}  # fmt: skip


def assets(call: Call) -> dict[str, Any]:
    """Return the whole account, with one row for every coin with a balance."""
    account, now_ms = account_of(call), call.now_ms
    holdings = account.holdings("unified", now_ms)
    positions = open_positions(account, call.world, now_ms)
    unrealised = sum(row.unrealised for row in positions)
    margin = sum(row.margin for row in positions)
    equity = worth(call.world, holdings, now_ms) + unrealised
    bitcoin = coin_price(call.world, "BTC", now_ms)
    required = f"{margin / equity:.8f}" if equity > 0 else "0"
    return {
        "accountEquity": money(equity), "usdtEquity": money(equity), "btcEquity": money(equity * UNIT // bitcoin),
        "unrealisedPnl": money(unrealised), "usdtUnrealisedPnl": money(unrealised),
        "btcUnrealizedPnl": money(unrealised * UNIT // bitcoin), "effEquity": money(equity),
        "mmr": money(margin // 20), "imr": money(margin), "mgnRatio": required, "positionMgnRatio": required,
        "assets": [_asset_row(call, coin, row, unrealised, margin) for coin, row in holdings.items() if row.total],
    }  # fmt: skip


def _asset_row(call: Call, coin: str, row: Holding, unrealised: int, margin: int) -> dict[str, str]:
    settled = coin == "USDT"  # the coin of the contracts' profits
    equity = row.total + (unrealised if settled else 0)
    free = max(min(row.free, equity - row.frozen - margin), 0) if settled else row.free
    return {
        "coin": coin, "equity": money(equity),
        "usdValue": money(equity * coin_price(call.world, coin, call.now_ms) // UNIT), "balance": money(row.total),
        "bonus": "0",
        "debt": "0", "available": money(free), "locked": money(row.frozen), "positionValue": "", "leverage": "",
    }  # fmt: skip


def funding_assets(call: Call) -> list[dict[str, str]]:
    """Return the coins of the funding wallet."""
    wanted = call.params.get("coin", "").upper()
    return [
        {"coin": coin, "balance": money(row.total), "available": money(row.free), "frozen": money(row.frozen)}
        for coin, row in account_of(call).holdings("funding", call.now_ms).items()
        if wanted in ("", coin)
    ]


def fills(call: Call) -> dict[str, Any]:
    """Return executions of one category, or of all, newest first."""
    rows = account_of(call).fills(call.now_ms)
    chosen = page(call, rows, partial(concerns, call), key=lambda row: row.fill_id, time=lambda row: row.ts_ms)
    return {"list": [fill_row(row) for row in chosen], "cursor": str(chosen[-1].fill_id) if chosen else ""}


def fill_row(fill: Fill) -> dict[str, Any]:
    """Return an execution in v3 spelling."""
    market = fill.market
    return {
        "execId": str(fill.fill_id), "execLinkId": str(fill.fill_id), "orderId": str(fill.order_id),
        "clientOid": f"r-{fill.order_id}", "category": market.product_type, "symbol": market.symbol,
        "orderType": "limit" if fill.maker else "market", "execPrice": price_text(market, fill.price),
        "execQty": size_text(market, fill.size), "execValue": money(fill.value),
        "feeDetail": [{"feeCoin": fill.fee_coin, "fee": money(fill.fee)}], "side": "buy" if fill.buy else "sell",
        "tradeScope": "maker" if fill.maker else "taker", "tradeSide": fill.action, "createdTime": str(fill.ts_ms),
        "updatedTime": str(fill.ts_ms), "execPnl": money(fill.profit),
        "isRPI": "no", "posSide": fill.action.partition("_")[2],
    }  # fmt: skip


def orders(call: Call) -> dict[str, Any]:
    """Return closed or open orders, newest first."""
    pending = call.endpoint.id == "uta.trade_unfilled_orders"
    rows = account_of(call).orders(call.now_ms, pending=pending)
    chosen = page(call, rows, partial(concerns, call), key=lambda row: row.order_id, time=lambda row: row.ts_ms)
    listed = [order_row(row, pending) for row in chosen]
    return {"list": listed, "cursor": str(chosen[-1].order_id) if chosen else ""}


def order_row(order: Order, pending: bool) -> dict[str, Any]:
    """Return a closed or open order in v3 spelling."""
    market = order.market
    size, value, fee, _ = filled(order.fills)
    done, not_done = ("partially_filled", "live") if pending else ("filled", "cancelled")
    status = done if order.fills else not_done
    fee_coin = order.fills[0].fee_coin if order.fills else ""
    row: dict[str, Any] = {
        "orderId": str(order.order_id), "clientOid": f"r-{order.order_id}", "category": market.product_type,
        "symbol": market.symbol, "price": price_text(market, order.limit) if order.limit else "",
        "qty": size_text(market, order.size), "amount": money(value) if order.limit is None and order.buy else "",
        "orderType": "limit" if order.limit else "market", "cumExecQty": size_text(market, size),
        "cumExecValue": money(value), "avgPrice": average(market, order.fills), "orderStatus": status,
        "side": "buy" if order.buy else "sell", "timeInForce": "gtc", "posSide": order.action.partition("_")[2],
        "holdMode": _HEDGED["holdMode"] if market.futures else "",
        "reduceOnly": "yes" if order.action.startswith("close") else "no",
        "feeDetail": [{"feeCoin": fee_coin, "fee": money(fee)}] if order.fills else [], "stpMode": "none",
        "createdTime": str(order.ts_ms), "updatedTime": str(order.ts_ms if pending else order.done_ms),
        "delegateType": "normal",
    }  # fmt: skip
    if not pending:
        row |= {"cancelReason": "" if order.fills else "normal_cancel", "execType": "normal"}
    return row


def ledger(call: Call) -> dict[str, Any]:
    """Return one category of the ledger, newest first; the balance is that of the coin in the whole account."""
    category = call.params["category"].upper()

    def wanted(row: LedgerEntry) -> bool:
        its_category, word = _category_and_type(row)
        return (
            its_category == category
            and call.params.get("coin", row.coin).upper() == row.coin
            and call.params.get("type", word).upper() == word
        )

    rows = account_of(call).entries(call.now_ms)
    chosen = page(call, rows, wanted, key=lambda row: row.entry_id, time=lambda row: row.ts_ms)
    listed = [
        {
            "category": category, "id": str(row.entry_id), "symbol": row.symbol, "coin": row.coin,
            "type": _category_and_type(row)[1],
            "amount": money(row.change), "fee": money(row.fee), "balance": money(row.unified), "ts": str(row.ts_ms),
            "positionType": "", "positionAmount": "", "positionBalance": "",
        }
        for row in chosen
    ]  # fmt: skip
    return {"list": listed, "cursor": str(chosen[-1].entry_id) if chosen else ""}


def _category_and_type(row: LedgerEntry) -> tuple[str, str]:
    """Return how the ledger files a row; under nothing what stays inside the one balance or outside the account."""
    if row.internal or row.wallet == "funding":
        return "", ""
    if row.reason == "deduction":
        return "SPOT", "DEDUCTION_HANDLING_FEE"
    if row.reason in ("buy", "sell"):
        return "SPOT", "ORDER_DEALT_IN" if row.change > 0 else "ORDER_DEALT_FROZEN_OUT"
    if row.reason == "funding":
        return "USDT-FUTURES", f"CONTRACT_MAIN_SETTLE_FEE_USER_{'IN' if row.change > 0 else 'OUT'}"
    return "USDT-FUTURES" if row.symbol else "OTHER", _LEDGER_WORDS[row.reason]


def positions(call: Call) -> dict[str, Any]:
    """Return the open positions of one category."""
    rows = [
        row
        for row in open_positions(account_of(call), call.world, call.now_ms)
        if concerns(call, row) and call.params.get("posSide") in (None, _pos_side(row.position))
    ]  # fmt: skip
    return {"list": [position_row(row) for row in rows]}


def _pos_side(position: PositionRecord) -> str:
    return "long" if position.long else "short"


def position_row(row: Valued) -> dict[str, str]:
    """Return an open position in v3 spelling."""
    market, position = row.market, row.position
    mean = average(market, position.opening)
    latest = max(fill.ts_ms for fill in (*position.opening, *position.closing))
    return {
        "category": market.product_type, "symbol": market.symbol, "marginCoin": "USDT", "posSide": _pos_side(position),
        "positionBalance": money(row.margin), "available": size_text(market, row.size), "frozen": "0",
        "total": size_text(market, row.size), "leverage": str(LEVERAGE), "curRealisedPnl": money(row.realised),
        "avgPrice": mean, "marginMode": "crossed", "positionStatus": "normal", **_HEDGED,
        "unrealisedPnl": money(row.unrealised), "liquidationPrice": "0", "mmr": row.maintenance_ratio,
        "profitRate": f"{row.unrealised / max(row.margin, 1):.8f}", "markPrice": price_text(market, row.mark),
        "breakEvenPrice": mean, "totalFunding": money(row.funding),
        "cashDividend": "0",
        "openFeeTotal": money(-filled(position.opening)[2]), "closeFeeTotal": money(-filled(position.closing)[2]),
        "createdTime": str(position.opening[0].ts_ms), "updatedTime": str(latest),
    }  # fmt: skip


def past_positions(call: Call) -> dict[str, Any]:
    """Return closed positions, the latest first."""
    rows = account_of(call).positions(call.now_ms, closed=True)
    chosen = page(call, rows, partial(concerns, call), key=lambda row: row.position_id, time=lambda row: row.opened_ms)
    return {"list": [_closed_row(row) for row in chosen], "cursor": str(chosen[-1].position_id) if chosen else ""}


def _closed_row(position: PositionRecord) -> dict[str, str]:
    market = position.market
    size, _, open_fee, _ = filled(position.opening)
    _, _, close_fee, profit = filled(position.closing)
    funding = sum(received for _, received in position.funding)
    return {
        "positionId": str(position.position_id), "category": market.product_type, "symbol": market.symbol,
        "marginCoin": "USDT", "posSide": _pos_side(position), "openPriceAvg": average(market, position.opening),
        "closePriceAvg": average(market, position.closing), "openTotalPos": size_text(market, size),
        "closeTotalPos": size_text(market, size), "marginMode": "crossed", **_HEDGED, "cumRealisedPnl": money(profit),
        "netProfit": money(profit + funding - open_fee - close_fee), "totalFunding": money(funding),
        "cashDividend": "0",
        "openFeeTotal": money(-open_fee), "closeFeeTotal": money(-close_fee), "createdTime": str(position.opened_ms),
        "updatedTime": str(position.closed_ms),
    }  # fmt: skip


def _renamed(row: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    spelled = {**row, "recordId": row["tradeId"], "createdTime": row["cTime"], "updatedTime": row["uTime"]}
    return {name: spelled[name] for name in names}


def deposits(call: Call) -> list[dict[str, str]]:
    """Return coins that came from outside, newest first."""
    names = tuple(column.name for column in call.endpoint.columns)
    return [_renamed(row, names) for row in v2_deposits(call)]


def withdrawals(call: Call) -> list[dict[str, str]]:
    """Return coins that went outside, newest first."""
    names = tuple(column.name for column in call.endpoint.columns)
    return [_renamed(row, names) for row in v2_withdrawals(call)]


UNIFIED_RESPONDERS: dict[str, Responder] = {
    "uta.account_assets": assets,
    "uta.account_deposit_records": deposits,
    "uta.account_financial_records": ledger,
    "uta.account_funding_assets": funding_assets,
    "uta.account_withdrawal_records": withdrawals,
    "uta.position_current_position": positions,
    "uta.position_history_position": past_positions,
    "uta.trade_fills": fills,
    "uta.trade_history_orders": orders,
    "uta.trade_unfilled_orders": orders,
}
