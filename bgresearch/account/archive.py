"""All private history of a key, stored before the exchange deletes it; what is stored is not fetched again.

One line per list: a kind of record, and its market, coin or book. A line that fails does not stop the others. Windows
are stored one by one, so that an interruption loses at most the current one.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from bgresearch.account.kinds import BILLS, KINDS
from bgresearch.account.record_history import SAFETY_MS, RecordHistory
from bgresearch.account.record_type import RecordKind
from bgresearch.core.spans import Span, iso, subtract, union
from bgresearch.core.timestamps import Moment, moment_ms
from bgresearch.errors import (
    AddressRejected,
    AuthenticationError,
    BadResponse,
    ExchangeError,
    InvalidInput,
    NetworkError,
    OfflineError,
)
from bgresearch.session.identity import ABSENT, NO_PERMISSION, Identity
from bgresearch.store import LostRows

_DEAD_AFTER = 3  # consecutive lines without a connection
NOT_OFFERED = "not offered"
_HEADINGS = ("kind", "of", "records", "new", "complete from", "to", "run again before")
_WHOLE_KEY = (AddressRejected, AuthenticationError)  # every other line would fail as well

Say = Callable[[str], object]
Failure = ExchangeError | NetworkError


@dataclass(frozen=True)
class ArchiveLine:
    """What is stored of one list.

    Attributes
    ----------
    kind, lot : str
        ``fills``; ``spot``, or empty where there is one list only.
    rows, new : int
        Records stored in total, and those added by this run.
    first, last : str or None
        Start and end of the span in which every record is stored, ISO 8601; None if nothing is.
    lost : tuple of (str, str)
        Spans within, or since the requested start, that the exchange had deleted before they were stored.
    due : str or None
        When the exchange begins to delete what is not stored yet: run again before then.
    requests : int
        Requests sent for it.
    problem, hint : str
        Why it failed and what to do next; empty if it did not fail. ``not offered`` if this exchange has no such list.
    """

    kind: str
    lot: str
    rows: int = 0
    new: int = 0
    first: str | None = None
    last: str | None = None
    lost: tuple[tuple[str, str], ...] = ()
    due: str | None = None
    requests: int = 0
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Archive:
    """The result of an archive run.

    Attributes
    ----------
    uid, mode : str
        User id of the account; ``classic`` or ``unified``.
    folder : str
        Where it is stored.
    lines : tuple of ArchiveLine
        One per list.
    """

    uid: str
    mode: str
    folder: str
    lines: tuple[ArchiveLine, ...]

    @property
    def failed(self) -> tuple[ArchiveLine, ...]:
        """The lines that failed, without the lists that this exchange does not offer."""
        return tuple(line for line in self.lines if line.problem not in {"", NOT_OFFERED})

    @property
    def complete(self) -> bool:
        """Whether every list is stored as far back as the exchange still serves it."""
        return not self.failed

    @property
    def due(self) -> str | None:
        """When the exchange begins to delete something that is not stored yet."""
        return min((line.due for line in self.lines if line.due), default=None)

    @property
    def new(self) -> int:
        """Records added by this run."""
        return sum(line.new for line in self.lines)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is lost, failed or due, one sentence each."""
        said = [
            f"{_name(line)}: {start} to {end} was deleted by the exchange before it was stored."
            for line in self.lines
            for start, end in line.lost
        ]
        boxes = dict.fromkeys((line.problem, line.hint) for line in self.failed)
        for problem, hint in boxes:
            names = _names(line for line in self.failed if (line.problem, line.hint) == (problem, hint))
            said.append(f"Not archived: {names}. {problem} {hint}".strip())
        if self.failed:
            said.append("The exchange deletes more of what failed every day; what is stored stays.")
        if self.due:
            said.append(f"Run it again before {self.due[:10]}: the exchange then begins to delete newer records.")
        return tuple(said)

    def frame(self) -> pd.DataFrame:
        """Return the lines as a frame, one row each."""
        frame = pd.DataFrame([asdict(line) for line in self.lines])
        for name in ("first", "last", "due"):
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        return frame

    def __str__(self) -> str:
        widths = [max(len(row[place]) for row in self._table()) for place in range(len(_HEADINGS))]
        rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                for row in self._table()]  # fmt: skip
        return "\n".join([*rows, "", f"Account {self.uid} ({self.mode}), stored in {self.folder}", *self.warnings])

    def _repr_html_(self) -> str:
        shown = self.frame().drop(columns=["requests", "hint", "lost"])
        said = "".join(f"<p>{html.escape(text)}</p>" for text in self.warnings)
        return str(shown.to_html(index=False, na_rep="", escape=True)) + said

    def _table(self) -> list[tuple[str, ...]]:
        return [_HEADINGS, *(_cells(line) for line in self.lines if line.problem != NOT_OFFERED)]


def archive(
    history: RecordHistory,
    since: Moment | None = None,
    *,
    kinds: Iterable[str] | None = None,
    say: Say = lambda _as_iso_pairs: None,
) -> Archive:
    """Store every kind of private record that is not stored yet; documented by ``client.account.archive``."""
    wanted = _chosen(kinds)
    source = history.source
    if source.offline:
        raise OfflineError("an archive run needs the exchange, and offline=True forbids it.")
    since_ms = None if since is None else moment_ms(since, "since", source.clock.now_ms())[0]
    if since_ms is not None and since_ms > source.clock.now_ms():
        raise InvalidInput("since", f"{iso(since_ms)} is in the future.")
    run, dead = _Run(history, history.identity(), since_ms), 0
    lines: list[ArchiveLine] = []
    for kind in wanted:
        for line, error in run.kind(kind):
            dead = dead + 1 if isinstance(error, NetworkError) and not isinstance(error, BadResponse) else 0
            if error is not None and (isinstance(error, _WHOLE_KEY) or dead >= _DEAD_AFTER):
                raise error
            lines.append(line)
            say(_said(line))
    folder = source.store.data_dir / "account" / run.identity.uid
    return Archive(run.identity.uid, run.identity.mode, str(folder), tuple(lines))


def _chosen(kinds: Iterable[str] | None) -> list[RecordKind]:
    names = list(KINDS) if kinds is None else list(kinds)
    for name in names:
        if name not in KINDS:
            raise InvalidInput("kinds", f"{name!r} is unknown.", hint=f"Use some of {', '.join(KINDS)}.")
    return [kind for name, kind in KINDS.items() if name in names]


@dataclass(frozen=True)
class _Run:
    """One archive run: the account, and the requested start."""

    history: RecordHistory
    identity: Identity
    since_ms: int | None

    def kind(self, kind: RecordKind) -> Iterator[tuple[ArchiveLine, Failure | None]]:
        """Store the lists of a kind, one after the other."""
        try:
            lots = self.history.lots(kind)
        except (ExchangeError, NetworkError) as error:  # the coins are listed by wallets that the key may not read
            yield ArchiveLine(kind.name, "", problem=_problem(error), hint=error.hint), error
            return
        if kind.lots[self.identity.mode] == "coins":
            lots = tuple(sorted({*lots, *self._booked_coins()}))
        for lot in lots:
            if kind.routes(self.identity.mode, lot):  # none if the stored list is of the account's former mode
                yield self._list(kind, lot)

    def _booked_coins(self) -> set[str]:
        """Return the coins of the stored ledger: a coin may have been held between two runs only."""
        coins: set[str] = set()
        for book in self.history.lots(BILLS):
            series = BILLS.series(self.identity.uid, book)
            answered = self.history.answered(BILLS, book)
            store = self.history.source.store
            try:
                table = store.read(series, answered)
            except LostRows:  # fetched again at once, as far as the exchange still serves it
                self._list(BILLS, book)
                table = store.read(series, answered)
            if table is not None:
                coins |= set(table.column("coin").unique().to_pylist())
        return coins - {None}

    def _list(self, kind: RecordKind, lot: str) -> tuple[ArchiveLine, Failure | None]:
        source, series = self.history.source, kind.series(self.identity.uid, lot)
        rows, sent = source.store.count(series), source.sender.sent
        failure: Failure | None = None
        source.store.set_damaged_aside(series)  # found early, its rows can still be fetched again
        try:
            missing = self._wanted(kind, lot)
            if missing:
                self.history.ensure_cached(kind, lot, missing, shown_too=False)
        except (ExchangeError, NetworkError) as error:
            failure = error
        line = ArchiveLine(
            kind.name, lot, source.store.count(series), requests=source.sender.sent - sent, **self._state(kind, lot)
        )  # fmt: skip
        line = replace(line, new=line.rows - rows)
        if failure is not None:
            line = replace(line, due=None, problem=_problem(failure), hint=failure.hint)
            if isinstance(failure, ExchangeError) and failure.code in ABSENT:
                line = replace(line, problem=NOT_OFFERED, hint="")
        return line, failure

    def _wanted(self, kind: RecordKind, lot: str) -> tuple[Span, ...]:
        """Return the spans that are not stored and can still be fetched."""
        answered = self.history.answered(kind, lot)
        start = max(answered.start_ms + SAFETY_MS, self.since_ms or 0)
        return self.history.missing(kind, lot, Span(start, answered.end_ms))

    def _state(self, kind: RecordKind, lot: str) -> dict[str, Any]:
        """Return the span that is stored completely, what is lost, and when the next loss is due."""
        answered = self.history.answered(kind, lot)
        kept = self.history.source.store.known(kind.series(self.identity.uid, lot))
        first = self.since_ms if self.since_ms is not None else kept[0].start_ms if kept else answered.start_ms
        damaged = self.history.source.store.lost(
            kind.series(self.identity.uid, lot), Span(0, answered.start_ms + SAFETY_MS)
        )  # fmt: skip
        lost = subtract([Span(first, answered.start_ms)], kept) if first < answered.start_ms else ()
        lost = union([*lost, *(one.span for one in damaged)])
        if not kept:
            return {"lost": _as_iso_pairs(lost)}
        open_ms = subtract([Span(max(kept[0].start_ms, answered.start_ms), answered.end_ms)], kept)[0].start_ms
        return {
            "first": iso(kept[0].start_ms), "last": iso(kept[-1].end_ms), "lost": _as_iso_pairs(lost),
            "due": iso(open_ms + answered.duration_ms),
        }  # fmt: skip


def _as_iso_pairs(spans: Iterable[Span]) -> tuple[tuple[str, str], ...]:
    return tuple((iso(span.start_ms), iso(span.end_ms)) for span in spans)


def _problem(error: Failure) -> str:
    if isinstance(error, ExchangeError) and error.code in NO_PERMISSION:
        return "The key may not read it."
    return str(error).removesuffix(error.hint).rstrip()


def _name(line: ArchiveLine) -> str:
    return f"{line.kind} ({line.lot})" if line.lot else line.kind


def _names(lines: Iterable[ArchiveLine]) -> str:
    lots: dict[str, list[str]] = {}
    for line in lines:
        lots.setdefault(line.kind, []).extend([line.lot] if line.lot else [])
    return ", ".join(f"{kind} ({', '.join(names)})" if names else kind for kind, names in lots.items())


def _said(line: ArchiveLine) -> str:
    if line.problem:
        return f"{_name(line)}: {line.problem} {line.hint}".rstrip()
    return f"{_name(line)}: {line.new} new, {line.rows} in total"


def _cells(line: ArchiveLine) -> tuple[str, ...]:
    times = [("-" if at is None else at[:10]) for at in (line.first, line.last, line.due)]
    state = [*times[:2], "failed" if line.problem else times[2]]
    return (line.kind.replace("_", " "), line.lot or "-", f"{line.rows:,}", f"{line.new:,}", *state)
