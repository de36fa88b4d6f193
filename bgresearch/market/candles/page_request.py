"""One question to the exchange about candles, and its answer checked. Decides nothing; counts what it asked."""

from __future__ import annotations

import threading
from collections import Counter

from bgresearch.catalogue import load
from bgresearch.catalogue.response import rows_of
from bgresearch.core.clock import Clock
from bgresearch.core.grid import Grid
from bgresearch.core.spans import Span
from bgresearch.frames import candle_table
from bgresearch.http.confirming_sender import plain
from bgresearch.http.sender import Sender
from bgresearch.market.candles.plan import Route
from bgresearch.store.candle_checks import Checked, check_page

_NEWEST = 0.2  # how much the newest answer counts in the usual length of a trip


class PageRequester:
    """Asks for pages of candles; safe to share between threads.

    Parameters
    ----------
    sender : Sender
        Who talks to the exchange.
    clock : Clock
        Nothing that is not closed yet is asked for as a neighbour.

    Attributes
    ----------
    requests : Counter
        Questions per endpoint; attempts that the wire repeats on its own are not in it.
    trip_s : dict of str to float
        How long answers of an endpoint take, the newest counting most; without the waiting for a slot.
    """

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self.requests: Counter[str] = Counter()
        self.trip_s: dict[str, float] = {}
        self._sender, self._clock = plain(sender), clock  # an absent candle is believed by rules of its own
        self._lock = threading.Lock()

    def ask(self, route: Route, span: Span, grid: Grid, beside: int = 1) -> Checked:
        """Return the checked answer to one request.

        Parameters
        ----------
        route : Route
            Whom to ask.
        span : Span
            What is wanted.
        grid : Grid
            Where candles may open.
        beside : int
            Neighbours to ask for on both sides, as far as one request can hold them.

        Raises
        ------
        BgresearchError
            Whatever the wire and the decoding raise.
        """
        endpoint, room = load()[route.endpoint], (route.rows + route.spare - grid.count(span)) // 2
        wide, rows = grid.asked(span, max(0, min(beside, room)), self._clock.now_ms())
        with self._lock:
            self.requests[route.endpoint] += 1
        reply = self._sender.send(endpoint, route.params(wide, rows))
        took_s = (reply.received_ms - reply.asked_ms) / 1000
        with self._lock:
            known_s = self.trip_s.get(route.endpoint, took_s)
            self.trip_s[route.endpoint] = known_s + _NEWEST * (took_s - known_s)
        return check_page(candle_table(endpoint, rows_of(endpoint, reply.data)), span, grid, wide)
