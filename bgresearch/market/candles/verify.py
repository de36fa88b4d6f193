"""Checks the store against itself and against the exchange; fetches only bad spans again."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bgresearch.core.spans import Span, iso
from bgresearch.errors import BgresearchError
from bgresearch.market.candles.read_through import candles
from bgresearch.session.session import Session
from bgresearch.store import Series, Store
from bgresearch.store.integrity import Flaw, candles_at, grid_of

_FIRST_MS = 1_483_228_800_000  # 2017-01-01: before the exchange's first candle
_LISTED = 1000  # revisions that are reported one by one


@dataclass
class Verified:
    """The result of checking a store.

    Attributes
    ----------
    files : int
        How many were checked.
    flaws : list of Flaw
        What is wrong.
    repaired : list of Flaw
        Those that were repaired.
    failed : list of (Flaw, str)
        Those that could not be repaired, and why.
    """

    files: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    repaired: list[Flaw] = field(default_factory=list)
    failed: list[tuple[Flaw, str]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, or everything was repaired."""
        return len(self.repaired) == len(self.flaws)


@dataclass(frozen=True)
class Revision:
    """A closed candle for which the exchange returns other values today.

    Attributes
    ----------
    path : str
        The folder of its series, below the data folder.
    open_time : str
        When it opens, UTC.
    column : str
        What differs; empty if the whole candle is new or gone.
    kept, answered : float or None
        The value in the store, and the one of today; None where there is no such candle.
    """

    path: str
    open_time: str
    column: str
    kept: float | None
    answered: float | None


def verify(source: Session, *, repair: bool = False) -> Verified:
    """Check every file of the store; with ``repair``, fetch bad spans again and nothing else.

    Parameters
    ----------
    source : Session
        The store, and the exchange to repair from.
    repair : bool
        Damaged files are set aside, never deleted; bad spans are forgotten; both are fetched again, if candles. A
        file that was set aside and reads well gives its rows back.
    """
    paths = source.store.files()
    found = Verified(len(paths))
    for path in paths:
        found.flaws += source.store.inspected(path)
    for lost in source.store.lost_files():
        words = "it was set aside as damaged, and no sound file covers its span again"
        found.flaws.append(Flaw(lost.path, "lost", words, lost.span, candles_at(lost.path)))
    for flaw in found.flaws if repair else ():
        try:
            _repair(source, flaw)
        except BgresearchError as error:
            found.failed.append((flaw, str(error)))
        else:
            found.repaired.append(flaw)
    return found


def revisions(source: Session, span: Span, *, symbols: tuple[str, ...] = ()) -> Iterator[Revision]:
    """Yield the closed candles of a span for which the exchange returns other values today; requests all of them.

    Parameters
    ----------
    source : Session
        The store, and the exchange to ask.
    span : Span
        Only the stored parts of it are compared.
    symbols : tuple of str
        Only these; all stored ones if empty.
    """
    kept = {series for path in source.store.files() if (series := candles_at(path))}
    chosen = sorted((one for one in kept if not symbols or dict(one.keys)["symbol"] in symbols), key=repr)
    for series in chosen:
        yield from _revised(source, series, span)


def _revised(source: Session, series: Series, span: Span) -> Iterator[Revision]:
    for part in _known(source.store, series, grid_of(series).outer(span)):
        ours = _asked(dataclasses.replace(source, offline=True), series, part)
        with tempfile.TemporaryDirectory(prefix="bgresearch-verify-") as folder:
            theirs = _asked(dataclasses.replace(source, store=Store(folder, clock=source.clock)), series, part)
        yield from _differences(series, ours, theirs)


def _known(store: Store, series: Series, span: Span) -> Iterator[Span]:
    at = span.start_ms
    for hole in (*store.missing(series, span), Span(span.end_ms, span.end_ms)):
        if at < hole.start_ms:
            yield Span(at, hole.start_ms)
        at = hole.end_ms


def _differences(series: Series, ours: pd.DataFrame, theirs: pd.DataFrame) -> Iterator[Revision]:
    path = series.folder.as_posix()
    for only, is_ours in ((ours.index.difference(theirs.index), True), (theirs.index.difference(ours.index), False)):
        for at in only[:_LISTED]:
            close = float((ours if is_ours else theirs).loc[at, "close"])
            yield Revision(path, _iso(at), "", close if is_ours else None, None if is_ours else close)
    both = ours.index.intersection(theirs.index)
    for column in ours.columns:
        old, new = ours.loc[both, column].to_numpy(), theirs.loc[both, column].to_numpy()
        for at in np.flatnonzero(old != new)[:_LISTED]:
            yield Revision(path, _iso(both[at]), column, float(old[at]), float(new[at]))


def _iso(moment: pd.Timestamp) -> str:
    return iso(int(moment.timestamp() * 1000))


def _repair(source: Session, flaw: Flaw) -> None:
    if flaw.kind == "newer":
        raise BgresearchError(f"{flaw.path} was written by a newer version.", hint="Update bgresearch.")
    if flaw.kind == "unreadable":
        raise BgresearchError(flaw.words)
    if flaw.kind == "lost" and source.store.take_back(flaw.path):
        return
    if flaw.kind == "damaged" and source.store.set_aside(flaw.path, flaw.words):
        return
    if flaw.series is None:
        raise BgresearchError(
            f"{flaw.path} holds no candles, so it cannot be fetched again from here.",
            hint="Run the verb again that fetched it.",
        )
    span = flaw.span or _period_of(flaw.series, flaw.path.name, source.clock.now_ms())
    if flaw.kind not in ("damaged", "lost"):
        source.store.forget(flaw.series, span)
    _asked(source, flaw.series, span)


def _period_of(series: Series, file: str, now_ms: int) -> Span:
    """Return the period of a file by its name: its footer, which had the covered spans, is lost."""
    whole = Span(_FIRST_MS, now_ms)
    periods = (period.intersect(whole) for name, period in series.periods(whole) if name == file)
    return next((period for period in periods if period), whole)


def _asked(source: Session, series: Series, span: Span) -> pd.DataFrame:
    keys = dict(series.keys)
    return candles(
        source, keys["symbol"], keys["interval"], span.start_ms, span.end_ms, market=keys["market"],
        price=keys["price"], anchor=grid_of(series).anchor, include_open=False, progress=False,
    )  # fmt: skip
