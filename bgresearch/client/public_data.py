"""How the verbs of public data ask: with kept answers where they may be old, and near names where one is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd

from bgresearch.client.context import ClientContext
from bgresearch.core.spans import Span
from bgresearch.core.symbols import Named, known_market, wire_symbol
from bgresearch.core.timestamps import Moment, span_of
from bgresearch.core.verbs import Verbs
from bgresearch.errors import ExchangeError, InvalidInput, OfflineError, UnknownSymbol
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape
from bgresearch.session.cached_sender import CachedSender, checked_age
from bgresearch.session.differences import say_differences
from bgresearch.session.session import Session
from bgresearch.session.unknown_symbol import UNKNOWN_CODES, unknown_symbol, unlisted

_DEFAULT = "usdt-futures"
_T = TypeVar("_T")


class PublicData:
    """Public data of one exchange.

    Parameters
    ----------
    source : Session
        Exchange and store.
    """

    def __init__(self, source: Session) -> None:
        self._source = source

    def of_market(
        self, shape: Shape, ask: Callable[[Sender, str, str | None], list[Row]], symbol: str | None, market: str,
        max_age: float | None, *, default: str = "spot",
    ) -> pd.DataFrame:  # fmt: skip
        """Ask for one symbol, or for a whole market."""
        if symbol is None:
            return self.asked(shape, lambda sender: ask(sender, known_market(market), None), max_age, market=market)
        named = wire_symbol(symbol, market, default=default)
        return self.asked(shape, lambda sender: ask(sender, named.market, named.symbol), max_age, named=named)

    def asked(
        self, shape: Shape, ask: Callable[[Sender], list[Row]], max_age: float | None, *, named: Named | None = None,
        **words: Any,
    ) -> pd.DataFrame:  # fmt: skip
        """Ask, or take kept answers that are young enough."""
        answers = CachedSender(self._source, checked_age(max_age), again=f"client.{shape.verb}(...)")
        say_differences(self._source, shape.verb)
        rows = ask(answers) if named is None else self.named(named, lambda: ask(answers))
        if named is not None and not rows:
            self.must_be_listed(named, shape)
        words |= {} if named is None else named._asdict()
        return self._source.framed(shape, shape.table(rows), **words, **answers.words())

    def named(self, named: Named, ask: Callable[[], _T]) -> _T:
        """Ask; a symbol that the exchange refuses is named with near ones."""
        try:
            return ask()
        except ExchangeError as error:
            if error.code not in UNKNOWN_CODES and not isinstance(error, UnknownSymbol):
                raise
            raise unknown_symbol(self._source.sender, named, error) from None

    def must_be_listed(self, named: Named, shape: Shape) -> None:
        """Raise `UnknownSymbol` if an answer was empty because there is no such symbol."""
        error = None if self._source.offline else unlisted(self._source.sender, named, shape.sources[0])
        if error is not None:
            raise error

    def span(self, start: Moment | None, end: Moment | None) -> Span:
        now = self._source.clock.now_ms()
        asked = span_of(start, end, now)
        return Span(asked.start_ms, min(asked.end_ms, now))

    def online(self, why: str) -> None:
        if self._source.offline:
            raise OfflineError(f"{why}, and offline=True forbids requests.", hint="Connect without offline=True.")


class PublicVerbs(Verbs):
    """What the parts with verbs of public data are made of."""

    def __init__(self, context: ClientContext) -> None:
        self._source, self._progress = context.source, context.progress
        self._public = PublicData(context.source)


def contract(symbol: str, market: str) -> Named:
    """Return a contract; spot has none."""
    named = wire_symbol(symbol, market, default=_DEFAULT)
    if named.market == "spot":
        raise InvalidInput("market", f"{symbol!r} in spot has none.", hint="Use a futures market, BTC/USDT:USDT.")
    return named
