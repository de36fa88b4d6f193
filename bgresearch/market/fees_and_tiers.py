"""On what terms one trades: tiers, fees, insurance fund, collateral discounts, interest; and the exchange's news."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from bgresearch.catalogue import load
from bgresearch.catalogue.answer_row import AnswerRow, read_rows, spelled
from bgresearch.core.symbols import Named
from bgresearch.http.rows import all_rows, around, rows_from, shaped
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape, fields

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
        max_amount number up to which it holds; NaN for the last, and where the exchange gives only starts
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
    return shaped("futures.query_position_lever", _tier, answer)


def fee_rates(sender: Sender, market: str) -> list[Row]:
    """Return the public schedule of fees."""
    row_id = "spot.vip_fee_rate" if market == "spot" else "futures.vip_fee_rate"
    return shaped(row_id, _fees, rows_from(sender, row_id))


def risk_reserve(sender: Sender, named: Named) -> list[Row]:
    """Return how the insurance fund of one contract changed."""
    fund = around(sender, "uta.risk_reserve", {"category": named.market.upper(), "symbol": named.symbol})
    read = partial(_reserve, fund.code("coin"))
    rows = read_rows(read, fund.nested(load()["uta.risk_reserve"].rows_at), fund.problems)
    return sorted(rows, key=lambda row: row["time"] or 0)


def discount_rates(sender: Sender, account: str) -> list[Row]:
    """Return how much of a coin counts as collateral."""
    if account == "unified":
        return shaped("uta.discount_rate", _discounts_v3, rows_from(sender, "uta.discount_rate"))
    return shaped("futures.discount_rate", _discounts_v2, rows_from(sender, "futures.discount_rate"))


def interest_rates(sender: Sender, coin: str, *, history: bool) -> list[Row]:
    """Return what borrowing a coin costs now, or cost before."""
    row_id = "futures.union_interest_rate_history" if history else "uta.margin_loans"
    rows = shaped(row_id, partial(_interest, coin), rows_from(sender, row_id, {"coin": coin}))
    return sorted(rows, key=lambda row: row["time"] or 0)


def announcements(sender: Sender, params: Mapping[str, str]) -> list[Row]:
    """Return what the exchange published, oldest first."""
    rows = shaped("notice.annoucements", _news, all_rows(sender, "notice.annoucements", params))
    once = {row["announcement_id"]: row for row in rows}
    return sorted(once.values(), key=lambda row: (row["time"] or 0, row["announcement_id"]))


def _tier(row: AnswerRow) -> Row:
    return {
        "symbol": row.key("symbol"), "tier": row.count("level", needed=True),
        "min_value": row.number("startUnit", needed=True),
        "max_value": row.number("endUnit", needed=True), "max_leverage": row.number("leverage", needed=True),
        "maintenance_rate": row.number("keepMarginRate", needed=True),
    }  # fmt: skip


def _fees(row: AnswerRow) -> Row:
    return {
        "level": row.count("level", needed=True), "min_volume": row.number("dealAmount"),
        "min_assets": row.number("assetAmount"), "maker": row.number("makerFeeRate"),
        "taker": row.number("takerFeeRate"), "btc_withdrawal": row.number("btcWithdrawAmount"),
        "usdt_withdrawal": row.number("usdtWithdrawAmount"),
    }  # fmt: skip


def _reserve(coin: str | None, row: AnswerRow) -> Row:
    return {
        "time": row.time("ts", needed=True), "coin": coin, "change": row.number("amount"),
        "balance": row.number("balance"),
    }  # fmt: skip


def _discounts_v3(row: AnswerRow) -> list[Row]:
    coin = spelled(row.key("coin"))
    return [
        {
            "coin": coin, "tier": place, "min_amount": tier.number("tierStartValue", needed=True), "max_amount": None,
            "discount_rate": tier.number("discountRate", needed=True),
        }
        for place, tier in enumerate(_tiers(row, "list"), start=1)
    ] or [{"coin": coin}]  # fmt: skip


def _tiers(row: AnswerRow, name: str) -> list[AnswerRow]:
    tiers = row.nested(name)
    if not tiers:
        row.problems.add(f"{row.name}: {name} has no tiers")
    return tiers


def _discounts_v2(row: AnswerRow) -> list[Row]:
    coin = spelled(row.key("coin"))
    return [
        {
            "coin": coin, "tier": tier.count("tier", needed=True), "min_amount": tier.number("minAmount"),
            "max_amount": tier.number("maxAmount"), "discount_rate": tier.number("discountRate", needed=True),
        }
        for tier in _tiers(row, "discountRateList")
    ] or [{"coin": coin}]  # fmt: skip


def _interest(coin: str, row: AnswerRow) -> Row:
    return {
        "time": row.time("ts"), "coin": coin, "limit": row.number("limit"),
        "daily_rate": row.number("dailyInterest", "dailyInterestRate", needed=True),
        "annual_rate": row.number("annualInterest", "annualInterestRate"),
    }  # fmt: skip


def _news(row: AnswerRow) -> Row:
    return {
        "time": row.time("cTime"), "announcement_id": row.key("annId"), "title": row.text("annTitle"),
        "kind": row.word("annType"), "sub_kind": row.text("annSubType"),
        "language": row.text("language"),
        "url": row.text("annUrl"),
    }  # fmt: skip
