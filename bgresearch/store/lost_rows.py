"""Spans of damaged files that no sound file covers again. Reads footers only, changes nothing.

A damaged partition ``2026-10.parquet`` is renamed to ``2026-10.parquet.damaged-<when>`` and stays in its folder. Until
its spans are fetched again, or the file is restored or deleted, its rows are missing, and callers must not be given
the rest as if it were everything.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bgresearch.core.intervals import HOUR_MS
from bgresearch.core.spans import Span, subtract, union
from bgresearch.errors import StoreError
from bgresearch.store import parquet_file as partition
from bgresearch.store.atomic_files import names_in, opened, reading, walked
from bgresearch.store.coverage import Ledger
from bgresearch.store.layout import PERIOD, NewerFormat, is_partition

_ASIDE = re.compile(rf"(?P<period>{PERIOD})\.parquet\.damaged-(?P<when>\d{{8}}T\d{{6}}Z)(-\d+)?", re.ASCII)
_FIRST_MS = 1_483_228_800_000  # 2017-01-01: before the exchange's first row
PINS = ".pins"  # the folder of what was frozen, in a data folder
REMEDY = (
    "Fetch it again with the verb that gave it (not offline), or type: bgresearch verify --repair. "
    "Delete the file that was set aside to go on without these rows."
)


class LostRows(StoreError):
    """Stored rows cannot be read: a damaged file was set aside, and its span is not covered again."""


class Lost(NamedTuple):
    """A span of a file that was set aside, which no sound file covers.

    Attributes
    ----------
    span : Span
        Half-open, UTC.
    path : Path
        The file that was set aside.
    """

    span: Span
    path: Path


def lost_in(folder: Path) -> tuple[Lost, ...]:
    """Return the lost spans of the series in one folder, in order."""
    there = [folder / name for name in names_in(folder)]
    aside = [(path, found) for path in there if (found := _ASIDE.fullmatch(path.name))]
    if not aside:
        return ()
    ledgers = (_ledger(path) for path in there if is_partition(path))
    known = union(span for ledger in ledgers if ledger for span in ledger.known())
    return tuple(sorted(lost for path, found in aside for lost in _lost(path, found, known)))


def lost_below(root: Path) -> tuple[Lost, ...]:
    """Return the lost spans of every series below a folder; hidden folders hold none."""
    folders = {path.parent for path in walked(root) if _ASIDE.fullmatch(path.name)}
    return tuple(lost for folder in sorted(folders) for lost in lost_in(folder))


def refusal(lost: Iterable[Lost]) -> LostRows:
    """Return the error that names the files that were set aside, and the spans."""
    lost = sorted(lost)
    files = sorted({one.path for one in lost})
    spans = union(one.span for one in lost)
    named = ", ".join(map(str, files[:3])) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    where = ", ".join(map(str, spans[:3])) + (f" and {len(spans) - 3} more" if len(spans) > 3 else "")
    return LostRows(f"rows are missing: {where} was in a damaged file that was set aside, {named}.",
                    missing=spans, hint=REMEDY)  # fmt: skip


def damaged(path: Path, why: object) -> StoreError:
    """Return the error of a damaged file that is left in its place."""
    pinned = PINS in path.parts
    return StoreError(f"{path}{' of this pin' if pinned else ''} is damaged ({why}).", hint=remedy(pinned))


def remedy(pinned: bool) -> str:
    """Return what helps where a file is damaged and stays in its place."""
    if pinned:
        return "A pin is never repaired: restore the file from a copy, or freeze the data again under another name."
    return "client.verify(repair=True) sets damaged files aside and fetches candles again."


def _lost(path: Path, found: re.Match[str], known: tuple[Span, ...]) -> list[Lost]:
    ledger = _ledger(path)
    if ledger is not None:
        return [Lost(part, path) for part in subtract(ledger.whole(), known)]
    moment = dt.datetime.strptime(found["when"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    period = _period(found["period"]).intersect(Span(_FIRST_MS, max(_FIRST_MS, int(moment.timestamp()) * 1000)))
    parts = subtract([period], known) if period else ()
    return [Lost(part, path) for part in parts if part.duration_ms >= HOUR_MS]  # shorter ones were perhaps never kept


def _ledger(path: Path) -> Ledger | None:
    """Return what a file's footer says, None if that is damaged as well or the file has gone."""
    with reading(path):
        try:
            with opened(path) as file:
                return partition.read_ledger(file)
        except (FileNotFoundError, NewerFormat, partition.DamagedFile):
            return None


def _period(name: str) -> Span:
    """Return the time that a file of this name holds."""
    if name == "all":
        return Span(_FIRST_MS, 2**53)
    numbers = [int(part) for part in name.split("-")]
    year, month, day = (*numbers, 1, 1)[:3]
    start = dt.datetime(year, month, day, tzinfo=dt.UTC)
    if len(numbers) == 3:
        end = start + dt.timedelta(days=1)
    elif len(numbers) == 2:
        end = dt.datetime(year + month // 12, month % 12 + 1, 1, tzinfo=dt.UTC)
    else:
        end = dt.datetime(year + 1, 1, 1, tzinfo=dt.UTC)
    return Span(int(start.timestamp()) * 1000, int(end.timestamp()) * 1000)
