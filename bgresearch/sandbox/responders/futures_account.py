"""The classic account's contract wallets, positions, orders and ledger, and all its wallets together: v2 answers.

In hedge mode v2 rows carry the side of the position: closing a long is side buy, tradeSide close.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.account_value import ContractWallet, Valued, coin_price, open_positions, worth
from bgresearch.sandbox.responders.amounts import average, filled, money, price_text, size_text
from bgresearch.sandbox.responders.pagination import account_of, concerns, page
from bgresearch.sandbox.traders.accounts import LEVERAGE
from bgresearch.sandbox.traders.records import UNIT, Fill, LedgerEntry, Order, PositionRecord

_MODE = {"posMode": "hedge_mode"}
_MARGIN_COINS = {"USDT-FUTURES": ("USDT",), "USDC-FUTURES": ("USDC",), "COIN-FUTURES": ("BTC", "ETH", "SOL", "XRP")}
_BILL_WORDS = {
    "transfer_in": "trans_from_exchange", "transfer_out": "trans_to_exchange", "funding": "contract_settle_fee",
}  # fmt: skip
_OTHER_WALLETS = ("earn", "bots", "margin")


def _wallet(call: Call, coin: str) -> ContractWallet:
    if coin != "USDT":
        return ContractWallet(0, 0, 0, 0)  # the trader keeps to USDT contracts
    return ContractWallet.of(account_of(call), call.world, call.now_ms)


def _wallet_row(call: Call, coin: str) -> dict[str, Any]:
    wallet = _wallet(call, coin)
    usdt = wallet.equity * coin_price(call.world, coin, call.now_ms) // UNIT
    return {
        "marginCoin": coin, "locked": money(wallet.frozen), "available": money(wallet.total - wallet.frozen),
        "crossedMaxAvailable": money(wallet.free), "isolatedMaxAvailable": money(wallet.free),
        "maxTransferOut": money(min(wallet.free, wallet.total)), "accountEquity": money(wallet.equity),
        "usdtEquity": money(usdt), "btcEquity": money(usdt * UNIT // coin_price(call.world, "BTC", call.now_ms)),
        "crossedRiskRate": f"{wallet.margin / (200 * wallet.equity):.6f}" if wallet.equity > 0 else "0",
        "unrealizedPL": money(wallet.unrealised), "coupon": "0", "crossedUnrealizedPL": money(wallet.unrealised),
        "isolatedUnrealizedPL": "0", "assetMode": "single",
    }  # fmt: skip


def wallets(call: Call) -> list[dict[str, Any]]:
    """Return the wallets of one product."""
    rows = []
    for coin in _MARGIN_COINS[call.params["productType"].upper()]:
        extra = {
            "unionTotalMargin": "", "unionAvailable": "", "unionMm": "", "assetList": [], "isolatedMargin": "0",
            "grant": "0",
            "crossedMargin": money(_wallet(call, coin).margin), "unionTotalMagin": "",
        }  # fmt: skip
        rows.append({**_wallet_row(call, coin), **extra})
    return rows


def wallet(call: Call) -> dict[str, Any]:
    """Return one wallet with the settings of one contract."""
    leverage = str(LEVERAGE)
    return {
        **_wallet_row(call, call.params["marginCoin"].upper()), "crossedMarginLeverage": leverage,
        "isolatedLongLever": leverage, "isolatedShortLever": leverage, "marginMode": "crossed", **_MODE,
    }  # fmt: skip


def positions(call: Call) -> list[dict[str, Any]]:
    """Return the open positions of one product, or of one contract."""
    rows = [
        position_row(row)
        for row in open_positions(account_of(call), call.world, call.now_ms)
        if concerns(call, row) and call.params.get("marginCoin", "USDT").upper() == "USDT"
    ]
    if call.endpoint.id == "futures.position_single_position":
        targets = ("takeProfit", "stopLoss", "takeProfitId", "stopLossId")
        rows = [{k: v for k, v in row.items() if k not in targets} for row in rows]
    return rows


def position_row(row: Valued) -> dict[str, Any]:
    """Return an open position."""
    market, position = row.market, row.position
    opened = position.opening[0].ts_ms
    latest = max(fill.ts_ms for fill in (*position.opening, *position.closing))
    mean = average(market, position.opening)
    return {
        "symbol": market.symbol, "marginCoin": "USDT", "holdSide": "long" if position.long else "short",
        "openDelegateSize": "0", "marginSize": money(row.margin), "available": size_text(market, row.size),
        "cashDividend": "0", "autoMargin": "off",
        "locked": "0", "total": size_text(market, row.size), "leverage": str(LEVERAGE),
        "achievedProfits": money(row.realised), "openPriceAvg": mean, "marginMode": "crossed", **_MODE,
        "unrealizedPL": money(row.unrealised), "liquidationPrice": "0", "keepMarginRate": row.maintenance_ratio,
        "markPrice": price_text(market, row.mark), "marginRatio": f"{row.margin / max(row.worth, 1) / 200:.6f}",
        "breakEvenPrice": mean, "totalFee": money(row.funding), "takeProfit": "", "stopLoss": "", "takeProfitId": "",
        "stopLossId": "", "deductedFee": money(row.fees), "cTime": str(opened), "assetMode": "single",
        "uTime": str(latest),
    }  # fmt: skip


def past_positions(call: Call) -> dict[str, Any]:
    """Return closed positions, the one closed last first."""
    rows = account_of(call).positions(call.now_ms, closed=True)
    chosen = page(call, rows, partial(concerns, call), key=lambda row: row.position_id, time=lambda row: row.opened_ms)
    return {"list": [_closed_row(row) for row in chosen], "endId": str(chosen[-1].position_id) if chosen else None}


def _closed_row(position: PositionRecord) -> dict[str, str]:
    market = position.market
    size, _, open_fee, _ = filled(position.opening)
    _, _, close_fee, profit = filled(position.closing)
    funding = sum(received for _, received in position.funding)
    return {
        "positionId": str(position.position_id), "symbol": market.symbol, "marginCoin": "USDT",
        "holdSide": "long" if position.long else "short", **_MODE, "openAvgPrice": average(market, position.opening),
        "closeAvgPrice": average(market, position.closing), "marginMode": "crossed",
        "cashDividend": "0",
        "openTotalPos": size_text(market, size), "closeTotalPos": size_text(market, size), "pnl": money(profit),
        "netProfit": money(profit + funding - open_fee - close_fee), "totalFunding": money(funding),
        "openFee": money(-open_fee), "closeFee": money(-close_fee), "ctime": str(position.opened_ms),
        "utime": str(position.closed_ms),
    }  # fmt: skip


def fills(call: Call) -> dict[str, Any]:
    """Return contract executions, newest first."""
    rows = account_of(call).fills(call.now_ms)
    chosen = page(call, rows, partial(concerns, call), key=lambda row: row.fill_id, time=lambda row: row.ts_ms)
    extra = {"marginCoin": "USDT"} if call.endpoint.id == "futures.order_fill_history" else {}
    listed = [{**fill_row(row), **extra} for row in chosen]
    return {"fillList": listed, "endId": str(chosen[-1].fill_id) if chosen else None}


def _side(action: str) -> dict[str, str]:
    trade, _, position = action.partition("_")
    return {"side": "buy" if position == "long" else "sell", "tradeSide": trade}


def fill_row(fill: Fill) -> dict[str, Any]:
    """Return an execution in contract spelling."""
    return {
        "tradeId": str(fill.fill_id), "symbol": fill.market.symbol, "orderId": str(fill.order_id),
        "price": price_text(fill.market, fill.price), "baseVolume": size_text(fill.market, fill.size),
        "feeDetail": [
            {"deduction": "no", "feeCoin": fill.fee_coin, "totalDeductionFee": "", "totalFee": money(-fill.fee)}
        ],
        **_side(fill.action), "quoteVolume": money(fill.value), "profit": money(fill.profit),
        "enterPointSource": "api", **_MODE, "tradeScope": "maker" if fill.maker else "taker",
        "cTime": str(fill.ts_ms),
    }  # fmt: skip


def orders(call: Call) -> dict[str, Any]:
    """Return closed or open orders, newest first."""
    pending = call.endpoint.id == "futures.order_orders_pending"

    def wanted(row: Order) -> bool:
        return (
            concerns(call, row)
            and call.params.get("clientOid", _client_id(row)) == _client_id(row)
            and call.params.get("status", _status(row, pending)) == _status(row, pending)
            and call.params.get("orderSource", _source(row)) == _source(row)
        )

    rows = account_of(call).orders(call.now_ms, pending=pending)
    chosen = page(call, rows, wanted, key=lambda row: row.order_id, time=lambda row: row.ts_ms)
    listed = [order_row(row, pending) for row in chosen]
    return {"entrustedList": listed, "endId": str(chosen[-1].order_id) if chosen else None}


def _client_id(order: Order) -> str:
    return f"r-{order.order_id}"


def _source(order: Order) -> str:
    return "normal" if order.limit else "market"


def _status(order: Order, pending: bool) -> str:
    if pending:
        return "partially_filled" if order.fills else "live"
    return "filled" if order.fills else "canceled"


def order_row(order: Order, pending: bool) -> dict[str, Any]:
    """Return a closed or open order."""
    market = order.market
    size, value, fee, profit = filled(order.fills)
    row = {
        "symbol": market.symbol, "size": size_text(market, order.size), "orderId": str(order.order_id),
        "clientOid": _client_id(order), "baseVolume": size_text(market, size), "fee": money(-fee),
        "price": price_text(market, order.limit) if order.limit else "", "priceAvg": average(market, order.fills),
        "status": _status(order, pending), **_side(order.action), "force": "gtc", "totalProfits": money(profit),
        "posSide": order.action.partition("_")[2], "marginCoin": "USDT", "quoteVolume": money(value),
        "leverage": str(LEVERAGE), "marginMode": "crossed",
        "reduceOnly": "YES" if order.action.startswith("close") else "NO", "enterPointSource": "API", **_MODE,
        "orderType": "limit" if order.limit else "market", "orderSource": _source(order), "cTime": str(order.ts_ms),
        "uTime": str(order.ts_ms if pending else order.done_ms), "presetStopSurplusPrice": "",
        "presetStopLossPrice": "",
    }  # fmt: skip
    preset = ("StopSurplusType", "StopSurplusExecutePrice", "StopLossType", "StopLossExecutePrice")
    return row | ({f"preset{name}": "" for name in preset} if pending else {"liqPrice": "", "posAvg": ""})


def bills(call: Call) -> dict[str, Any]:
    """Return the wallet's ledger, newest first; coin filters nothing but transfers."""
    product = call.params["productType"].lower()

    def wanted(row: LedgerEntry) -> bool:
        return row.wallet == product and _billed(call, row)

    rows = account_of(call).entries(call.now_ms)
    chosen = page(call, rows, wanted, key=lambda row: row.entry_id, time=lambda row: row.ts_ms)
    listed = [
        {
            "billId": str(row.entry_id), "symbol": row.symbol, "amount": money(row.change), "fee": money(row.fee),
            "feeByCoupon": "", "businessType": _BILL_WORDS.get(row.reason, row.reason), "coin": row.coin,
            "balance": money(row.balance), "cTime": str(row.ts_ms),
        }
        for row in chosen
    ]  # fmt: skip
    return {"bills": listed, "endId": str(chosen[-1].entry_id) if chosen else None}


def _billed(call: Call, row: LedgerEntry) -> bool:
    business = _BILL_WORDS.get(row.reason, row.reason)
    if row.reason.startswith("transfer") and call.params.get("coin", row.coin).upper() != row.coin:
        return False
    return call.params.get("businessType", business) == business


def all_wallets(call: Call) -> list[dict[str, str]]:
    """Return the value of each kind of wallet, in USDT."""
    account, now_ms = account_of(call), call.now_ms
    values = {
        "spot": worth(call.world, account.holdings("spot", now_ms), now_ms),
        "futures": ContractWallet.of(account, call.world, now_ms).equity,
        "funding": worth(call.world, account.holdings("funding", now_ms), now_ms),
        **dict.fromkeys(_OTHER_WALLETS, 0),
    }
    return [{"accountType": name, "usdtBalance": money(value)} for name, value in values.items()]


def funding_wallet(call: Call) -> list[dict[str, str]]:
    """Return the coins of the funding wallet."""
    wanted = call.params.get("coin", "").upper()
    return [
        {
            "coin": coin, "available": money(row.free), "frozen": money(row.frozen),
            "usdtValue": money(worth(call.world, {coin: row}, call.now_ms)),
        }
        for coin, row in account_of(call).holdings("funding", call.now_ms).items()
        if wanted in ("", coin)
    ]  # fmt: skip


FUTURES_ACCOUNT_RESPONDERS: dict[str, Responder] = {
    "common.account_all_account_balance": all_wallets,
    "common.account_funding_assets": funding_wallet,
    "futures.account_account": wallet,
    "futures.account_accounts": wallets,
    "futures.account_bill": bills,
    "futures.order_fill_history": fills,
    "futures.order_fills": fills,
    "futures.order_orders_history": orders,
    "futures.order_orders_pending": orders,
    "futures.position_all_position": positions,
    "futures.position_history_position": past_positions,
    "futures.position_single_position": positions,
}
