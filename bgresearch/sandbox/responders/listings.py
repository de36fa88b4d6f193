"""Which symbols, contracts and coins there are and on what terms."""

from __future__ import annotations

from typing import Any

from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.lookup import market_of, markets_of, unknown
from bgresearch.sandbox.traders.records import text
from bgresearch.sandbox.world.funding import FUNDING_HOURS
from bgresearch.sandbox.world.markets import COINS, MARKETS, Coin, Market, find, maintained, of_kind

_SPOT_FEE, _TAKER_FEE, _MAKER_FEE = "0.001", "0.0006", "0.0002"
_BORROWABLE = frozenset({"BTC", "ETH", "SOL", "XRP", "DOGE", "LTC", "ADA", "LINK"})
_STABLE_NETWORKS = (("ERC20", "3"), ("TRC20", "1.5"), ("BEP20", "0.2"))
_MAX_MARGIN_LEVERAGE = "5"


def symbols(call: Call) -> list[dict[str, str]]:
    """Return the spot symbols, with the delisted ones still in the list as offline."""
    if "symbol" in call.params:
        return [_symbol_row(market_of(call), call.now_ms)]
    listed = (m for m in MARKETS if m.kind == "spot" and m.listed_ms <= call.now_ms)
    return [_symbol_row(market, call.now_ms) for market in listed]


def _symbol_row(market: Market, now_ms: int) -> dict[str, str]:
    return {
        "symbol": market.symbol, "baseCoin": market.base, "quoteCoin": market.quote, "minTradeAmount": "0",
        "maxTradeAmount": "900000000000000000000", "takerFeeRate": _SPOT_FEE, "makerFeeRate": _SPOT_FEE,
        "pricePrecision": str(market.price_places), "quantityPrecision": str(market.size_places),
        "quotePrecision": str(market.price_places + market.size_places), "minTradeUSDT": "1",
        "status": "offline" if market.delisted_at(now_ms) else "online", "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05", "orderQuantity": "200", "areaSymbol": "no",
        "maxLimitOrderValue": str(10**7), "maxMarketOrderValue": str(10**6), "isRwa": "NO",
        "offTime": str(market.delisted_ms or ""), "openTime": str(market.listed_ms),
    }  # fmt: skip


def contracts(call: Call) -> list[dict[str, Any]]:
    """Return the perpetual contracts that trade."""
    return [_contract_row(market, call.now_ms) for market in markets_of(call)]


def _contract_row(market: Market, now_ms: int) -> dict[str, Any]:
    least = text(1, market.size_places)
    return {
        "symbol": market.symbol, "baseCoin": market.base, "quoteCoin": market.quote, "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05", "feeRateUpRatio": "0.005", "makerFeeRate": _MAKER_FEE,
        "takerFeeRate": _TAKER_FEE, "openCostUpRatio": "0.01", "supportMarginCoins": [market.margin_coin],
        "minTradeNum": least, "priceEndStep": str(market.price_step), "volumePlace": str(market.size_places),
        "pricePlace": str(market.price_places), "sizeMultiplier": least, "symbolType": "perpetual",
        "minTradeUSDT": "5", "maxSymbolOrderNum": "200", "maxProductOrderNum": "1000", "maxPositionNum": "150",
        "symbolStatus": "normal", "offTime": str(market.delisted_ms or -1), "limitOpenTime": "-1", "deliveryTime": "",
        "deliveryStartTime": "", "deliveryPeriod": "", "launchTime": str(market.listed_ms),
        "fundInterval": str(FUNDING_HOURS), "minLever": "1", "maxLever": str(market.max_leverage), "posLimit": "0.05",
        "maintainTime": maintained(now_ms), "maxMarketOrderQty": str(10**8), "maxOrderQty": str(10**9),
        "isRwa": "YES" if market.stock else "NO", "openTime": str(market.listed_ms),
    }  # fmt: skip


def instruments(call: Call) -> list[dict[str, str]]:
    """Return what trades in one v3 category; what does not apply to it is empty."""
    margin = call.params["category"].upper() == "MARGIN"
    return [
        _instrument_row(market, call.now_ms, margin=margin)
        for market in markets_of(call)
        if not margin or market.base in _BORROWABLE
    ]


def _instrument_row(market: Market, now_ms: int, *, margin: bool) -> dict[str, str]:
    least = text(1, market.size_places)
    spot, futures = not market.futures, market.futures
    fees = (_MAKER_FEE, _TAKER_FEE) if futures else (_SPOT_FEE, _SPOT_FEE)
    borrowable = "YES" if margin else "NO"
    return {
        "category": "MARGIN" if margin else market.product_type, "symbol": market.symbol,
        "isRwa": "YES" if market.stock else "NO",
        "baseCoin": market.base, "quoteCoin": market.quote, "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05", "feeRateUpRatio": "0.005" if futures else "",
        "openCostUpRatio": "0.01" if futures else "", "minOrderQty": "0" if spot else least,
        "maxOrderQty": str(10**9), "minOrderAmount": "1" if spot else "5",
        "pricePrecision": str(market.price_places), "quantityPrecision": str(market.size_places),
        "quotePrecision": str(market.price_places + market.size_places) if spot else "",
        "priceMultiplier": text(market.price_step, market.price_places), "quantityMultiplier": least,
        "type": "perpetual" if futures else "", "maxSymbolOrderNum": "200" if futures else "",
        "maxProductOrderNum": "400", "maxPositionNum": "150" if futures else "", "status": "online",
        "offTime": str(market.delisted_ms or ""), "limitOpenTime": "", "deliveryTime": "", "deliveryStartTime": "",
        "deliveryPeriod": "", "fundInterval": str(FUNDING_HOURS) if futures else "",
        "minLeverage": "1" if futures else "", "maxLeverage": str(market.max_leverage) if futures else "",
        "maintainTime": maintained(now_ms),
        "isIsolatedBaseBorrowable": borrowable, "isIsolatedQuotedBorrowable": borrowable,
        "warningRiskRatio": "0.8" if margin else "", "liquidationRiskRatio": "1" if margin else "",
        "maxCrossedLeverage": _MAX_MARGIN_LEVERAGE if margin else "",
        "maxIsolatedLeverage": _MAX_MARGIN_LEVERAGE if margin else "",
        "userMinBorrow": "0.00000001" if margin else "", "areaSymbol": "no",
        "maxMarketOrderQty": str(10**8), "makerFeeRate": fees[0], "takerFeeRate": fees[1],
        "symbolType": "stock" if market.stock else "crypto", "launchTime": str(market.listed_ms), "isReality": "no",
    }  # fmt: skip


def margin_pairs(call: Call) -> list[dict[str, Any]]:
    """Return the spot pairs that can be borrowed for."""
    return [_margin_row(market) for market in of_kind("spot", call.now_ms) if market.base in _BORROWABLE]


def _margin_row(market: Market) -> dict[str, Any]:
    flags = ("isIsolatedBaseBorrowable", "isIsolatedQuoteBorrowable", "isCrossBorrowable", "isBorrowable")
    return {
        "symbol": market.symbol, "baseCoin": market.base, "quoteCoin": market.quote,
        "maxCrossedLeverage": _MAX_MARGIN_LEVERAGE, "maxIsolatedLeverage": _MAX_MARGIN_LEVERAGE,
        "warningRiskRatio": "0.8", "liquidationRiskRatio": "1", "minTradeAmount": text(1, market.size_places),
        "maxTradeAmount": str(10**9), "takerFeeRate": _SPOT_FEE, "makerFeeRate": _SPOT_FEE,
        "pricePrecision": str(market.price_places), "quantityPrecision": str(market.size_places),
        "minTradeUSDT": "5", "userMinBorrow": "0.00000001", "status": "1", **dict.fromkeys(flags, True),
    }  # fmt: skip


def coins(call: Call) -> list[dict[str, Any]]:
    """Return the coins with the networks they move on."""
    wanted = call.params.get("coin", "").upper()
    listed = [name for name in COINS if _listed(name, call.now_ms)]
    rows = [_coin_row(at, name) for at, name in enumerate(("USDT", *listed), start=1) if wanted in ("", name.upper())]
    if not rows:
        raise unknown(call, wanted)
    return rows


def _listed(name: str, now_ms: int) -> bool:
    market = find("spot", f"{name}USDT")
    return market is not None and market.listed_ms <= now_ms


def _coin_row(coin_id: int, name: str) -> dict[str, Any]:
    stable = name in ("USDT", "USDC")
    networks = _STABLE_NETWORKS if stable else ((COINS[name].chain, _withdraw_fee(COINS[name])),)
    return {
        "coinId": str(coin_id), "coin": name, "transfer": "true",
        "chains": [
            {
                "chain": chain, "needTag": "true" if chain in ("XRP", "XLM") else "false", "withdrawable": "true",
                "rechargeable": "true", "withdrawFee": fee, "extraWithdrawFee": "0", "depositConfirm": "12",
                "withdrawConfirm": "64", "minDepositAmount": fee, "minWithdrawAmount": fee, "browserUrl": "",
                "contractAddress": "", "withdrawStep": "0", "withdrawMinScale": "8", "congestion": "normal",
            }
            for chain, fee in networks
        ],
    }  # fmt: skip


def _withdraw_fee(coin: Coin) -> str:
    return text(max(round(10**8 / coin.base_price), 1), 8)  # about one dollar


LISTING_RESPONDERS: dict[str, Responder] = {
    "spot.symbols": symbols,
    "spot.coins": coins,
    "futures.contracts": contracts,
    "margin.currencies": margin_pairs,
    "uta.instruments": instruments,
}
