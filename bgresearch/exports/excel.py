"""An Excel workbook: a sheet with the rows and a sheet ``provenance``. Text is never written as a formula.

Excel has no time zones and 15 digits per number: times are UTC, as the sheet ``provenance`` says; whole numbers with
more digits, which are ids and not amounts, become text. Line breaks in cells are those of Unix.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.exports.content import Content
from bgresearch.exports.databases import provenance_rows

MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384  # rows of a sheet, including the header
_LONGEST_TEXT = 32_767  # characters per cell
_DIGITS = 10**15
_LARGEST = 1e308  # the largest number is 9.99999999999999E+307
_WIDTH = 23  # column width in characters: a time with milliseconds fits
_TIME_FORMAT = "yyyy-mm-dd hh:mm:ss.000"
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TIMES_ARE_UTC = "All times are UTC: Excel has no time zones."
_ELSEWHERE = "Export to CSV or Parquet instead."


def write_excel(path: Path, content: Content) -> None:
    """Write a workbook with two sheets."""
    workbook_of, cell_of = _openpyxl()
    if content.rows >= MOST_ROWS:
        cause = f"{content.rows:,} rows and a header are more than the {MOST_ROWS:,} rows of an Excel sheet."
        raise InvalidInput("frame", cause, hint="Export fewer rows, or to CSV or Parquet.")
    book = workbook_of(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\\/*?:\[\]]", "_", content.name)[:31])
    sheet.freeze_panes, sheet.sheet_format.defaultColWidth = "A2", _WIDTH
    other = book.create_sheet("provenance")
    other.column_dimensions["A"].width, other.column_dimensions["B"].width = 16, 80
    try:
        for line in _lines(content, lambda value: cell_of(sheet, value)):
            sheet.append(line)
        other.append(["key", "value"])
        for key, value in provenance_rows(content):
            said = _TIMES_ARE_UTC if key == "times" else value[:_LONGEST_TEXT]
            other.append([_text(text, "provenance", lambda text: cell_of(other, text)) for text in (key, said)])
    except BaseException:
        sheet.close()
        other.close()
        raise
    book.save(path)


def _lines(content: Content, cell: Callable[[Any], Any]) -> Iterator[list[Any]]:
    named = False
    for table in content.plain():
        if not named:
            if table.num_columns > MOST_COLUMNS:
                cause = f"{table.num_columns:,} columns are more than the {MOST_COLUMNS:,} of an Excel sheet."
                raise InvalidInput("frame", cause, hint=_ELSEWHERE)
            yield [_text(name, "a name", cell) for name in table.column_names]
            named = True
        makers = [_maker(field, cell) for field in table.schema]
        for row in zip(*(column.to_pylist() for column in _with_times(table).columns), strict=True):
            yield [None if value is None else make(value) for make, value in zip(makers, row, strict=True)]


def _with_times(table: pa.Table) -> pa.Table:
    """Return the table with times rounded to what Python and Excel support."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            kind = pa.timestamp("us", field.type.tz)
            table = table.set_column(place, field.name, table.column(place).cast(kind, safe=False))
    return table


def _maker(field: pa.Field, cell: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the function that makes a cell from a value of a column."""
    if pa.types.is_timestamp(field.type):
        return lambda value: _time(value, cell)
    if pa.types.is_string(field.type):
        return lambda value: _text(value, field.name, cell)
    if pa.types.is_floating(field.type):
        return lambda value: value if -_LARGEST < value < _LARGEST else str(value)
    if pa.types.is_integer(field.type):
        return lambda value: value if -_DIGITS < value < _DIGITS else str(value)
    return lambda value: value


def _time(value: dt.datetime, cell: Callable[[Any], Any]) -> Any:
    made = cell(value.replace(tzinfo=None))
    made.number_format = _TIME_FORMAT
    return made


def _text(value: str, name: str, cell: Callable[[Any], Any]) -> Any:
    if found := _UNPRINTABLE.search(value):
        cause = f"{name} holds the control character {found.group()!r}, which Excel does not allow."
        raise InvalidInput("frame", cause, hint=_ELSEWHERE)
    if len(value) > _LONGEST_TEXT:
        cause = f"{name} holds a text of {len(value):,} characters; a cell can hold {_LONGEST_TEXT:,}."
        raise InvalidInput("frame", cause, hint=_ELSEWHERE)
    made = cell(value.replace("\r\n", "\n").replace("\r", "\n"))
    made.data_type = "s"  # text, whatever it begins with
    return made


def _openpyxl() -> tuple[Any, Any]:
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    except ImportError:
        hint = "Install it: pip install 'bgresearch[excel]'."
        raise ConfigurationError("Excel files need openpyxl.", hint=hint) from None
    return Workbook, WriteOnlyCell
