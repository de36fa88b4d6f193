"""A stream as users have it: a context manager and an iterator of DataFrames, put together from the other modules."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from bgresearch.core.no_copies import NoCopies
from bgresearch.core.spans import iso
from bgresearch.core.symbols import wire_symbol
from bgresearch.core.thread_pool import ThreadPool
from bgresearch.errors import (
    BgresearchError,
    ExchangeError,
    InvalidInput,
    NetworkError,
    OfflineError,
    PermissionDenied,
    UnknownSymbol,
)
from bgresearch.live.account_repair import AccountRepair
from bgresearch.live.channels import Channel, Subscription
from bgresearch.live.decoding import live_shape
from bgresearch.live.gap_log import GapLog, LiveGap
from bgresearch.live.hosts import LiveAccess
from bgresearch.live.intake import Intake, Repairs, SubscriptionProgress
from bgresearch.live.link import Connection, LiveLink, Tap
from bgresearch.live.outlet import Outlet
from bgresearch.live.pacing import CHANNELS_PER_CONNECTION
from bgresearch.live.protocol_core import Refused, grouped
from bgresearch.live.raw_frames import RawFile
from bgresearch.live.repair import missing_bars, missing_trades
from bgresearch.schemas import Row
from bgresearch.session.identity import NO_PERMISSION
from bgresearch.session.session import Session
from bgresearch.session.unknown_symbol import unlisted

if TYPE_CHECKING:
    from bgresearch.live.live_chart import LiveChart

_UNKNOWN = "30001"  # the exchange's code of a subscription to what does not exist
_FIRST_BOOK_S, _LOOK_S = 15.0, 0.02  # real seconds
_LONGEST_END_S = 12.0  # a connection that is being opened is given up after ten


@dataclass(frozen=True)
class StreamStatus:
    """How a stream is doing.

    Attributes
    ----------
    connected : bool
        Whether every connection is open.
    reconnects : int
        How often a connection had to be opened again.
    messages : int
        Pushes so far.
    gaps : int
        Gaps so far, repaired ones among them; ``stream.gaps`` names them.
    latency_ms : float or None
        From the exchange's time of the newest push to its arrival, by this machine's clock.
    waits_s : int
        Seconds until it may connect, if this address has opened too many connections; else 0.
    """

    connected: bool
    reconnects: int
    messages: int
    gaps: int
    latency_ms: float | None
    waits_s: int = 0

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class Stream(NoCopies):
    """Live rows of one channel, from `Client.stream`; begins with its ``with`` block or its first frame.

    Parameters
    ----------
    source : Session
        Exchange, store and clock of the client.
    access : LiveAccess or None
        Where and how to connect; None to connect nowhere.
    subscriptions : sequence of Subscription
        What is streamed: of one channel.
    """

    def __init__(
        self, source: Session, access: LiveAccess | None, subscriptions: Sequence[Subscription], *,
        chance: random.Random | None = None,
    ) -> None:  # fmt: skip
        self._source, self._subscriptions = source, tuple(subscriptions)
        self.channel: Channel = self._subscriptions[0].channel
        self.shape = live_shape(self.channel.shape)
        self._gap_log = GapLog()
        self._outlet = Outlet(self._dropped)
        self._pool = ThreadPool(1, "bgresearch-live-repair")
        repairs = Repairs(
            partial(missing_trades, source), lambda one, span: missing_bars(source, one.named, one.interval, span),
            AccountRepair(source).missed, self._pool.submit,
        )  # fmt: skip
        self.intake = Intake(
            self._subscriptions, outlet=self._outlet, gaps=self._gap_log, repairs=repairs, clock=source.clock
        )  # fmt: skip
        groups = grouped(self._subscriptions, CHANNELS_PER_CONNECTION) if access is not None else []
        self.links = [
            LiveLink(group, access, source.clock, handler=self, chance=chance) for group in groups if access is not None
        ]
        self._raw: RawFile | None = None
        self._reconnects = 0
        self._error: BgresearchError | None = None
        self._begun, self._ended = threading.Lock(), threading.Event()
        self._state = "new"
        self._chart: LiveChart | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __iter__(self) -> Iterator[pd.DataFrame]:
        self.start()
        return self

    def __next__(self) -> pd.DataFrame:
        while True:
            found = self.next_frame()
            if found is not None:
                return found
            if self._outlet.closed:
                raise StopIteration

    def start(self) -> None:
        """Begin to connect; does nothing if it has begun.

        Raises
        ------
        OfflineError
            Connected with ``offline=True``.
        """
        with self._begun:
            if self._state != "new":
                return
            if self._source.offline:
                raise OfflineError("a stream needs the exchange.", hint="Connect without offline=True.")
            self._state = "running"
        for link in self.links:
            link.start()

    def stop(self) -> None:
        """End the stream: connections are closed, what came can still be read. From any thread, and twice."""
        with self._begun:
            self._state = "stopped"
        self._ended.set()
        self._outlet.close()
        for link in self.links:
            link.stop()
        self._pool.dismiss()
        until_s = time.monotonic() + _LONGEST_END_S
        for link in self.links:
            link.join(max(until_s - time.monotonic(), 0.0))
        if self._raw is not None:
            self._raw.close()

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """What is streamed."""
        return self._subscriptions

    def keep_raw(self, data_dir: Path) -> None:
        """Write every frame that arrives to a file of the store's folder; call it before the stream begins."""
        self._raw = RawFile(data_dir, self._subscriptions, self._source.clock)

    def remember(self, most: int) -> None:
        """Let `frame` have so many rows at most; for recorders, which run for weeks."""
        self._outlet.remember(most)

    @property
    def status(self) -> StreamStatus:
        """How the stream is doing."""
        connected = self._state == "running" and all(link.connected for link in self.links)
        return StreamStatus(
            connected, self._reconnects, self.intake.messages, len(self._gap_log), self.intake.latency_ms,
            max((link.waits_s for link in self.links), default=0),
        )  # fmt: skip

    @property
    def gaps(self) -> pd.DataFrame:
        """What may have been missed: a row per gap with symbol, start, end, cause, repaired."""
        return self._gap_log.frame()

    @property
    def gap_log(self) -> GapLog:
        """The log of the gaps."""
        return self._gap_log

    @property
    def error(self) -> BgresearchError | None:
        """Why the stream ended by itself, None if it did not."""
        return self._error

    def next_frame(self, wait_s: float | None = None) -> pd.DataFrame | None:
        """Return what came since the last call, None if nothing came in time or the stream has ended.

        Parameters
        ----------
        wait_s : float, optional
            How long to wait, in seconds; without it until something comes or the stream ends.

        Raises
        ------
        NetworkError
            There never was a connection.
        UnknownSymbol, ExchangeError
            The exchange refuses a subscription.
        """
        self.start()
        while True:
            found = self._outlet.take(wait_s)
            if found is None:
                if self._error is not None:
                    raise self._final_error()
                return None
            if isinstance(found, list):
                return self._framed(found)
            image = self._image(*found)
            if image is not None:
                return image

    def rows(self, wait_s: float) -> list[Row]:
        """Return the rows that came since the last call, without making a frame of them; for recorders."""
        found = self._outlet.take(wait_s)
        if found is None and self._error is not None:
            raise self._final_error()
        return found if isinstance(found, list) else []

    def waiting_rows(self) -> list[Row]:
        """Return all rows that came since the last call, at once and without raising why the stream ended."""
        rows: list[Row] = []
        while (found := self._outlet.take(0.0)) is not None:
            rows += found if isinstance(found, list) else []
        return rows

    def frame(self) -> pd.DataFrame:
        """Return what came recently: the last 20,000 rows, or the current order books."""
        if self.channel.kind != "book":
            return self._framed(self._outlet.latest())
        now = self._source.clock.now_ms()
        images = [image for one in self._subscriptions if (image := self._image(one.key, now)) is not None]
        return pd.concat(images, ignore_index=True) if images else self._framed([])

    def book(self, symbol: str) -> pd.DataFrame:
        """Return the current order book of a symbol: columns of ``client.order_book``, symbol and received_at.

        Waits for the first snapshot, and for the next one after a gap. ``df.attrs["bgresearch"]`` has the exchange's
        ``time`` and ``sequence``.

        Parameters
        ----------
        symbol : str
            As the stream was asked for it, or as the exchange spells it.

        Raises
        ------
        InvalidInput
            The stream has no order books, or not of this symbol.
        NetworkError
            There is no order book for a while.
        """
        self.start()
        one = self._subscription_of(symbol)
        waited_s = 0.0
        while (found := self._image(one.key, self._source.clock.now_ms())) is None:
            if self._error is not None:
                raise self._final_error()
            if waited_s >= _FIRST_BOOK_S or self._state == "stopped":
                raise NetworkError("live.order_book", f"there is no order book of {one.named.symbol} now.")
            self._ended.wait(_LOOK_S)
            waited_s += _LOOK_S
        return found

    def chart(self, *, minutes: float = 30.0) -> LiveChart:
        """Return a chart that is redrawn while the stream runs, at most four times a second, with a button to stop it.

        Candles are drawn as candles, order books as depth, anything else as lines of prices. It ends with the stream
        and with the kernel.

        Parameters
        ----------
        minutes : float
            How much time it shows.
        """
        from bgresearch.live.live_chart import LiveChart  # noqa: PLC0415 - plotly and widgets are extras

        self.start()
        if self._chart is None:
            self._chart = LiveChart(self, minutes=minutes)
        return self._chart

    def open_bars(self) -> dict[str, Row]:
        """Return the candle of each symbol that is still forming."""
        return dict(self._outlet.open_bars)

    def happened(self, connection: Connection, events: Iterable[Any]) -> str:
        """Take in events; called by links."""
        cause = self.intake.happened(connection, events)
        if self.intake.refusal is not None:
            self.failed(self._refusal(self.intake.refusal))
        return cause

    def tap(self, link: LiveLink) -> Tap | None:
        """Return what takes the frames of a new connection as they arrive; called by links."""
        return None if self._raw is None else self._raw.opened([one.named.symbol for one in link.subscriptions])

    def lost(self, link: LiveLink, cause: str, last_heard_ms: int) -> None:
        """Take note of a lost connection; called by links."""
        self._reconnects += 1
        self.intake.lost(link.subscriptions, cause, last_heard_ms)
        if self._raw is not None:
            self._raw.lost([one.named.symbol for one in link.subscriptions], cause, last_heard_ms)

    def failed(self, error: BgresearchError) -> None:
        """End with an error; called by links."""
        self._error = self._error or error
        self._outlet.close()
        threading.Thread(target=self.stop, name="bgresearch-live-stop", daemon=True).start()

    def wait_until_stopped(self, wait_s: float) -> bool:
        """Wait so long at most, and return whether the stream was stopped."""
        return self._ended.wait(wait_s)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._outlet.closed

    def progress_of(self, one: Subscription) -> SubscriptionProgress:
        """Return what is known of a subscription."""
        return self.intake.progress[one.key]

    def image_rows(self, one: Subscription, levels: int | None) -> tuple[list[Row], int] | None:
        """Return the rows of a current order book and the exchange's time of it, None while there is none."""
        with self.intake.locked():
            book = self.intake.book(one.key)
            image = None if book is None else book.image(levels)
        if image is None:
            return None
        rows = [
            {"side": side, "level": place, "price": price, "amount": amount, "symbol": one.named.symbol}
            for side, levels_of in (("bid", image.bids), ("ask", image.asks))
            for place, (price, amount) in enumerate(levels_of, start=1)
        ]
        return rows, image.time_ms

    def _image(self, key: tuple[str, ...], received_ms: int) -> pd.DataFrame | None:
        one = self.intake.progress[key].subscription
        with self.intake.locked():
            book = self.intake.book(key)
            sequence = 0 if book is None else book.sequence
            found = self.image_rows(one, None)
        if found is None:
            return None
        rows, time_ms = found
        for row in rows:
            row["received_at"] = received_ms
        return self._framed(rows, symbol=one.named.symbol, time=iso(time_ms), sequence=sequence)

    def _framed(self, rows: list[Row], **words: object) -> pd.DataFrame:
        sender, named = self._source.sender, self._subscriptions[0].named
        about = {"market": named.market, "channel": self.channel.name, "host": sender.host, **words}
        return self.shape.frame(self.shape.table(rows), **about)

    def _subscription_of(self, symbol: str) -> Subscription:
        market = self._subscriptions[0].named.market
        named = wire_symbol(symbol, market, default=market)
        for one in self._subscriptions if self.channel.kind == "book" else ():
            if one.named == named:
                return one
        names = ", ".join(one.named.symbol for one in self._subscriptions)
        problem = f"{symbol!r} has no order book in this stream of {self.channel.name}."
        raise InvalidInput("symbol", problem, hint=f"It streams {names}.")

    def _refusal(self, refused: Refused) -> BgresearchError:
        where = f"live.{self.channel.name}"
        if refused.code in NO_PERMISSION:
            return PermissionDenied(where, refused.code, refused.message, hint="Tick the reading box of this market.")
        if refused.code == _UNKNOWN:
            return UnknownSymbol(where, refused.code, refused.message)
        return ExchangeError(where, refused.code, refused.message)

    def _final_error(self) -> BgresearchError:
        """Return the error that ended the stream; of an unknown symbol with near names."""
        error = self._error
        if isinstance(error, UnknownSymbol) and self.intake.refusal is not None:
            one = self.intake.refusal.subscription
            named = None if one is None else unlisted(self._source.sender, one.named, error.endpoint)
            error = self._error = named or error
        return error or NetworkError("live.connect", "the stream has ended.")

    def _dropped(self, rows: list[Row]) -> None:
        by_symbol: dict[str, list[int]] = {}
        for row in rows:
            by_symbol.setdefault(str(row["symbol"]), []).append(int(row["received_at"]))
        for symbol, times in by_symbol.items():
            self._gap_log.add(LiveGap(symbol, min(times), max(times) + 1, "reader too slow"))
