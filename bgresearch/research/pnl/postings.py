"""What an account's records say must have happened to its balances, and what its ledger says did. Pure.

A fill in spot is two postings (what came in, what went out), and a third where its fee was paid in another coin; a fill
in futures is one in the coin of the margin: the realised profit less the fee. A fee in the same coin goes with the
posting it was taken from: a buy of 1 BTC with a fee of 0.001 BTC is one posting of 0.999.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import pandas as pd

from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.decimals import ZERO, decimal_of, doubt, given, plain

Fees = Literal["beside", "within"]
BOOKED = ("spot", "usdt-futures", "usdc-futures", "coin-futures", "unified")
"""The accounts that have a ledger; a transfer to any other one leaves them."""

_MARGIN = {"usdt-futures": "USDT", "usdc-futures": "USDC"}
_QUOTES = ("USDT", "USDC", "USDE", "EUR", "BRL", "GBP", "TRY", "BTC", "ETH", "BGB", "USD")
_DONE = frozenset({"success", "successful", "missing"})


class Posting(NamedTuple):
    """One change of one balance that a record implies.

    Attributes
    ----------
    record, record_id : str
        The record: fill, funding, transfer, deposit or withdrawal; and its id.
    accounts : tuple of str
        Where it may have been booked; any account that has a ledger if empty.
    cause : str
        trading, fees, funding, transfers, deposits, withdrawals.
    amount, fee : Decimal
        The amount, positive if received; the fee, positive if paid.
    doubt : Decimal
        How far these may be from the exchange's decimals, if floats were too short for them.
    long : bool
        Whether one of them has more digits than floats preserve.
    sure : bool
        False if it may have been booked before or after the span of the ledger.
    """

    record: str
    record_id: str
    time_ms: int
    accounts: tuple[str, ...]
    coin: str
    symbol: str
    cause: str
    amount: Decimal
    fee: Decimal = ZERO
    doubt: Decimal = ZERO
    long: bool = False
    sure: bool = True

    @property
    def net(self) -> Decimal:
        """The change of the balance."""
        return self.amount - self.fee


class LedgerLine(NamedTuple):
    """One line of the ledger.

    Attributes
    ----------
    net : Decimal
        The change of the balance that it states.
    """

    bill_id: str
    time_ms: int
    account: str
    coin: str
    symbol: str
    kind: str
    amount: Decimal
    fee: Decimal
    net: Decimal
    balance: Decimal
    doubt: Decimal
    long: bool


class Pair(NamedTuple):
    """The coins of a symbol."""

    base: str
    quote: str


def lines_of(bills: pd.DataFrame, *, fees: Fees = "beside") -> list[LedgerLine]:
    """Return the lines of a ledger as ``client.account.bills`` returned it.

    Parameters
    ----------
    bills : DataFrame
        Its columns; amounts as floats, decimals or texts.
    fees : "beside" or "within"
        Whether the balance changes by amount - fee, or the amount has had the fee taken off.
    """
    if fees not in ("beside", "within"):
        raise InvalidInput("fees", f"{fees!r} is unknown.", hint="Use beside or within.")
    found = []
    for row in records(bills):
        of = f"line {row['bill_id']} of the ledger"
        amount, fee = given(row["amount"], "amount", of), decimal_of(row["fee"], "fee")
        net = amount - fee if fees == "beside" else amount
        unsure = doubt(row["amount"], row["fee"], row["balance"])
        named = (word(row["account"]), word(row["coin"]), word(row.get("symbol")), word(row["kind"]))
        balance = given(row["balance"], "balance", of)
        found.append(LedgerLine(str(row["bill_id"]), moment(row), *named, amount, fee, net, balance, *unsure))
    return found


def fill_postings(fills: pd.DataFrame, pairs: Mapping[tuple[str, str], Pair], *, unified: bool) -> Iterator[Posting]:
    """Yield the postings of fills; `pairs_of` returns the coins of their symbols."""
    for row in records(fills):
        market, symbol = word(row["market"]), word(row["symbol"])
        pair, account = pairs[market, symbol], ("unified" if unified else market,)
        paid = fees_of(row)
        unsure = doubt(*(row[name] for name in ("amount", "value", "fee", "profit")))
        known = ("fill", str(row["fill_id"]), moment(row))
        if market == "spot":
            sign = 1 if row["side"] == "buy" else -1
            base, quote = traded(row)
            changes = [(pair.base, sign * base), (pair.quote, -sign * quote)]
        else:
            changes = [(margin_coin(market, pair), decimal_of(row["profit"], "profit"))]
        for coin, amount in changes:
            fee = paid.pop(coin, ZERO)
            yield Posting(*known, account, coin, symbol, "trading", amount, fee, *unsure)
        for coin, fee in paid.items():
            yield Posting(*known, (), coin, symbol, "fees", ZERO, fee, *unsure)


def funding_postings(funding: pd.DataFrame, *, unified: bool) -> Iterator[Posting]:
    """Yield the postings of fundings: columns time, market, symbol, coin, amount (positive is received)."""
    for place, row in enumerate(records(funding)):
        account = ("unified" if unified else word(row["market"]),)
        record_id = str(row.get("funding_id") or f"{word(row['symbol'])}-{moment(row)}-{place}")
        known = ("funding", record_id, moment(row), account, word(row["coin"]), word(row["symbol"]))
        yield Posting(*known, "funding", decimal_of(row["amount"]), ZERO, *doubt(row["amount"]))


def movement_postings(
    name: str, moved: pd.DataFrame, *, unified: bool, span: Span | None = None
) -> Iterator[Posting]:  # fmt: skip
    """Yield the postings of completed deposits or withdrawals in the spot account, or the unified one.

    They are booked between the time at which they were requested and the time at which they last changed: a posting
    is sure if both are within the span.
    """
    incoming = name == "deposit"
    for row in records(moved):
        if (word(row.get("status")) or "missing") not in _DONE:
            continue
        size, fee = decimal_of(row["amount"]), ZERO if incoming else decimal_of(row.get("fee"), "fee")
        account = ("unified" if unified else "spot",)
        known = (name, str(row[f"{name}_id"]), moment(row), account, word(row["coin"]), "")
        last = row.get("updated")
        last_ms = moment(row) if last is None or last is pd.NaT else moment({"time": last})
        sure = span is None or (span.start_ms <= moment(row) and last_ms < span.end_ms)
        unsure = doubt(row["amount"], row.get("fee"))
        yield Posting(*known, f"{name}s", size if incoming else -size, fee, *unsure, sure)


def transfer_postings(transfers: pd.DataFrame) -> Iterator[Posting]:
    """Yield what transfers must have booked in each account that has a ledger."""
    for row in records(transfers):
        if (word(row.get("status")) or "missing") not in _DONE:
            continue
        for side, sign in (("source", -1), ("target", 1)):
            if (account := word(row[side])) in BOOKED:
                known = ("transfer", str(row["transfer_id"]), moment(row), (account,), word(row["coin"]), "")
                yield Posting(*known, "transfers", sign * decimal_of(row["amount"]), ZERO, *doubt(row["amount"]))


def pairs_of(fills: pd.DataFrame, symbols: pd.DataFrame | None = None) -> dict[tuple[str, str], Pair]:
    """Return the coins of every symbol that was traded, by market and symbol.

    Parameters
    ----------
    fills : DataFrame
        What was traded.
    symbols : DataFrame, optional
        What ``client.symbols()`` or ``client.listings()`` returned. A symbol that is not in it, or all of them without
        it, are taken apart by the name of their quote coin: USDT, USDC, EUR, BTC ...

    Raises
    ------
    InvalidInput
        A symbol can be taken apart in no way.
    """
    known: dict[tuple[str, str], Pair] = {}
    for row in records(symbols) if symbols is not None else ():
        known[word(row["market"]), word(row["symbol"])] = Pair(word(row["base"]), word(row["quote"]))
    named = fills[["market", "symbol"]].drop_duplicates()
    traded = {(word(row["market"]), word(row["symbol"])) for row in records(named)}
    return {one: known.get(one) or _taken_apart(*one) for one in sorted(traded)}


def _taken_apart(market: str, symbol: str) -> Pair:
    name = symbol.partition("-")[0]  # contracts with a date: BTCUSD-20261225
    if market == "usdc-futures" and name.endswith("PERP"):
        return Pair(name.removesuffix("PERP"), "USDC")
    quotes = ("USD",) if market == "coin-futures" else _QUOTES
    for quote in quotes:
        if name.endswith(quote) and name != quote:
            return Pair(name.removesuffix(quote), quote)
    raise InvalidInput("symbols", f"the coins of {symbol} are not known.", hint="Give symbols=client.symbols().")


def margin_coin(market: str, pair: Pair) -> str:
    """Return the coin that a futures market settles in."""
    return _MARGIN.get(market, pair.base)


def traded(row: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """Return how much a fill traded, and for how much."""
    of = f"fill {row['fill_id']}"
    return given(row["amount"], "amount", of), given(row["value"], "value", of)


def booked_order(fill: Mapping[str, Any]) -> tuple[int, int, str]:
    """Return what fills are sorted by: their time, and those of one instant by their numbers."""
    name = str(fill["fill_id"])
    return moment(fill), len(name), name


def once(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return the rows of a frame without those whose id came before."""
    return frame if frame.empty else frame[~frame.duplicated(list(names)).to_numpy()]


def fees_of(row: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return what a fill cost, by coin."""
    paid = {word(row["fee_coin"]): decimal_of(row["fee"], "fee")}
    if paid.get(""):
        raise InvalidInput("fee_coin", f"fill {row['fill_id']} has a fee of {plain(paid[''])} and no coin of it.")
    for part in word(row.get("other_fees")).split(", "):
        amount, _, coin = part.partition(" ")
        if coin:
            paid[coin] = paid.get(coin, ZERO) + decimal_of(amount, "other_fees")
    return {coin: fee for coin, fee in paid.items() if fee}


def records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of a frame by column, with its index, in its order; time is epoch milliseconds."""
    if frame.empty:
        return
    whole = frame.reset_index() if frame.index.name else frame
    columns = [_values(whole[name]) for name in whole.columns]
    for values in zip(*columns, strict=True):
        yield dict(zip(whole.columns, values, strict=True))


def _values(column: pd.Series) -> list[Any]:
    if column.name == "time" and isinstance(column.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(column).as_unit("ms").asi8.tolist()
    return column.tolist()


def moment(row: Mapping[str, Any]) -> int:
    """Return the time of a row as epoch milliseconds, which a number already is."""
    when = row["time"]
    return when if isinstance(when, int) else int(pd.Timestamp(when).as_unit("ms").value // 1_000_000)


def word(value: object) -> str:
    """Return a text, empty for what is missing."""
    return "" if value is None or value is pd.NA or value != value else str(value)  # noqa: PLR0124 - NaN
