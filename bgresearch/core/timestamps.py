"""Times as people write them: instants, and lengths of time like ``30d``, ``1H``, ``60min``, ``1mo``. Pure.

Naive instants mean UTC. In a length, ``m`` is a minute and ``M`` a month, in every place: no other unit depends on
upper and lower case.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from typing import NamedTuple, SupportsIndex

from bgresearch.core.spans import Span, iso
from bgresearch.errors import InvalidInput

Duration = str | dt.timedelta
Moment = str | dt.date | SupportsIndex  # a datetime is a date, a pandas Timestamp is a datetime

_SHORT = re.compile(r"(\d{4})(?:-(\d{1,2}))?")
_EPOCH_MS = re.compile(r"\d{12,14}")
_SECONDS = 10**11  # as milliseconds this is March 1973; smaller numbers are meant as seconds
_HINT = (
    'Write 2024-01-31, 2024-01-31T12:00, "30d" or "1mo" (that long ago), "ytd", a datetime, a Timestamp or epoch '
    "milliseconds."
)
_YEAR_TO_DATE = "ytd"
_FIXED = {
    1_000: ("s", "sec", "secs", "second", "seconds"),
    60_000: ("min", "mins", "minute", "minutes"),
    3_600_000: ("h", "hr", "hrs", "hour", "hours", "hourly"),
    86_400_000: ("d", "day", "days", "daily"),
    604_800_000: ("w", "wk", "wks", "week", "weeks", "weekly"),
}
_CALENDAR = {1: ("mo", "mos", "mon", "month", "months", "monthly"), 12: ("y", "yr", "yrs", "year", "years")}
_LENGTH = re.compile(r"(\d{0,6})\s*([A-Za-z]+)")


def span_of(start: Moment | None, end: Moment | None, now_ms: int) -> Span:
    """Return the requested half-open span; without an end it ends now, and lengths like "30d" count back from now.

    Raises
    ------
    InvalidInput
        If a time cannot be parsed, naive and aware times are mixed, the end is not after the start, or the span is
        entirely in the future; there is no start.
    """
    if start is None:
        raise InvalidInput("start", "is missing.", hint='Give one, like "2024-01-31", or last="30d".')
    start_ms, start_aware = moment_ms(start, "start", now_ms)
    end_ms, end_aware = (now_ms, None) if end is None else moment_ms(end, "end", now_ms)
    if None not in (start_aware, end_aware) and start_aware != end_aware:
        raise InvalidInput(
            "start, end", f"one has a time zone and the other has none ({start!r}, {end!r}).",
            hint="Give both a time zone, or neither; times without one mean UTC.",
        )  # fmt: skip
    if start_ms > now_ms:
        raise InvalidInput("start", f"{iso(start_ms)} is in the future; it is now {iso(now_ms)}.")
    if end_ms < start_ms:
        raise InvalidInput("end", f"{iso(end_ms)} is before the start {iso(start_ms)}.")
    if end_ms == start_ms:
        raise InvalidInput("end", f"equals the start {iso(start_ms)}.", hint="The end is excluded: give a later one.")
    return Span(start_ms, end_ms)


def moment_ms(value: Moment, field: str, now_ms: int | None = None) -> tuple[int, bool | None]:
    """Return epoch milliseconds, and whether a time zone was given (None for what needs none).

    Parameters
    ----------
    value : str, date, datetime, Timestamp or int
        The point in time.
    field : str
        The name of the argument.
    now_ms : int, optional
        What ``30d``, ``1mo`` and ``ytd`` count from; without it they are refused.
    """
    if isinstance(value, str):
        if now_ms is not None and (relative := _before(value, now_ms)) is not None:
            return relative, None
        return _from_text(value.strip(), field)
    if isinstance(value, dt.datetime):
        if value != value:  # noqa: PLR0124 - pandas' NaT is a datetime and unequal to itself
            raise InvalidInput(field, "is not a time (NaT).", hint=_HINT)
        aware = value.tzinfo is not None
        moment = value if aware else value.replace(tzinfo=dt.UTC)
        since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        return int(since // dt.timedelta(milliseconds=1)), aware
    if isinstance(value, dt.date):
        return _from_text(value.isoformat(), field)
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InvalidInput(field, f"{value!r} is not a time.", hint=_HINT) from None
    if abs(number) < _SECONDS and number != 0:
        raise InvalidInput(field, f"{number} looks like seconds.", hint="Numbers are epoch milliseconds.")
    if abs(number) > 253_402_300_799_999:  # the end of year 9999
        raise InvalidInput(field, f"{number} is after the year 9999.", hint="Numbers are epoch milliseconds.")
    return number, None


def _before(text: str, now_ms: int) -> int | None:
    """Return the instant that a text names relative to now, None if it does not."""
    if text.strip().lower() == _YEAR_TO_DATE:
        year = dt.datetime.fromtimestamp(now_ms / 1000, tz=dt.UTC).year
        return int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp()) * 1000
    if text.strip().lower() == "now":
        return now_ms
    length = length_of(text)
    return None if length is None else length.before(now_ms)


def _from_text(text: str, field: str) -> tuple[int, bool | None]:
    if _EPOCH_MS.fullmatch(text):
        return moment_ms(int(text), field)
    try:
        if short := _SHORT.fullmatch(text):
            return moment_ms(dt.datetime(int(short[1]), int(short[2] or 1), 1, tzinfo=dt.UTC), field)[0], False
        return moment_ms(dt.datetime.fromisoformat(text), field)
    except ValueError:
        raise InvalidInput(field, f"{text!r} is not a time.", hint=_HINT) from None


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
