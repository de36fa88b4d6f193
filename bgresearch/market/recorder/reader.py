"""Recordings: their stored series, how the length between two instants is written, and reading them back.

Series: ``recorded/kind=open-interest/market=usdt-futures/symbol=BTCUSDT/every=5m``, a file a day.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bgresearch.core.intervals import DAY_MS, HOUR_MS, MINUTE_MS
from bgresearch.core.spans import Span, iso
from bgresearch.core.symbols import wire_symbol
from bgresearch.core.timestamps import Moment, length_of, span_of
from bgresearch.errors import IncompleteData, InvalidInput
from bgresearch.market.recorder.series import LIVE_BOOK_EVERY, Recordable, recordable
from bgresearch.session.session import Session
from bgresearch.store import Series
from bgresearch.store.layout import LIVE_BOOKS
from bgresearch.store.pending_pages import PendingPages

_UNITS = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


def recorded(
    source: Session,
    kind: str,
    symbol: str,
    start: Moment | None,
    end: Moment | None,
    *,
    market: str | None,
    every: str | None,
) -> pd.DataFrame:
    """Return what was recorded; the verb of the client, which documents it."""
    what = recordable(kind)
    place, (symbol,) = named(what, [symbol], market)
    now = source.clock.now_ms()
    asked = span_of(start, end, now)
    if kind == LIVE_BOOKS and not source.store.pin:
        PendingPages(source.store, series_of(what, place, symbol, LIVE_BOOK_EVERY)).recover()
    length = spelled(cadence_ms(every)) if every else _only_one(source, what, place, symbol=symbol, asked=asked)
    series, step = series_of(what, place, symbol, length), cadence_ms(length)
    first = -(-asked.start_ms // step) * step
    last = now + 1 if end is None else min(asked.end_ms, now + 1)  # an instant has no duration: now is complete
    span = Span(first, max(first, -(-last // step) * step))
    table = source.store.read(series, span)
    source.store.refuse_lost(series, span)  # an instant that has passed cannot be recorded again
    gaps = [*source.store.gaps(series, span)]
    missing = source.store.missing(series, span)
    causes = [(gap.span, str(gap.cause)) for gap in gaps] + [(hole, "not recorded") for hole in missing]
    words = [{"start": iso(hole.start_ms), "end": iso(hole.end_ms), "cause": cause} for hole, cause in sorted(causes)]
    schema = what.shape.schema
    return what.shape.frame(
        schema.empty_table() if table is None else table.cast(schema), kind=kind, market=place, symbol=symbol,
        every=length, asked=[iso(asked.start_ms), iso(asked.end_ms)], gaps=words,
        host=source.sender.host,
    )  # fmt: skip


def series_of(what: Recordable, market: str, symbol: str, every: str) -> Series:
    """Return the stored series of a recording."""
    keys = (("kind", what.name), ("market", market), ("symbol", symbol), ("every", every))
    return Series("recorded", keys, "time", unique=what.unique)


def length_ms(text: str, name: str) -> int:
    """Return ``30s``, ``5m``, ``1h`` or ``1d`` in milliseconds.

    Raises
    ------
    InvalidInput
        If it is no such length.
    """
    length = length_of(text)
    if length is None or length.months:
        raise InvalidInput(name, f"{text!r} is no length.", hint="Write 30s, 5m, 1h or 1d.")
    return length.milliseconds


def cadence_ms(text: str) -> int:
    """Return the milliseconds between two instants: a length of which a day holds a whole number.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    every_ms = length_ms(text, "every")
    if DAY_MS % every_ms:
        raise InvalidInput(
            "every", f"a day is no whole number of {text}.", hint="Use one that divides a day, like 30s, 5m, 1h or 1d."
        )
    return every_ms


def spelled(milliseconds: int) -> str:
    """Return a length as it is written: the largest unit that leaves no rest."""
    unit = next(unit for unit in ("d", "h", "m", "s") if milliseconds % _UNITS[unit] == 0)
    return f"{milliseconds // _UNITS[unit]}{unit}"


def named(what: Recordable, symbols: Sequence[str], market: str | None) -> tuple[str, list[str]]:
    """Return the market and the symbols, each once, in the exchange's spelling; ccxt's names the market as well.

    Raises
    ------
    InvalidInput
        If one is no symbol, or they are of more than one market.
    """
    place = what.market(market)
    found = [wire_symbol(one, place, default=place if market is None else "") for one in symbols or [""]]
    if len({one.market for one in found}) > 1:
        raise InvalidInput("symbol", "they are of more than one market.", hint="Record one market at a time.")
    return what.market(found[0].market), list(dict.fromkeys(one.symbol for one in found))


def _only_one(source: Session, what: Recordable, market: str, *, symbol: str, asked: Span) -> str:
    """Return the one length between two instants at which a series was recorded."""
    folder = series_of(what, market, symbol, "1d").folder.parent
    kept = source.store.values(folder.as_posix(), "every")
    if not kept:
        raise IncompleteData(
            f"no {what.name} of {symbol} ({market}) was recorded, and the exchange has only the present value.",
            missing=[asked], hint=f"Run: bgresearch record {what.name} {symbol} --market {market} "
            + ("--live" if what.name == LIVE_BOOKS else "--every 5m"),
        )  # fmt: skip
    if len(kept) > 1:
        raise InvalidInput(
            "every", f"{what.name} of {symbol} was recorded more than one way.", hint=f"Use one of {', '.join(kept)}."
        )
    return kept[0]
