"""On what terms one trades here: fees by level, what counts as collateral, what borrowing costs, the insurance fund."""

from __future__ import annotations

from typing import Any

from bgresearch.core.intervals import DAY_MS
from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.lookup import market_of, unknown
from bgresearch.sandbox.world.hash_random import bits_at, key_of
from bgresearch.sandbox.world.markets import COINS

_SPOT_FEES = ((1000, 1000), (800, 1000), (600, 800), (400, 600))  # maker and taker by level, in units of 1e-6
_FUTURES_FEES = ((200, 600), (160, 400), (140, 375), (120, 350))
_DISCOUNTS = ((0, "1"), (100_000, "0.97"), (1_000_000, "0.9"))  # from which value in USD, which share counts
_DAYS = 30


def fees(call: Call) -> list[dict[str, Any]]:
    """Return the public schedule of fees; spot writes its levels as numbers."""
    spot = call.endpoint.area == "spot"
    schedule = _SPOT_FEES if spot else _FUTURES_FEES
    return [
        {
            "level": level if spot else str(level),
            "dealAmount": str(1_000_000 * level**2), "assetAmount": str(50_000 * level),
            "takerFeeRate": f"{taker / 10**6:.6f}", "makerFeeRate": f"{maker / 10**6:.6f}",
            "btcWithdrawAmount": str(100 + 200 * level), "usdtWithdrawAmount": str(3_000_000 * (level + 1)),
        }
        for level, (maker, taker) in enumerate(schedule)
    ]  # fmt: skip


def own_fees(call: Call) -> dict[str, str]:
    """Return what the caller pays: the lowest level; v2 spells the maker's rate in two ways."""
    futures = call.params.get("businessType") == "mix" or call.params.get("category", "").endswith("FUTURES")
    maker, taker = (f"{rate / 10**6:.6f}" for rate in (_FUTURES_FEES if futures else _SPOT_FEES)[0])
    row = {"makerFeeRate": maker, "takerFeeRate": taker}
    return row if call.endpoint.version == "v3" else {"makerRate": maker, **row}


def discounts(call: Call) -> list[dict[str, Any]]:
    """Return which share of a coin's value counts, by value."""
    if call.endpoint.version == "v3":
        tiers = [{"tierStartValue": str(start), "discountRate": rate} for start, rate in _DISCOUNTS]
        return [{"coin": coin, "list": tiers} for coin in ("USDT", *COINS)]
    ends = [str(start) for start, _ in _DISCOUNTS[1:]] + [str(10**9)]
    listed = [
        {"tier": str(tier), "minAmount": str(start), "maxAmount": end, "discountRate": rate}
        for tier, ((start, rate), end) in enumerate(zip(_DISCOUNTS, ends, strict=True), start=1)
    ]
    return [
        {"coin": coin, "userLimit": "1000000", "totalLimit": "100000000", "discountRateList": listed}
        for coin in ("USDT", "BTC", "ETH")
    ]  # fmt: skip


def _daily(call: Call, coin: str, at: int) -> int:
    """Return what borrowing costs a day, in units of 1e-8."""
    if coin.upper() not in ("USDT", *COINS):
        raise unknown(call, coin)
    return 8_000 + (bits_at(key_of(call.world.seed, "borrowing", coin.upper()), at // DAY_MS) & 0xFFFF) // 4


def loan_terms(call: Call) -> dict[str, str]:
    """Return what borrowing a coin costs now."""
    daily = _daily(call, call.params["coin"], call.now_ms)
    return {
        "dailyInterest": f"{daily / 10**8:.8f}", "annualInterest": f"{daily * 365 / 10**8:.8f}", "limit": "250000",
        "masterSubLimit": "250000", "platformRemaingQuota": "100000000",
    }  # fmt: skip


def past_loan_terms(call: Call) -> dict[str, Any]:
    """Return what it cost day by day, the latest first."""
    coin, today = call.params["coin"], call.now_ms - call.now_ms % DAY_MS
    rows = [(today - back * DAY_MS, _daily(call, coin, today - back * DAY_MS)) for back in range(_DAYS)]
    listed = [
        {"dailyInterestRate": f"{daily / 10**8:.8f}", "annualInterestRate": f"{daily * 365 / 10**8:.8f}", "ts": str(at)}
        for at, daily in rows
    ]
    return {"coin": coin.upper(), "historyInterestRateList": listed}


def reserve(call: Call) -> dict[str, Any]:
    """Return the insurance fund behind a contract, day by day, the latest first; changes add up to balances."""
    market, today = market_of(call), call.now_ms - call.now_ms % DAY_MS
    key = key_of(call.world.seed, "reserve", market.kind, market.symbol)
    balance, rows = 25_000_000, []
    for at in range(today - (_DAYS - 1) * DAY_MS, today + 1, DAY_MS):
        change = (bits_at(key, at // DAY_MS) & 0xFFFF) - 20_000
        balance += change
        rows.append({"type": "", "amount": str(change), "balance": str(balance), "ts": str(at)})
    return {"coin": market.margin_coin, "totalBalance": str(balance), "riskReserveRecords": rows[::-1]}


TERM_RESPONDERS: dict[str, Responder] = {
    "common.trade_rate": own_fees,
    "futures.discount_rate": discounts,
    "futures.union_interest_rate_history": past_loan_terms,
    "futures.vip_fee_rate": fees,
    "spot.vip_fee_rate": fees,
    "uta.account_fee_rate": own_fees,
    "uta.discount_rate": discounts,
    "uta.margin_loans": loan_terms,
    "uta.risk_reserve": reserve,
}
