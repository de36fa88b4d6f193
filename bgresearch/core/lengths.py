"""Lengths of time as people write them: ``30d``, ``1H``, ``60min``, ``1mo``. Pure.

``m`` is a minute and ``M`` a month, in every place: no other unit depends on upper and lower case.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

_FIXED = {
    1_000: ("s", "sec", "secs", "second", "seconds"),
    60_000: ("min", "mins", "minute", "minutes"),
    3_600_000: ("h", "hr", "hrs", "hour", "hours", "hourly"),
    86_400_000: ("d", "day", "days", "daily"),
    604_800_000: ("w", "wk", "wks", "week", "weeks", "weekly"),
}
_CALENDAR = {1: ("mo", "mos", "mon", "month", "months", "monthly"), 12: ("y", "yr", "yrs", "year", "years")}
_LENGTH = re.compile(r"(\d{0,6})\s*([A-Za-z]+)")


Duration = str | dt.timedelta


class Length(NamedTuple):
    """A length of time: milliseconds, or calendar months."""

    milliseconds: int
    months: int

    def before(self, moment_ms: int) -> int:
        """Return the instant that is this long before another; a day that the month lacks becomes its last day."""
        if not self.months:
            return moment_ms - self.milliseconds
        at = dt.datetime.fromtimestamp(moment_ms / 1000, tz=dt.UTC)
        year, month = divmod(at.year * 12 + at.month - 1 - self.months, 12)
        following = dt.date(year + month // 11, (month + 1) % 12 + 1, 1)
        last_day = (following - dt.timedelta(days=1)).day
        moved = at.replace(year=year, month=month + 1, day=min(at.day, last_day))
        return moment_ms - (at - moved) // dt.timedelta(milliseconds=1)


def length_of(value: object) -> Length | None:
    """Return the length that a text or a timedelta names, None if it names none.

    Examples
    --------
    >>> length_of("90min"), length_of("1 Hour"), length_of("1M")
    (Length(milliseconds=5400000, months=0), Length(milliseconds=3600000, months=0), Length(milliseconds=0, months=1))
    """
    if isinstance(value, dt.timedelta):
        milliseconds = value // dt.timedelta(milliseconds=1)
        return Length(milliseconds, 0) if milliseconds > 0 else None
    found = _LENGTH.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or (not found[1] and found[2] in "mM"):
        return None
    count, unit = int(found[1] or 1), found[2]
    if not count:
        return None
    if unit in "mM":
        return Length(count * 60_000, 0) if unit == "m" else Length(0, count)
    for milliseconds, names in _FIXED.items():
        if unit.lower() in names:
            return Length(count * milliseconds, 0)
    return next((Length(0, count * months) for months, names in _CALENDAR.items() if unit.lower() in names), None)
