"""Completion of what is in quotes in a call: symbols, intervals, markets, labels of keys; in IPython and Jupyter.

Nothing is evaluated: the name before the bracket is looked up among the user's variables, attribute by attribute.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, get_args

from bgresearch.errors import BgresearchError

_CALL = re.compile(r"([A-Za-z_][\w.]*)\(((?:[^()'\"]|'[^']*'|\"[^\"]*\")*['\"]([^'\"]*))$")
_NAMED = re.compile(r"(\w+)\s*=\s*\[?(?:\s*['\"][^'\"]*['\"]\s*,)*\s*['\"][^'\"]*$")
_MARKET = re.compile(r"market\s*=\s*['\"]([^'\"]*)['\"]")
_DAY_S = 86_400
_NAME = "bgresearch"
_MOST = 300
_PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")


def activate() -> None:
    """Complete in the running IPython, if there is one that can take it; more than once changes nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    matchers = getattr(getattr(shell, "Completer", None), "custom_matchers", None)
    if matchers is None or any(getattr(one, "matcher_identifier", "") == _NAME for one in matchers):
        return

    def matcher(context: Any) -> dict[str, Any]:
        return _matches(context, shell.user_ns)  # type: ignore[union-attr]  # there are matchers, so there is a shell

    matcher.matcher_identifier, matcher.matcher_api_version = _NAME, 2  # type: ignore[attr-defined]  # as IPython asks
    matchers.append(matcher)


def _matches(context: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return IPython's result for what is before the cursor."""
    made: Any = sys.modules["IPython.core.completer"]  # it calls this
    lines = context.full_text.split("\n")[: context.cursor_line + 1]
    lines[-1] = lines[-1][: context.cursor_position]
    found = suggestions("\n".join(lines), variables)
    if found is None:
        return {"completions": []}
    shared = len(found.typed) - len(context.token)  # what was typed before the part that IPython replaces
    words = [made.SimpleCompletion(word[max(shared, 0) :], type="value") for word in found.words]
    return {"completions": words, "suppress": bool(words)}


class Suggestions:
    """What was typed of an argument, and the words that it may become."""

    def __init__(self, typed: str, words: list[str]) -> None:
        self.typed, self.words = typed, words


def suggestions(text: str, variables: Mapping[str, Any]) -> Suggestions | None:
    """Return what the argument may be that the text ends in; None where it is not an argument of this package.

    Parameters
    ----------
    text : str
        The cell up to the cursor.
    variables : mapping
        The user's variables.
    """
    found = _CALL.search(text)
    if found is None or (function := _looked_up(found[1], variables)) is None:
        return None
    arguments, typed = found[2], found[3]
    parameter = _parameter(function, arguments)
    if parameter is None or parameter not in _SOURCES:
        return None
    try:
        words = _SOURCES[parameter](function, arguments)
    except (BgresearchError, OSError):
        return None  # a completion that cannot be had is none
    wanted = re.sub(r"[-_/\s]", "", typed).upper()
    matching = [one for one in words if re.sub(r"[-_/\s]", "", one).upper().startswith(wanted)]
    return Suggestions(typed, matching[:_MOST])


def _looked_up(dotted: str, variables: Mapping[str, Any]) -> Any:
    """Return the verb of that name, None if it is not one of this package."""
    first, *names = dotted.split(".")
    value = variables.get(first)
    for name in names:
        kind = value if inspect.ismodule(value) else type(value)
        if not getattr(kind, "__module__", getattr(kind, "__name__", "")).startswith("bgresearch"):
            return None
        try:
            value = getattr(value, name)
        except (AttributeError, BgresearchError):
            return None
    return value if callable(value) and getattr(value, "__module__", "").startswith("bgresearch") else None


def _parameter(function: Callable[..., Any], arguments: str) -> str | None:
    """Return the name of the parameter that the last argument is for."""
    if named := _NAMED.search(arguments):
        return named[1]
    plain = re.sub(r"'[^']*'|\"[^\"]*\"", "", arguments)
    depth, position = 0, 0
    for letter in plain:
        depth += (letter in "[{") - (letter in "]}")
        position += letter == "," and depth == 0
    names = list(inspect.signature(function).parameters)
    return names[position] if position < len(names) else None


def _symbols(function: Callable[..., Any], arguments: str) -> list[str]:
    from bgresearch.core.symbols import MARKETS, known_market  # noqa: PLC0415 - pandas is not loaded for a market's name
    from bgresearch.market.listing_history import listed  # noqa: PLC0415
    from bgresearch.market.listings import symbols  # noqa: PLC0415

    source = getattr(getattr(function, "__self__", None), "_source", None)
    if source is None:
        return []
    found = _MARKET.search(arguments)
    usual = inspect.signature(function).parameters.get("market")
    market = known_market(found[1]) if found else usual.default if usual and usual.default in MARKETS else "spot"
    ask = partial(symbols, source.sender, market)
    return sorted(listed(source, "symbols", market, ask, max_age=_DAY_S).table.column("symbol").to_pylist())


def _intervals(_function: Callable[..., Any], _arguments: str) -> Iterable[str]:
    from bgresearch.core.intervals import INTERVALS  # noqa: PLC0415

    return INTERVALS


def _markets(_function: Callable[..., Any], _arguments: str) -> Iterable[str]:
    from bgresearch.core.symbols import MARKETS  # noqa: PLC0415

    return MARKETS


def _labels(_function: Callable[..., Any], arguments: str) -> Iterable[str]:
    if re.search(r"sandbox\s*=\s*True", arguments):
        from bgresearch.connect import sandbox_labels  # noqa: PLC0415

        return sandbox_labels()
    from bgresearch.agent.client import Agent  # noqa: PLC0415

    with Agent() as agent:
        return [key.label for key in agent.status().keys]


def _prices(_function: Callable[..., Any], _arguments: str) -> Iterable[str]:
    from bgresearch.market.candles.plan import Price  # noqa: PLC0415

    return get_args(Price)


_SOURCES: dict[str, Callable[[Callable[..., Any], str], Iterable[str]]] = {
    "symbol": _symbols, "symbols": _symbols, "interval": _intervals, "length": _intervals, "market": _markets,
    "key": _labels, "price": _prices, "anchor": lambda _function, _arguments: ("utc", "exchange"),
    "adjust": lambda _function, _arguments: ("none", "splits"),
    "period": lambda _function, _arguments: _PERIODS,
    "channel": lambda _function, _arguments: ("trades", "candles", "tickers", "order_book", "liquidations"),
}  # fmt: skip
