"""What a partition knows about itself: covered spans, gaps with their cause, where the rows came from. Pure.

The ledger travels as JSON in the footer of the Parquet file whose rows it describes, so that the two cannot disagree.
It carries a digest of itself and one of the rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, cast, get_args

from bgresearch.spans import Span, subtract, union

Cause = Literal[
    "before listing", "delisted", "exchange has none",
    "no connection", "too many requests", "maintenance", "refused", "late",
]  # fmt: skip
FORMAT = 2  # 1 had digests of another kind (digest.py) and is read all the same


class Gap(NamedTuple):
    """A span in which the exchange has nothing, or in which a recording missed what it had.

    Attributes
    ----------
    span : Span
        Half-open, UTC.
    cause : str
        ``before listing``, ``delisted`` or ``exchange has none``; of a recording why an instant was missed:
        ``no connection``, ``too many requests``, ``maintenance``, ``refused`` or ``late`` (this machine was).
    noticed_ms : int
        Epoch milliseconds when the exchange was asked.
    """

    span: Span
    cause: Cause
    noticed_ms: int


@dataclass(frozen=True)
class Ledger:
    """The ledger of one partition.

    Attributes
    ----------
    covered : tuple of Span
        Where every row that the exchange has is in the file.
    gaps : tuple of Gap
        Where it has none. A gap before the listing may reach far before the partition's own period.
    sources : mapping
        Route to ``(first, last)`` fetch time, epoch milliseconds.
    rows : int
        Number of rows in the file.
    checksum : str
        Digest of the rows; `digest` knows its kinds.
    """

    covered: tuple[Span, ...] = ()
    gaps: tuple[Gap, ...] = ()
    sources: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rows: int = 0
    checksum: str = ""

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
        kept = [Gap(left, gap.cause, gap.noticed_ms) for gap in self.gaps for left in subtract([gap.span], holes)]
        merged = dict(self.sources)
        for route, (first, last) in sources.items():
            old = merged.get(route, (first, last))
            merged[route] = (min(old[0], first), max(old[1], last))
        return Ledger(union([*self.covered, *newer]), _joined([*kept, *fresh]), merged, self.rows, self.checksum)

    def without(self, span: Span) -> Ledger:
        """Return this ledger with nothing said about a span."""
        gaps = [gap._replace(span=left) for gap in self.gaps for left in subtract([gap.span], [span])]
        return replace(self, covered=subtract(self.covered, [span]), gaps=tuple(gaps))

    def to_json(self, **about: object) -> bytes:
        """Return the ledger as JSON, with a digest of itself."""
        body = {
            **about,
            "format": FORMAT,
            "covered": [list(span) for span in self.covered],
            "gaps": [[*gap.span, gap.cause, gap.noticed_ms] for gap in self.gaps],
            "sources": {route: list(times) for route, times in sorted(self.sources.items())},
            "rows": self.rows,
            "checksum": self.checksum,
        }
        return json.dumps({**body, "digest": _digest(body)}, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Ledger:
        """Return the ledger in that JSON.

        Raises
        ------
        ValueError
            If it is damaged, or of a newer format.
        """
        body = json.loads(text)
        if not isinstance(body, dict) or body.pop("digest", None) != _digest(body):
            raise ValueError("the ledger's digest does not match")
        if body["format"] not in range(1, FORMAT + 1):
            raise NewerFormat(f"the ledger has format {body['format']}, this version reads up to {FORMAT}")
        return cls(
            covered=tuple(Span(start, end) for start, end in body["covered"]),
            gaps=tuple(Gap(Span(start, end), _cause(cause), noticed) for start, end, cause, noticed in body["gaps"]),
            sources={route: (first, last) for route, (first, last) in body["sources"].items()},
            rows=body["rows"],
            checksum=body["checksum"],
        )


class NewerFormat(Exception):
    """Written by a newer version: neither damaged nor readable."""


def _cause(text: str) -> Cause:
    if text not in get_args(Cause):
        raise ValueError(f"unknown cause {text!r}")
    return cast(Cause, text)


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _joined(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """Return the gaps in order, those that touch and share a cause as one."""
    joined: list[Gap] = []
    for gap in sorted(gaps):
        last = joined[-1] if joined else None
        if last and last.cause == gap.cause and last.span.end_ms >= gap.span.start_ms:
            end = max(last.span.end_ms, gap.span.end_ms)
            joined[-1] = Gap(Span(last.span.start_ms, end), gap.cause, max(last.noticed_ms, gap.noticed_ms))
        else:
            joined.append(gap)
    return tuple(joined)
