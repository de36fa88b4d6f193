"""A stream recorded into the store, so that the verbs of history read it.

Every few seconds a small file is written, which the store merges later; after a kill the next reader merges it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO

from bgresearch.core.progress import checked_callback
from bgresearch.errors import BgresearchError, IncompleteData, InvalidInput, StoreError
from bgresearch.live.series_writers import WRITERS, SeriesWriter
from bgresearch.live.stream import Stream
from bgresearch.schemas import Row
from bgresearch.session.session import Session

COMMIT_S = 1.0  # real seconds between two commits
_PER_SYMBOL_S = 0.25  # or so much for each symbol, if that is more: trades of one cost a request
_LONGEST_COMMIT_S = 2.0  # but not longer: with the two seconds until trades are final, a kill costs less than five
_FLUSH_S, _FLUSH_SHARE = 30.0, 10.0  # pages are merged into the store so often, and for at most a tenth of the time
_TAKE_S = 0.1
_RECENT_ROWS = 1_000  # of each stream, for a chart of what is recorded: the rest is in the store

_log = logging.getLogger(__name__)


class Recorded(NamedTuple):
    """What was recorded of one symbol.

    Attributes
    ----------
    channel, symbol : str
        As the exchange spells the symbol.
    rows : int
        Trades, candles, or images of the order book.
    start_ms, end_ms : int or None
        Span that is written.
    gaps : int
        What could not be had.
    """

    channel: str
    symbol: str
    rows: int
    start_ms: int | None
    end_ms: int | None
    gaps: int


Say = Callable[["LiveRecorder"], object]


class CommitPace:
    """When to commit: as soon as a full second has passed, because trades are written whole seconds at a time.

    Parameters
    ----------
    series : int
        How many symbols, of all channels.
    """

    def __init__(self, series: int) -> None:
        self.every_s = min(max(COMMIT_S, _PER_SYMBOL_S * series), _LONGEST_COMMIT_S)
        self._last_ms, self._last_s = 0, float("-inf")

    def is_due(self, now_ms: int, now_s: float) -> bool:
        """Return whether to commit now, by the exchange's time and by real seconds; it counts as done then."""
        every_ms = round(self.every_s * 1000)
        if now_ms // every_ms == self._last_ms // every_ms or now_s - self._last_s < self.every_s / 2:
            return False
        self._last_ms, self._last_s = now_ms, now_s
        return True


class LiveRecorder:
    """Records streams into the store until its time is over, it is stopped, or its thread is interrupted.

    Parameters
    ----------
    source : Session
        Exchange and store.
    streams : sequence of Stream
        Each of trades, candles or order books.
    raw : bool
        Whether to store every frame as it arrives, too.

    Attributes
    ----------
    streams : tuple of Stream
        Their status and their gaps.
    market : str
        Of all symbols.

    Raises
    ------
    InvalidInput
        A channel has no place in the store.
    """

    def __init__(self, source: Session, streams: Sequence[Stream], *, raw: bool = False) -> None:
        for name in (stream.channel.name for stream in streams):
            if name not in WRITERS:
                raise InvalidInput("channel", f"{name} cannot be recorded.", hint=f"Use one of {', '.join(WRITERS)}.")
        self._clock, self.streams = source.clock, tuple(streams)
        self.market = streams[0].subscriptions[0].named.market
        self._writers: dict[tuple[str, str], SeriesWriter] = {
            (stream.channel.name, one.named.symbol): WRITERS[stream.channel.name](source, stream, one)
            for stream in streams
            for one in stream.subscriptions
        }
        for stream in streams:
            stream.remember(_RECENT_ROWS)
            if raw:
                stream.keep_raw(source.store.data_dir)
        self._pace = CommitPace(len(self._writers))
        self._flushed_s, self._flush_after_s = source.clock.monotonic_s(), _FLUSH_S

    @property
    def stream(self) -> Stream:
        """The first of the streams."""
        return self.streams[0]

    @property
    def results(self) -> list[Recorded]:
        """What was recorded so far, by channel and symbol."""
        return [
            Recorded(channel, symbol, one.rows, one.first_ms, one.end_ms, one.gaps)
            for (channel, symbol), one in self._writers.items()
        ]

    def stop(self) -> None:
        """End the recording; from any thread."""
        for stream in self.streams:
            stream.stop()

    def run(self, seconds: float | None = None, *, say: Say = lambda _self: None) -> None:
        """Record; what is written stays, however it ends.

        Parameters
        ----------
        seconds : float, optional
            How long, by this machine's clock; without it until it is stopped.
        say : callable, optional
            Called every few seconds.

        Raises
        ------
        BgresearchError
            The stream ended with an error; what came before it is written.
        StoreError
            The folder cannot be written any more.
        InvalidInput
            ``say`` cannot be called with the recorder.
        """
        checked_callback("say", say, 1)
        for one in self._writers.values():
            one.flush()  # what an earlier recording left when it was killed
        began_s = self._clock.monotonic_s()
        try:
            for stream in self.streams:
                stream.start()
            while seconds is None or self._clock.monotonic_s() - began_s < seconds:
                self._take(_TAKE_S)
                if self._pace.is_due(self._clock.now_ms(), self._clock.monotonic_s()):
                    self._commit()
                    say(self)
                if any(stream.ended for stream in self.streams):
                    break
        finally:
            for stream in self.streams:
                self._add(stream, stream.waiting_rows())
            self._commit()
            self.stop()
            self._flush(force=True)

    def _take(self, wait_s: float) -> None:
        """Take in what came; the first stream is waited for."""
        for stream in self.streams:
            self._add(stream, stream.rows(wait_s))
            wait_s = 0.0
        for one in self._writers.values():
            one.tick(self._clock.now_ms())

    def _add(self, stream: Stream, rows: Sequence[Row]) -> None:
        for row in rows:
            self._writers[stream.channel.name, row["symbol"]].add(row)

    def _commit(self) -> None:
        for one in self._writers.values():
            try:
                one.commit(self._clock.now_ms())
            except StoreError:
                raise
            except IncompleteData as error:
                _log.info("%s: not confirmed yet: %s", one.named.symbol, error)
            except BgresearchError as error:
                _log.warning("%s: cannot be confirmed over REST now: %s", one.named.symbol, error)
        self._flush()

    def _flush(self, *, force: bool = False) -> None:
        """Let the store merge the pages, so rarely that it costs a tenth of the time at most."""
        began_s = self._clock.monotonic_s()
        if not force and began_s - self._flushed_s < self._flush_after_s:
            return
        for one in self._writers.values():
            one.flush()
        self._flushed_s = self._clock.monotonic_s()
        self._flush_after_s = max(_FLUSH_S, _FLUSH_SHARE * (self._flushed_s - began_s))


def shown_progress(screen: TextIO) -> Say:
    """Return what updates a line on a terminal: messages a second, lag, gaps, rows; elsewhere nothing is written."""
    last = [time.monotonic(), 0.0]

    def say(recorder: LiveRecorder) -> None:
        statuses, now = [stream.status for stream in recorder.streams], time.monotonic()
        messages = sum(status.messages for status in statuses)
        rate = (messages - last[1]) / max(now - last[0], 1e-9)
        last[:] = [now, float(messages)]
        lags = [status.latency_ms for status in statuses if status.latency_ms is not None]
        lag = f"{max(lags):.0f} ms" if lags else "-"
        gaps, rows = sum(status.gaps for status in statuses), sum(one.rows for one in recorder.results)
        state = "" if all(status.connected for status in statuses) else ", not connected"
        if waits_s := max(status.waits_s for status in statuses):
            state += f": too many connections were opened, the next one in {waits_s} s"
        screen.write(f"\r{rate:6.1f} messages/s, lag {lag}, {gaps} gaps, {rows} rows{state}\x1b[K")
        screen.flush()

    return say if screen.isatty() else lambda _recorder: None
