"""One request for candles, and its response checked. Decides nothing; counts the requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pyarrow as pa

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
    """Requests pages of candles; safe to share between threads.

    Parameters
    ----------
    sender : Sender
        Sends the requests.
    clock : Clock
        Candles that are not closed yet are not requested as neighbours.

    Attributes
    ----------
    requests : Counter
        Requests per endpoint; retries by the sender are not counted.
    seen : callable
        Called with every response, before it is checked.
    """

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self.requests: Counter[str] = Counter()
        self.seen: Callable[[pa.Table, Grid], None] = lambda _table, _grid: None
        self._sender, self._clock = plain(sender), clock  # absent candles are confirmed by rules of their own
        self._lock = threading.Lock()

    def ask(self, route: Route, span: Span, grid: Grid, neighbours: int = 1) -> Checked:
        """Return the checked response to one request.

        Parameters
        ----------
        route : Route
            The endpoint to ask.
        span : Span
            What is wanted.
        grid : Grid
            Where candles may open.
        neighbours : int
            Candles to request on both sides of it as well, as far as one request can hold them.

        Raises
        ------
        BgresearchError
            Whatever the sender and the decoding raise.
        """
        endpoint, spare = load()[route.endpoint], (route.rows + route.spare - grid.count(span)) // 2
        wide, rows = grid.asked(span, max(0, min(neighbours, spare)), self._clock.now_ms())
        with self._lock:
            self.requests[route.endpoint] += 1
        reply = self._sender.send(endpoint, route.params(wide, rows))
        table = candle_table(endpoint, rows_of(endpoint, reply.data))
        self.seen(table, grid)
        return check_page(table, span, grid, wide)
