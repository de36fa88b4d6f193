"""Whether settlements of funding are missing from a list of them. Pure.

A contract is settled every 8, 4, 2 or 1 hours; the exchange changes that rarely, and names no past interval. So what
is usual at a time is taken from the settlements before and after it: a change of the interval has shorter pauses on one
side and longer ones on the other, a missing settlement has a longer pause than both.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bgresearch.core.intervals import HOUR_MS
from bgresearch.core.spans import Span

_AROUND = 3  # pauses on each side that show what is usual
_LONGEST_MS = 8 * HOUR_MS  # no contract is settled less often
_LONGER = 1.5  # a missing settlement makes it twice as long; times may be off by seconds


def holes(times: Sequence[int]) -> tuple[Span, ...]:
    """Return the spans, after one settlement and before the next, in which at least one is missing.

    Parameters
    ----------
    times : sequence of int
        Epoch milliseconds of settlements, oldest first.

    Examples
    --------
    >>> holes([hour * 3_600_000 for hour in (0, 8, 16, 32, 40)])
    (Span(start_ms=57600001, end_ms=115200000),)
    """
    pauses = [later - earlier for earlier, later in pairwise(times)]
    return tuple(
        Span(times[place] + 1, times[place + 1])
        for place, pause in enumerate(pauses)
        if pause >= _LONGER * _usual(pauses[max(0, place - _AROUND) : place], pauses[place + 1 : place + 1 + _AROUND])
    )


def next_due(times: Sequence[int]) -> int | None:
    """Return when the settlement after the last one is due, None where too few show it."""
    last = [later - earlier for earlier, later in pairwise(times[-_AROUND - 1 :])]
    return times[-1] + min(_LONGEST_MS, *last) if last else None


def _usual(before: Sequence[int], after: Sequence[int]) -> int:
    """Return the pause to expect between pauses before and after it; at an end of the list one side shows nothing."""
    return min(_LONGEST_MS, max(min(before), min(after))) if before and after else _LONGEST_MS
