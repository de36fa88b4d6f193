"""On what terms one trades: tiers, fees, insurance fund, collateral discounts, interest; and the exchange's news."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from bgresearch.answers import all_rows, rows_from, shaped
from bgresearch.catalogue import load
from bgresearch.envelope import rows_of
from bgresearch.symbols import Named
from bgresearch.tables import Row, Shape, code, fields, instant, number, text, word
from bgresearch.wire import Sender

POSITION_TIERS = Shape(
    "position_tiers",
    fields("""
        symbol text as the exchange spells it
        tier count 1 is the smallest position
        min_value number quote coin, size of position from which it holds
        max_value number quote coin, size of position up to which it holds
        max_leverage number times
        maintenance_rate number ratio of the position's value
    """),
    ("futures.query_position_lever",),
)
FEE_RATES = Shape(
    "fee_rates",
    fields("""
        level count VIP level
        min_volume number USDT traded in 30 days
        min_assets number USDT held
        maker number ratio
        taker number ratio
        btc_withdrawal number BTC a day
        usdt_withdrawal number USDT a day
    """),
    ("spot.vip_fee_rate", "futures.vip_fee_rate"),
)
RISK_RESERVE = Shape(
    "risk_reserve",
    fields("""
        time time when it was so
        coin category of the fund
        change number coin; positive came in
        balance number coin afterwards
    """),
    ("uta.risk_reserve",),
    index="time",
)
DISCOUNT_RATES = Shape(
    "discount_rates",
    fields("""
        coin category collateral
        tier count 1 is the smallest amount
        min_amount number from which it holds, in the unit of the exchange's page
        max_amount number up to which it holds; NaN for the last, and where only starts are told
        discount_rate number ratio of its value that counts
    """),
    ("uta.discount_rate", "futures.discount_rate"),
)
INTEREST_RATES = Shape(
    "interest_rates",
    fields("""
        time time since when it holds; missing for the rate of now
        coin category that is borrowed
        daily_rate number ratio a day
        annual_rate number ratio a year
        limit number coin that can be borrowed; NaN in the past
    """),
    ("uta.margin_loans", "futures.union_interest_rate_history"),
)
ANNOUNCEMENTS = Shape(
    "announcements",
    fields("""
        time time when it was published
        announcement_id text of the announcement
        title text as published
        kind category coin_listings, symbol_delisting, latest_news ...
        sub_kind category as the exchange names it
        language category en_US or zh_CN
        url text where it is
    """),
    ("notice.annoucements",),
    index="time",
)


def position_tiers(sender: Sender, named: Named) -> list[Row]:
    """Return the tiers of one contract."""
    params = {"symbol": named.symbol, "productType": named.market.upper()}
    answer = rows_from(sender, "futures.query_position_lever", params)
    return shaped(POSITION_TIERS, "futures.query_position_lever", _tier, answer)


def fee_rates(sender: Sender, market: str) -> list[Row]:
    """Return the public schedule of fees."""
    row_id = "spot.vip_fee_rate" if market == "spot" else "futures.vip_fee_rate"
    return shaped(FEE_RATES, row_id, _fees, rows_from(sender, row_id))


def risk_reserve(sender: Sender, named: Named) -> list[Row]:
    """Return how the insurance fund of one contract changed."""
    endpoint = load()["uta.risk_reserve"]
    data = sender.send(endpoint, {"category": named.market.upper(), "symbol": named.symbol}).data
    coin = code(data.get("coin")) if isinstance(data, dict) else None
    rows = shaped(RISK_RESERVE, endpoint.id, partial(_reserve, coin), rows_of(endpoint, data))
    return sorted(rows, key=lambda row: row["time"])


def discount_rates(sender: Sender, account: str) -> list[Row]:
    """Return how much of a coin counts as collateral."""
    if account == "unified":
        return shaped(DISCOUNT_RATES, "uta.discount_rate", _discounts_v3, rows_from(sender, "uta.discount_rate"))
    return shaped(DISCOUNT_RATES, "futures.discount_rate", _discounts_v2, rows_from(sender, "futures.discount_rate"))


def interest_rates(sender: Sender, coin: str, *, history: bool) -> list[Row]:
    """Return what borrowing a coin costs now, or cost before."""
    row_id = "futures.union_interest_rate_history" if history else "uta.margin_loans"
    rows = shaped(INTEREST_RATES, row_id, partial(_interest, coin), rows_from(sender, row_id, {"coin": coin}))
    return sorted(rows, key=lambda row: row["time"] or 0)


def announcements(sender: Sender, params: Mapping[str, str]) -> list[Row]:
    """Return what the exchange published, oldest first."""
    rows = shaped(ANNOUNCEMENTS, "notice.annoucements", _news, all_rows(sender, "notice.annoucements", params))
    once = {row["announcement_id"]: row for row in rows}
    return sorted(once.values(), key=lambda row: (row["time"] or 0, row["announcement_id"]))


def _tier(row: Mapping[str, Any]) -> Row:
    return {
        "symbol": str(row["symbol"]), "tier": int(row["level"]), "min_value": number(row["startUnit"]),
        "max_value": number(row["endUnit"]), "max_leverage": number(row["leverage"]),
        "maintenance_rate": number(row["keepMarginRate"]),
    }  # fmt: skip


def _fees(row: Mapping[str, Any]) -> Row:
    return {
        "level": int(row["level"]), "min_volume": number(row.get("dealAmount")),
        "min_assets": number(row.get("assetAmount")), "maker": number(row.get("makerFeeRate")),
        "taker": number(row.get("takerFeeRate")), "btc_withdrawal": number(row.get("btcWithdrawAmount")),
        "usdt_withdrawal": number(row.get("usdtWithdrawAmount")),
    }  # fmt: skip


def _reserve(coin: str | None, row: Mapping[str, Any]) -> Row:
    time = instant(row["ts"])
    return {"time": time, "coin": coin, "change": number(row.get("amount")), "balance": number(row.get("balance"))}


def _discounts_v3(row: Mapping[str, Any]) -> list[Row]:
    tiers = row.get("list") or []
    return [
        {
            "coin": code(row["coin"]), "tier": place, "min_amount": number(tier["tierStartValue"]), "max_amount": None,
            "discount_rate": number(tier["discountRate"]),
        }
        for place, tier in enumerate(tiers, start=1)
    ]  # fmt: skip


def _discounts_v2(row: Mapping[str, Any]) -> list[Row]:
    return [
        {
            "coin": code(row["coin"]), "tier": int(tier["tier"]), "min_amount": number(tier.get("minAmount")),
            "max_amount": number(tier.get("maxAmount")), "discount_rate": number(tier["discountRate"]),
        }
        for tier in row.get("discountRateList") or []
    ]  # fmt: skip


def _interest(coin: str, row: Mapping[str, Any]) -> Row:
    return {
        "time": instant(row.get("ts")), "coin": coin, "limit": number(row.get("limit")),
        "daily_rate": number(row.get("dailyInterest") or row.get("dailyInterestRate")),
        "annual_rate": number(row.get("annualInterest") or row.get("annualInterestRate")),
    }  # fmt: skip


def _news(row: Mapping[str, Any]) -> Row:
    return {
        "time": instant(row.get("cTime")), "announcement_id": str(row["annId"]), "title": text(row.get("annTitle")),
        "kind": word(row.get("annType")), "sub_kind": text(row.get("annSubType")),
        "language": text(row.get("language")),
        "url": text(row.get("annUrl")),
    }  # fmt: skip
