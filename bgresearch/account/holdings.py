"""What an account has and pays now, as v2 and v3 tell it, as rows of one shape. Asks the exchange, keeps nothing."""

from __future__ import annotations

from bgresearch.catalogue.answer_row import AnswerRow, spelled
from bgresearch.http.rows import all_rows, around, rows_from, shaped
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import Mode

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
        row_id = "common.account_all_account_balance"
        return shaped(row_id, _wallet, rows_from(sender, row_id))
    whole = around(sender, "uta.account_assets")
    worth = whole.number("usdtEquity", needed=True)
    whole.problems.warn()
    row_id = "uta.account_funding_assets"
    funding = shaped(row_id, lambda row: {"usd_value": row.number("usdtValue")}, rows_from(sender, row_id))
    known = [row["usd_value"] for row in funding if row["usd_value"] is not None]
    return [
        {"account": "unified", "usd_value": worth},
        {"account": "funding", "usd_value": sum(known) if len(known) == len(funding) else None},
    ]


def own_fee_rates(sender: Sender, mode: Mode, market: str, symbol: str) -> list[Row]:
    """Return the account's rates for one symbol."""
    if mode == "classic":
        row_id, params = "common.trade_rate", {"businessType": "spot" if market == "spot" else "mix"}
    else:
        row_id, params = "uta.account_fee_rate", {"category": market.upper()}

    def row_of(row: AnswerRow) -> Row:
        maker = row.number("makerFeeRate", "makerRate", needed=True)
        return {"market": market, "symbol": symbol, "maker": maker, "taker": row.number("takerFeeRate", needed=True)}

    return shaped(row_id, row_of, rows_from(sender, row_id, {"symbol": symbol, **params}))


def earn(sender: Sender, mode: Mode) -> list[Row]:
    """Return what lies in earn products."""
    row_id, read = ("earn.account_assets", _saved) if mode == "classic" else ("uta.earn_elite_assets", _invested)
    return shaped(row_id, read, rows_from(sender, row_id))


def sub_accounts(sender: Sender, mode: Mode) -> list[Row]:
    """Return the sub-accounts, all pages of them."""
    row_id = "subaccount.virtual_subaccount_list" if mode == "classic" else "uta.user_sub_list"
    return shaped(row_id, _sub_account, all_rows(sender, row_id))


def _wallet(row: AnswerRow) -> Row:
    return {"account": row.key("accountType").lower(), "usd_value": row.number("usdtBalance", needed=True)}


def _saved(row: AnswerRow) -> Row:
    return {"coin": spelled(row.key("coin")), "amount": row.number("amount", needed=True), "product": None}


def _invested(row: AnswerRow) -> Row:
    return {
        "coin": spelled(row.key("productCoin")), "amount": row.number("holdingAmount", needed=True),
        "product": row.text("productId", needed=True),
    }  # fmt: skip


def _sub_account(row: AnswerRow) -> Row:
    return {
        "uid": row.key("subAccountUid", "subUid"), "name": row.text("subAccountName", "username"),
        "note": row.text("label", "note"), "status": row.word("status"), "created": row.time("cTime", "createdTime"),
        "updated": row.time("uTime", "updatedTime"),
    }  # fmt: skip
