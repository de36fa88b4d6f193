"""The bulk archive as a second source of public history: when it is worth using, and fetching its files.

What both sources have is the same; they differ in cost and in the spans they serve. The decision is a pure
function of two prices.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bgresearch.archives.archive_file import ArchiveFile, Data, file_days
from bgresearch.archives.checks import Reference
from bgresearch.archives.fetched_files import ChangedFile, changed_files
from bgresearch.archives.fetcher import ArchiveFetcher
from bgresearch.archives.importer import ArchiveImporter, Imported
from bgresearch.archives.wanted import NO_FILES, WantedFiles, wanted_files
from bgresearch.core.spans import Span, iso, subtract, union
from bgresearch.errors import ConfigurationError, InvalidInput, OfflineError
from bgresearch.session.session import Session
from bgresearch.store import Series

Choice = Literal["auto", "rest", "archive"]
_WORTH_S = 10.0  # what the archive must save: below that a second source is not worth its checks

_log = logging.getLogger(__name__)


class Stopped(Exception):
    """The caller asked for the end of a download; what was complete is in the store."""


class ArchiveWarning(UserWarning):
    """A file of the archive was not believed, and set aside; the message names it."""


@dataclass
class ArchiveUse:
    """What the archive gave to a call, for its report.

    Attributes
    ----------
    files, rows : int
        Files read, rows stored.
    gaps : list of (Span, str)
        What was wanted and is not stored, and why.
    set_aside : list of (str, str)
        Files that are not believed, and why.
    differences : list of str
        Where a file differs from what was stored.
    """

    files: int = 0
    rows: int = 0
    gaps: list[tuple[Span, str]] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def add(self, wanted: WantedFiles, done: Imported) -> None:
        """Take in the result of fetching what was wanted."""
        self.files += done.files
        self.rows += done.rows
        self.gaps += [*wanted.gaps, *done.problems]
        self.set_aside += done.set_aside
        self.differences += done.differences
        for name, why in done.set_aside:
            warnings.warn(f"{name} was set aside: {why}", ArchiveWarning, stacklevel=2)
        for words in done.differences:
            _log.warning("%s", words)

    def words(self) -> dict[str, Any]:
        """Return the report as plain values; empty if the archive was not asked."""
        if not (self.files or self.gaps or self.set_aside):
            return {}
        aside = [{"file": name, "reason": why} for name, why in self.set_aside]
        return {"archive": {"files": self.files, "set_aside": aside, "differences": self.differences}}

    def causes(self, missing: Sequence[Span]) -> list[dict[str, str | None]]:
        """Return what is still missing as gaps with the reason that is known, as plain values."""
        named: list[tuple[Span, str]] = []
        for span in missing:
            left: tuple[Span, ...] = (span,)
            for gap, why in self.gaps:
                named += [(part, why) for each in left if (part := each.intersect(gap))]
                left = subtract(left, [gap])
            named += [(part, "not asked of the archive: it is no whole day of a file") for part in left]
        return [{"start": iso(span.start_ms), "end": iso(span.end_ms), "cause": why} for span, why in sorted(named)]


def archived_words(spans: Sequence[Span]) -> dict[str, Any]:
    """Return which spans came from the archive, as plain values; empty if none did."""
    return {"archived": [[iso(span.start_ms), iso(span.end_ms)] for span in spans]} if spans else {}


def checked_choice(word: str, session: Session) -> Choice:
    """Return the source that is wished.

    Raises
    ------
    InvalidInput
        There is no such source.
    ConfigurationError
        It is the archive, and this exchange has none.
    """
    if word not in get_args(Choice):
        raise InvalidInput.unknown("source", word, get_args(Choice))
    if word == "archive" and session.archive is None and not session.offline:
        raise ConfigurationError(
            f"no bulk archive of {session.sender.host} is known.",
            hint="Connect with archive_url=, or set BGRESEARCH_ARCHIVE_URL.",
        )
    return word  # type: ignore[return-value]  # checked against the words above


def archive_changes(session: Session) -> list[ChangedFile]:
    """Return which fetched files the archive no longer has as they were; the verb of the client, which documents it."""
    checked_choice("archive", session)
    if session.archive is None or session.offline:
        raise OfflineError("what the archive has now is known to it alone, and offline=True forbids asking.")
    return list(changed_files(session.store, session.archive))


def reachable(session: Session) -> bool:
    """Return whether the archive may be asked at all."""
    return session.archive is not None and not session.offline and not session.store.pin


def whole_days(market: str, data: Data, missing: Iterable[Span]) -> tuple[Span, ...]:
    """Return the days of files that are missing from beginning to end."""
    spans = union(missing)
    days = dict.fromkeys(day for span in spans for day in file_days(span))
    files = (ArchiveFile(market, "", data, day).span for day in days)
    return union(span for span in files if not subtract([span], spans))


def share_of_archive(  # noqa: PLR0917 - what is asked for, and how it is priced
    session: Session, market: str, symbol: str, data: Data, missing: Sequence[Span], choice: Choice,
    rest_seconds: Callable[[Sequence[Span]], float],
) -> WantedFiles:  # fmt: skip
    """Return which files to fetch of what is missing: none where requests are the cheaper way.

    Parameters
    ----------
    session : Session
        The exchange and its archive.
    market, symbol, data : str
        Of what.
    missing : sequence of Span
        What the store lacks.
    choice : str
        ``auto`` compares prices; ``archive`` takes every day that is touched.
    rest_seconds : callable
        What spans cost over REST, in seconds.
    """
    if choice == "rest" or not missing or not reachable(session):
        return NO_FILES
    days = missing if choice == "archive" else whole_days(market, data, missing)
    wanted = wanted_files(market, symbol, data, days, session.clock.now_ms())
    if choice == "archive":
        return wanted
    covered = subtract(days, [gap for gap, _why in wanted.gaps])
    if not covered or not worth_it(rest_seconds(covered), wanted):
        return NO_FILES
    return WantedFiles(wanted.files, ())


def worth_it(rest_seconds: float, wanted: WantedFiles) -> bool:
    """Return whether files save enough against what REST costs."""
    return rest_seconds >= wanted.seconds + _WORTH_S


def fetch_archived(
    session: Session, series: Series, wanted: WantedFiles, missing: Sequence[Span], reference: Reference, *,
    done: Callable[[ArchiveFile], None] = lambda _file: None, stop: threading.Event | None = None,
) -> Imported:  # fmt: skip
    """Fetch files, check them and write what is missing; return the result.

    Raises
    ------
    AccessBlocked, NetworkError
        The archive refuses this client, or does not answer. What was complete is in the store.
    Stopped
        The caller asked for the end.
    StoreError
        The folder cannot be written.
    """

    def alive() -> None:
        if stop is not None and stop.is_set():
            raise Stopped

    if session.archive is None:
        return Imported()
    importer = ArchiveImporter(session.store, session.clock, series, reference, missing, alive=alive)
    with ArchiveFetcher(session.archive, session.store.data_dir) as fetcher:

        def deliveries() -> Any:
            for delivered in fetcher.deliveries(wanted.files, missing):
                yield delivered
                done(delivered.file)

        return importer.run(deliveries())
