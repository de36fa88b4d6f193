"""An account's history as one ledger of what was sent, received and paid, and as the CSV that tax tools read. Pure.

Columns and labels are those that such tools share (Koinly's universal template and what CoinLedger and others make of
it): date in UTC, sent, received, fee, each an amount and a coin, a label and a description. A trade in spot is one row;
futures are never bought or sold, only their outcome counts: a row with the label ``realized gain`` for what a fill
earned or lost, and its fee. Sums of the rows are what the account's balances changed by, to the last digit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from bgresearch.core.spans import Span
from bgresearch.research.pnl.decimals import ZERO, decimal_of, exactly, plain, with_amounts
from bgresearch.research.pnl.matching import sort_of
from bgresearch.research.pnl.postings import (
    BOOKED,
    LedgerLine,
    Pair,
    fees_of,
    fill_postings,
    lines_of,
    margin_coin,
    moment,
    movement_postings,
    once,
    pairs_of,
    records,
    traded,
    transfer_postings,
    word,
)  # fmt: skip
from bgresearch.research.pnl.reconciliation_case import Case

LEDGER_COLUMNS = (
    "time", "kind", "account", "symbol", "sent", "sent_coin", "received", "received_coin", "fee", "fee_coin", "label",
    "description", "id",
)  # fmt: skip
TAX_COLUMNS = (
    "Date", "Sent Amount", "Sent Currency", "Received Amount", "Received Currency", "Fee Amount", "Fee Currency",
    "Net Worth Amount", "Net Worth Currency", "Label", "Description", "TxHash",
)  # fmt: skip

_EARNED = {"reward": "reward", "interest": "lending interest"}
_SPENT = {"interest": "cost", "fee": "cost", "reward": "cost"}


@exactly
def account_ledger(
    fills: pd.DataFrame, bills: pd.DataFrame, *, transfers: pd.DataFrame, deposits: pd.DataFrame,
    withdrawals: pd.DataFrame, symbols: pd.DataFrame | None = None, span: Span | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return everything that changed an account's balances, one row per event.

    Parameters
    ----------
    fills, bills, transfers, deposits, withdrawals : DataFrame
        What the verbs of ``client.account`` returned for the same span, fills of all markets.
    symbols : DataFrame, optional
        What ``client.symbols()`` returned; by default coins are derived from the names of symbols.
    span : Span, optional
        That of the ledger, as of `reconcile.reconcile`.

    Returns
    -------
    DataFrame
        In order of time: time (UTC), kind (trade, futures, fee, funding, deposit, withdrawal, transfer, or what the
        ledger calls it), account, symbol, sent, received and fee (decimals, missing where there is none), sent_coin,
        received_coin, fee_coin, label, description, id (of the chain's transaction, else of the record). For each coin,
        received less sent less fee is what the balances changed by.

    Raises
    ------
    InvalidInput
        An amount is no number, or the coins of a symbol are not known.

    Notes
    -----
    Fundings, and everything else without a record, come from the ledger's own lines. A deposit that a unified ledger
    calls a transfer is one row. Transfers between the account's own wallets are a row out and a row in.
    """
    lines, fills = lines_of(once(bills, "account", "bill_id")), once(fills, "market", "symbol", "fill_id")
    transfers, deposits = once(transfers, "transfer_id"), once(deposits, "deposit_id")
    withdrawals = once(withdrawals, "withdrawal_id")
    unified = any(line.account == "unified" for line in lines)
    pairs = pairs_of(fills, symbols)
    postings = [*fill_postings(fills, pairs, unified=unified), *transfer_postings(transfers)]
    for name, moved in (("deposit", deposits), ("withdrawal", withdrawals)):
        postings += movement_postings(name, moved, unified=unified, span=span)
    case = Case.of(postings, lines, {"funding", "moved"})
    kept = {(one.record, one.record_id) for one in case.postings}
    rows = [row for fill in records(fills) for row in _fill_rows(fill, pairs, unified=unified)]
    for name, moved in (("deposit", deposits), ("withdrawal", withdrawals)):
        done = [row for row in records(moved) if (name, str(row[f"{name}_id"])) in kept]
        rows += _movement_rows(pd.DataFrame(done), name, unified=unified)
    rows += _transfer_rows(row for row in records(transfers) if ("transfer", str(row["transfer_id"])) in kept)
    rows += _line_rows([case.lines[place] for place in sorted(case.alone)])
    frame = pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))
    frame["time"] = pd.to_datetime(frame["time"].astype("int64"), unit="ms", utc=True).dt.as_unit("ms")
    return with_amounts(frame.sort_values(["time", "id"], ignore_index=True, kind="stable"))


def tax_table(ledger: pd.DataFrame, *, internal: bool = False) -> pd.DataFrame:
    """Return a ledger as tax tools read it, every amount as plain text with exactly its digits.

    Parameters
    ----------
    ledger : DataFrame
        From `account_ledger`.
    internal : bool
        Whether transfers between own wallets of this account are in it, too. Tools take an account at an exchange for
        one wallet and would read them as coins that left.

    Returns
    -------
    DataFrame
        All text: Date (``2026-10-01 12:34:56 UTC``), Sent Amount, Sent Currency, Received Amount, Received Currency,
        Fee Amount, Fee Currency, Net Worth Amount and Currency (empty: tools value by themselves), Label, Description,
        TxHash.
    """
    rows = ledger if internal else ledger[ledger["kind"] != "transfer"]
    texts = {
        "Date": rows["time"].dt.strftime("%Y-%m-%d %H:%M:%S UTC"),
        **{f"{name.title()} Amount": rows[name].map(_plain) for name in ("sent", "received", "fee")},
        **{f"{name.title()} Currency": rows[f"{name}_coin"].map(word) for name in ("sent", "received", "fee")},
        "Label": rows["label"].map(word), "Description": rows["description"].map(word), "TxHash": rows["id"].map(word),
    }  # fmt: skip
    return (
        pd.DataFrame(texts, index=rows.index).reindex(columns=list(TAX_COLUMNS), fill_value="").reset_index(drop=True)
    )


@exactly
def changes_of(ledger: pd.DataFrame) -> dict[str, Decimal]:
    """Return what a ledger, or a tax table, changes each coin by: received less sent less fee."""
    names = [("received", 1), ("sent", -1), ("fee", -1)]
    if "Date" in ledger:
        places = [(f"{name.title()} Amount", f"{name.title()} Currency", sign) for name, sign in names]
    else:
        places = [(name, f"{name}_coin", sign) for name, sign in names]
    sums: dict[str, Decimal] = {}
    for row in records(ledger):
        for amount, coin, sign in places:
            if word(row[coin]):
                sums[word(row[coin])] = sums.get(word(row[coin]), ZERO) + sign * decimal_of(row[amount], amount)
    return {coin: change for coin, change in sorted(sums.items()) if change}


def _fill_rows(
    fill: Mapping[str, Any], pairs: Mapping[tuple[str, str], Pair], *, unified: bool
) -> Iterator[dict[str, Any]]:  # fmt: skip
    market, symbol, side = word(fill["market"]), word(fill["symbol"]), word(fill["side"])
    pair, fees = pairs[market, symbol], list(fees_of(fill).items())
    paid, rebates = [one for one in fees if one[1] > 0], [one for one in fees if one[1] < 0]
    account, record_id = "unified" if unified else market, str(fill["fill_id"])
    known = (moment(fill), "trade" if market == "spot" else "futures", account, record_id)
    described = {"description": f"{side} {symbol} ({market})"}
    if market == "spot":
        got, gave = zip(pair, traded(fill), strict=True)
        if side == "sell":
            got, gave = gave, got
        row = {"received_coin": got[0], "received": got[1], "sent_coin": gave[0], "sent": gave[1]}
        yield _row(*known, symbol=symbol) | row | described | _fee(paid[:1])
        paid = paid[1:]
    else:
        profit = decimal_of(fill["profit"], "profit")
        if profit:
            net = (margin_coin(market, pair), profit)
            yield _row(*known, symbol=symbol, net=net) | described | {"label": "realized gain"} | _fee(paid[:1])
            paid = paid[1:]
    for coin, fee in (*paid, *rebates):
        row = _row(known[0], "fee", account, record_id, symbol=symbol, net=(coin, -fee))
        yield row | {"description": f"fee of {described['description']}", "label": "cost" if fee > 0 else "reward"}


def _line_rows(lines: Sequence[LedgerLine]) -> Iterator[dict[str, Any]]:
    """Yield rows of lines without a record; the two lines of a conversion are one row."""
    converted: defaultdict[tuple[int, str], list[LedgerLine]] = defaultdict(list)
    for line in lines:
        if line.kind == "convert":
            converted[line.time_ms, line.account].append(line)
    pairs = {key: sorted(two, key=lambda line: line.net) for key, two in converted.items() if len(two) == 2}
    pairs = {key: two for key, two in pairs.items() if two[0].net < 0 < two[1].net}
    for (time_ms, account), (gave, got) in pairs.items():
        row = _row(time_ms, "convert", account, gave.bill_id, net=(gave.coin, gave.net))
        yield row | {"received": got.net, "received_coin": got.coin, "description": f"{gave.coin} to {got.coin}"}
    for line in lines:
        if line.net and not (line.kind == "convert" and (line.time_ms, line.account) in pairs):
            kind = "transfer" if sort_of(line.kind) == "moved" else line.kind
            net = (line.coin, line.net)
            row = _row(line.time_ms, kind, line.account, line.bill_id, symbol=line.symbol, net=net)
            yield row | {"label": _label(line.kind, line.net), "description": f"{line.kind} {line.symbol}".strip()}


def _movement_rows(moved: pd.DataFrame, kind: str, *, unified: bool) -> Iterator[dict[str, Any]]:
    done = {one.record_id: one for one in movement_postings(kind, moved, unified=unified)}
    for row in records(moved):
        one = done.get(str(row[f"{kind}_id"]))
        if one is None:
            continue
        chain = word(row.get("transaction_id")) or one.record_id
        fee = [(one.coin, one.fee)] if one.fee else []
        known = _row(one.time_ms, kind, one.accounts[0], chain, net=(one.coin, one.amount))
        yield known | {"description": f"{kind} {word(row.get('network'))}".strip()} | _fee(fee)


def _transfer_rows(transfers: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in transfers:
        source, target = (word(row[side]) or "elsewhere" for side in ("source", "target"))
        described = {"description": f"transfer from {source} to {target}"}
        for side, sign in (("source", -1), ("target", 1)):
            if (account := word(row[side])) in BOOKED:
                net = (word(row["coin"]), sign * decimal_of(row["amount"]))
                yield _row(moment(row), "transfer", account, str(row["transfer_id"]), net=net) | described


def _row(
    time_ms: int, kind: str, account: str, record_id: str, *, symbol: str = "", net: tuple[str, Decimal] | None = None
) -> dict[str, Any]:  # fmt: skip
    row: dict[str, Any] = dict.fromkeys(LEDGER_COLUMNS)
    row |= {"time": time_ms, "kind": kind, "account": account, "symbol": symbol, "id": record_id, "label": ""}
    if net is not None:
        side = "received" if net[1] > 0 else "sent"
        row |= {side: abs(net[1]), f"{side}_coin": net[0]}
    return row


def _fee(paid: list[tuple[str, Decimal]]) -> dict[str, Any]:
    return {"fee": paid[0][1], "fee_coin": paid[0][0]} if paid else {}


def _label(kind: str, net: Decimal) -> str:
    if kind == "funding":
        return "realized gain"
    return (_EARNED if net > 0 else _SPENT).get(kind, "")


def _plain(amount: object) -> str:
    return plain(amount) if isinstance(amount, Decimal) else ""
