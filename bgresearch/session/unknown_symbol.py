"""Recognises the exchange's error for an unknown symbol or coin, and suggests close listed names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from bgresearch.catalogue import load
from bgresearch.catalogue.answer_row import AnswerRow, Problems, Row, read_rows, spelled
from bgresearch.catalogue.response import rows_of
from bgresearch.core.symbols import Named, market_of_name, renamed
from bgresearch.errors import BgresearchError, ExchangeError, UnknownSymbol
from bgresearch.http.sender import Sender

UNKNOWN_CODES = frozenset(  # codes that may mean an unknown symbol, in addition to those that mean nothing else
    {"40034", "40054", "40072", "40102", "42016", "25100", "25200", "40309", "400171", "400172"}
)
_ASK = "Did you mean"
_NOTHING_REFUSED = "00000"


def unknown_symbol(sender: Sender, named: Named, error: ExchangeError) -> ExchangeError:
    """Return an error that suggests close symbols if the exchange does not list this one, else the same error.

    Makes one more request; if that fails, the error is returned unchanged.
    """
    symbols = listed_symbols(sender, named.market)
    if named.symbol in symbols or not (symbols or isinstance(error, UnknownSymbol)):
        return error
    said = f"{named.symbol!r} is not listed in the {named.market} market"
    hint = did_you_mean(named, symbols) or f"client.symbols({named.market!r}) lists them."
    return UnknownSymbol(error.endpoint, error.code, said, http_status=error.http_status, hint=hint)


def unlisted(sender: Sender, named: Named, endpoint: str) -> UnknownSymbol | None:
    """Return an error that suggests close symbols if a response was empty because this one is not listed.

    One request; None if the symbol is listed, or the list cannot be fetched.
    """
    error = unknown_symbol(sender, named, ExchangeError(endpoint, _NOTHING_REFUSED, "no rows"))
    return error if isinstance(error, UnknownSymbol) else None


def unlisted_anywhere(sender: Sender, symbol: str, markets: Sequence[str], endpoint: str) -> UnknownSymbol | None:
    """Return an error that suggests close symbols if none of the markets lists this one; one request per market."""
    errors: list[UnknownSymbol] = []
    for market in markets:
        error = unlisted(sender, Named(symbol, market), endpoint)
        if error is None:
            return None
        errors.append(error)
    return next((error for error in errors if error.hint.startswith(_ASK)), errors[0]) if errors else None


def unlisted_coin(sender: Sender, coin: str, endpoint: str) -> UnknownSymbol | None:
    """Return an error that suggests close coins if the exchange does not list this one.

    One request; None if the coin is listed, or the list cannot be fetched.
    """
    row = load()["spot.coins"]
    try:
        rows = rows_of(row, sender.send(row, {}).data)
        coins = [each["coin"] for each in read_rows(lambda one: {"coin": one.key("coin")}, rows, Problems(row.id))]
    except BgresearchError:
        return None
    if not coins or spelled(coin) in coins:
        return None
    near = {name.upper(): name for name in coins}
    found = [near[name] for name in get_close_matches(coin.upper(), near, 3, 0.6)]
    hint = f"{_ASK} {' or '.join(found)}?" if found else "client.coins() lists them."
    return UnknownSymbol(
        endpoint, _NOTHING_REFUSED, f"{coin!r} is not listed by the exchange", http_status=200, hint=hint
    )


def did_you_mean(named: Named, listed: Sequence[str]) -> str:
    """Return what suggests the symbols closest to an unlisted one, and the market that has such names.

    Empty if none is close and no other market has such names.

    Parameters
    ----------
    named : Named
        The requested symbol.
    listed : sequence of str
        The symbols of its market. The coin's name in this kind of market comes before similar names.
    """
    other = renamed(named.symbol, named.market)
    near = [other] if other is not None and other in listed else get_close_matches(named.symbol, listed, 3, 0.6)
    question = f"{_ASK} {' or '.join(near)}?" if near else ""
    elsewhere = market_of_name(named)
    contracts = f"Contracts with such names are in market={elsewhere!r}." if elsewhere else ""
    return f"{question} {contracts}".strip()


def listed_symbols(sender: Sender, market: str) -> list[str]:
    """Return the symbols of a market; none if they cannot be fetched."""
    try:
        return symbols_of(sender, market)
    except BgresearchError:
        return []


def list_of(market: str) -> str:
    """Return the id of the table row that lists the symbols of a market."""
    return "spot.symbols" if market == "spot" else "futures.contracts"


def symbols_of(sender: Sender, market: str) -> list[str]:
    """Return the symbols that the exchange lists in a market now; one request.

    A row without a symbol is skipped, with a warning.

    Raises
    ------
    BgresearchError
        Any error of the sender; `BadResponse` if there are rows and none has a symbol.
    """
    row = load()[list_of(market)]
    params = {} if market == "spot" else {"productType": market.upper()}
    rows = rows_of(row, sender.send(row, params).data)
    return [each["symbol"] for each in read_rows(_symbol, rows, Problems(row.id))]


def _symbol(row: AnswerRow) -> Row:
    return {"symbol": row.key("symbol")}
