"""Snapshot-only endpoints, recorded on a schedule into the store.

One row (or one order book) per instant, at multiples of the cadence, each written before the next is requested. A
missed instant is a gap with its cause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from bgresearch.core.spans import Span, iso
from bgresearch.errors import (
    BgresearchError,
    ExchangeError,
    ExchangeUnavailable,
    InvalidInput,
    NetworkError,
    OfflineError,
    ParameterRejected,
    RateLimited,
    UnknownSymbol,
)
from bgresearch.market.recorder.reader import series_of, spelled
from bgresearch.market.recorder.series import Recordable
from bgresearch.session.session import Session
from bgresearch.store import Gap
from bgresearch.store.coverage import Cause

_LONGEST_SLEEP_S = 30.0  # the clock is read again after that: machines sleep, clocks are set
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_REFUSALS = 10  # a symbol refused at that many instants in a row is given up

Say = Callable[[str], object]


@dataclass
class Tally:
    """The counts of one symbol.

    Attributes
    ----------
    rows, missed, known : int
        Instants that were recorded, that were missed, and that another recorder had.
    first_ms, last_ms : int or None
        The first and the last instant that was recorded.
    failure : BgresearchError or None
        Why the symbol was given up.
    """

    rows: int = 0
    missed: int = 0
    known: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    failure: BgresearchError | None = None
    refused: int = field(default=0, repr=False)


class _Trouble(NamedTuple):
    """Why nothing comes, and until when there is no use in asking."""

    cause: Cause
    error: BgresearchError
    until_ms: int


class Recorder:
    """Records one kind of series of some symbols until it is stopped.

    Parameters
    ----------
    source : Session
        Exchange and store.
    what : Recordable
        The endpoint to record.
    symbols : list of str
        In the exchange's spelling; one that the exchange refuses does not stop the others.
    market : str
        One of the kind's.
    every_ms : int
        Milliseconds between two instants, from `length_ms`.
    say : callable, optional
        Called with a sentence about every event.

    Attributes
    ----------
    tallies : dict
        Symbol to `Tally`.

    Raises
    ------
    OfflineError
        The source is offline.
    InvalidInput
        Instants closer than the kind allows.
    """

    def __init__(
        self, source: Session, what: Recordable, symbols: list[str], market: str, every_ms: int, *,
        say: Say = lambda _words: None,
    ) -> None:  # fmt: skip
        if source.offline:
            raise OfflineError("recording sends requests, and offline=True forbids them.")
        if every_ms < what.least_ms:
            raise InvalidInput(
                "every",
                f"{spelled(every_ms)} is too short.",
                hint=f"{what.name} takes {spelled(what.least_ms)} at least.",
            )
        self._source, self._what, self._every, self._say = source, what, every_ms, say
        self._series = {one: series_of(what, market, one, spelled(every_ms)) for one in symbols}
        self._market = market
        self._trouble: _Trouble | None = None
        self.tallies = {symbol: Tally() for symbol in self._series}

    def next_ms(self) -> int:
        """Return the first instant at or after now."""
        return -(-self._source.clock.now_ms() // self._every) * self._every

    def run(self, *, until_ms: int | None = None, count: int | None = None) -> None:
        """Record until a time, or a number of instants, or for ever.

        May be interrupted by any exception at any moment: what was written is complete and stays.

        Raises
        ------
        StoreError
            The folder cannot be written any more.
        BgresearchError
            No symbol is left; the last refusal.
        """
        at, done = self.next_ms(), 0
        while (count is None or done < count) and (until_ms is None or at < until_ms):
            at = self._waited(at)
            if until_ms is not None and at >= until_ms:
                return
            self._record(at)
            if not self._alive():
                raise next(tally.failure for tally in reversed(self.tallies.values()) if tally.failure)
            done += 1
            at += self._every

    def _alive(self) -> list[str]:
        return [symbol for symbol, tally in self.tallies.items() if tally.failure is None]

    def _waited(self, at: int) -> int:
        """Wait for an instant and return it, or a later one if this machine slept over it."""
        clock = self._source.clock
        while (left_ms := at - clock.now_ms()) > 0:
            clock.sleep(min(left_ms / 1000, _LONGEST_SLEEP_S))
        now = clock.now_ms()
        if now - at <= self._patience_ms:
            return at
        current = self.next_ms() if now % self._every > self._patience_ms else now // self._every * self._every
        if self._trouble is None:
            self._say(f"late: this machine was busy or asleep from {iso(at)} to {iso(now)}")
        for symbol in self._alive():
            self._miss(symbol, Span(at, current), "late" if self._trouble is None else self._trouble.cause)
        return self._waited(current)

    @property
    def _patience_ms(self) -> int:
        """How long after an instant its value may still come."""
        return self._every // 2

    def _record(self, at: int) -> None:
        """Record an instant of every symbol, waiting troubles out as long as the instant allows."""
        clock, last_ms, pause_s = self._source.clock, at + self._patience_ms, _FIRST_PAUSE_S
        pending = [symbol for symbol in self._alive() if not self._is_known(symbol, at)]
        while pending:
            now = clock.now_ms()
            ready_ms = max(now, self._trouble.until_ms) if self._trouble else now
            if ready_ms > last_ms:
                break
            clock.sleep((ready_ms - now) / 1000)
            pending = [symbol for symbol in pending if not self._sampled(symbol, at)]
            if pending and self._trouble:
                pause_ms = int(pause_s * 1000)
                until_ms = max(self._trouble.until_ms, clock.now_ms() + pause_ms)
                self._trouble = self._trouble._replace(until_ms=until_ms)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        for symbol in pending:
            if self.tallies[symbol].failure is None:
                self._miss(symbol, Span(at, at + self._every), self._trouble.cause if self._trouble else "late")

    def _is_known(self, symbol: str, at: int) -> bool:
        store, series, instant = self._source.store, self._series[symbol], Span(at, at + 1)
        if store.missing(series, instant) or store.gaps(series, instant):  # what another one missed may still come
            return False
        self.tallies[symbol].known += 1
        self._say(f"{iso(at)} {symbol}: already recorded by another one")
        return True

    def _sampled(self, symbol: str, at: int) -> bool:
        """Ask and write one instant of one symbol; return whether nothing is left to be done about it."""
        tally = self.tallies[symbol]
        try:
            table, asked_ms = self._what.ask(self._source.sender, symbol, self._market, at)
        except (UnknownSymbol, ParameterRejected) as error:
            self._refused(symbol, at, error)
            return True
        except (NetworkError, ExchangeUnavailable, RateLimited) as error:
            self._in_trouble(error)
            return False
        self._out_of_trouble()
        if asked_ms >= at + self._every:
            self._miss(symbol, Span(at, at + self._every), "late")
            return True
        self._source.store.write(
            self._series[symbol], table, [Span(at, at + self._every)], source=self._what.endpoint
        )  # fmt: skip
        tally.rows, tally.refused = tally.rows + 1, 0
        tally.first_ms, tally.last_ms = at if tally.first_ms is None else tally.first_ms, at
        self._say(f"{iso(at)} {symbol}: recorded")
        return True

    def _refused(self, symbol: str, at: int, error: ExchangeError) -> None:
        """Note that the exchange does not answer for a symbol; give it up if it never did, or no longer does."""
        tally = self.tallies[symbol]
        tally.refused += 1
        if not tally.rows or tally.refused >= _REFUSALS:
            tally.failure = error
            self._say(f"{iso(at)} {symbol}: given up. {error}")
        else:
            self._say(f"{iso(at)} {symbol}: refused. {error}")
            self._miss(symbol, Span(at, at + self._every), "refused")

    def _in_trouble(self, error: NetworkError | ExchangeError) -> None:
        cause: Cause = "no connection"
        if isinstance(error, RateLimited):
            cause = "too many requests"
        elif isinstance(error, ExchangeUnavailable):
            cause = "maintenance"
        now = self._source.clock.now_ms()
        if self._trouble is None or self._trouble.cause != cause:
            self._say(f"{iso(now)} {cause}; waiting until it is over. {error}")
        until_ms = getattr(error, "until_ms", None) or now
        self._trouble = _Trouble(cause, error, until_ms)

    def _out_of_trouble(self) -> None:
        if self._trouble is not None:
            self._say(f"{iso(self._source.clock.now_ms())} over: the exchange answers again")
            self._trouble = None

    def _miss(self, symbol: str, span: Span, cause: Cause) -> None:
        """Keep a gap, but not over what another recorder got."""
        series, store = self._series[symbol], self._source.store
        now = self._source.clock.now_ms()
        holes = store.missing(series, span)
        self.tallies[symbol].missed += sum(hole.duration_ms for hole in holes) // self._every
        if holes:
            shape = self._what.shape.schema.empty_table()
            store.write(series, shape, [], [Gap(hole, cause, now) for hole in holes])
