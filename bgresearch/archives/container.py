"""The one table inside a downloaded file: CSV, or XLSX, usually in a ZIP. Reads streams, writes nothing.

Nothing from the file decides where anything is written, formulas and links are not followed, sizes are capped before
anything is unpacked: the declared size of a member bounds what is read of it, and its checksum is compared at the end.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, NamedTuple

from bgresearch.errors import ConfigurationError

MOST_CSV_BYTES = 16 * 1024**3  # a month of trades of the busiest market is about 3 GB
MOST_XLSX_BYTES = 256 * 1024**2  # a day of order books is the largest, about 60 MB unpacked
_MOST_RATIO = 250  # CSV packs ten to one, order books thirty to one; a bomb a thousand to one
_RATIO_FROM_BYTES = 1024**2
_ENCRYPTED = 0x1
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, ValueError, KeyError,
    OverflowError, RuntimeError,
)  # fmt: skip


class UnreadableFile(Exception):
    """A downloaded file that is not what the archive publishes; the message says why."""


class Inside(NamedTuple):
    """The table inside a file.

    Attributes
    ----------
    kind : str
        ``csv`` or ``xlsx``.
    stream : binary file
        Its bytes.
    """

    kind: Literal["csv", "xlsx"]
    stream: IO[bytes]


@contextlib.contextmanager
def table_inside(path: Path) -> Iterator[Inside]:
    """Give the table inside a file; a checksum that does not match is raised where the stream ends.

    Raises
    ------
    UnreadableFile
        It is no CSV, XLSX or ZIP of one of them, it is damaged, or absurdly large.
    """
    with readable(path.name), path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        suffix = path.suffix.lower()
        if suffix == ".csv":
            yield Inside("csv", file)
        elif suffix == ".xlsx":
            yield Inside("xlsx", _whole(file, path.stat().st_size))
        elif not start.startswith(b"PK"):
            raise UnreadableFile(f"{path.name} is no ZIP file")
        else:
            with zipfile.ZipFile(file) as packed:
                yield from _member(packed, path.name)


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what unpacking and parsing raise into `UnreadableFile`."""
    try:
        yield
    except UnreadableFile:
        raise
    except MemoryError as error:
        raise UnreadableFile(f"{name} does not fit into memory") from error
    except OSError as error:
        if error.errno is None:  # zipfile and Arrow report damage in that way
            raise UnreadableFile(f"{name} is damaged: {str(error)[:200]}") from error
        raise UnreadableFile(f"{name} cannot be read now: {os.strerror(error.errno)}") from error
    except _BROKEN as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableFile(f"{name} is damaged: {said[:200]}") from error


def xlsx_rows(stream: IO[bytes]) -> Iterator[list[Any]]:
    """Yield the rows of the only sheet of an XLSX file; cells are text or numbers.

    Raises
    ------
    ConfigurationError
        python-calamine is not installed.
    UnreadableFile
        The file is damaged, or absurdly large.
    """
    try:
        import python_calamine
    except ImportError:
        raise ConfigurationError(
            "daily files of candles, quotes and books are XLSX, and python-calamine, which reads them, is missing.",
            hint="Install it: pip install 'bgresearch[archives]'.",
        ) from None
    with zipfile.ZipFile(stream) as packed:
        for member in packed.infolist():
            _refuse_absurd(member, MOST_XLSX_BYTES)
        if sum(member.file_size for member in packed.infolist()) > MOST_XLSX_BYTES:
            raise UnreadableFile("the sheet is absurdly large")
    stream.seek(0)
    try:
        book = python_calamine.load_workbook(stream)
        if len(book.sheet_names) != 1:
            raise UnreadableFile(f"there are {len(book.sheet_names)} sheets where one is expected")
        yield from book.get_sheet_by_index(0).iter_rows()
    except python_calamine.CalamineError as error:
        raise UnreadableFile(f"the sheet is damaged: {str(error)[:200]}") from error


def _member(packed: zipfile.ZipFile, name: str) -> Iterator[Inside]:
    members = [one for one in packed.infolist() if not one.is_dir()]
    if len(members) != 1:
        raise UnreadableFile(f"{name} holds {len(members)} files where one is expected")
    member = members[0]
    suffix = PurePosixPath(member.filename).suffix.lower()
    if suffix not in (".csv", ".xlsx"):
        raise UnreadableFile(f"{name} holds {member.filename[:80]!r}, which is neither CSV nor XLSX")
    _refuse_absurd(member, MOST_CSV_BYTES if suffix == ".csv" else MOST_XLSX_BYTES)
    with packed.open(member) as stream:
        yield Inside("csv", stream) if suffix == ".csv" else Inside("xlsx", _whole(stream, member.file_size))


def _whole(stream: IO[bytes], size: int) -> IO[bytes]:
    """Return an XLSX file in memory: it is a ZIP itself, and is read from its end."""
    if size > MOST_XLSX_BYTES:
        raise UnreadableFile("the sheet is absurdly large")
    return io.BytesIO(stream.read(MOST_XLSX_BYTES + 1))


def _refuse_absurd(member: zipfile.ZipInfo, most_bytes: int) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise UnreadableFile("it is encrypted")
    if member.file_size > most_bytes:
        raise UnreadableFile(f"it would unpack to {member.file_size / 1024**3:.1f} GB, which is absurdly large")
    if member.file_size > _RATIO_FROM_BYTES and member.file_size > _MOST_RATIO * max(member.compress_size, 1):
        raise UnreadableFile(f"it would unpack to {member.file_size // max(member.compress_size, 1)} times its size")
