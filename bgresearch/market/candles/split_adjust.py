"""Candles of contracts on stocks, adjusted for splits when they are read; what is stored stays as it was traded.

Prices before a split are divided by its ratio, volumes multiplied, in exact decimals: each value is rounded once, from
its decimal digits to a float. A candle with trades before and after a split has no factor of its own, so it is made
again of shorter candles that open where trading went on.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from bgresearch.core.intervals import INTERVALS, MINUTE_MS, Grid
from bgresearch.core.spans import Span, iso
from bgresearch.errors import IncompleteData, InvalidInput
from bgresearch.market.candles.gap_fill import FLAG
from bgresearch.market.contract_events import SplitStep

_log = logging.getLogger(__name__)

Adjust = Literal["none", "splits"]
Shorter = Callable[[str, Span], pd.DataFrame]
"""Returns the candles of a shorter interval in a span, as they were traded."""

_PRICES = ("open", "high", "low", "close")
_SHORTER = ("4h", "1h", "30m", "15m", "5m", "3m", "1m")


def check_adjust(adjust: str, market: str) -> None:
    """Check the way to adjust.

    Raises
    ------
    InvalidInput
        There is no such way, the message lists them; or the market has no splits.
    """
    if adjust not in get_args(Adjust):
        raise InvalidInput.unknown("adjust", adjust, get_args(Adjust))
    if adjust == "splits" and market == "spot":
        hint = 'Use the contract on the stock: market="usdt-futures"; or adjust="none".'
        raise InvalidInput("adjust", "the exchange has split records of contracts alone, not of spot.", hint=hint)


def adjusted(frame: pd.DataFrame, steps: Sequence[SplitStep], grid: Grid, shorter: Shorter) -> pd.DataFrame:
    """Return candles in shares of today, with the splits in ``attrs``.

    Parameters
    ----------
    frame : DataFrame
        From the verb ``candles``, as they were traded.
    steps : sequence of SplitStep
        The splits of the contract that have taken effect, oldest first.
    grid : Grid
        Where the candles open.
    shorter : callable
        Fetches shorter candles, for those with trades before and after a split.
    """
    whole = frame.copy()
    opens = pd.DatetimeIndex(frame.index).as_unit("ms").asi8
    for name in (*_PRICES, "volume"):
        whole[name] = rescaled(frame[name].to_numpy(), opens, steps, times=name == "volume")
    again = []
    mixed = _mixed(frame, opens, steps, grid)
    for span in mixed:
        cuts = [cut for cut in map(_minute, steps) if span.start_ms < cut < span.end_ms]
        name = _shorter_than(grid.interval.nominal_ms, cuts)
        place = pd.Timestamp(span.start_ms, unit="ms", tz="UTC")
        whole.loc[place, [*_PRICES, "volume"]] = _made_of(shorter(name, span), steps, name, span)
        again.append({"open_time": iso(span.start_ms), "interval": name})
    words = {"adjust": "splits", "splits": _words(frame, opens, steps, mixed), "made_of_shorter": again}
    whole.attrs = {**frame.attrs, "bgresearch": {**frame.attrs["bgresearch"], **words}}
    return whole


def rescaled(
    values: np.ndarray[Any, Any], times_ms: np.ndarray[Any, Any], steps: Sequence[SplitStep], *, times: bool
) -> np.ndarray[Any, Any]:  # fmt: skip
    """Return values per share of today (or, with ``times``, counts of today's shares), each rounded once."""
    found = values.copy()
    for begin, end, ratio in _factors(steps):
        place = np.flatnonzero((times_ms >= begin) & (times_ms < end) & np.isfinite(values))
        exact = (Decimal(repr(value)) for value in values[place].tolist())
        found[place] = [float(one * ratio if times else one / ratio) for one in exact]
    return found


def _factors(steps: Sequence[SplitStep]) -> list[tuple[int, int, Decimal]]:
    """Return from when until when one share became how many of today's."""
    found: list[tuple[int, int, Decimal]] = []
    ratio = Decimal(1)
    ends = [_minute(step) for step in steps]
    for begin, end, step in zip([-(2**62), *ends][::-1][1:], ends[::-1], reversed(steps), strict=True):
        ratio *= step.ratio
        found.append((begin, end, ratio))
    return found


def _minute(step: SplitStep) -> int:
    """Return when the minute opens in which trading went on: nothing was traded earlier in it."""
    return step.time_ms - step.time_ms % MINUTE_MS


def _mixed(frame: pd.DataFrame, opens: np.ndarray[Any, Any], steps: Sequence[SplitStep], grid: Grid) -> list[Span]:
    """Return the candles that may have trades before and after a split."""
    found = {}
    for cut in map(_minute, steps):
        place = int(np.searchsorted(opens, cut, side="right")) - 1
        if place < 0 or (FLAG in frame and frame[FLAG].iat[place]):
            continue
        at = int(opens[place])
        if at < cut < (end := grid.interval.next_open(at, grid.anchor)):
            found[at] = Span(at, end)
    return list(found.values())


def _shorter_than(length_ms: int, cuts: Sequence[int]) -> str:
    """Return the longest interval below a length that opens at all of the cuts."""
    fits = (
        name for name in _SHORTER
        if (short := INTERVALS[name].nominal_ms) < length_ms and not any(cut % short for cut in cuts)
    )  # fmt: skip
    return next(fits, "1m")


def _made_of(parts: pd.DataFrame, steps: Sequence[SplitStep], name: str, span: Span) -> list[float]:
    """Return open, high, low, close and volume of one candle from shorter ones."""
    if parts.empty:
        raise IncompleteData(
            f"the candle of {span} spans a split, and there are no {name} candles to make it of.", missing=[span],
            hint='adjust="none" returns it as it was traded.',
        )  # fmt: skip
    opens = pd.DatetimeIndex(parts.index).as_unit("ms").asi8
    price = {one: rescaled(parts[one].to_numpy(), opens, steps, times=False) for one in _PRICES}
    volume = rescaled(parts["volume"].to_numpy(), opens, steps, times=True)
    return [
        price["open"][0], price["high"].max(), price["low"].min(), price["close"][-1],
        float(sum((Decimal(repr(one)) for one in volume.tolist()), Decimal(0))),
    ]  # fmt: skip


def _words(
    frame: pd.DataFrame, opens: np.ndarray[Any, Any], steps: Sequence[SplitStep], mixed: Sequence[Span]
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the splits after the first candle as plain values; those without a step in the prices are doubtful."""
    found: list[dict[str, Any]] = []
    for step in (step for step in steps if len(opens) and step.time_ms > opens[0]):
        between = not any(span.start_ms < _minute(step) < span.end_ms for span in mixed)
        doubt = {"no_step": True} if between and _is_without_step(frame, opens, step) else {}
        found.append({"time": iso(step.time_ms), "ratio": str(step.ratio), **doubt})
    return found


def _is_without_step(frame: pd.DataFrame, opens: np.ndarray[Any, Any], step: SplitStep) -> bool:
    """Return, and log, whether prices go on over a split as if the exchange had adjusted them itself."""
    after = int(np.searchsorted(opens, _minute(step)))
    if not 0 < after < len(opens):
        return False
    moved = float(frame["close"].to_numpy()[after - 1] / frame["open"].to_numpy()[after])
    if not (math.isfinite(moved) and moved > 0) or abs(math.log(moved)) >= abs(math.log(moved / float(step.ratio))):
        return False
    _log.warning(
        "%s: prices do not step at the split of %s, ratio %s: the exchange may have adjusted them itself, and then "
        "adjust='splits' has done so twice; look at the candles around it.",
        frame.attrs["bgresearch"]["symbol"], iso(step.time_ms), step.ratio,
    )  # fmt: skip
    return True
