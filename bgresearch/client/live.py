"""The client's verbs of live data: stream it, record it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgresearch.core.progress import Wish
from bgresearch.core.symbols import chosen, wire_symbol
from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.live.channels import Subscription, chosen_channel
from bgresearch.live.hosts import LiveAccess
from bgresearch.live.live_recorder import LiveRecorder, Say
from bgresearch.live.stream import Stream
from bgresearch.schemas import Shape, fields
from bgresearch.session.differences import say_differences
from bgresearch.session.session import Session

if TYPE_CHECKING:
    import pandas as pd

_RECORDED = Shape(
    "record",
    fields("""
        symbol text as the exchange spells it
        rows count trades, candles, or images of the order book that were written
        start time of what was written
        end time first instant after it
        gaps count spans that could not be had
    """),
    (),
)


class LiveVerbs:
    """Live data over WebSocket."""

    _source: Session
    _progress: Wish
    _live: LiveAccess | None

    def stream(
        self, channel: str, symbols: str | Sequence[str], *, market: str = "spot", interval: str | None = None,
        depth: int | None = None,
    ) -> Stream:  # fmt: skip
        """Return live data: a context manager and an iterator of DataFrames that ends with ``.stop()``.

        Parameters
        ----------
        channel : str
            ``trades``, ``candles``, ``tickers``, ``order_book``; of futures also ``liquidations``.
        symbols : str or sequence of str
            As for `candles`.
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.
        interval : str, optional
            Of candles: ``1m`` and so on.
        depth : int, optional
            Of order books: 1, 5, 15 or 50 levels as whole images; without it the incremental channel, whose updates are
            applied to a snapshot.

        Returns
        -------
        Stream
            Its frames have the columns and dtypes of the verb of the same name, then ``symbol`` and ``received_at``
            (UTC). Candles are given once they are closed. A frame of an order book is one image, the newest when it is
            asked for. ``.status``, ``.gaps`` (symbol, start, end, cause, repaired), ``.frame()`` (what came recently),
            ``.book(symbol)`` and ``.chart()`` may be asked for at any time.

        Raises
        ------
        InvalidInput
            An argument that means nothing.
        OfflineError, NetworkError, UnknownSymbol
            From the stream once it begins: connected with ``offline=True``, the exchange cannot be reached, it does
            not know the symbol.

        Notes
        -----
        A lost connection is opened again. Trades that were missed are fetched over REST, and so are candles; what
        cannot be had is in ``.gaps``. Needs the extra ``live``. Disk: nothing is kept; `record` keeps.
        Budget: a request per gap.

        Examples
        --------
        >>> import bgresearch as bg
        >>> client = bg.connect(sandbox=True)
        >>> with client.stream("trades", "BTCUSDT") as stream:                        # doctest: +SKIP
        ...     frame = next(stream)  # or: for frame in stream
        ...     print(frame.price.iloc[-1], stream.status.latency_ms)
        """
        return self._stream(self._wanted(channel, symbols, market=market, interval=interval, depth=depth))

    def record(
        self, channel: str, symbols: str | Sequence[str], *, market: str = "spot", interval: str | None = None,
        seconds: float | None = None, say: Say | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Record live data into the store until the time is over or it is interrupted, and return what was written.

        Parameters
        ----------
        channel : str
            ``trades``, ``candles`` or ``order_book``.
        symbols, market, interval
            As of `stream`.
        seconds : float, optional
            How long; without it until an exception, like Ctrl-C, ends it.
        say : callable, optional
            Called every few seconds with the recorder: its ``.stream.status`` and ``.results``.

        Returns
        -------
        DataFrame
            A row per symbol: symbol, rows (Int64), start, end (UTC), gaps (Int64). `trades`, `candles` and
            ``recorded("order_book", ...)`` read what was written.

        Raises
        ------
        InvalidInput
            An argument that means nothing.
        OfflineError, NetworkError, UnknownSymbol
            As of `stream`.
        StoreError
            The data folder cannot be written.

        Notes
        -----
        What is claimed to be complete was confirmed over REST: trades by their ids, candles whole. Order books have no
        history: an image of 50 levels a second, and a second without one is a gap with its cause. A kill costs at most
        the last seconds, which are missing then, and are fetched by the next call that needs them.
        Disk: as of `trades`, `candles` and `recorded`. Budget: of trades a request per symbol and second (four
        a second in all), of candles one per closed candle. Needs the extra ``live``.

        Examples
        --------
        >>> import bgresearch as bg
        >>> client = bg.connect(sandbox=True)
        >>> client.record("trades", ["BTCUSDT", "ETHUSDT"], seconds=2)                # doctest: +SKIP
        """
        if seconds is not None and (isinstance(seconds, bool) or not seconds > 0):
            raise InvalidInput("seconds", f"{seconds!r} is not above 0.", hint="Leave it out to record until Ctrl-C.")
        recorder = self.recorder_of(channel, symbols, market=market, interval=interval)
        recorder.run(seconds, say=say or (lambda _recorder: None))
        rows = [
            {"symbol": one.symbol, "rows": one.rows, "start": one.start_ms, "end": one.end_ms, "gaps": one.gaps}
            for one in recorder.results
        ]
        about = {"channel": channel, "market": recorder.market, "host": self._source.sender.host}
        return _RECORDED.frame(_RECORDED.table(rows), **about)

    def recorder_of(
        self, channel: str, symbols: str | Sequence[str], *, market: str = "spot", interval: str | None = None
    ) -> LiveRecorder:  # fmt: skip
        """Return what `record` runs: ``.run(seconds)`` records, ``.stream.stop()`` ends it from another thread.

        Parameters
        ----------
        channel, symbols, market, interval
            As of `record`.

        Raises
        ------
        InvalidInput
            An argument that means nothing.

        Notes
        -----
        Disk, budget: as of `record`, once it runs.

        Examples
        --------
        >>> client.recorder_of("trades", "BTCUSDT").run(2)                            # doctest: +SKIP
        """
        wanted = self._wanted(channel, symbols, market=market, interval=interval, depth=None)
        return LiveRecorder(self._source, self._stream(wanted), wanted)

    def _stream(self, wanted: list[Subscription]) -> Stream:
        if self._live is None:
            raise ConfigurationError(
                "this client has no way to the exchange's streams.", hint="Connect without pin= and store=."
            )  # fmt: skip
        say_differences(self._source, "stream")
        return Stream(self._source, self._live, wanted)

    def _wanted(
        self, channel: str, symbols: str | Sequence[str], *, market: str, interval: str | None, depth: int | None
    ) -> list[Subscription]:  # fmt: skip
        names = dict.fromkeys(wire_symbol(one, market) for one in chosen(symbols))
        if not names:
            raise InvalidInput("symbols", "is missing.", hint="Name at least one.")
        if len({one.market for one in names}) > 1:
            raise InvalidInput("symbols", "they are of more than one market.", hint="Stream one market at a time.")
        row = chosen_channel(channel, next(iter(names)).market, interval=interval, depth=depth)
        return [Subscription(row, named, interval or "") for named in names]
