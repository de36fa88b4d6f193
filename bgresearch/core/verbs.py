"""The base class of everything with public verbs: what a caller writes is put into this package's spelling first.

Every public method of a subclass is wrapped once, when its class is made, so that a new verb needs nothing of its own.
The wrapper goes by the names of parameters: interval, length, symbol, symbols, market, last, and a few words that are
taken in upper and lower case. A parameter or a verb of another name is answered with the right one.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, ParamSpec, TypeVar

from bgresearch.core.intervals import interval_name, known_interval
from bgresearch.core.progress import checked_callback, checked_wish
from bgresearch.core.symbols import market_name, symbol_text
from bgresearch.core.timestamps import length_of, moment_ms
from bgresearch.errors import InvalidInput, UnknownName, WrongArguments

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")

_INTERVALS = ("interval", "length", "made_of")
_SYMBOLS = ("symbol", "symbols")
_WORDS = ("price", "anchor", "channel", "of", "theme")

_PARAMETERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("since", "from_", "begin", "start_time", "starttime", "start_date", "startdate", "date_from", "after"),
        ("start", "since"),
    ),
    **dict.fromkeys(
        ("until", "to", "end_time", "endtime", "end_date", "enddate", "stop", "date_to", "before"), ("end",)
    ),
    **dict.fromkeys(
        ("timeframe", "granularity", "freq", "frequency", "tf", "resolution", "bar"), ("interval", "length", "period")
    ),
    **dict.fromkeys(
        ("pair", "ticker", "instrument", "instid", "inst_id", "tickers", "pairs", "name"), ("symbol", "symbols")
    ),
    **dict.fromkeys(("symbol", "symbols"), ("symbol", "symbols")),
    **dict.fromkeys(("product_type", "producttype", "category", "inst_type", "insttype", "type"), ("market", "kind")),
    **dict.fromkeys(("depth", "limit", "size", "count"), ("levels", "depth")),
    **dict.fromkeys(("lookback", "window", "days"), ("last",)),
}  # fmt: skip
_IN_THE_VAULT = 'A key is never written into code: bg.setup() puts it into the vault, then connect(key="its name").'
_HINTS: dict[str, str] = {  # parameters that there are elsewhere, and what to do here
    **dict.fromkeys(
        ("limit", "page_size", "max_rows", "count", "n"),
        "It returns every row; cut the frame with .head(n) or .tail(n).",
    ),
    **dict.fromkeys(("tz", "timezone"), 'Times are UTC; convert the frame: .tz_convert("Europe/Berlin").'),
    **dict.fromkeys(("api_key", "apikey", "secret", "secret_key", "secretkey", "api_secret"), _IN_THE_VAULT),
    **dict.fromkeys(("passphrase", "password"), _IN_THE_VAULT),
    **dict.fromkeys(("testnet", "test", "demo", "paper", "paptrading"),
                    "sandbox=True is the embedded exchange; a key of the demo environment is recognised by itself."),
}  # fmt: skip

_VERBS: dict[str, str] = {
    **dict.fromkeys(
        ("klines", "kline", "ohlcv", "ohlc", "bars", "candle", "candlesticks", "history", "historical"),
        "candles",
    ),
    **dict.fromkeys(("ticker", "tick", "last_price", "price", "tickers_24h"), "tickers"),
    **dict.fromkeys(("orderbook", "depth", "book", "l2"), "order_book"),
    **dict.fromkeys(("trade", "recent_trades", "trade_history", "trades_history", "aggtrades", "agg_trades"), "trades"),
    **dict.fromkeys(("funding_rate", "funding_history", "fundings"), "funding_rates"),
    **dict.fromkeys(("oi", "openinterest"), "open_interest"),
    **dict.fromkeys(("markets", "instruments", "exchange_info", "pairs", "contracts"), "symbols"),
    **dict.fromkeys(("time", "timestamp"), "server_time"),
    **dict.fromkeys(("balance", "wallet", "wallets"), "account.balances"),
    **dict.fromkeys(("my_trades", "mytrades", "user_trades", "executions", "fill", "trades"), "account.fills"),
    **dict.fromkeys(("position",), "account.positions"),
    **dict.fromkeys(("ledger", "bill", "income"), "account.bills"),
    **dict.fromkeys(("order", "order_history", "closed_orders", "my_orders"), "account.orders"),
    **dict.fromkeys(("subscribe", "websocket", "ws", "live"), "stream"),
    **dict.fromkeys(("plot", "show", "graph"), "chart"),
    **dict.fromkeys(("to_csv", "save"), "export"),
    **dict.fromkeys(("sql", "duckdb", "polars"), "lens"),
    **dict.fromkeys(("equity", "pnl"), "statement"),
}  # fmt: skip
_ONLY_READS = "This package only reads: it has no orders, transfers or withdrawals."
_WRITING = ("buy", "sell", "create_", "place_", "cancel_", "modify_", "amend_", "set_", "market_order", "limit_order")
_PREFIXES = ("get_", "fetch_", "load_", "query_", "list_", "watch_", "my_")
_Whole = TypeVar("_Whole")


class Verbs:
    """A class whose public methods take any common spelling of their arguments."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Wrap the public methods that the class itself defines."""
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _only_composed(cls.__name__, cls.__init__)  # type: ignore[method-assign]
        for name, function in list(vars(cls).items()):
            if inspect.isfunction(function) and not name.startswith("_"):
                setattr(cls, name, any_spelling(function))

    def __getattr__(self, name: str) -> NoReturn:
        """Answer an attribute that does not exist; only ``_names()`` are offered."""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name.lower().startswith(_WRITING):
            raise UnknownName(name, hint=_ONLY_READS)
        raise UnknownName(name, _near_verbs(name, self._names()))

    def _names(self) -> Sequence[str]:
        """Return what may be typed behind the dot, that of neighbouring objects included."""
        return [name for name in dir(type(self)) if not name.startswith("_")]


def public_verbs(kind: type, prefix: str = "") -> list[str]:
    """Return the names of a class's public methods and properties."""
    return [f"{prefix}{name}" for name in dir(kind) if not name.startswith("_")]


class PartVerb:
    """A verb of a part, as an attribute of the whole: there it has the signature and the words that the part gives it.

    Parameters
    ----------
    part : str
        Module and class of the part, with a colon between; it is made of what ``_shared`` of the whole is.
    name : str
        The verb.
    """

    def __init__(self, part: str, name: str) -> None:
        self._part, self._name = part, name

    def __get__(self, whole: Any, owner: type | None = None) -> Any:
        if whole is None:
            return getattr(self.kind(), self._name)
        parts = whole.__dict__.setdefault("_parts", {})
        if self._part not in parts:
            parts[self._part] = self.kind()(whole._shared)
        return getattr(parts[self._part], self._name)

    def kind(self) -> Any:
        """Return the class of the part."""
        module, _, name = self._part.partition(":")
        return getattr(importlib.import_module(module), name)


def composed_of(parts: Mapping[str, str]) -> Callable[[type[_Whole]], type[_Whole]]:
    """Give a class the verbs of its parts, each named once: ``{"module:Class": "verb verb"}``."""

    def compose(whole: type[_Whole]) -> type[_Whole]:
        for part, verbs in parts.items():
            for name in verbs.split():
                setattr(whole, name, PartVerb(part, name))
        return whole

    return compose


def _near_verbs(name: str, known: Sequence[str]) -> str:
    """Return which verb was probably meant, empty if none is near."""
    plain = name.lower()
    for prefix in _PREFIXES:
        plain = plain.removeprefix(prefix)
    by_last = {one.rsplit(".", 1)[-1]: one for one in reversed(known)}
    for word in dict.fromkeys((name, name.lower(), plain)):
        meant = _VERBS.get(word, "")
        found = meant if meant in known else by_last.get(meant.rsplit(".", 1)[-1]) or by_last.get(word)
        if found:
            return found
    near = difflib.get_close_matches(plain, by_last, n=1, cutoff=0.75)
    return by_last[near[0]] if near else ""


def any_spelling(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Return a function that takes any common spelling and calls ``function`` with this package's own."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def verb(*args: _Given.args, **keywords: _Given.kwargs) -> _Returned:
        try:
            bound = signature.bind(*args, **keywords)
        except TypeError:
            raise _wrong_arguments(function.__name__, signature, args, keywords) from None
        _translate(bound.arguments, signature)
        return function(*bound.args, **bound.kwargs)

    return verb


def _only_composed(name: str, function: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that says where its object comes from if it is called by hand."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def composed(*args: Any, **keywords: Any) -> None:
        try:
            signature.bind(*args, **keywords)
        except TypeError:
            raise WrongArguments(name, "is not made by hand.", hint="Write client = bg.connect().") from None
        function(*args, **keywords)

    return composed


def _translate(given: dict[str, Any], signature: inspect.Signature) -> None:
    """Put the arguments that were given into this package's spelling, in place."""
    if given.get("last") is not None:
        _start_from_last(given)
    for name in _WORDS:
        if isinstance(given.get(name), str):
            given[name] = given[name].strip().lower()
    _refuse_swapped(given)
    for name in _INTERVALS:
        if given.get(name) is not None:
            given[name] = _each(given[name], lambda one: interval_name(one, anchor=given.get("anchor") or "utc"))
    for name in _SYMBOLS:
        if name in given:
            given[name] = _each(given[name], lambda one: symbol_text(one) if isinstance(one, str) else one)
    if given.get("market") is not None:
        named = [one for name in _SYMBOLS for one in _listed(given.get(name)) if isinstance(one, str)]
        given["market"] = _each(given["market"], lambda one: market_name(one, named) if isinstance(one, str) else one)
    if given.get("progress") is not None:
        checked_wish(given["progress"])
    if given.get("say") is not None:
        checked_callback("say", given["say"], 1)
    if isinstance(given.get("period"), str):
        given["period"] = _period(given["period"])


def _refuse_swapped(given: dict[str, Any]) -> None:
    """Refuse an interval in the place of the symbol."""
    symbol = given.get("symbol")
    if isinstance(symbol, str) and given.get("interval") is not None:
        refuse_interval(symbol, hint='The symbol comes first: ("BTCUSDT", "1h").')


def refuse_interval(symbol: str, hint: str) -> None:
    """Raise InvalidInput if what should be a symbol is an interval."""
    if known_interval(symbol) is not None:
        raise InvalidInput("symbol", f"{symbol!r} is an interval.", hint=hint)


def _start_from_last(given: dict[str, Any]) -> None:
    """Turn ``last="7d"`` into a start: that long before the end, or before now."""
    if given.get("start") is not None:
        raise InvalidInput("last", "is given, and start as well.", hint="Leave one of them out.")
    length = length_of(given["last"])
    if length is None:
        hint = 'Write "30d", "12h", "2w", "1mo" (a month) or "90min".'
        raise InvalidInput("last", f"{given['last']!r} is not a length of time.", hint=hint)
    end = given.get("end")
    given["start"] = given["last"] if end is None else length.before(moment_ms(end, "end")[0])
    given["last"] = None


def _period(text: str) -> str:
    """Return a period of the exchange's statistics; those of 24h and 30d have no other name."""
    known = None if text in ("24h", "30d") else known_interval(text)
    return known or text  # the verb names the periods that there are


def _each(value: Any, translated: Callable[[Any], Any]) -> Any:
    """Return a value, or each one of several, translated."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return translated(value)
    return type(value)(map(translated, value)) if isinstance(value, (list, tuple)) else list(map(translated, value))


def _listed(value: Any) -> list[Any]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _wrong_arguments(
    verb: str, signature: inspect.Signature, args: Sequence[Any], given: dict[str, Any]
) -> WrongArguments:
    """Return the error for a call that does not fit a verb's parameters, naming what fits."""
    known = [name for name, one in signature.parameters.items() if name != "self" and one.kind != one.VAR_POSITIONAL]
    takes = f"{verb}() takes {', '.join(known)}." if known else f"{verb}() takes no arguments."
    for name in given:
        if name not in known:
            meant = [one for one in _PARAMETERS.get(name.lower(), ()) if one in known and one not in given]
            meant = meant or difflib.get_close_matches(name, known, n=1, cutoff=0.7)
            if meant:
                return WrongArguments(name, f"{verb}() does not have it; it is called {meant[0]}.")
            return WrongArguments(name, f"{verb}() does not have it.", hint=_HINTS.get(name.lower(), takes))
    required = [
        name for name, one in signature.parameters.items()
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]  # fmt: skip
    missing = [name for name in required[len(args) :] if name not in given]
    if missing:
        return WrongArguments(missing[0], f"{verb}() needs it.", hint=takes)
    by_name = [name for name in known if signature.parameters[name].kind is inspect.Parameter.KEYWORD_ONLY]
    shown = ", ".join(f"{name}=" for name in by_name[:2])
    hint = f"Write {shown} and the like by name. {takes}" if by_name else takes
    return WrongArguments(verb, "there are too many arguments without a name, or one is given twice.", hint=hint)
