"""The classic account's spot wallet and what was done with it: v2 answers."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.amounts import average, filled, money, price_text, size_text
from bgresearch.sandbox.responders.pagination import TimeWindow, account_of, concerns, page
from bgresearch.sandbox.traders.accounts import Holding
from bgresearch.sandbox.traders.records import Fill, LedgerEntry, Movement, Order, Transfer
from bgresearch.sandbox.world.markets import COINS

_WALLET_WORDS = {"spot": "spot", "usdt-futures": "usdt_futures", "funding": "p2p"}
_BILL_WORDS = {
    "deposit": ("deposit", "DEPOSIT"), "withdraw": ("withdraw", "WITHDRAW"), "buy": ("transaction", "BUY"),
    "sell": ("transaction", "SELL"), "transfer_in": ("transfer", "TRANSFER_IN"),
    "transfer_out": ("transfer", "TRANSFER_OUT"), "deduction": ("transaction", "DEDUCTION_HANDLING_FEE"),
}  # fmt: skip
_OUTSIDE, _OWN = "0x00000000000000000000000000000000000000f1", "0x00000000000000000000000000000000000000a7"
_NOTHING = Holding(0, 0, 0)


def assets(call: Call) -> list[dict[str, str]]:
    """Return the wallet's coins; without assetType=all only those with a balance."""
    holdings = account_of(call).holdings("spot", call.now_ms)
    if call.params.get("assetType") == "all":
        holdings = {name: holdings.get(name, _NOTHING) for name in ("USDT", *COINS)}
    wanted = call.params.get("coin", "").upper()
    return [
        {
            "coin": coin, "available": money(holding.free), "frozen": money(holding.frozen), "locked": "0",
            "limitAvailable": "0", "uTime": str(holding.changed_ms or call.now_ms),
        }
        for coin, holding in holdings.items()
        if wanted in ("", coin)
    ]  # fmt: skip


def fills(call: Call) -> list[dict[str, Any]]:
    """Return spot executions, newest first."""
    rows = account_of(call).fills(call.now_ms)
    chosen = page(call, rows, partial(_spot, call), key=lambda row: row.fill_id, time=lambda row: row.ts_ms)
    return [fill_row(call, row) for row in chosen]


def _spot(call: Call, row: Fill | Order) -> bool:
    return row.market.kind == "spot" and concerns(call, row)


def fill_row(call: Call, fill: Fill) -> dict[str, Any]:
    """Return an execution in spot spelling."""
    return {
        "userId": account_of(call).uid, "symbol": fill.market.symbol, "orderId": str(fill.order_id),
        "tradeId": str(fill.fill_id), "orderType": "limit" if fill.maker else "market",
        "side": "buy" if fill.buy else "sell", "priceAvg": price_text(fill.market, fill.price),
        "size": size_text(fill.market, fill.size), "amount": money(fill.value),
        "feeDetail": {  # a deducted fee is shown as a positive number: live rows, ccxt pull request 21530
            "deduction": "yes" if fill.deducted else "no", "feeCoin": fill.fee_coin, "totalDeductionFee": "",
            "totalFee": money(fill.fee if fill.deducted else -fill.fee),
        },
        "tradeScope": "maker" if fill.maker else "taker", "cTime": str(fill.ts_ms), "uTime": str(fill.ts_ms),
    }  # fmt: skip


def past_orders(call: Call) -> list[dict[str, Any]]:
    """Return orders that ended, newest first."""
    return [_order_row(call, row) for row in _orders(call, pending=False)]


def _orders(call: Call, *, pending: bool) -> list[Order]:
    if call.params.get("tpslType") == "tpsl":
        return []
    rows = account_of(call).orders(call.now_ms, pending=pending)
    return page(call, rows, partial(_spot, call), key=lambda row: row.order_id, time=lambda row: row.ts_ms)


def _order_row(call: Call, order: Order) -> dict[str, Any]:
    market = order.market
    size, value, fee, _ = filled(order.fills)
    by_cost = order.limit is None and order.buy  # a market buy is sized in quote coin
    coin = order.fills[0].fee_coin if order.fills else ""
    deducted = bool(order.fills) and order.fills[0].deducted
    paid = (fee if deducted else -fee) / 10**8
    detail = {"deduction": deducted, "feeCoinCode": coin, "totalDeductionFee": 0, "totalFee": paid}
    totals = {"c": 0, "d": 0, "deduction": deducted, "r": paid, "t": paid, "totalDeductionFee": 0}
    return {
        "userId": account_of(call).uid, "symbol": market.symbol, "orderId": str(order.order_id),
        "clientOid": f"r-{order.order_id}", "price": price_text(market, order.limit or 0) if order.limit else "0",
        "size": money(value) if by_cost else size_text(market, order.size),
        "orderType": "limit" if order.limit else "market", "side": "buy" if order.buy else "sell",
        "status": "filled" if order.fills else "cancelled", "priceAvg": average(market, order.fills),
        "baseVolume": size_text(market, size), "quoteVolume": money(value), "enterPointSource": "API",
        "orderSource": "normal" if order.limit else "market", "cTime": str(order.ts_ms), "uTime": str(order.done_ms),
        "feeDetail": json.dumps({"newFees": totals, coin: detail}) if order.fills else "", "triggerPrice": None,
        "tpslType": "normal", "cancelReason": "" if order.fills else "normal_cancel",
    }  # fmt: skip


def open_orders(call: Call) -> list[dict[str, Any]]:
    """Return open orders, newest first; priceAvg is their price here, basePrice the average paid so far."""
    return [_open_row(call, row) for row in _orders(call, pending=True)]


def _open_row(call: Call, order: Order) -> dict[str, Any]:
    market = order.market
    size, value, _, _ = filled(order.fills)
    presets = ("presetTakeProfitPrice", "executeTakeProfitPrice", "presetStopLossPrice", "executeStopLossPrice")
    return {
        "userId": account_of(call).uid, "symbol": market.symbol, "orderId": str(order.order_id),
        "clientOid": f"r-{order.order_id}", "priceAvg": price_text(market, order.limit or 0),
        "size": size_text(market, order.size), "orderType": "limit" if order.limit else "market",
        "side": "buy" if order.buy else "sell", "status": "partially_filled" if order.fills else "live",
        "basePrice": average(market, order.fills), "baseVolume": size_text(market, size),
        "quoteVolume": money(value), "enterPointSource": "API", "orderSource": "normal", **dict.fromkeys(presets, ""),
        "cTime": str(order.ts_ms), "uTime": str(order.ts_ms), "triggerPrice": None, "tpslType": "normal",
    }  # fmt: skip


def bills(call: Call) -> list[dict[str, str]]:
    """Return the wallet's ledger, newest first: balance is what was there after size and fees."""
    rows = account_of(call).entries(call.now_ms)
    chosen = page(call, rows, partial(_billed, call), key=lambda row: row.entry_id, time=lambda row: row.ts_ms)
    return [
        {
            "cTime": str(row.ts_ms), "coin": row.coin, "groupType": _BILL_WORDS[row.reason][0],
            "businessType": _BILL_WORDS[row.reason][1], "size": money(row.change), "balance": money(row.balance),
            "fees": money(row.fee), "billId": str(row.entry_id), "bizOrderId": str(row.entry_id),
        }
        for row in chosen
    ]  # fmt: skip


def _billed(call: Call, row: LedgerEntry) -> bool:
    if row.wallet != "spot":
        return False
    group, business = _BILL_WORDS[row.reason]
    return (
        call.params.get("coin", row.coin).upper() == row.coin
        and call.params.get("groupType", group) == group
        and call.params.get("businessType", business) == business
    )


def _movements(call: Call, *, incoming: bool) -> list[Movement]:
    def wanted(row: Movement) -> bool:
        return (
            row.incoming is incoming
            and call.params.get("coin", row.coin).upper() == row.coin
            and call.params.get("orderId", str(row.movement_id)) == str(row.movement_id)
        )

    rows = account_of(call).movements(call.now_ms)
    return page(call, rows, wanted, key=lambda row: row.movement_id, time=lambda row: row.ts_ms)


def deposits(call: Call) -> list[dict[str, str]]:
    """Return coins that came from outside, newest first."""
    return [
        {
            "orderId": str(row.movement_id), "tradeId": str(row.movement_id), "coin": row.coin, "type": "deposit",
            "size": money(row.size), "status": "success", "fromAddress": _OUTSIDE, "toAddress": _OWN,
            "chain": "ERC20", "dest": "on_chain", "cTime": str(row.ts_ms), "uTime": str(row.ts_ms),
        }
        for row in _movements(call, incoming=True)
    ]  # fmt: skip


def withdrawals(call: Call) -> list[dict[str, str]]:
    """Return coins that went outside, newest first."""
    return [
        {
            "orderId": str(row.movement_id), "tradeId": str(row.movement_id), "coin": row.coin,
            "clientOid": f"r-{row.movement_id}", "type": "withdraw", "dest": "on_chain", "size": money(row.size),
            "fee": money(-row.fee), "status": "success", "fromAddress": _OWN, "toAddress": _OUTSIDE,
            "chain": "ERC20", "confirm": "64", "tag": "", "cTime": str(row.ts_ms), "uTime": str(row.ts_ms),
        }
        for row in _movements(call, incoming=False)
    ]  # fmt: skip


def transfers(call: Call) -> list[dict[str, str]]:
    """Return transfers of one coin between the owner's wallets, newest first, page by page."""
    window = TimeWindow.of(call)
    rows = [row for row in account_of(call).transfers(call.now_ms) if _moved(call, row, window)][::-1]
    number, limit = int(call.params.get("pageNum", "1")), int(call.params.get("limit", "100"))
    return [
        {
            "coin": row.coin, "status": "Successful", "toType": _WALLET_WORDS[row.target], "toSymbol": "",
            "fromType": _WALLET_WORDS[row.source], "fromSymbol": "", "size": money(row.size), "ts": str(row.ts_ms),
            "clientOid": f"r-{row.transfer_id}", "transferId": str(row.transfer_id),
        }
        for row in rows[(number - 1) * limit : number * limit]
    ]  # fmt: skip


def _moved(call: Call, row: Transfer, window: TimeWindow) -> bool:
    source = _WALLET_WORDS[row.source]
    asked = call.params["coin"].upper() == row.coin and call.params.get("fromType", source) == source
    return asked and window.start_ms <= row.ts_ms <= window.end_ms


SPOT_ACCOUNT_RESPONDERS: dict[str, Responder] = {
    "spot.account_assets": assets,
    "spot.account_bills": bills,
    "spot.account_transfer_records": transfers,
    "spot.trade_fills": fills,
    "spot.trade_history_orders": past_orders,
    "spot.trade_unfilled_orders": open_orders,
    "spot.wallet_deposit_records": deposits,
    "spot.wallet_withdrawal_records": withdrawals,
}
