"""Coin conversions, tax records and savings records of v2 and v3, as rows of one shape. Pure."""

from __future__ import annotations

from functools import partial

from bgresearch.account.kinds.bills import UNIFIED_BOOKS
from bgresearch.account.record_type import RecordKind, RecordRoute
from bgresearch.catalogue.answer_row import AnswerRow
from bgresearch.core.symbols import FUTURES, product
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import Mode

_TAX_DAYS = 366  # uta/tax/Get-Tax-Records; the v2 pages document no look-back
_MARGINS = {"crossed-margin": "crossed", "isolated-margin": "isolated"}

_CONVERT_SHAPE = Shape(
    "account.conversions",
    fields("""
        time time when it happened
        conversion_id text of the record; unified accounts get none, it is derived from the conversion
        source_coin category what was given
        source_amount number source coin
        target_coin category what was received
        target_amount number target coin
        price number as the exchange names it
        fee number as the exchange names it; classic accounts only
    """),
    ("convert.convert_record", "uta.account_convert_records"),
    index="time",
)
_TAX_SHAPE = Shape(
    "account.tax_records",
    fields("""
        time time when it was booked
        tax_id text of the record
        book category spot, margin ..., futures market, p2p, other
        symbol category as the exchange spells it
        coin category the coin
        word text what the exchange calls it
        amount number coin; positive came in
        fee number coin, as the exchange signs it
        balance number coin afterwards
    """),
    ("tax.spot_record", "tax.future_record", "tax.margin_record", "tax.p2p_record", "uta.tax_records"),
    index="time",
)
_EARN_SHAPE = Shape(
    "account.earn_records",
    fields("""
        time time when it happened
        record_id text of the record
        product category flexible or fixed savings
        coin category the coin
        settle_coin category the coin it is paid in
        amount number as the exchange writes it
        word text subscribe, redeem, pay_interest ...
    """),
    ("earn.savings_records",),
    index="time",
)


def _convert_routes(mode: Mode, pair: str) -> tuple[RecordRoute, ...]:
    if mode == "classic":
        return (RecordRoute("convert.convert_record", _conversion),)
    source, _, target = pair.partition("/")
    return (RecordRoute("uta.account_convert_records", _conversion, {"fromCoin": source, "toCoin": target}),)


def _tax_routes(mode: Mode, book: str) -> tuple[RecordRoute, ...]:
    if mode == "unified":
        shape, fixed = partial(_tax, book, "type"), {"bizType": book.upper()}
        return (RecordRoute("uta.tax_records", shape, fixed, _TAX_DAYS),)
    if book in FUTURES:
        return (RecordRoute("tax.future_record", partial(_tax, book, "futureTaxType"), product(book), _TAX_DAYS),)
    if book in _MARGINS:
        fixed = {"marginType": _MARGINS[book]}
        return (RecordRoute("tax.margin_record", partial(_tax, book, "marginTaxType"), fixed, _TAX_DAYS),)
    return (RecordRoute(f"tax.{book}_record", partial(_tax, book, f"{book}TaxType"), {}, _TAX_DAYS),)


def _earn_routes(mode: Mode, product_: str) -> tuple[RecordRoute, ...]:
    if mode == "unified":
        return ()
    return (RecordRoute("earn.savings_records", partial(_earned, product_), {"periodType": product_}),)


CONVERSIONS = RecordKind(
    "conversions", "conversions", _CONVERT_SHAPE, "conversion_id", "pair", {"classic": ("all",), "unified": ()},
    _convert_routes, free=True,
)  # fmt: skip
TAX_RECORDS = RecordKind(
    "tax_records", "tax records", _TAX_SHAPE, "tax_id", "book",
    {"classic": ("spot", *_MARGINS, *FUTURES, "p2p"), "unified": UNIFIED_BOOKS}, _tax_routes,
)  # fmt: skip
EARN_RECORDS = RecordKind(
    "earn_records", "savings records", _EARN_SHAPE, "record_id", "product",
    {"classic": ("flexible", "fixed"), "unified": ()}, _earn_routes,
)  # fmt: skip


def _conversion(row: AnswerRow) -> Row:
    made = "-".join(row.text(name) or "" for name in ("ts", "fromCoin", "fromCoinSize", "toCoin", "toCoinSize"))
    return {
        "time": row.time("ts", needed=True), "conversion_id": row.text("id") or made,
        "source_coin": row.code("fromCoin", needed=True),
        "source_amount": row.number("fromCoinSize"), "target_coin": row.code("toCoin", needed=True),
        "target_amount": row.number("toCoinSize"), "price": row.number("cnvtPrice", "price"),
        "fee": row.number("fee"),
    }  # fmt: skip


def _tax(book: str, said: str, row: AnswerRow) -> Row:
    return {
        "time": row.time("ts", needed=True), "tax_id": row.key("id"), "book": book, "symbol": row.code("symbol"),
        "coin": row.code("coin", "marginCoin"), "word": row.text(said),
        "amount": row.number("amount"), "fee": row.number("fee"),
        "balance": row.number("balance", "total"),
    }  # fmt: skip


def _earned(product_: str, row: AnswerRow) -> Row:
    return {
        "time": row.time("ts", needed=True), "record_id": row.key("orderId"), "product": product_,
        "coin": row.code("coinName"), "settle_coin": row.code("settleCoinName"),
        "amount": row.number("amount"), "word": row.word("orderType"),
    }  # fmt: skip
