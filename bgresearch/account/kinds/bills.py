"""The ledger of an account from the three endpoint families, as rows of one shape. Pure."""

from __future__ import annotations

import re
from functools import partial

from bgresearch.account.record_type import RecordKind, RecordRoute
from bgresearch.catalogue.answer_row import AnswerRow
from bgresearch.core.symbols import FUTURES, MARKETS, category, product
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import Mode

UNIFIED_BOOKS = ("spot", "margin", *FUTURES, "other")

_KINDS = (  # the first match counts; v2 and v3 types of the same kind get one name
    (r"deposit|transfer_in|^trans_from|_token_user_in$|transfer_user_in", "transfer_in"),
    (r"withdraw|transfer_out|^trans_to|_token_user_out$|transfer_user_out", "transfer_out"),
    (r"^(force|burst|liq|risk|offset|adl|dte)|captital", "liquidation"),
    (r"^(open|close)_(long|short)$", ""),
    (r"delivery", "delivery"),
    (r"settle_fee", "funding"),
    (r"interest", "interest"),
    (r"^borrow|loan_disburse", "borrow"),
    (r"repay", "repay"),
    (r"exchange|convert|small_asset", "convert"),
    (r"reward|bonus|gift|rebate|tracking", "reward"),
    (r"margin", "margin"),
    (r"fee", "fee"),
    (r"^(buy|sell)|_deal$|order_dealt", "trade"),
)

_SHAPE = Shape(
    "account.bills",
    fields("""
        time time when it was booked
        bill_id text of the line
        account category wallet whose balance it is: spot or a futures market; unified
        market category spot or one of the futures markets; missing for deposits and withdrawals
        symbol category as the exchange spells it; missing in classic spot
        coin category the coin
        kind category trade, open_long ..., funding, transfer_in, transfer_out, interest, borrow, repay, ... or other
        word text what the exchange calls it
        amount number coin; positive came in
        fee number coin; positive is paid
        balance number coin in that account afterwards
    """),
    ("spot.account_bills", "futures.account_bill", "uta.account_financial_records"),
    index="time",
)


def _routes(mode: Mode, book: str) -> tuple[RecordRoute, ...]:
    if mode == "unified":
        return (RecordRoute("uta.account_financial_records", partial(_unified, book), category(book)),)
    if book == "spot":
        return (RecordRoute("spot.account_bills", _spot),)
    return (RecordRoute("futures.account_bill", partial(_futures, book), product(book)),)


BILLS = RecordKind(
    "bills", "bills", _SHAPE, "bill_id", "book", {"classic": MARKETS, "unified": UNIFIED_BOOKS}, _routes, many=True
)  # fmt: skip


def kind_of(said: str) -> str:
    """Return the common kind of a ledger entry's type at the exchange."""
    plain = said.lower().replace("-", "_")
    for pattern, kind in _KINDS:
        if re.search(pattern, plain):
            return kind or plain
    return "other"


def _spot(row: AnswerRow) -> Row:
    return _line(row, ("billId", "cTime", "businessType"), amount="size", fee="fees", account="spot")


def _futures(market: str, row: AnswerRow) -> Row:
    return _line(row, ("billId", "cTime", "businessType"), account=market)


def _unified(book: str, row: AnswerRow) -> Row:
    return _line(row, ("id", "ts", "type"), book=book, account="unified")


def _line(
    row: AnswerRow, names: tuple[str, str, str], *, account: str, book: str = "", amount: str = "amount",
    fee: str = "fee",
) -> Row:  # fmt: skip
    bill_id, time, said = names
    kind = kind_of(row.key(said))
    outside = kind in ("transfer_in", "transfer_out") or book == "other"
    paid = row.number(fee)
    return {
        "time": row.time(time, needed=True), "bill_id": row.key(bill_id), "account": account,
        "market": None if outside else book or account, "symbol": row.code("symbol"),
        "coin": row.code("coin", needed=True),
        "kind": kind, "word": row.text(said), "amount": row.number(amount, needed=True),
        "fee": None if paid is None else -paid + 0.0, "balance": row.number("balance"),
    }  # fmt: skip
