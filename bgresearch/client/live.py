"""The client's verbs of live data: stream it, record it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgresearch.client.context import ClientContext
from bgresearch.core.symbols import Named, chosen, wire_symbol
from bgresearch.core.timestamps import Duration, Moment, span_of
from bgresearch.core.verbs import Verbs
from bgresearch.errors import ConfigurationError, InvalidInput, OfflineError
from bgresearch.live.channels import Subscription, chosen_channel
from bgresearch.live.hosts import Version
from bgresearch.live.live_recorder import LiveRecorder, Say
from bgresearch.live.replay import raw_replay, stored_replay
from bgresearch.live.stream import Stream
from bgresearch.schemas import Shape, fields
from bgresearch.session.differences import say_differences

if TYPE_CHECKING:
    import pandas as pd

_RECORDED = Shape(
    "record",
    fields("""
        symbol text as the exchange spells it
        channel category what was recorded
        rows count trades, candles, or images of the order book that were written
        start time of what was written
        end time first instant after it
        gaps count spans that could not be had
    """),
    (),
)


class LiveVerbs(Verbs):
    """Live data over WebSocket."""

    def __init__(self, context: ClientContext) -> None:
        self._source, self._live = context.source, context.live
        self._whose, self._streams = context.identity, context.streams

    def stream(
        self, channel: str, symbols: str | Sequence[str] | None = None, *, market: str = "spot",
        interval: str | None = None, depth: int | None = None,
    ) -> Stream:  # fmt: skip
        """Return live data: a context manager and an iterator of DataFrames that ends with ``.stop()``.

        Parameters
        ----------
        channel : str
            ``trades``, ``candles``, ``tickers``, ``order_book``; of futures also ``liquidations``. With a key also
            ``fills``, ``orders``, ``positions`` and ``account`` (the columns of ``account.assets``).
        symbols : str or sequence of str
            As for `candles`; of a private channel optional, and only these are given.
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``; a unified account is the same everywhere.
        interval : str, optional
            Of candles: ``1m`` and so on.
        depth : int, optional
            Of order books: 1, 5, 15 or 50 levels as whole images; without it the incremental channel, whose updates are
            applied to a snapshot.

        Returns
        -------
        Stream
            Its frames have the columns and dtypes of the verb of the same name, then ``symbol`` and ``received_at``
            (UTC). Candles are returned once they are closed. A frame of an order book is one snapshot, the newest at
            that moment. ``.status``, ``.gaps`` (symbol, start, end, cause, repaired), ``.frame()`` (recent rows),
            ``.book(symbol)`` and ``.chart()`` may be called at any time.

        Raises
        ------
        InvalidInput
            An argument that means nothing.
        OfflineError, NetworkError, UnknownSymbol
            From the stream once it begins: connected with ``offline=True``, the exchange cannot be reached, it does
            not list the symbol.

        Notes
        -----
        A lost connection is opened again. Trades and candles that were missed are fetched over REST, and private
        channels are reconciled with the account's lists; what cannot be fetched is in ``.gaps``. The login of a private
        channel is signed by the agent, or in this process with ``vault=``. Needs the extra ``live``. Disk: nothing is
        stored; `record` stores. Budget: a few requests per gap.

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
        self, channel: str | Sequence[str], symbols: str | Sequence[str], *, market: str = "spot",
        interval: str | None = None, seconds: float | None = None, raw: bool = False, say: Say | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Record live data into the store until the time is over or it is interrupted, and return what was written.

        Parameters
        ----------
        channel : str or sequence of str
            ``trades``, ``candles`` or ``order_book``; several are recorded at once.
        symbols, market, interval
            As of `stream`; the interval is that of the candles.
        seconds : float, optional
            How long; without it until an exception, like Ctrl-C, ends it.
        raw : bool
            Whether to store every frame as it arrives too, compressed, for `replay`.
        say : callable, optional
            Called every few seconds with the recorder: its ``.streams`` with their ``.status``, and its ``.results``.

        Returns
        -------
        DataFrame
            A row per channel and symbol: symbol, channel, rows (Int64), start, end (UTC), gaps (Int64). `trades`,
            `candles` and ``recorded("order_book", ...)`` read what was written.

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
        history: an image of 50 levels a second, and a second without one is a gap with its cause. A kill costs less
        than the last five seconds, which are missing then, and are fetched by the next call that needs them.
        Disk: as of `trades`, `candles` and `recorded`; raw frames under ``raw/<channel>/<market>``, a file an hour.
        Budget: of trades a request per symbol and second (of more than four symbols every two seconds), of candles one
        per closed candle. Needs the extra ``live``.

        Examples
        --------
        >>> import bgresearch as bg
        >>> client = bg.connect(sandbox=True)
        >>> client.record("trades", ["BTCUSDT", "ETHUSDT"], seconds=2)                # doctest: +SKIP
        """
        if seconds is not None and (isinstance(seconds, bool) or not seconds > 0):
            raise InvalidInput("seconds", f"{seconds!r} is not above 0.", hint="Leave it out to record until Ctrl-C.")
        recorder = self.recorder_of(channel, symbols, market=market, interval=interval, raw=raw)
        recorder.run(seconds, say=say or (lambda _recorder: None))
        rows = [
            {"symbol": one.symbol, "channel": one.channel, "rows": one.rows, "start": one.start_ms,
             "end": one.end_ms, "gaps": one.gaps}
            for one in recorder.results
        ]  # fmt: skip
        about = {"channel": channel, "market": recorder.market, "host": self._source.sender.host}
        return _RECORDED.frame(_RECORDED.table(rows), **about)

    def recorder_of(
        self, channel: str | Sequence[str], symbols: str | Sequence[str], *, market: str = "spot",
        interval: str | None = None, raw: bool = False,
    ) -> LiveRecorder:  # fmt: skip
        """Return what `record` runs: ``.run(seconds)`` records, ``.stop()`` ends it from another thread.

        Parameters
        ----------
        channel, symbols, market, interval, raw
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
        names = tuple(dict.fromkeys([channel] if isinstance(channel, str) else channel))
        if not names:
            raise InvalidInput("channel", "is missing.", hint="Name at least one.")
        if interval is not None and len(names) > 1 and "candles" not in names:
            raise InvalidInput("interval", f"{interval!r} is given, and there are no candles.", hint="Leave it out.")
        streams = []
        for name in names:
            of_candles = interval if len(names) == 1 or name == "candles" else None
            wanted = self._wanted(name, symbols, market=market, interval=of_candles, depth=None)
            if wanted[0].channel.private:
                hint = "client.account.archive() stores an account's records."
                raise InvalidInput("channel", f"{name} cannot be recorded.", hint=hint)
            streams.append(self._stream(wanted))
        return LiveRecorder(self._source, streams, raw=raw)

    def replay(
        self, channel: str, symbols: str | Sequence[str], start: Moment | None = None, end: Moment | None = None, *,
        market: str = "spot", interval: str | None = None, raw: bool = False, last: Duration | None = None,
    ) -> Stream:  # fmt: skip
        """Return what `record` stored, as the iterator of DataFrames that `stream` returns; nothing is connected.

        Parameters
        ----------
        channel, symbols, market, interval
            As of `record`.
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now.
        raw : bool
            Whether to decode the raw frames again, with the order books update by update; without it the stored rows
            are given.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.

        Returns
        -------
        Stream
            The frames in the order of arrival, as fast as they are read, and always the same. ``received_at`` is the
            time of arrival; of stored rows the time of the trade, the end of the candle, or when the image was taken.

        Raises
        ------
        IncompleteData
            Nothing of it is recorded.
        InvalidInput
            An argument that means nothing.

        Notes
        -----
        Raw frames are read from the beginning of their recording, so that order books are complete at the start.
        Disk: nothing is stored. Budget: no request.

        Examples
        --------
        >>> import bgresearch as bg, pandas as pd
        >>> client = bg.connect(sandbox=True)
        >>> found = client.record("trades", "BTCUSDT", seconds=2, raw=True)           # doctest: +SKIP
        >>> for frame in client.replay("trades", "BTCUSDT", client.now - pd.Timedelta(hours=1), raw=True):
        ...     last = frame.price.iloc[-1]
        """
        wanted = self._wanted(channel, symbols, market=market, interval=interval, depth=None)
        span = span_of(start, end, self._source.clock.now_ms())
        if wanted[0].channel.name not in ("trades", "candles", "order_book"):
            raise InvalidInput("channel", f"{channel} is not recorded.", hint="Use trades, candles or order_book.")
        if raw:
            return raw_replay(self._source, self._source.store.data_dir, wanted, span)
        return stored_replay(self._source, wanted, span)

    def _stream(self, wanted: list[Subscription]) -> Stream:
        if self._live is None:
            raise ConfigurationError(
                "this client has no way to the exchange's streams.", hint="Connect without pin= and store=."
            )  # fmt: skip
        say_differences(self._source, "stream")
        stream = Stream(self._source, self._live, wanted)
        self._streams.add(stream)
        return stream

    def _wanted(
        self, channel: str, symbols: str | Sequence[str] | None, *, market: str, interval: str | None,
        depth: int | None,
    ) -> list[Subscription]:  # fmt: skip
        names = list(dict.fromkeys(wire_symbol(one, market) for one in chosen(symbols)))
        if len({one.market for one in names}) > 1:
            raise InvalidInput("symbols", "they are of more than one market.", hint="Stream one market at a time.")
        market = names[0].market if names else market
        row = chosen_channel(channel, market, interval=interval, depth=depth)
        if row.private:
            return [self._private(channel, market, names)]
        if not names:
            raise InvalidInput("symbols", "is missing.", hint="Name at least one.")
        return [Subscription(row, named, interval or "") for named in names]

    def _private(self, channel: str, market: str, names: Sequence[Named]) -> Subscription:
        """Return the subscription of a private channel, of the version that this account has."""
        if channel == "account" and names:
            raise InvalidInput("symbols", "are given, and an account has coins.", hint="Leave them out.")
        if self._live is None or self._live.private is None:
            raise ConfigurationError("a private channel needs a key.", hint="Connect with key=.")
        if self._source.offline:
            raise OfflineError("a stream needs the exchange.", hint="Connect without offline=True.")
        version: Version = "v2" if self._whose.identity().mode == "classic" else "v3"
        row = chosen_channel(channel, market, version=version)
        return Subscription(row, Named("", market), only=frozenset(named.symbol for named in names))
