"""How far back each route really serves rows: learned from its responses, stored, and preferred to the documentation.

Documented look-backs were seen to be wrong for some intervals. A route that returned rows of some age goes back at
least that far; one that was blank three times where others had rows does not.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import NamedTuple

from bgresearch.catalogue.assumptions import CANDLE_ROUTES, LONGEST_SPAN_DAYS
from bgresearch.core.intervals import DAY_MS
from bgresearch.session.differences import Differences, differences
from bgresearch.session.session import Session

_MISSES = 3  # single answers were seen empty by mistake
_FORGET_MS = 30 * DAY_MS  # the exchange may have widened a look-back since

FILE = "reaches.json"


class Learned(NamedTuple):
    """What responses showed about one route and interval.

    Attributes
    ----------
    good_ms : int
        Age of the oldest row received.
    bad_ms : int or None
        Age of the youngest rows that other routes had and this one lacked.
    misses : int
        How often that was observed.
    noticed_ms : int
        Epoch milliseconds of the last miss.
    """

    good_ms: int = 0
    bad_ms: int | None = None
    misses: int = 0
    noticed_ms: int = 0


class Lookbacks:
    """The learned look-backs of every route; safe to share between threads.

    Parameters
    ----------
    known : mapping of str to Learned
        What earlier downloads stored, by ``endpoint interval``.
    seen : Differences, optional
        Where the exchange was found to differ from what is assumed of it.
    """

    def __init__(self, known: Mapping[str, Learned] | None = None, seen: Differences | None = None) -> None:
        self._known = dict(known or {})
        self._seen = seen or Differences({}, 0)
        self._news: set[str] = set()
        self._lock = threading.Lock()

    def lookback_ms(self, endpoint: str, interval: str, documented_ms: int) -> int:
        """Return the look-back to plan with, given the documented one."""
        known = self._known.get(f"{endpoint} {interval}", Learned())
        if _is_limited(known):
            return min(max(documented_ms, known.good_ms), known.bad_ms or 0)
        return max(documented_ms, known.good_ms)

    def page_rows(self, endpoint: str, documented: int) -> int:
        """Return how many candles a page of a route holds."""
        return min(documented, self._seen.value(CANDLE_ROUTES.name, endpoint) or documented)

    def longest_ms(self, endpoint: str) -> int:
        """Return how long a time one request of a route may be about."""
        days = LONGEST_SPAN_DAYS.value
        return min(days, self._seen.value(LONGEST_SPAN_DAYS.name, endpoint) or days) * DAY_MS

    def has_answered(self, endpoint: str, interval: str, age_ms: int) -> bool:
        """Return whether a route has returned rows of that age or older."""
        return self._known.get(f"{endpoint} {interval}", Learned()).good_ms >= age_ms

    def may_extend(self, endpoint: str, interval: str, now_ms: int) -> bool:
        """Return whether a route may be tried further back than it has served so far."""
        known = self._known.get(f"{endpoint} {interval}", Learned())
        return known.bad_ms is None or now_ms - known.noticed_ms > _FORGET_MS

    def saw(self, endpoint: str, interval: str, age_ms: int) -> None:
        """Record that rows of that age were received."""
        with self._lock:
            known = self._known.get(f"{endpoint} {interval}", Learned())
            if age_ms > known.good_ms:
                contradicted = known.bad_ms is not None and age_ms >= known.bad_ms
                news = Learned(age_ms) if contradicted else known._replace(good_ms=age_ms)
                self._learn(f"{endpoint} {interval}", news)

    def missed(self, endpoint: str, interval: str, age_ms: int, now_ms: int) -> None:
        """Record that a response was blank where other routes had rows of that age."""
        with self._lock:
            known = self._known.get(f"{endpoint} {interval}", Learned())
            if age_ms > known.good_ms:
                bad_ms = min(age_ms, known.bad_ms or age_ms)
                self._learn(f"{endpoint} {interval}", Learned(known.good_ms, bad_ms, known.misses + 1, now_ms))

    def measured(self, endpoint: str, interval: str, age_ms: int, now_ms: int) -> None:
        """Take in that a route was measured to answer less far back than that."""
        for _ in range(_MISSES):
            self.missed(endpoint, interval, age_ms, now_ms)

    def news(self) -> dict[str, Learned]:
        """Return what was learned since the last call, to be stored."""
        with self._lock:
            found = {name: self._known[name] for name in self._news}
            self._news.clear()
            return found

    def _learn(self, name: str, learned: Learned) -> None:
        self._known[name] = learned
        self._news.add(name)


def _is_limited(known: Learned) -> bool:
    return known.bad_ms is not None and known.misses >= _MISSES


def to_json(known: Mapping[str, Learned]) -> dict[str, list[int | None]]:
    """Return learned look-backs as plain values."""
    return {name: list(learned) for name, learned in sorted(known.items())}


def from_json(value: object) -> dict[str, Learned]:
    """Return learned look-backs from plain values; none if these are malformed, as all can be learned again."""
    try:
        found = {str(name): Learned(*values) for name, values in dict(value).items()}  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return {}
    whole = all(type(one) is int or one is None for learned in found.values() for one in learned)
    return (
        found if whole and all(None not in (one.good_ms, one.misses, one.noticed_ms) for one in found.values()) else {}
    )


def lookbacks_of(source: Session) -> Lookbacks:
    """Return the look-backs that earlier downloads into this folder learned."""
    return Lookbacks(_read(source.store.read_file(FILE)), differences(source))


def remember_lookbacks(source: Session, lookbacks: Lookbacks) -> None:
    """Store the look-backs that were learned."""
    news = lookbacks.news()
    if not any(learned.bad_ms is not None or learned.good_ms > DAY_MS for learned in news.values()):
        return

    def with_news(text: bytes | None) -> bytes:
        return json.dumps(to_json(_read(text) | news)).encode()

    source.store.edit_private(FILE, with_news)


def _read(text: bytes | None) -> dict[str, Learned]:
    try:
        return from_json(json.loads(text or b"{}"))
    except (ValueError, RecursionError):
        return {}
