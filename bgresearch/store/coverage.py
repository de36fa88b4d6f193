"""What a partition knows about itself: covered spans, gaps with their cause, where the rows came from. Pure.

The ledger travels as JSON in the footer of the Parquet file whose rows it describes, so that the two cannot disagree.
It carries a digest of itself and one of the rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, cast, get_args

from bgresearch.core.intervals import DAY_MS, HOUR_MS
from bgresearch.core.spans import Span, subtract, union
from bgresearch.store.layout import check_format

Cause = Literal[
    "before listing", "delisted", "exchange has none", "unknown", "contradictory answer",
    "no connection", "too many requests", "maintenance", "refused", "late",
]  # fmt: skip
FORMAT = 4  # 1 had digests of another kind (parquet_file.py), did not say when to look again, and is read all the same
_FORMAT_OF_CONTRADICTIONS = 3  # knows contradictory answers, but no digest of rows that were written as they came
_FORMAT_BEFORE = 2  # knew every cause but contradictory answers, and is still written where there are none
NEVER_MS = 2**53
STREAMED = "columns:"  # digests of rows that were written as they came begin with it
ARCHIVE = "archive"  # among sources: rows that came from the exchange's bulk archive
_LOOKS: Mapping[Cause, tuple[int, ...]] = {
    "before listing": (),
    "delisted": (7 * DAY_MS, 30 * DAY_MS),  # it may be listed again
    "exchange has none": (DAY_MS, 7 * DAY_MS, 30 * DAY_MS),
    "unknown": (DAY_MS, 7 * DAY_MS, 30 * DAY_MS),
    "maintenance": (DAY_MS, 7 * DAY_MS, 30 * DAY_MS),
    "contradictory answer": (DAY_MS, 7 * DAY_MS, 30 * DAY_MS),
}
_YOUNG_MS = DAY_MS  # what was missing so shortly after it should have come is often only late


class Gap(NamedTuple):
    """A span in which the exchange has nothing, or in which a recording missed what it had.

    Attributes
    ----------
    span : Span
        Half-open, UTC.
    cause : str
        ``before listing``, ``delisted``, ``maintenance`` (the exchange says so), ``exchange has none`` (there are
        candles before and after), ``contradictory answer`` (what it answers, however it is asked, cannot be read or
        has two versions), or ``unknown``; of a recording why an instant was missed: ``no connection``,
        ``too many requests``, ``maintenance``, ``refused`` or ``late`` (this machine was).
    noticed_ms : int
        Epoch milliseconds when the exchange was first asked.
    again_ms : int
        Epoch milliseconds from which on it is asked again.
    """

    span: Span
    cause: Cause
    noticed_ms: int
    again_ms: int = NEVER_MS

    def looked_at(self, now_ms: int) -> Gap:
        """Return the gap with the time of its next check: a day after it was noticed, a week, a month, then never.

        A gap younger than a day is checked after an hour as well. A gap before a listing is not checked again.
        """
        looks = _LOOKS.get(self.cause, ())
        if looks and self.noticed_ms - self.span.end_ms < _YOUNG_MS:
            looks = (HOUR_MS, *looks)
        again = (self.noticed_ms + after_ms for after_ms in looks)
        return self._replace(again_ms=next((at for at in again if at > now_ms), NEVER_MS))


@dataclass(frozen=True)
class Ledger:
    """The ledger of one partition.

    Attributes
    ----------
    covered : tuple of Span
        Where every row that the exchange has is in the file.
    gaps : tuple of Gap
        Where it has none. A gap before the listing may begin long before the partition's own period.
    sources : mapping
        Route to ``(first, last)`` fetch time, epoch milliseconds.
    rows : int
        Number of rows in the file.
    checksum : str
        Digest of the rows; `parquet_file` knows its kinds.
    archived : tuple of Span
        What of ``covered`` came from the bulk archive; versions that do not know this leave it out.
    """

    covered: tuple[Span, ...] = ()
    gaps: tuple[Gap, ...] = ()
    sources: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rows: int = 0
    checksum: str = ""
    archived: tuple[Span, ...] = ()

    def known(self) -> tuple[Span, ...]:
        """Return the spans about which nothing needs to be asked."""
        return union([*self.covered, *(gap.span for gap in self.gaps)])

    def whole(self) -> tuple[Span, ...]:
        """Return the spans in which no row is absent."""
        return subtract(self.covered, [gap.span for gap in self.gaps])

    def extended(self, covered: Iterable[Span], gaps: Iterable[Gap], sources: Mapping[str, tuple[int, int]]) -> Ledger:
        """Return this ledger with newer knowledge, which wins where both speak of the same instant."""
        newer, fresh = union(covered), tuple(gaps)
        holes = [*newer, *(gap.span for gap in fresh)]
        kept = [gap._replace(span=left) for gap in self.gaps for left in subtract([gap.span], holes)]
        seen = [part for gap in fresh for part in _seen_before(gap, self.gaps)]
        merged = dict(self.sources)
        for route, (first, last) in sources.items():
            old = merged.get(route, (first, last))
            merged[route] = (min(old[0], first), max(old[1], last))
        archived = subtract(self.archived, newer)
        if ARCHIVE in sources:
            archived = union([*archived, *newer])
        return Ledger(
            union([*self.covered, *newer]), _joined([*kept, *seen]), merged, self.rows, self.checksum, archived
        )  # fmt: skip

    def without(self, span: Span) -> Ledger:
        """Return this ledger with nothing said about a span."""
        gaps = [gap._replace(span=left) for gap in self.gaps for left in subtract([gap.span], [span])]
        covered, archived = subtract(self.covered, [span]), subtract(self.archived, [span])
        return replace(self, covered=covered, gaps=tuple(gaps), archived=archived)

    def without_listing(self) -> Ledger:
        """Return this ledger without what it says of the time before the listing."""
        return replace(self, gaps=tuple(gap for gap in self.gaps if gap.cause != "before listing"))

    def to_json(self, **about: object) -> bytes:
        """Return the ledger as JSON, with a digest of itself."""
        body = {
            **about,
            "format": self._format(),
            "covered": [list(span) for span in self.covered],
            "gaps": [[*gap.span, gap.cause, gap.noticed_ms, gap.again_ms] for gap in self.gaps],
            "sources": {route: list(times) for route, times in sorted(self.sources.items())},
            **({"archived": [list(span) for span in self.archived]} if self.archived else {}),
            "rows": self.rows,
            "checksum": self.checksum,
        }
        return json.dumps({**body, "digest": _digest(body)}, separators=(",", ":")).encode()

    def _format(self) -> int:
        """Return the oldest format that knows everything that is said."""
        if self.checksum.startswith(STREAMED):
            return FORMAT
        contradictory = any(gap.cause == "contradictory answer" for gap in self.gaps)
        return _FORMAT_OF_CONTRADICTIONS if contradictory else _FORMAT_BEFORE

    @classmethod
    def from_json(cls, text: bytes) -> Ledger:
        """Return the ledger in that JSON.

        Raises
        ------
        ValueError
            If it is damaged.
        NewerFormat
            If a newer version wrote it.
        """
        body = json.loads(text)
        if not isinstance(body, dict) or body.pop("digest", None) != _digest(body):
            raise ValueError("the ledger's digest does not match")
        check_format(body["format"], FORMAT)
        return cls(
            covered=tuple(Span(start, end) for start, end in body["covered"]),
            gaps=tuple(map(_gap, body["gaps"])),
            sources={route: (first, last) for route, (first, last) in body["sources"].items()},
            rows=body["rows"],
            checksum=body["checksum"],
            archived=tuple(Span(start, end) for start, end in body.get("archived", ())),
        )


def _gap(values: list[Any]) -> Gap:
    start, end, cause, noticed, *again = values
    gap = Gap(Span(start, end), _cause(cause), noticed)
    return gap._replace(again_ms=again[0]) if again else gap.looked_at(noticed)


def _seen_before(fresh: Gap, known: Iterable[Gap]) -> Iterator[Gap]:
    """Yield the parts of a gap; those already known for the same cause keep the time at which they were noticed."""
    same = [gap for gap in known if gap.cause == fresh.cause and gap.noticed_ms < fresh.noticed_ms]
    left = [fresh.span]
    for gap in same:
        for part in (part for each in left if (part := each.intersect(gap.span))):
            yield gap._replace(span=part).looked_at(fresh.noticed_ms)
        left = list(subtract(left, [gap.span]))
    for part in left:
        yield fresh._replace(span=part)


def _cause(text: str) -> Cause:
    if text not in get_args(Cause):
        raise ValueError(f"unknown cause {text!r}")
    return cast(Cause, text)


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def explained(gap: Gap, has_rows: Callable[..., bool]) -> Gap:
    """Return a gap with the cause that the rows around it leave: between rows nothing is unlisted or unknown.

    Parameters
    ----------
    gap : Gap
        As it was noticed.
    has_rows : callable
        Whether there is a row ``before_ms`` an instant, or at or ``after_ms`` one.
    """
    if gap.cause not in ("before listing", "delisted", "unknown"):
        return gap
    older = gap.cause == "delisted" or has_rows(before_ms=gap.span.end_ms)
    newer = gap.cause == "before listing" or has_rows(after_ms=gap.span.end_ms)
    return gap._replace(cause="exchange has none") if older and newer else gap


def joined(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """Return the gaps in order; adjacent ones with one cause become one, with the last notice and the first check."""
    return _joined(gaps, lambda one, other: one.cause == other.cause)


def _joined(
    gaps: Iterable[Gap],
    alike: Callable[[Gap, Gap], bool] = lambda one, other: (one.cause, one.again_ms) == (other.cause, other.again_ms),
) -> tuple[Gap, ...]:
    whole: list[Gap] = []
    for gap in sorted(gaps):
        last = whole[-1] if whole else None
        if last and alike(last, gap) and last.span.end_ms >= gap.span.start_ms:
            span = Span(last.span.start_ms, max(last.span.end_ms, gap.span.end_ms))
            noticed, again = max(last.noticed_ms, gap.noticed_ms), min(last.again_ms, gap.again_ms)
            whole[-1] = Gap(span, last.cause, noticed, again)
        else:
            whole.append(gap)
    return tuple(whole)
