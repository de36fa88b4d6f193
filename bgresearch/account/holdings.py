"""What an account has and pays now, as v2 and v3 tell it, as rows of one shape. Asks the exchange, keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgresearch.answers import all_rows, rows_from
from bgresearch.identity import Mode
from bgresearch.tables import Row, Shape, code, fields, instant, number, text, word
from bgresearch.wire import Sender

BALANCES = Shape(
    "account.balances",
    fields("""
        account category wallet: spot, futures, funding, earn, bots, margin; unified
        usd_value number USDT; NaN where the exchange names none
    """),
    ("common.account_all_account_balance", "uta.account_assets", "uta.account_funding_assets"),
)
OWN_FEE_RATES = Shape(
    "account.fee_rates",
    fields("""
        market category the symbol's
        symbol category as the exchange spells it
        maker number ratio; negative is received
        taker number ratio
    """),
    ("common.trade_rate", "uta.account_fee_rate"),
)
EARN = Shape(
    "account.earn",
    fields("""
        coin category the coin
        amount number coin
        product text id of the product; classic accounts are told one sum a coin
    """),
    ("earn.account_assets", "uta.earn_elite_assets"),
)
SUB_ACCOUNTS = Shape(
    "account.sub_accounts",
    fields("""
        uid text of the sub-account
        name text of the sub-account
        note text label or note
        status category as the exchange names it
        created time when it was made
        updated time when it last changed
    """),
    ("subaccount.virtual_subaccount_list", "uta.user_sub_list"),
)


def balances(sender: Sender, mode: Mode) -> list[Row]:
    """Return what each wallet is worth."""
    if mode == "classic":
        return [
            {"account": word(row["accountType"]), "usd_value": number(row.get("usdtBalance"))}
            for row in rows_from(sender, "common.account_all_account_balance")
        ]
    whole = rows_from(sender, "uta.account_assets", rows_at="")
    funding = [number(row.get("usdtValue")) for row in rows_from(sender, "uta.account_funding_assets")]
    known = [value for value in funding if value is not None]
    return [
        {"account": "unified", "usd_value": number(whole[0].get("usdtEquity")) if whole else 0.0},
        {"account": "funding", "usd_value": sum(known) if len(known) == len(funding) else None},
    ]


def own_fee_rates(sender: Sender, mode: Mode, market: str, symbol: str) -> list[Row]:
    """Return the account's rates for one symbol."""
    if mode == "classic":
        business = "spot" if market == "spot" else "mix"
        rows = rows_from(sender, "common.trade_rate", {"symbol": symbol, "businessType": business})
    else:
        rows = rows_from(sender, "uta.account_fee_rate", {"symbol": symbol, "category": market.upper()})
    return [
        {
            "market": market, "symbol": symbol, "maker": number(row.get("makerFeeRate") or row.get("makerRate")),
            "taker": number(row.get("takerFeeRate")),
        }
        for row in rows
    ]  # fmt: skip


def earn(sender: Sender, mode: Mode) -> list[Row]:
    """Return what lies in earn products."""
    if mode == "classic":
        rows = rows_from(sender, "earn.account_assets")
        return [{"coin": code(row["coin"]), "amount": number(row.get("amount")), "product": None} for row in rows]
    return [
        {
            "coin": code(row["productCoin"]),
            "amount": number(row.get("holdingAmount")),
            "product": text(row["productId"]),
        }
        for row in rows_from(sender, "uta.earn_elite_assets")
    ]


def sub_accounts(sender: Sender, mode: Mode) -> list[Row]:
    """Return the sub-accounts, all pages of them."""
    row_id = "subaccount.virtual_subaccount_list" if mode == "classic" else "uta.user_sub_list"
    return [_sub_account(row) for row in all_rows(sender, row_id)]


def _sub_account(row: Mapping[str, Any]) -> Row:
    return {
        "uid": text(row.get("subAccountUid") or row.get("subUid")),
        "name": text(row.get("subAccountName") or row.get("username")),
        "note": text(row.get("label") or row.get("note")),
        "status": word(row.get("status")), "created": instant(row.get("cTime") or row.get("createdTime")),
        "updated": instant(row.get("uTime") or row.get("updatedTime")),
    }  # fmt: skip
