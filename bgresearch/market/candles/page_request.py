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
    """

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self.requests: Counter[str] = Counter()
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
        return check_page(candle_table(endpoint, rows_of(endpoint, reply.data)), span, grid, wide)
