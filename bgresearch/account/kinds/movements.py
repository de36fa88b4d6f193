"""Deposits, withdrawals and transfers between wallets of v2 and v3, as rows of one shape. Pure."""

from __future__ import annotations

from bgresearch.account.record_type import RecordKind, RecordRoute
from bgresearch.catalogue.answer_row import AnswerRow
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import Mode

_CHANGING = frozenset({"pending", "processing", "pending_review", "pending_review_fail", "first_pass_audit"})
_WALLETS = {
    "p2p": "funding", "usdt_futures": "usdt-futures", "usdc_futures": "usdc-futures", "coin_futures": "coin-futures",
    "crossed_margin": "crossed-margin", "isolated_margin": "isolated-margin",
}  # fmt: skip
_ONE: tuple[str, ...] = ("",)

_MOVED = """
    time time when it was requested
    updated time when it last changed
    {name}_id text of the record
    coin category the coin
    amount number coin
    status category pending, success, fail ...
    network category the chain
    transaction_id text on the chain, or of the exchange for transfers inside it
    from_address text where it came from
    to_address text where it went
    way category on_chain, or inside the exchange
"""
_PAID = """
    fee number coin; positive is paid
    client_id text chosen by the client
    tag text memo or tag of the address
    confirmations count on the chain
"""

_DEPOSIT_SOURCES = ("spot.wallet_deposit_records", "uta.account_deposit_records")
_WITHDRAWAL_SOURCES = ("spot.wallet_withdrawal_records", "uta.account_withdrawal_records")
_TRANSFER_SOURCES = ("spot.account_transfer_records", "uta.account_financial_records")


def _deposit_routes(mode: Mode, _lot: str) -> tuple[RecordRoute, ...]:
    return (RecordRoute(_DEPOSIT_SOURCES[mode == "unified"], _deposit),)


def _withdrawal_routes(mode: Mode, _lot: str) -> tuple[RecordRoute, ...]:
    return (RecordRoute(_WITHDRAWAL_SOURCES[mode == "unified"], _withdrawal),)


def _transfer_routes(mode: Mode, coin: str) -> tuple[RecordRoute, ...]:
    if mode == "classic":
        return (RecordRoute("spot.account_transfer_records", _transfer, {"coin": coin}),)
    return tuple(
        RecordRoute("uta.account_financial_records", _crossing, {"category": "OTHER", "type": word_})
        for word_ in ("TRANSFER_IN", "TRANSFER_OUT")
    )


DEPOSITS = RecordKind(
    "deposits", "deposits",
    Shape("account.deposits", fields(_MOVED.format(name="deposit")), _DEPOSIT_SOURCES, index="time"),
    "deposit_id", "", {"classic": _ONE, "unified": _ONE}, _deposit_routes, changing=_CHANGING,
)  # fmt: skip
WITHDRAWALS = RecordKind(
    "withdrawals", "withdrawals",
    Shape("account.withdrawals", fields(_MOVED.format(name="withdrawal") + _PAID.strip()), _WITHDRAWAL_SOURCES,
          index="time"),
    "withdrawal_id", "", {"classic": _ONE, "unified": _ONE}, _withdrawal_routes, changing=_CHANGING,
)  # fmt: skip
TRANSFERS = RecordKind(
    "transfers", "transfers",
    Shape(
        "account.transfers",
        fields("""
            time time when it happened
            transfer_id text of the record
            client_id text chosen by the client; classic accounts only
            coin category the coin
            amount number coin
            source category wallet it left: spot, usdt-futures ..., funding, unified; missing if not reported
            target category wallet it went to
            status category success, ...
        """),
        _TRANSFER_SOURCES,
        index="time",
    ),
    "transfer_id", "coin", {"classic": "coins", "unified": ("all",)}, _transfer_routes, changing=_CHANGING, free=True,
)  # fmt: skip


def _moved(name: str, row: AnswerRow) -> Row:
    return {
        "time": row.time("cTime", "createdTime"),
        "updated": row.time("uTime", "updatedTime"), f"{name}_id": row.key("orderId"),
        "coin": row.code("coin", needed=True), "amount": row.number("size"), "status": row.word("status"),
        "network": row.text("chain"), "transaction_id": row.text("tradeId", "recordId"),
        "from_address": row.text("fromAddress"), "to_address": row.text("toAddress"),
        "way": row.word("dest"),
    }  # fmt: skip


def _deposit(row: AnswerRow) -> Row:
    return _moved("deposit", row)


def _withdrawal(row: AnswerRow) -> Row:
    paid = row.number("fee")
    return {
        **_moved("withdrawal", row), "fee": None if paid is None else abs(paid),
        "client_id": row.text("clientOid"),
        "tag": row.text("tag"), "confirmations": row.count("confirm"),
    }  # fmt: skip


def _transfer(row: AnswerRow) -> Row:
    source, target = row.key("fromType").lower(), row.key("toType").lower()
    status = row.word("status")
    return {
        "time": row.time("ts", needed=True), "transfer_id": row.key("transferId"), "client_id": row.text("clientOid"),
        "coin": row.code("coin", needed=True), "amount": row.number("size"), "source": _WALLETS.get(source, source),
        "target": _WALLETS.get(target, target), "status": "success" if status == "successful" else status,
    }  # fmt: skip


def _crossing(row: AnswerRow) -> Row:
    """Return an entry of the unified ledger as a transfer: it names only the unified account's side."""
    amount = row.number("amount")
    incoming = row.key("type").upper().endswith("_IN")
    return {
        "time": row.time("ts", needed=True), "transfer_id": row.key("id"), "client_id": None,
        "coin": row.code("coin", needed=True),
        "amount": None if amount is None else abs(amount), "source": None if incoming else "unified",
        "target": "unified" if incoming else None, "status": "success",
    }  # fmt: skip
