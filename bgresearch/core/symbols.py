"""Symbol names: the exchange's spelling, ccxt's, and coins with different names in spot and futures.

``BTC/USDT`` is spot, ``BTC/USDT:USDT`` a contract settled in USDT, ``BTC/USDC:USDC`` in USDC, ``BTC/USD:BTC`` in the
coin itself. A symbol without a slash is in the exchange's own spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bgresearch.errors import InvalidInput

FUTURES = ("usdt-futures", "usdc-futures", "coin-futures")
MARKETS = ("spot", *FUTURES)


_FUTURES_NAME = {"LUNA": "LUNA2", "$ALT": "ALT", "MEMECOIN": "MEME"}  # common/faq Q12: spot's name, futures' name

_SPOT_QUOTES = ("USDT", "USDC", "USDE", "BTC", "ETH", "BGB", "EUR", "GBP", "BRL", "TRY", "USD")
_SPOT_NAME = {theirs: name for name, theirs in _FUTURES_NAME.items()}
_HINT = "Write it as the exchange does, BTCUSDT, or as ccxt does: BTC/USDT, BTC/USDT:USDT, BTC/USDC:USDC, BTC/USD:BTC."


class Named(NamedTuple):
    """One market: the exchange's symbol, and its product family."""

    symbol: str
    market: str


def wire_symbol(symbol: str, market: str, *, default: str = "spot") -> Named:
    """Return the exchange's symbol and the market, from either spelling.

    Parameters
    ----------
    symbol : str
        In the exchange's spelling, in upper or lower case, or in ccxt's, which also names the market.
    market : str
        The market to look in.
    default : str
        The default market of a verb: ccxt's spelling may name another one, which then counts.

    Raises
    ------
    InvalidInput
        If it is not a symbol, or names another market than ``market``.
    """
    if not isinstance(symbol, str) or not symbol.strip():
        raise InvalidInput("symbol", f"{symbol!r} is not a symbol.", hint=_hint(symbol))
    market, symbol = known_market(market, [symbol]), symbol_text(symbol)
    if "/" not in symbol:
        return Named(symbol.upper(), market)
    found = _from_ccxt(symbol)
    if market not in (found.market, default):
        raise InvalidInput(
            "symbol", f"{symbol!r} names the {found.market} market, and market= says {market}.", hint=_HINT
        )  # fmt: skip
    return found


def ccxt_symbol(symbol: str, market: str) -> str:
    """Return ccxt's spelling of the exchange's symbol; no network.

    Parameters
    ----------
    symbol, market : str
        As in a frame's provenance.

    Raises
    ------
    InvalidInput
        If it cannot be derived from the symbol: a contract with a delivery date, or another quote coin.

    Examples
    --------
    >>> ccxt_symbol("BTCUSDT", "spot"), ccxt_symbol("BTCPERP", "usdc-futures"), ccxt_symbol("BTCUSD", "coin-futures")
    ('BTC/USDT', 'BTC/USDC:USDC', 'BTC/USD:BTC')
    """
    endings = {
        "spot": {quote: quote for quote in _SPOT_QUOTES}, "usdt-futures": {"USDT": "USDT:USDT"},
        "usdc-futures": {"PERP": "USDC:USDC"}, "coin-futures": {"USD": "USD", "USD_CM": "USD"},
    }  # fmt: skip
    for ending, quote in endings.get(market, {}).items():
        base = symbol.removesuffix(ending)
        if base and base != symbol:
            return f"{base}/{quote}:{base}" if market == "coin-futures" else f"{base}/{quote}"
    raise InvalidInput("symbol", f"what ccxt calls {symbol!r} ({market}) cannot be derived from its name.")


def only_of(market: str, symbol: str) -> Named:
    """Return market and symbol for a verb that supports only one market.

    Raises
    ------
    InvalidInput
        If ccxt's spelling names another market.
    """
    named = wire_symbol(symbol, market, default=market)
    if named.market != market:
        raise InvalidInput(
            "symbol", f"{symbol!r} names the {named.market} market, but this verb supports only {market}."
        )
    return named


def own_symbol(
    market: str | None, symbol: str | None, *, default: str = "spot"
) -> tuple[str | None, str | None]:  # fmt: skip
    """Return market and symbol for a verb that accepts any symbol, both optional."""
    if symbol is None:
        return market, None
    symbol = symbol_text(symbol)
    if market is None and "/" not in symbol:
        return None, symbol.upper()
    named = wire_symbol(symbol, market or default, default=default)
    return named.market, named.symbol


def renamed(symbol: str, market: str) -> str | None:
    """Return the name in this kind of market of a symbol of the other kind, None if it is the same."""
    names = _SPOT_NAME if market == "spot" else _FUTURES_NAME
    for name, theirs in names.items():
        if symbol.upper() in (f"{name}USDT", name):
            return f"{theirs}USDT"
    return None


def chosen(symbols: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the symbols that an argument names, empty if it is None and so means all.

    Raises
    ------
    InvalidInput
        It is an empty list: the empty result of a computation must not mean everything.
    """
    if symbols is not None and not symbols:
        raise InvalidInput("symbols", "the list is empty.", hint="Leave it out for all symbols.")
    return () if symbols is None else several("symbols", symbols)


def several(name: str, texts: str | Iterable[str]) -> tuple[str, ...]:
    """Return one text or several as a tuple.

    Raises
    ------
    InvalidInput
        It is something else; the message has the argument's name.
    """
    found = (texts,) if isinstance(texts, str) or not isinstance(texts, Iterable) else tuple(texts)
    if wrong := [one for one in found if not isinstance(one, str)]:
        raise InvalidInput(name, f"{wrong[0]!r} is not a text.", hint="Give a text, or several in a list.")
    return found


def checked_coin(coin: str | None, name: str = "coin") -> str | None:
    """Return the coin, None for all.

    Raises
    ------
    InvalidInput
        It is not a text, or blank.
    """
    if coin is not None and (not isinstance(coin, str) or not coin.strip()):
        raise InvalidInput(name, f"{coin!r} is not a coin.", hint="Write it as the exchange does, like USDT.")
    return None if coin is None else coin.strip()


def spot_of(named: Named) -> Named:
    """Return the spot market of a contract's base and settlement coins.

    Raises
    ------
    InvalidInput
        If there is none: the contract is settled in its base coin, or has a delivery date.
    """
    ending, quote = {"usdt-futures": ("USDT", "USDT"), "usdc-futures": ("PERP", "USDC")}.get(named.market, ("", ""))
    base = named.symbol.removesuffix(ending)
    if not ending or base in ("", named.symbol):
        raise InvalidInput("symbol", f"{named.symbol} ({named.market}) has no spot market of its own.")
    return Named(f"{_SPOT_NAME.get(base, base)}{quote}", "spot")


def _hint(symbol: object) -> str:
    return "One symbol at a time here; client.panel() takes several." if isinstance(symbol, (list, tuple)) else _HINT


def _from_ccxt(symbol: str) -> Named:
    pair, colon, settle = symbol.upper().partition(":")
    base, _, quote = pair.partition("/")
    if not base or not quote or "/" in quote or (colon and not settle):
        raise InvalidInput("symbol", f"{symbol!r} is not a symbol.", hint=_HINT)
    if "-" in settle:
        raise InvalidInput(
            "symbol",
            f"{symbol!r} is a contract with a delivery date.",
            hint="Use the exchange's spelling for it, and market=.",
        )
    if not colon:
        return Named(f"{base}{quote}", "spot")
    name = _FUTURES_NAME.get(base, base)
    if settle == quote == "USDT":
        return Named(f"{name}USDT", "usdt-futures")
    if settle == quote == "USDC":
        return Named(f"{name}PERP", "usdc-futures")
    if quote == "USD" and settle == base:
        return Named(f"{name}USD", "coin-futures")
    raise InvalidInput("symbol", f"{symbol!r} is settled in a coin other than its quote coin.", hint=_HINT)


def product(market: str) -> dict[str, str]:
    """Return v2's parameter value for a futures market."""
    return {"productType": market.upper()}


def category(market: str) -> dict[str, str]:
    """Return v3's parameter value for a market."""
    return {"category": market.upper()}


_QUOTES = "USDT|USDC|USDE|BTC|ETH|BGB|EUR|GBP|BRL|TRY|USD"
_PAIR = re.compile(rf"([A-Z0-9$]+)[-_ ]({_QUOTES}|PERP)")
_PERPETUAL = re.compile(r"([A-Z0-9$]+?)[-_]?(USDT|USDC|USD)[-_.](?:PERP|SWAP|P)")
_FIRST_VERSION = re.compile(r"([A-Z0-9$]+)_(UMCBL|CMCBL|DMCBL|SPBL)")  # endings of the exchange's API until 2023
_ENDING_MARKETS = {"SPBL": "spot", "UMCBL": "usdt-futures", "CMCBL": "usdc-futures", "DMCBL": "coin-futures"}


def symbol_text(symbol: str) -> str:
    """Return a symbol in the exchange's spelling, or in ccxt's where the spelling names the market as well.

    Examples
    --------
    >>> symbol_text("btc-usdt"), symbol_text("BTCUSDT_UMCBL"), symbol_text("BTC-USDT-SWAP")
    ('BTCUSDT', 'BTC/USDT:USDT', 'BTC/USDT:USDT')
    """
    if not isinstance(symbol, str):
        raise InvalidInput("symbol", f"{symbol!r} is not a symbol.", hint=_hint(symbol))
    text = symbol.strip()
    upper = text.upper().removeprefix("BITGET:")
    if found := _FIRST_VERSION.fullmatch(upper):
        return ccxt_symbol(found[1], _ENDING_MARKETS[found[2]])
    if found := _PERPETUAL.fullmatch(upper):
        base, quote = found[1], found[2]
        return f"{base}/{quote}:{base if quote == 'USD' else quote}"
    if found := _PAIR.fullmatch(upper):
        return found[1] + found[2]
    return upper if upper != text.upper() else text


_SPOKEN_MARKETS = {
    "spbl": "spot",
    **dict.fromkeys(("usdt-m", "usdt-margined", "usdt-perp", "usdt-perpetual", "usdt-swap", "umcbl"), "usdt-futures"),
    **dict.fromkeys(("usdc-m", "usdc-margined", "usdc-perp", "usdc-perpetual", "usdc-swap", "cmcbl"), "usdc-futures"),
    **dict.fromkeys(
        ("coin-m", "coin-margined", "coin-perp", "coin-perpetual", "coin-swap", "dmcbl", "inverse"), "coin-futures"
    ),
    **{f"{coin}-m-futures": f"{coin}-futures" for coin in ("usdt", "usdc", "coin")},
}
_ANY_FUTURES = frozenset(
    ("future", "futures", "perp", "perps", "perpetual", "perpetuals", "swap", "swaps", "contract", "contracts",
     "derivatives", "linear", "mix")
)  # fmt: skip
_CONTRACTS = (("USDT", "usdt-futures"), ("PERP", "usdc-futures"), ("USD", "coin-futures"), ("USD_CM", "coin-futures"))


def market_name(market: str, symbols: Iterable[str] = ()) -> str:
    """Return this package's name of a market; of ``futures`` and the like the one that the symbols belong to.

    Parameters
    ----------
    market : str
        ``USDT-FUTURES``, ``usdt_futures``, ``perp`` ...; what is not known is returned as it is.
    symbols : iterable of str
        What is asked for there.

    Raises
    ------
    InvalidInput
        It may be any of the three futures markets, and the symbols do not say which.
    """
    plain = re.sub(r"[\s_-]+", "-", market.strip().lower())
    if plain in MARKETS:
        return plain
    if plain not in _ANY_FUTURES:
        return _SPOKEN_MARKETS.get(plain, market)
    meant = {_contract_market(symbol_text(one)) for one in symbols}
    if len(meant) == 1 and (only := meant.pop()) is not None:
        return only
    raise InvalidInput(
        "market", f"{market!r} may be any of the three futures markets.", hint=f"Use one of {', '.join(FUTURES)}."
    )


def _contract_market(symbol: str) -> str | None:
    """Return the futures market that a symbol's ending names."""
    pair, colon, settle = symbol.upper().partition(":")
    if "/" in pair:
        endings = {"USDT": "usdt-futures", "USDC": "usdc-futures"}
        return endings.get(settle, "coin-futures") if colon else None
    return next((market for ending, market in _CONTRACTS if pair.endswith(ending)), None)


def market_of_name(named: Named) -> str | None:
    """Return the futures market whose contracts have names of this kind, None if it is the market named."""
    meant = _contract_market(named.symbol)
    return meant if meant != named.market and not (named.market == "spot" and meant == "usdt-futures") else None


def known_market(market: str, symbols: Iterable[str] = ()) -> str:
    """Return the market in this package's spelling.

    Raises
    ------
    InvalidInput
        There is none of that name, or the name fits several; the message lists them all.
    """
    found = market_name(market, symbols) if isinstance(market, str) else market
    if found not in MARKETS:
        raise InvalidInput.unknown("market", market, MARKETS)
    return found
