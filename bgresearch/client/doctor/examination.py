"""One examination: every check in turn, what differs remembered, nothing raised because an answer is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from bgresearch.catalogue import assumptions as known
from bgresearch.catalogue.assumptions import Assumption
from bgresearch.client.doctor import about_candles, about_files, about_lists, about_machine, about_streams
from bgresearch.client.doctor.findings import DoctorReport, Observation
from bgresearch.client.doctor.prober import CouldNotAsk, Prober
from bgresearch.core.progress import Wish, shown
from bgresearch.errors import BgresearchError, OfflineError
from bgresearch.live.hosts import LiveAccess
from bgresearch.market.candles.lookback import Lookbacks, lookbacks_of, remember_lookbacks
from bgresearch.session.differences import MOST_TEXT, remember
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session


class _Check(NamedTuple):
    """One check: the names of what it finds, and how."""

    names: tuple[str, ...]
    run: Callable[[], Iterator[Observation]]


class Doctor:
    """Compares what is assumed with live answers.

    Parameters
    ----------
    source : Session
        Exchange, store and clock.
    live : LiveAccess or None
        How streams connect; None leaves them out.
    whose : AccountIdentity
        Of the key, if there is one.
    waits : bool
        Whether it may take a minute until candles are looked at again.
    """

    def __init__(
        self, source: Session, live: LiveAccess | None, whose: AccountIdentity, *, waits: bool = True
    ) -> None:  # fmt: skip
        self._source, self._live, self._whose, self._waits = source, live, whose, waits
        self._looks: list[about_candles.FirstLook] = []

    def run(self, progress: Wish) -> DoctorReport:
        """Return what was found, and remember what differs.

        Raises
        ------
        OfflineError
            Connected with ``offline=True``.
        """
        source, archive = self._source, self._source.archive
        if source.offline:
            raise OfflineError("assumptions are compared with the exchange's answers, and offline=True forbids asking.")
        source.store.check_host()
        prober = Prober(source.sender, source.clock, lambda: source.sender.sent + (archive.sent if archive else 0))
        learned, findings = lookbacks_of(source), list[Observation]()
        checks = [*self._about_machine(prober), *self._about_exchange(prober, learned)]
        with shown(progress, len(checks) + 1, "doctor", unit="checks", least=1) as done:
            for check in checks:
                findings += _found(check)
                done(1)
            asked = prober.asked
            if source.sender.label is not None:
                findings += _found(_Check(("key.permissions",), partial(about_machine.key, source, self._whose)))
            done(1)
        self._remember(findings, learned)
        return DoctorReport(
            tuple(findings), source.sender.host, about_machine.versions(), asked, source.clock.now_ms()
        )  # fmt: skip

    def _about_machine(self, prober: Prober) -> list[_Check]:
        return [
            _Check(("machine.python", "machine.data_folder"), partial(about_machine.machine, self._source)),
            _Check(
                ("machine.exchange", "machine.tls", "machine.clock"), partial(about_machine.reach, prober, self._source)
            ),
        ]

    def _about_exchange(self, prober: Prober, learned: Lookbacks) -> list[_Check]:
        """Return the checks in turn: what closed before the first of them is looked at again after the last."""
        candles, lists, answers = about_candles, about_lists, about_lists.Answers(prober)
        return [
            _check([], self._look, prober),
            _check([known.START_INCLUDED, known.END_EXCLUDED, known.OLDEST_FIRST], candles.ends, prober),
            _check([known.CANDLE_ROUTES], candles.page_rows, prober),
            _check([known.UTC_WORDS, known.PLAIN_WORDS], candles.anchors, prober),
            _check([known.FORMING_IN_RECENT, known.NO_FORMING_IN_HISTORY], candles.forming, prober),
            _check([known.RECENT_DAYS, known.EMPTY_BEYOND], candles.lookbacks, prober, learned),
            _check([known.UNIFIED_CANDLES, known.UNIFIED_HISTORY_DAYS], candles.unified_lookbacks, prober, learned),
            _check([known.LONGEST_SPAN_DAYS], candles.longest_span, prober),
            _check([known.SPLITS_AS_TRADED], candles.splits, prober),
            _check([known.FIELDS], lists.fields, answers),
            _check([known.WHOLE_LISTS], lists.whole_lists, answers),
            _check([known.UNKNOWN_REFUSED], lists.unknown_symbol, prober),
            _check([known.FUNDING_PAGES, known.FUNDING_ROWS], lists.funding, answers),
            _check(
                [known.TRADES_NEWEST_FIRST, known.TRADES_ROWS, known.TRADES_CURSOR, known.TRADE_ID_CLOCK],
                lists.past_trades, prober,
            ),
            _check([known.TRADES_DAYS], lists.trades_lookback, prober),
            _check([known.BOOK_SORTED], lists.book, answers),
            *self._about_files(prober),
            _check(
                [known.HEARTBEAT, known.SNAPSHOT_FIRST, known.BOOK_SEQUENCE, known.BOOK_CHECKSUM], self._streams, prober
            ),
            _check([known.FINAL_AFTER_MS], self._look_again, prober),
            _check([known.REMAINING_HEADER], lists.remaining, prober),
        ]  # fmt: skip

    def _about_files(self, prober: Prober) -> list[_Check]:
        day: tuple[Assumption[Any], ...] = (
            known.ARCHIVE_PUBLISHED_MS, known.ARCHIVE_HEADER, known.ARCHIVE_ZONE_MS, known.ARCHIVE_SECONDS,
        )  # fmt: skip
        archive = self._source.archive
        if archive is None:
            return [_check([known.ARCHIVE_ABSENT, *day], _no_archive)]
        return [
            _check([known.ARCHIVE_ABSENT], about_files.absence, prober, archive),
            _check(day, about_files.one_day, prober, archive),
        ]

    def _look(self, prober: Prober) -> Iterator[Observation]:
        self._looks.append(about_candles.first_look(prober))
        yield from ()

    def _look_again(self, prober: Prober) -> Iterator[Observation]:
        if not self._looks:
            raise CouldNotAsk("the first look at candles failed.")
        if not self._waits:
            raise CouldNotAsk("it takes a minute, which was not wanted.")
        return about_candles.final(prober, self._looks[0])

    def _streams(self, prober: Prober) -> Iterator[Observation]:
        prober.check_answered()
        if self._live is None:
            raise CouldNotAsk("it takes a minute, which was not wanted.")
        return about_streams.streams(self._live, self._source.clock)

    def _remember(self, findings: Iterable[Observation], learned: Lookbacks) -> None:
        """Keep what differs from an assumption, and forget what holds again."""
        about = [one for one in findings if one.claim]
        differing = {
            one.name: {"text": one.text[:MOST_TEXT], "values": dict(one.values)}
            for one in about if one.status == "differs"
        }  # fmt: skip
        held = [one.name for one in about if one.status == "holds"]
        remember(self._source.store, differing, held, self._source.clock.now_ms())
        remember_lookbacks(self._source, learned)


def _check(about: Iterable[Assumption[Any]], run: Callable[..., Iterator[Observation]], *arguments: object) -> _Check:
    return _Check(tuple(one.name for one in about), partial(run, *arguments))


def _no_archive() -> Iterator[Observation]:
    raise CouldNotAsk("the archive's address is not known; archive_url= or BGRESEARCH_ARCHIVE_URL names it.")


def _found(check: _Check) -> list[Observation]:
    """Return what a check finds; what it does not come to could not be asked."""
    found: list[Observation] = []
    why = "The answers did not show it."
    try:
        found.extend(check.run())  # what is yielded before an error counts
    except BgresearchError as error:
        why = str(error)
    names = {one.name for one in found}
    return found + [Observation(name, "could not be asked", why) for name in check.names if name not in names]
