"""Files of the bulk archive that a person has downloaded, into the store: checked and compared like fetched ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bgresearch.archives.archive_file import ArchiveFile, Data, file_days, month_of
from bgresearch.archives.archive_reader import data_of, read_file
from bgresearch.archives.checks import Reference
from bgresearch.archives.container import UnreadableFile
from bgresearch.archives.fetcher import Delivered
from bgresearch.archives.file_names import file_of
from bgresearch.archives.importer import ArchiveImporter, Imported
from bgresearch.core.progress import Wish, shown
from bgresearch.core.spans import Span, iso
from bgresearch.core.symbols import Named
from bgresearch.errors import InvalidInput
from bgresearch.http.file_host import FileInfo
from bgresearch.market.archived import ArchiveUse
from bgresearch.market.archived_books import series_of_books
from bgresearch.market.candles.plan import subject
from bgresearch.market.candles.read_through import daily_reference
from bgresearch.market.history import trades_series
from bgresearch.session.session import Session
from bgresearch.store import Series

_ENDINGS = (".zip", ".csv", ".xlsx")
_COLUMNS = ("file", "market", "symbol", "data", "start", "end", "state", "reason")
_IN_ANOTHER_COIN = "its turnover is in USDT, not in the coin that the symbol is quoted in"
_NO_FIRST_PART = "the parts before it are not among the files"
_UNNAMED = "its name does not say what it holds: give market= and symbol="

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass
class _Local:
    """A local file, what it holds, and the result of importing it."""

    path: Path
    file: ArchiveFile | None = None
    reason: str = ""
    stored: bool = False

    def row(self) -> dict[str, object]:
        file, span = self.file, self.file.span if self.file else None
        return {
            "file": str(self.path), "market": file.market if file else None, "symbol": file.symbol if file else None,
            "data": file.data if file else None, "start": span and pd.Timestamp(span.start_ms, unit="ms", tz="UTC"),
            "end": span and pd.Timestamp(span.end_ms, unit="ms", tz="UTC"),
            "state": "set aside" if not self.stored else "stored" if not self.reason else "stored in part",
            "reason": self.reason or None,
        }  # fmt: skip


class _Kind(NamedTuple):
    market: str
    symbol: str
    data: Data


def import_archive(
    session: Session, paths: Paths, *, market: str | None, symbol: str | None, progress: Wish
) -> pd.DataFrame:
    """Return the result of every file; the verb of the client, which documents it."""
    if (market is None) != (symbol is None):
        raise InvalidInput("symbol" if symbol is None else "market", "is missing.", hint="Give both, or none.")
    session.store.check_host()
    files = [_described(path, market, symbol) for path in _found(paths)]
    use, rows = ArchiveUse(), 0
    known = sorted((one for one in files if one.file is not None), key=_order)
    with shown(progress, len(files), "files", unit="files", least=10) as done:
        for kind, some in groupby(known, key=_kind):
            rows += _import(session, kind, list(some), use)
            done(1)
    frame = pd.DataFrame([one.row() for one in files], columns=list(_COLUMNS))
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[ms, UTC]")
    gaps = [{"start": iso(span.start_ms), "end": iso(span.end_ms), "cause": why} for span, why in use.gaps]
    frame.attrs["bgresearch"] = {
        "verb": "import_archive", "host": session.sender.host, "rows": rows, "gaps": gaps,
        "differences": use.differences,
    }  # fmt: skip
    return frame


def _found(paths: Paths) -> list[Path]:
    """Return the named files, and those in named folders."""
    given: Any = paths  # whatever a caller without types passes
    named = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    if not all(isinstance(path, str | os.PathLike) for path in named):
        raise InvalidInput("paths", f"{paths!r} is not a path.", hint="Name files, or a folder of them.")
    found: list[Path] = []
    for path in map(Path, named):
        if path.is_dir():
            found += sorted(one for one in path.rglob("*") if one.suffix.lower() in _ENDINGS and one.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise InvalidInput("paths", f"there is no file {str(path)!r}.", hint="Name files, or a folder of them.")
    if not found:
        raise InvalidInput("paths", "there is no file among them.", hint=f"Files end in {', '.join(_ENDINGS)}.")
    return list(dict.fromkeys(one.absolute() for one in found))


def _described(path: Path, market: str | None, symbol: str | None) -> _Local:
    file = file_of(path)
    if file is not None and symbol is not None and market is not None:
        file = replace(file, market=market, symbol=symbol.upper())
    if file is None and symbol is not None and market is not None:
        try:
            return _Local(path, _by_content(path, market, symbol.upper()))
        except UnreadableFile as error:
            return _Local(path, reason=str(error))
    return _Local(path, file, "" if file is not None else _UNNAMED)


def _by_content(path: Path, market: str, symbol: str) -> ArchiveFile:
    """Return what a file holds by its header and its times."""
    data = data_of(path)
    column = "open_time" if data == "klines" else "time"
    first, last = 2**62, -(2**62)
    for table in read_file(path, data):
        if table.num_rows:
            times = table.column(column).cast("int64").to_numpy()
            first, last = min(first, int(times.min())), max(last, int(times.max()))
    if first > last:
        raise UnreadableFile("it is empty")
    day = next(iter(file_days(Span(first, first + 1))))
    for file in (ArchiveFile(market, symbol, data, day), ArchiveFile(market, symbol, data, month_of(day), "month")):
        if last < file.span.end_ms:
            return file
    raise UnreadableFile(f"its rows span {iso(first)} to {iso(last)}: more than a month of UTC+8")


def _order(local: _Local) -> tuple[str, str, str, int, str, int]:
    file = local.file
    assert file is not None  # noqa: S101 - those without are left out
    return file.market, file.symbol, file.data, file.span.start_ms, file.length, file.part


def _kind(local: _Local) -> _Kind:
    return _Kind(*_order(local)[:3])  # type: ignore[arg-type]  # a kind of data


def _import(session: Session, kind: _Kind, locals_: Sequence[_Local], use: ArchiveUse) -> int:
    """Import the files of one series into the store; return the number of rows."""
    named, what = Named(kind.symbol, kind.market), subject(kind.symbol, "1m", kind.market, "last", "utc")
    if kind.data == "klines" and not what.archivable:
        for one in locals_:
            one.reason = _IN_ANOTHER_COIN
        return 0
    series = _series(kind.data, named)
    deliveries = list(_delivered(locals_))
    spans = [one.file.span for one in deliveries if not one.problem]
    reference = Reference({})
    if spans:
        reference, _listed = daily_reference(session, what, spans)
    rows = 0
    for some in _disjoint(deliveries):  # months and days may hold the same: the later ones are compared
        wanted = [part for one in some for part in session.store.missing(series, one.file.span)]
        importer = ArchiveImporter(session.store, session.clock, series, reference, wanted, keep_files=True)
        result = importer.run(some)
        rows += result.rows
        for delivered in some:
            _judge(locals_, delivered, result)
        use.gaps += result.problems
        use.differences += result.differences
    return rows


def _disjoint(deliveries: Sequence[Delivered]) -> list[list[Delivered]]:
    """Return deliveries in as few groups as do not overlap, each in order of time."""
    groups: list[list[Delivered]] = []
    for one in deliveries:
        free = next((group for group in groups if group[-1].file.span.end_ms <= one.file.span.start_ms), None)
        if free is None:
            groups.append([one])
        else:
            free.append(one)
    return groups


def _judge(locals_: Sequence[_Local], delivered: Delivered, result: Imported) -> None:
    """Set the result of the files of a delivery."""
    reasons = dict(result.set_aside)
    paths = {str(path) for _info, path in delivered.parts}
    lacking = {why: span for span, why in result.problems if span.intersect(delivered.file.span)}
    for one in locals_:
        if str(one.path) in paths:
            one.stored = not delivered.problem
            own = [words for words in result.differences if words.startswith((str(one.path), str(delivered.file)))]
            own += [f"{why}: {span}" for why, span in lacking.items()]
            one.reason = reasons.get(str(one.path)) or delivered.problem or "; ".join(own)


def _series(data: Data, named: Named) -> Series:
    if data == "klines":
        return subject(named.symbol, "1m", named.market, "last", "utc").stored
    return trades_series(named) if data == "trades" else series_of_books(data, named)


def _delivered(locals_: Sequence[_Local]) -> Iterable[Delivered]:
    """Yield files as if they had been fetched; the parts of a day together."""

    def whole(local: _Local) -> ArchiveFile:
        assert local.file is not None  # noqa: S101 - those without are left out
        return local.file.of_part(0)

    for file, some in groupby(locals_, key=whole):
        parts = list(some)
        numbers = [one.file.part for one in parts if one.file]
        if file.parts and any(numbers) and numbers != list(range(1, len(numbers) + 1)):
            for one in parts:
                one.reason = _NO_FIRST_PART
            continue
        for group in [parts] if file.parts else [[one] for one in parts]:
            infos = [(FileInfo(str(one.path), one.path.stat().st_size, "", ""), one.path) for one in group]
            yield Delivered(file, infos)
