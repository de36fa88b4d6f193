"""Rows as text: times, numbers that read back bit for bit, CSV, and texts that no spreadsheet runs as a formula.

A spreadsheet that opens a CSV file treats text that begins with ``=``, ``+``, ``-`` or ``@`` as a formula. Text can
come from other people (notes, names, responses), so such a text is prefixed with an apostrophe; numbers, also as text,
are left unchanged. Many spreadsheets also start a new cell after a semicolon, a tab or a line break, even within
quotes: there, too, the sign is prefixed with an apostrophe. This is reversible: remove one apostrophe before such a
sign at the beginning of a text or after one of these separators.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.exports.content import Content

_RUN = r"^'*[=+\-@\t\r\n＝＋－＠]"  # noqa: RUF001 - spreadsheets in East Asian locales also accept the full-width signs
_RUN_INSIDE = r"([;\t\r\n]\s*)('*[=+\-@＝＋－＠])"  # noqa: RUF001
_NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_QUOTED = r'[",\r\n]'
_WHOLE = r"^-?[0-9]+$"


def guarded(column: pa.Array) -> tuple[pa.Array, int]:
    """Return texts without formulas, and how many were changed."""
    risky = pc.fill_null(pc.match_substring_regex(column, _RUN), False)
    changed = pc.and_not(risky, pc.fill_null(pc.match_substring_regex(column, _NUMBER), False))
    inside = pc.fill_null(pc.match_substring_regex(column, _RUN_INSIDE), False)
    count = int(pc.sum(pc.or_(changed, inside)).as_py() or 0)
    if not count:
        return column, 0
    safe = pc.replace_substring_regex(column, _RUN_INSIDE, r"\1'\2")
    return pc.if_else(changed, pc.binary_join_element_wise("'", safe, ""), safe), count


def times_as_text(column: pa.Array) -> pa.Array:
    """Return times as text, ``2024-01-01 00:00:00Z``, with as many fractional digits as one of them needs.

    Naive times have no ``Z``.
    """
    for unit in ("s", "ms", "us"):
        try:
            return pc.cast(pc.cast(column, pa.timestamp(unit, column.type.tz)), pa.string())
        except pa.ArrowInvalid:  # it would lose fractional digits
            continue
    return pc.cast(column, pa.string())


def write_csv(path: Path, content: Content) -> None:
    """Write RFC 4180 CSV with a header, in UTF-8; missing values are empty."""
    names: list[str] = []
    with path.open("wb") as file:
        for table in content.plain():
            if not names:
                names = table.column_names
                heading, _ = guarded(pa.array(names, pa.string()))
                file.write(",".join(_quoted(heading).to_pylist()).encode() + b"\n")
            columns = [_as_text(name, table.column(name).combine_chunks(), content) for name in names]
            file.write(_lines(columns))


def write_ccxt(path: Path, content: Content) -> None:
    """Write ``[[open time in ms, open, high, low, close, volume], ...]`` as JSON, one candle per line."""
    separator = "[\n"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for table in content.plain():
            for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                file.write(separator + json.dumps(row, allow_nan=False))
                separator = ",\n"
        file.write("[]\n" if separator == "[\n" else "\n]\n")


def _as_text(name: str, column: pa.Array, content: Content) -> pa.Array:
    kind = column.type
    if pa.types.is_string(kind):
        safe, count = guarded(column)
        if count:
            content.guarded[name] += count
        return _quoted(safe)
    if pa.types.is_timestamp(kind):
        return times_as_text(column)
    text = pc.cast(column, pa.string())
    if pa.types.is_floating(kind):  # 1.0 instead of 1, so that the column reads back with the same type
        text = pc.if_else(pc.match_substring_regex(text, _WHOLE), pc.binary_join_element_wise(text, ".0", ""), text)
    return text


def _quoted(column: pa.Array) -> pa.Array:
    """Return texts quoted where necessary; also empty texts, as an empty field means missing."""
    needs = pc.or_(pc.match_substring_regex(column, _QUOTED), pc.equal(column, ""))
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), column)


def _lines(columns: list[pa.Array]) -> bytes | memoryview[Any]:
    """Return the lines of a batch: texts are adjacent in Arrow's memory, as in the file."""
    if not len(columns[0]):
        return b""
    filled = [pc.fill_null(column, "") for column in columns]
    filled[-1] = pc.binary_join_element_wise(filled[-1], "\n", "")
    lines = pc.binary_join_element_wise(*filled, ",")
    _, offsets, text = lines.buffers()
    places = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(text)[places[0] : places[-1]]
