"""Looks at every file of a store: readable, as written, in order, in agreement with its ledger. Changes nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from bgresearch.core.intervals import INTERVALS, Grid
from bgresearch.core.spans import Span, subtract
from bgresearch.errors import StoreError
from bgresearch.store import parquet_file as partition
from bgresearch.store.atomic_files import opened, reading, walked
from bgresearch.store.candle_checks import check_page
from bgresearch.store.coverage import Ledger
from bgresearch.store.layout import SPELLED, NewerFormat, Series

Kind = Literal["damaged", "unsound", "incomplete", "newer", "lost", "unreadable"]
_CANDLES = ("candles", "candles-utc8")
PRIVATE = "account"  # the folder of what belongs to an account


@dataclass(frozen=True)
class Flaw:
    """Something that is not as it should be.

    Attributes
    ----------
    path : Path
        The file, below the data folder.
    kind : str
        ``damaged``: not what was written; ``unsound``: rows that contradict themselves or their ledger;
        ``incomplete``: the ledger claims rows that are not there; ``newer``: written by a newer version; ``lost``: it
        was set aside as damaged, and no sound file covers its span again; ``unreadable``: it cannot be read now, which
        says nothing about its content.
    words : str
        What is wrong.
    span : Span or None
        Where; None for the whole file.
    series : Series or None
        What the file belongs to, if that are candles: those can be fetched again.
    """

    path: Path
    kind: Kind
    words: str
    span: Span | None = None
    series: Series | None = None


def files_of(root: Path, *, private: bool = True) -> list[Path]:
    """Return the partitions of a store in order; hidden folders (locks, pins) are none of them."""
    found = (path for path in walked(root) if path.suffix == ".parquet" and not path.name.startswith("."))
    return sorted(path for path in found if private or _below(root, path)[0] != PRIVATE)


def inspect(root: Path, path: Path) -> tuple[Flaw, ...]:
    """Return what is wrong with one file; reads it whole.

    Parameters
    ----------
    root : Path
        The data folder.
    path : Path
        One of `files_of`.
    """
    below = path.relative_to(root)
    try:
        with reading(path), opened(path) as file:
            return _inspected(below, file)
    except StoreError as error:
        return (Flaw(below, "unreadable", str(error), None, candles_at(below)),)


def inspect_bytes(below: Path, data: bytes) -> tuple[Flaw, ...]:
    """Return what is wrong with the content of a file, given its place in a store."""
    return _inspected(below, io.BytesIO(data))


def _inspected(below: Path, file: IO[bytes]) -> tuple[Flaw, ...]:
    series = candles_at(below)
    try:
        folder = partition.folder_of(file)
        file.seek(0)
        table, ledger, time = partition.decode_any(file)
    except NewerFormat as error:
        return (Flaw(below, "newer", str(error)),)
    except partition.DamagedFile as error:
        return (Flaw(below, "damaged", str(error), None, series),)
    if folder != below.parent.as_posix():
        return (Flaw(below, "unsound", f"it was written for another place, {folder}", None, series),)
    return tuple(_flaws(below, series, table, ledger, partition.times_of(table, time)))


def candles_at(below: Path) -> Series | None:
    """Return which candles a file below the data folder holds by its place, None if it holds something else."""
    name, *folders = below.parent.parts or ("",)
    keys = tuple((key, _plain(key, unquote(value))) for key, _, value in (part.partition("=") for part in folders))
    series = Series(name, keys, "open_time")
    return series if name in _CANDLES and dict(keys).get("interval") in INTERVALS else None


def _plain(key: str, value: str) -> str:
    return next((plain for (name, plain), spelled in SPELLED.items() if (name, spelled) == (key, value)), value)


def _flaws(
    below: Path, series: Series | None, table: pa.Table, ledger: Ledger, times: np.ndarray[Any, np.dtype[np.int64]]
) -> Iterator[Flaw]:
    inside = np.zeros(len(times), dtype=bool)
    for span in ledger.covered:
        start, end = np.searchsorted(times, [span.start_ms, span.end_ms])
        inside[start:end] = True
    strays = times[~inside]
    if len(strays):
        span = Span(int(strays[0]), int(strays[-1]) + 1)
        yield Flaw(below, "unsound", f"{len(strays)} rows that the ledger does not know", span, series)
    if series is not None:
        yield from _flaws_of_candles(below, series, table, ledger)


def _flaws_of_candles(below: Path, series: Series, table: pa.Table, ledger: Ledger) -> Iterator[Flaw]:
    grid = grid_of(series)
    times = partition.times_of(table, series.time)
    for at in times[1:][times[1:] == times[:-1]][:1].tolist():
        yield Flaw(below, "unsound", "two candles of the same time", Span(at, at + 1), series)
    for span in subtract(ledger.covered, [gap.span for gap in ledger.gaps]):
        checked = check_page(partition.within(table, series.time, span), span, grid)
        if checked.fault:
            yield Flaw(below, "unsound", checked.fault, span, series)
            continue
        for odd in checked.odd:
            if odd.row is None:  # one that can be read is as the exchange sent it, and flagged whenever it is given
                yield Flaw(below, "unsound", odd.problem, odd.span, series)
        for hole in subtract(checked.absent, [odd.span for odd in checked.odd]):
            missing = grid.count(hole)
            words = f"{missing} {'candle' if missing == 1 else 'candles'} that the ledger claims are not there"
            yield Flaw(below, "incomplete", words, hole, series)


def grid_of(series: Series) -> Grid:
    """Return where candles of a series open."""
    return Grid(INTERVALS[dict(series.keys)["interval"]], "exchange" if series.name == _CANDLES[1] else "utc")


def _below(root: Path, path: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts
