"""Which symbols and coins there are, and what they cost now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bgresearch.intervals import DAY_MS, INTERVALS
from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.markets import COINS, MARKETS, Coin, Market, find
from bgresearch.sandbox.minutes import HIGH, LOW, OPEN, QUOTE_PLACES, QUOTE_VOLUME, VOLUME
from bgresearch.sandbox.rates import FUNDING_HOURS, RATE_PLACES, funding_rate, next_funding_ms, open_interest
from bgresearch.sandbox.records import text
from bgresearch.sandbox.responders.books import best
from bgresearch.sandbox.responders.lookup import market_of, markets_of, unknown
from bgresearch.sandbox.world import World

_SPOT_FEE, _TAKER_FEE, _MAKER_FEE = "0.001", "0.0006", "0.0002"
_BORROWABLE = frozenset({"BTC", "ETH", "SOL", "XRP", "DOGE", "LTC", "ADA", "LINK"})
_STABLE_CHAINS = (("ERC20", "3"), ("TRC20", "1.5"), ("BEP20", "0.2"))
_MAX_MARGIN_LEVERAGE = "5"


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
        """Return what the minutes of the last 24 hours say; a market without any stands still at its last price."""
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
        "offTime": str(market.delisted_ms or ""), "openTime": str(market.listed_ms),
    }  # fmt: skip


def contracts(call: Call) -> list[dict[str, Any]]:
    """Return the perpetual contracts that trade."""
    return [_contract_row(market) for market in markets_of(call)]


def _contract_row(market: Market) -> dict[str, Any]:
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
        "maintainTime": "", "maxMarketOrderQty": str(10**8), "maxOrderQty": str(10**9), "isRwa": "NO",
        "openTime": str(market.listed_ms),
    }  # fmt: skip


def instruments(call: Call) -> list[dict[str, str]]:
    """Return what trades in one v3 category; what does not apply to it is empty."""
    margin = call.params["category"].upper() == "MARGIN"
    return [_instrument_row(market, margin) for market in markets_of(call) if not margin or market.base in _BORROWABLE]


def _instrument_row(market: Market, margin: bool) -> dict[str, str]:
    least = text(1, market.size_places)
    spot, futures = not market.futures, market.futures
    fees = (_MAKER_FEE, _TAKER_FEE) if futures else (_SPOT_FEE, _SPOT_FEE)
    borrowable = "yes" if margin else ""
    return {
        "category": "MARGIN" if margin else market.product_type, "symbol": market.symbol, "isRwa": "NO",
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
        "maintainTime": "", "isIsolatedBaseBorrowable": borrowable, "isIsolatedQuotedBorrowable": borrowable,
        "warningRiskRatio": "0.8" if margin else "", "liquidationRiskRatio": "1" if margin else "",
        "maxCrossedLeverage": _MAX_MARGIN_LEVERAGE if margin else "",
        "maxIsolatedLeverage": _MAX_MARGIN_LEVERAGE if margin else "",
        "userMinBorrow": "0.00000001" if margin else "", "areaSymbol": "no",
        "maxMarketOrderQty": str(10**8), "makerFeeRate": fees[0], "takerFeeRate": fees[1],
        "symbolType": "crypto", "launchTime": str(market.listed_ms), "isReality": "no",
    }  # fmt: skip


def margin_pairs(call: Call) -> list[dict[str, Any]]:
    """Return the spot pairs that can be borrowed for."""
    rows = []
    for market in markets_of(call._replace(endpoint=call.endpoint, params={"category": "MARGIN"})):
        if market.base in _BORROWABLE:
            rows.append(
                {
                    "symbol": market.symbol,
                    "baseCoin": market.base,
                    "quoteCoin": market.quote,
                    "maxCrossedLeverage": _MAX_MARGIN_LEVERAGE,
                    "maxIsolatedLeverage": _MAX_MARGIN_LEVERAGE,
                    "warningRiskRatio": "0.8",
                    "liquidationRiskRatio": "1",
                    "minTradeAmount": text(1, market.size_places),
                    "maxTradeAmount": str(10**9),
                    "takerFeeRate": _SPOT_FEE,
                    "makerFeeRate": _SPOT_FEE,
                    "pricePrecision": str(market.price_places),
                    "quantityPrecision": str(market.size_places),
                    "minTradeUSDT": "5",
                    "userMinBorrow": "0.00000001",
                    "status": "1",
                    "isIsolatedBaseBorrowable": True,
                    "isIsolatedQuoteBorrowable": True,
                    "isCrossBorrowable": True,
                    "isBorrowable": True,
                }  # fmt: skip
            )
    return rows


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
    chains = _STABLE_CHAINS if stable else ((COINS[name].chain, _withdraw_fee(COINS[name])),)
    return {
        "coinId": str(coin_id), "coin": name, "transfer": "true",
        "chains": [
            {
                "chain": chain, "needTag": "true" if chain in ("XRP", "XLM") else "false", "withdrawable": "true",
                "rechargeable": "true", "withdrawFee": fee, "extraWithdrawFee": "0", "depositConfirm": "12",
                "withdrawConfirm": "64", "minDepositAmount": fee, "minWithdrawAmount": fee, "browserUrl": "",
                "contractAddress": "", "withdrawStep": "0", "withdrawMinScale": "8", "congestion": "normal",
            }
            for chain, fee in chains
        ],
    }  # fmt: skip


def _withdraw_fee(coin: Coin) -> str:
    return text(max(round(10**8 / coin.base_price), 1), 8)  # about one dollar


def spot_tickers(call: Call) -> list[dict[str, str]]:
    """Return spot prices and the last 24 hours in numbers."""
    return [_spot_ticker(call, market) for market in markets_of(call) if not market.delisted_at(call.now_ms)]


def _spot_ticker(call: Call, market: Market) -> dict[str, str]:
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
    return [_futures_ticker(call, market) for market in markets_of(call)]


def _futures_ticker(call: Call, market: Market) -> dict[str, str]:
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
    rows = []
    for market in markets_of(call):
        if market.delisted_at(call.now_ms):
            continue
        now, places, sizes = Quote.of(call.world, market, call.now_ms), market.price_places, market.size_places
        bid, ask = best(call.world, market, call.now_ms)
        held = text(open_interest(call.world.seed, market, call.now_ms), sizes) if market.futures else ""
        blank = dict.fromkeys(("indexPrice", "markPrice", "fundingRate"), "")
        rows.append(
            {
                "symbol": market.symbol,
                "category": market.product_type,
                "lastPrice": text(now.last, places),
                "openPrice24h": text(now.open_24h, places),
                "lowPrice24h": text(now.low_24h, places),
                "highPrice24h": text(now.high_24h, places),
                "ask1Price": text(ask[0], places),
                "bid1Price": text(bid[0], places),
                "bid1Size": text(bid[1], sizes),
                "ask1Size": text(ask[1], sizes),
                "price24hPcnt": change(now.last, now.open_24h),
                "turnover24h": text(now.quote_volume, QUOTE_PLACES),
                "volume24h": text(now.volume, sizes),
                **(_contract_prices(call, market) if market.futures else blank),
                "openInterest": held,
                "deliveryStartTime": "",
                "deliveryTime": "",
                "deliveryStatus": "",
                "ts": str(call.now_ms),
            }  # fmt: skip
        )
    return rows


MARKET_RESPONDERS: dict[str, Responder] = {
    "spot.symbols": symbols,
    "spot.coins": coins,
    "spot.tickers": spot_tickers,
    "futures.contracts": contracts,
    "futures.ticker": futures_tickers,
    "futures.tickers": futures_tickers,
    "margin.currencies": margin_pairs,
    "uta.instruments": instruments,
    "uta.tickers": unified_tickers,
}
