"""Current balances, assets and fee rates of an account from v2 and v3, as rows of one shape. Stores nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pyarrow as pa

from bgresearch.catalogue.answer_row import AnswerRow, spelled
from bgresearch.errors import ExchangeError
from bgresearch.http.rows import all_rows, around, rows_from, shaped
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import ABSENT, NO_PERMISSION, Mode

ASSET_COLUMNS = [
    ("account", pa.string()), ("coin", pa.string()), ("available", pa.float64()), ("frozen", pa.float64()),
    ("locked", pa.float64()), ("total", pa.float64()), ("usd_value", pa.float64()),
    ("skipped", pa.string()),  # the accounts missing from this snapshot, and why, as JSON; null if it is complete
]  # fmt: skip
_PRODUCTS = ("usdt-futures", "usdc-futures", "coin-futures")
NOT_PERMITTED, NOT_OFFERED = "The key may not see these accounts", "This exchange has no such accounts"
Skipped = dict[str, str]


BALANCES = Shape(
    "account.balances",
    fields("""
        account category wallet: spot, futures, funding, earn, bots, margin; unified
        usd_value number USDT; NaN where the exchange reports none
    """),
    ("common.account_all_account_balance", "uta.account_assets", "uta.account_funding_assets"),
)
ASSETS = Shape(
    "account.assets",
    fields("""
        account category wallet: spot, funding, usdt-futures ..., unified
        coin text the coin
        available number coin, can be used
        frozen number coin, in orders
        locked number coin, cannot be used
        total number coin, all of it; futures and unified accounts with unrealised profit
        usd_value number USD, by the last spot price in USDT where the exchange reports none
    """),
    (
        "spot.account_assets", "futures.account_accounts", "common.account_funding_assets", "uta.account_assets",
        "uta.account_funding_assets",
    ),
)  # fmt: skip
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
        product text id of the product; classic accounts get one sum per coin
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
    """Return the value of each wallet."""
    if mode == "classic":
        row_id = "common.account_all_account_balance"
        return shaped(row_id, _wallet, rows_from(sender, row_id))
    whole = around(sender, "uta.account_assets")
    total_usd = whole.number("usdtEquity", needed=True)
    whole.problems.warn()
    row_id = "uta.account_funding_assets"
    funding = shaped(row_id, lambda row: {"usd_value": row.number("usdtValue")}, rows_from(sender, row_id))
    known = [row["usd_value"] for row in funding if row["usd_value"] is not None]
    return [
        {"account": "unified", "usd_value": total_usd},
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
    """Return the amounts in earn products."""
    row_id, read = ("earn.account_assets", _saved) if mode == "classic" else ("uta.earn_elite_assets", _invested)
    return shaped(row_id, read, rows_from(sender, row_id))


def sub_accounts(sender: Sender, mode: Mode) -> list[Row]:
    """Return the sub-accounts from all pages."""
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


def classic_assets(sender: Sender, skipped: Skipped) -> list[Row]:
    """Return the holdings of a classic account: spot, the three futures accounts, funding.

    Accounts that the key lacks the permission for, or that this exchange does not have, are named in ``skipped`` with
    the reason; if none can be read, the error is raised. Any other error is raised at once: an account that is
    restricted, or of another mode or environment, is not a missing permission.
    """
    parts: list[tuple[str, str, dict[str, str], Callable[[str, AnswerRow], Row]]] = [
        ("spot", "spot.account_assets", {"assetType": "hold_only"}, spot_coin),
        *((name, "futures.account_accounts", {"productType": name.upper()}, futures_coin) for name in _PRODUCTS),
        ("funding", "common.account_funding_assets", {}, _funding),
    ]
    return _all(sender, parts, skipped)


def unified_assets(sender: Sender, skipped: Skipped) -> list[Row]:
    """Return the holdings of a unified account: the unified one and funding."""
    return _all(
        sender,
        [("unified", "uta.account_assets", {}, unified_coin), ("funding", "uta.account_funding_assets", {}, _funding)],
        skipped,
    )


def account_coins(sender: Sender, mode: Mode, market: str) -> list[Row]:
    """Return the coins of one account: of a market, or the unified one."""
    if mode == "unified":
        return shaped("uta.account_assets", partial(unified_coin, "unified"), rows_from(sender, "uta.account_assets"))
    if market == "spot":
        params = {"assetType": "hold_only"}
        return shaped(
            "spot.account_assets", partial(spot_coin, "spot"), rows_from(sender, "spot.account_assets", params)
        )
    row_id = "futures.account_accounts"
    return shaped(row_id, partial(futures_coin, market), rows_from(sender, row_id, {"productType": market.upper()}))


def _all(
    sender: Sender,
    parts: list[tuple[str, str, dict[str, str], Callable[[str, AnswerRow], Row]]],
    skipped: Skipped,
) -> list[Row]:
    rows: list[Row] = []
    refusal: ExchangeError | None = None
    for account, row_id, params, shape in parts:
        try:
            answer = rows_from(sender, row_id, params)
        except ExchangeError as error:
            reason = _skippable(error)
            if reason is None:
                raise
            refusal, skipped[account] = error, reason
            continue
        rows += shaped(row_id, partial(shape, account), answer)
    if refusal is not None and len(skipped) == len(parts):
        raise refusal
    return rows


def kept_with(skipped: Skipped) -> str | None:
    """Return the text stored with a snapshot about its missing accounts; `left_out` reads it."""
    return json.dumps(skipped) if skipped else None


def left_out(kept: pa.Table) -> Skipped:
    """Return the accounts missing from a stored snapshot, and why; empty for snapshots of older versions."""
    text = kept.column("skipped")[0].as_py() if "skipped" in kept.column_names and kept.num_rows else None
    return {str(account): str(why) for account, why in json.loads(text).items()} if text else {}


def said_of(skipped: Skipped) -> str:
    """Return a sentence naming the accounts that are left out, by reason."""
    reasons = dict.fromkeys(skipped.values())
    parts = {reason: [account for account, why in skipped.items() if why == reason] for reason in reasons}
    return " ".join(f"{reason}: {', '.join(accounts)}." for reason, accounts in parts.items())


def _skippable(error: ExchangeError) -> str | None:
    """Return why a part may be left out, None if it may not."""
    if error.code in NO_PERMISSION:
        return NOT_PERMITTED
    return NOT_OFFERED if error.code in ABSENT else None


def spot_coin(account: str, row: AnswerRow) -> Row:
    """Return a coin of a classic spot account."""
    available, frozen, locked = (row.number(name) for name in ("available", "frozen", "locked"))
    return _row(account, row.key("coin"), (available, frozen, locked), _sum(available, frozen, locked), None)


def futures_coin(account: str, row: AnswerRow) -> Row:
    """Return a coin of a classic futures account."""
    shown = (row.number("available"), None, row.number("locked"))
    return _row(account, row.key("marginCoin"), shown, row.number("accountEquity"), row.number("usdtEquity"))


def _funding(account: str, row: AnswerRow) -> Row:
    available, frozen = row.number("available"), row.number("frozen")
    total = row.number("balance")
    total = total if total is not None else _sum(available, frozen)
    return _row(account, row.key("coin"), (available, frozen, None), total, row.number("usdtValue"))


def unified_coin(account: str, row: AnswerRow) -> Row:
    """Return a coin of a unified account."""
    shown = (row.number("available"), None, row.number("locked"))
    return _row(account, row.key("coin"), shown, row.number("equity"), row.number("usdValue"))


def _row(
    account: str, coin: str, parts: tuple[float | None, float | None, float | None], total: float | None,
    usd_value: float | None,
) -> Row:  # fmt: skip
    available, frozen, locked = parts
    return {
        "account": account, "coin": spelled(coin), "available": _or_nan(available),
        "frozen": _or_zero(frozen), "locked": _or_zero(locked), "total": _or_nan(total),
        "usd_value": _or_nan(usd_value),
    }  # fmt: skip


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _or_zero(value: float | None) -> float:
    return 0.0 if value is None else value


def _sum(*values: float | None) -> float:
    return sum(value for value in values if value is not None)
