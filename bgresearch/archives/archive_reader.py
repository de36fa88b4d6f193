"""The rows of a downloaded file as Arrow tables with this package's columns, some hundred thousand at a time.

What the archive's files are like, and what is done about it: timestamps in seconds or milliseconds, distinguished by
magnitude, two spellings of the header, numbers as text in XLSX, quotes in no order, -999999 for a side that is
missing, several rows of one second. Rows that cannot be read make the whole file unreadable: a file is a unit that is
either believed or fetched another way.
"""

from __future__ import annotations

import csv as text_csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bgresearch.archives.archive_file import Data
from bgresearch.archives.container import Inside, UnreadableFile, readable, table_inside, xlsx_rows
from bgresearch.catalogue.assumptions import ARCHIVE_HEADER
from bgresearch.catalogue.value_types import TIME
from bgresearch.frames import CANDLE_SCHEMA

MISSING = -999_999.0  # a side of the book that was empty
_BLOCK_BYTES = 8 * 1024**2
_WHOLE_BYTES = 32 * 1024**2  # smaller files are read at once
_MOST_HEADER_BYTES = 4_096
_ROWS_AT_ONCE = 50_000  # of a sheet
_BOOKS_AT_ONCE = 64  # images of a thousand levels
_MOST_CELL_BYTES = 4 * 1024**2
_FIRST_MS, _LAST_MS = (
    1_483_228_800_000,
    4_102_444_800_000,
)  # 2017 and 2100; no row is older or newer
_SECONDS_BELOW, _MS_BELOW = 10**11, 10**14  # larger numbers are microseconds

TRADE_SCHEMA = pa.schema(
    [
        ("time", TIME),
        ("trade_id", pa.string()),
        ("side", pa.string()),
        ("price", pa.float64()),
        ("amount", pa.float64()),
    ]
)
QUOTE_SCHEMA = pa.schema(
    [("time", TIME), ("place", pa.int64()), *((name, pa.float64()) for name in ("bid", "bid_size", "ask", "ask_size"))]
)
BOOK_SCHEMA = pa.schema(
    [("time", TIME), ("place", pa.int64()), ("side", pa.string()), ("level", pa.int64()), ("price", pa.float64()),
     ("amount", pa.float64())]
)  # fmt: skip

_HEADERS: Mapping[Data, tuple[str, ...]] = {
    "trades": ARCHIVE_HEADER.value,
    "klines": ("timestamp", "open", "high", "low", "close", "basevolume", "usdtvolume"),
    "quotes": ("timestamp", "ask_price", "bid_price", "ask_volume", "bid_volume"),
    "books": ("timestamp", "asks", "bids"),
}
_TEXTS = ("trade_id", "side", "asks", "bids")
_UNUSED = ("volume(quote)",)  # price times size
_Columns = dict[str, pa.Array]


def read_file(path: Path, data: Data) -> Iterator[pa.Table]:
    """Yield the rows of a file in the order of the file; the tables of one file share a schema.

    Parameters
    ----------
    path : Path
        A ``.zip`` with one CSV or XLSX file inside, or one of those.
    data : str
        What is expected in it.

    Raises
    ------
    UnreadableFile
        It is damaged, absurdly large, or holds something else.
    ConfigurationError
        It is XLSX, and python-calamine is not installed.
    """
    with table_inside(path) as inside:
        found, batches = _batches(inside)
        if found != data:
            raise UnreadableFile(f"{path.name} holds {found}, not {data}")
        for columns in batches:
            _refuse_empty(columns)
            yield _RESHAPED[data](columns)


def data_of(path: Path) -> Data:
    """Return what kind of data a file holds, by its header.

    Raises
    ------
    UnreadableFile
        It is damaged, or no file of the archive.
    """
    with table_inside(path) as inside:
        return _batches(inside)[0]


def _batches(inside: Inside) -> tuple[Data, Iterator[_Columns]]:
    return _csv_batches(inside) if inside.kind == "csv" else _sheet_batches(inside)


def _csv_batches(inside: Inside) -> tuple[Data, Iterator[_Columns]]:
    with readable("the CSV file"):
        start = inside.stream.read(_WHOLE_BYTES)
        header = _first_line(start)
        data, names = _known(header)
        reading = pa_csv.ReadOptions(column_names=names, skip_rows=1)
        used = [name for name in names if name not in _UNUSED]
        types = {name: pa.int64() if name == "timestamp" else _type_of(name) for name in used}
        converted = pa_csv.ConvertOptions(
            column_types=types, include_columns=used, strings_can_be_null=False, null_values=[""]
        )  # fmt: skip
        if len(start) < _WHOLE_BYTES:  # a part of a day: read by several threads, and the checksum is compared
            table = pa_csv.read_csv(pa.BufferReader(start), reading, convert_options=converted)
            source = iter(table.combine_chunks().to_batches())
        else:
            reading.block_size = _BLOCK_BYTES
            source = pa_csv.open_csv(_Continued(start, inside.stream), reading, convert_options=converted)

    def batches() -> Iterator[_Columns]:
        with readable("the CSV file"):
            for batch in source:
                if batch.num_rows:
                    columns = dict(zip(used, batch.columns, strict=True))
                    yield _without_noise(columns) if "baseVolume" in header else columns
            inside.stream.read(1)  # past the end, where a ZIP compares the checksum

    return data, batches()


class _Continued:
    """A stream whose first bytes were read already."""

    closed = False

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start, self._rest = io.BytesIO(start), rest

    def read(self, size: int = -1) -> bytes:
        return self._start.read(size) or self._rest.read(size)

    def readable(self) -> bool:
        return True


def _sheet_batches(inside: Inside) -> tuple[Data, Iterator[_Columns]]:
    rows = xlsx_rows(inside.stream)
    header = [str(cell) for cell in next(rows, [])]
    data, names = _known(header)
    most = _BOOKS_AT_ONCE if data == "books" else _ROWS_AT_ONCE

    def batches() -> Iterator[_Columns]:
        while some := list(islice(rows, most)):
            if any(len(row) != len(names) for row in some):
                raise UnreadableFile("a row of the sheet has another number of cells than its header")
            with readable("the sheet"):
                cells = zip(names, zip(*some, strict=True), strict=True)
                columns = {name: _cells(name, some_cells) for name, some_cells in cells if name not in _UNUSED}
                yield _without_noise(columns) if "baseVolume" in header else columns

    return data, batches()


def _first_line(start: bytes) -> list[str]:
    """Return the names in the first line of a CSV file."""
    line = next(iter(start[:_MOST_HEADER_BYTES].splitlines()), b"")
    return next(text_csv.reader([line.decode("utf-8-sig")]), [])


def _type_of(name: str) -> pa.DataType:
    return pa.string() if name in _TEXTS else pa.float64()


def _cells(name: str, cells: Sequence[Any]) -> pa.Array:
    """Return a column of a sheet: numbers come as text as well as numbers."""
    whole = name in _TEXTS or name == "timestamp"
    texts = [cell if isinstance(cell, str) else _number_text(cell, whole=whole) for cell in cells]
    if name in _TEXTS:
        return pa.array(texts, pa.string())
    return pc.cast(pa.array([text or None for text in texts], pa.string()), pa.int64() if whole else pa.float64())


def _without_noise(columns: _Columns) -> _Columns:
    """Return columns of an old file with volumes of 15 digits: their last binary digit may be off there."""
    cleaned = {
        name: pa.array([float(f"{value:.15g}") if value is not None else None for value in columns[name].to_pylist()])
        for name in ("basevolume", "usdtvolume")
    }
    return columns | cleaned


def _number_text(cell: Any, *, whole: bool) -> str:
    """Return a number of a sheet as text; a date, a truth value or an error is none."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise UnreadableFile(f"{str(cell)[:40]!r} ({type(cell).__name__}) is where a number or a text is expected")
    if not whole:
        return repr(cell)
    if not math.isfinite(cell) or cell != int(cell) or abs(cell) >= 2**53:
        raise UnreadableFile(f"{str(cell)[:40]} is where a whole number is expected")
    return str(int(cell))


def _known(header: Sequence[str]) -> tuple[Data, list[str]]:
    """Return what a header belongs to, and its names as they are spelled today."""
    header = [name.strip() for name in header]
    names = [name.lower() for name in header]
    for data in get_args(Data):
        if sorted(names) == sorted(_HEADERS[data]):
            return cast("Data", data), names
    raise UnreadableFile(f"its header is {', '.join(header)[:120]!r}, which no file of the archive has")


def _times(columns: _Columns) -> pa.Array:
    """Return the timestamps: seconds, milliseconds or microseconds, by their magnitude."""
    numbers = columns["timestamp"].to_numpy(zero_copy_only=False)
    times = np.where(numbers < _SECONDS_BELOW, numbers * 1000, np.where(numbers < _MS_BELOW, numbers, numbers // 1000))
    if len(times) and (numbers.min() < 0 or times.min() < _FIRST_MS or times.max() >= _LAST_MS):
        raise UnreadableFile("a timestamp is outside the years 2017 to 2099")
    return pa.array(times).cast(TIME)


def _trades(columns: _Columns) -> pa.Table:
    sides, prices, sizes = columns["side"], columns["price"], columns["size(base)"]
    kinds = pc.unique(sides).to_pylist()
    if unknown := {side for side in kinds if side.lower() not in ("buy", "sell")}:
        raise UnreadableFile(f"the side of a trade is {sorted(unknown)[0][:20]!r}")
    if kinds != [side.lower() for side in kinds]:
        sides = pc.utf8_lower(sides)
    for name, values in (("price", prices), ("size", sizes)):
        _refuse_odd(f"the {name} of a trade", values)
    ids = columns["trade_id"]
    if not pc.all(pc.ascii_is_decimal(ids), min_count=0).as_py():
        odd = ids.filter(pc.invert(pc.ascii_is_decimal(ids)))[0].as_py()
        raise UnreadableFile(f"the id of a trade is {odd[:40]!r}, which is no whole number")
    return pa.Table.from_arrays([_times(columns), ids, sides, prices, sizes], schema=TRADE_SCHEMA)


def _refuse_empty(columns: _Columns) -> None:
    """Refuse a number that is empty: a missing side has a number of its own, and errors of a sheet read as empty."""
    for name, values in columns.items():
        if values.null_count:
            raise UnreadableFile(f"a cell of {name} is empty or an error")


def _refuse_odd(what: str, values: pa.Array, *, zero: bool = False) -> None:
    """Refuse numbers that are no prices and no amounts; those that are missing are passed over."""
    numbers = pc.drop_null(values).to_numpy(zero_copy_only=False)
    odd = numbers[~(np.isfinite(numbers) & ((numbers >= 0) if zero else (numbers > 0)))]
    if len(odd):
        raise UnreadableFile(f"{what} is {odd[0]:g}")


def _klines(columns: _Columns) -> pa.Table:
    names = ("open", "high", "low", "close", "basevolume", "usdtvolume")
    return pa.Table.from_arrays([_times(columns), *(columns[name] for name in names)], schema=CANDLE_SCHEMA)


def _quotes(columns: _Columns) -> pa.Table:
    names = ("bid_price", "bid_volume", "ask_price", "ask_volume")
    values = [pc.if_else(pc.equal(columns[name], MISSING), None, columns[name]) for name in names]
    for name, column in zip(names, values, strict=True):
        _refuse_odd(f"the {name} of a quote", column, zero=name.endswith("volume"))
    times = _times(columns)
    return pa.Table.from_arrays([times, pa.array(np.zeros(len(times), np.int64)), *values], schema=QUOTE_SCHEMA)


def _books(columns: _Columns) -> pa.Table:
    times = _times(columns).cast(pa.int64()).to_numpy()
    parts: dict[str, list[Any]] = {name: [] for name in ("at", "side", "level", "price", "amount")}
    for side, name in (("ask", "asks"), ("bid", "bids")):
        for at, cell in enumerate(columns[name].to_pylist()):
            levels = sorted(_levels(cell), reverse=side == "bid")
            parts["at"] += [at] * len(levels)
            parts["side"] += [side] * len(levels)
            parts["level"] += range(1, len(levels) + 1)
            parts["price"] += [price for price, _amount in levels]
            parts["amount"] += [amount for _price, amount in levels]
    _refuse_odd("a price in an order book", pa.array(parts["price"], pa.float64()))
    _refuse_odd("an amount in an order book", pa.array(parts["amount"], pa.float64()), zero=True)
    rows = np.array(parts["at"], dtype=np.int64)
    arrays = [
        pa.array(times[rows]).cast(TIME), pa.array(rows), pa.array(parts["side"], pa.string()),
        pa.array(parts["level"], pa.int64()), pa.array(parts["price"], pa.float64()),
        pa.array(parts["amount"], pa.float64()),
    ]  # fmt: skip
    return pa.Table.from_arrays(arrays, schema=BOOK_SCHEMA)


def _levels(cell: str) -> list[tuple[float, float]]:
    if len(cell) > _MOST_CELL_BYTES:
        raise UnreadableFile("an order book is absurdly large")
    try:
        levels = json.loads(cell)
        if not isinstance(levels, list) or not all(isinstance(level, list) and len(level) == 2 for level in levels):
            raise ValueError("it is no list of pairs")
        return [(_book_number(price), _book_number(amount)) for price, amount in levels]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UnreadableFile(f"an order book cannot be read: {str(error)[:80]}") from error


def _book_number(value: Any) -> float:
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


_RESHAPED: Mapping[Data, Callable[[_Columns], pa.Table]] = {
    "trades": _trades, "klines": _klines, "quotes": _quotes, "books": _books
}  # fmt: skip
