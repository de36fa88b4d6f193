"""From the parameters of a call to a market of the world, or to the exchange's refusal."""

from __future__ import annotations

from collections.abc import Iterable

from bgresearch.sandbox.call import Call, Refusal
from bgresearch.sandbox.world.markets import CATEGORIES, Kind, Market, find, of_kind


def kind_of(call: Call) -> Kind:
    """Return which product the call is about."""
    if call.endpoint.area == "spot":
        return "spot"
    word = call.params.get("productType") or call.params.get("category") or "USDT-FUTURES"
    return CATEGORIES[word.upper()]


def market_of(call: Call) -> Market:
    """Return the market that the call names.

    Raises
    ------
    Refusal
        40034 (v2) or 25100 (v3) for a symbol that was never listed; 40309 for a contract that is delisted. Delisted
        spot symbols keep answering.
    """
    symbol = call.params["symbol"]
    market = find(kind_of(call), symbol)
    if market is None or call.now_ms < market.listed_ms:
        raise unknown(call, symbol)
    if market.futures and market.delisted_at(call.now_ms):
        if call.endpoint.version == "v3":
            raise unknown(call, symbol)
        raise Refusal("40309", "The contract has been removed")
    return market


def markets_of(call: Call) -> Iterable[Market]:
    """Return the one market that the call names, or all that trade in its product."""
    if "symbol" in call.params:
        return [market_of(call)]
    return of_kind(kind_of(call), call.now_ms)


def unknown(call: Call, symbol: str) -> Refusal:
    """Return the refusal for a symbol that does not exist."""
    if call.endpoint.version == "v3":
        return Refusal("25100", f"Trading pair {symbol} does not exist")
    return Refusal("40034", f"Parameter {symbol} does not exist")
