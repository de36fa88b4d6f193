"""What is assumed of the bulk archive: a day of trades, and a file that does not exist."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bgresearch.archives.archive_file import ArchiveFile
from bgresearch.archives.archive_reader import read_file
from bgresearch.archives.container import UnreadableFile
from bgresearch.catalogue.assumptions import (
    ARCHIVE_ABSENT,
    ARCHIVE_HEADER,
    ARCHIVE_PUBLISHED_MS,
    ARCHIVE_SECONDS,
    ARCHIVE_ZONE_MS,
)
from bgresearch.client.doctor.about_candles import SYMBOL
from bgresearch.client.doctor.findings import Observation, judged
from bgresearch.client.doctor.prober import CouldNotAsk, Prober
from bgresearch.core.intervals import DAY_MS, HOUR_MS
from bgresearch.core.spans import Span, iso
from bgresearch.errors import AccessBlocked, BadResponse
from bgresearch.http.file_host import FileHost

_NO_DAY = dt.date(2016, 1, 1)  # before the exchange began
_SPARE_MS = DAY_MS  # files were seen later than they are said to be
_OLDER = 30  # days: where the newest is not there
_MOST_BYTES = 64 * 1024**2


def absence(prober: Prober, archive: FileHost) -> Iterator[Observation]:
    """Ask for a file that cannot exist."""
    prober.check_budget()
    try:
        found = archive.look(_file(_NO_DAY).candidates()[0])
    except AccessBlocked:
        raise
    except BadResponse as error:
        yield Observation(ARCHIVE_ABSENT.name, "differs", str(error))
        return
    wrong = ["it is there"] if found is not None else []
    yield judged(ARCHIVE_ABSENT.name, wrong, "It is answered with 403 and AccessDenied.")


def one_day(prober: Prober, archive: FileHost) -> Iterator[Observation]:
    """Fetch the trades of the newest day that should be there, and read them."""
    newest = _day(prober.clock.now_ms() - ARCHIVE_PUBLISHED_MS.value - _SPARE_MS)
    with tempfile.TemporaryDirectory(prefix="bgresearch-") as folder:
        path = Path(folder) / "day.zip"
        late = not _fetched(prober, archive, _file(newest), path)
        file = _file(newest - dt.timedelta(days=_OLDER) if late else newest)
        if late and not _fetched(prober, archive, file, path):
            raise CouldNotAsk(f"there is no file of {file.day} either.")
        try:
            tables = list(read_file(path, "trades"))
        except UnreadableFile as error:
            yield Observation(ARCHIVE_HEADER.name, "differs", str(error))
            return
    wrong = [f"there is none of {newest}"] if late else []
    yield judged(ARCHIVE_PUBLISHED_MS.name, wrong, f"That of {newest} is there.")
    yield Observation(ARCHIVE_HEADER.name, "holds", f"{sum(table.num_rows for table in tables)} trades could be read.")
    times = [int(time) for table in tables for time in table.column("time").cast(pa.int64()).to_pylist()]
    yield from _about_times(times, file.span)


def _about_times(times: list[int], span: Span) -> Iterator[Observation]:
    if not times:
        raise CouldNotAsk("the file has no rows.")
    outside = [time for time in times if not span.start_ms <= time < span.end_ms]
    wrong = [f"{len(outside)} of {len(times)} rows are outside of {span}"] if outside else []
    if min(times) - span.start_ms > HOUR_MS:  # the first part of a busy market begins with its day
        wrong.append(f"the first trade is of {iso(min(times))}, and the day begins at {iso(span.start_ms)}")
    yield judged(ARCHIVE_ZONE_MS.name, wrong, f"All rows are of {span}.")
    parts = sum(time % 1000 != 0 for time in times)
    finer = [f"{parts} of {len(times)} times have milliseconds"] if parts else []
    yield judged(ARCHIVE_SECONDS.name, finer, "All times are whole seconds.")


def _fetched(prober: Prober, archive: FileHost, file: ArchiveFile, path: Path) -> bool:
    for key in file.candidates():
        prober.check_budget()
        with path.open("wb") as sink:
            try:
                if archive.fetch(key, sink, _MOST_BYTES) is not None:
                    return True
            except AccessBlocked:
                raise
            except BadResponse:  # a host that does not say 403 for what it does not have
                continue
    return False


def _file(day: dt.date) -> ArchiveFile:
    return ArchiveFile("spot", SYMBOL, "trades", day, part=1)


def _day(at_ms: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=at_ms // DAY_MS)
