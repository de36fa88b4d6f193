"""Converts values as sent by the exchange to Arrow arrays, by the documented kind. Pure.

No value raises and nothing is guessed: a value that is not of its kind becomes null and is counted.
``""``, null and, for times, ``0`` and ``-1`` mean no value. Exponents are accepted, thousands separators are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.catalogue import Column
from bgresearch.core import exact_json

TIME = pa.timestamp("ms", tz="UTC")
CATEGORY = pa.dictionary(pa.int32(), pa.string())
_TYPES = {
    "decimal": pa.float64(), "percent": pa.float64(), "int": pa.int64(), "ms": TIME, "flag": pa.bool_(),
    "bool": pa.bool_(), "enum": CATEGORY,
}  # fmt: skip
_TRUTH = {
    "true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip
_SECONDS = range(10**9, 10**10)  # ten digits: some rows send seconds where milliseconds are documented
_MILLISECONDS = range(10**11, 253_402_300_800_000)  # 1973 to the year 9999


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a column: everything but numbers, times, booleans and categories is text."""
    kind: pa.DataType = _TYPES.get(column.kind, pa.string())
    return kind


def to_array(column: Column, values: Sequence[Any]) -> tuple[pa.Array, list[int]]:
    """Return the values as an Arrow array of the column's type, and the positions of unreadable ones."""
    if column.kind in ("decimal", "ms"):
        fast = _numbers_at_once(values, column.kind)
        if fast is not None:
            return fast, []
    read: list[Any] = [read_value(column.kind, value) for value in values]
    unreadable = [
        place
        for place, (found, value) in enumerate(zip(read, values, strict=True))
        if found is None and not _is_nothing(value, column.kind)
    ]
    if column.kind == "enum" and column.name == "side":  # some pages show Buy and Sell, others buy and sell
        read = [text.lower() if text in ("Buy", "Sell", "BUY", "SELL") else text for text in read]
    array = pa.array(read, pa.string() if column.kind == "enum" else arrow_type(column))
    return (array.dictionary_encode() if column.kind == "enum" else array), unreadable


def read_value(kind: str, value: Any) -> Any:
    """Return a value converted to its kind, None if it is empty or unreadable."""
    reader: Callable[[Any], Any] = _READERS.get(kind, _read_text)
    return reader(value)


def is_blank(value: Any) -> bool:
    """Return whether a value is null or an empty text."""
    return value is None or (isinstance(value, str) and not value.strip())


def as_text(value: Any) -> str:
    """Return any JSON value as text: text as it is, numbers exact, the rest as JSON."""
    if not isinstance(value, str):
        value = exact_json.dumps(value, ascii_only=False)
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: only JSON can express it
        return str(value.encode(errors="replace").decode())
    return str(value)


def _numbers_at_once(values: Sequence[Any], kind: str) -> pa.Array | None:
    """Return the array for a column of plain number texts, or None if a value needs individual parsing."""
    try:
        texts = pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return None
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    try:
        numbers = texts.cast(pa.float64() if kind == "decimal" else pa.int64())
    except pa.ArrowInvalid:
        return None
    if kind == "decimal":
        return numbers if pc.all(pc.is_finite(numbers)).as_py() in (True, None) else None
    if len(numbers) == numbers.null_count:
        return numbers.cast(TIME)
    span = pc.min_max(numbers).as_py()
    return numbers.cast(TIME) if span["min"] in _MILLISECONDS and span["max"] in _MILLISECONDS else None


def _is_nothing(value: Any, kind: str) -> bool:
    if is_blank(value) or value in ([], {}):
        return True
    return kind == "ms" and isinstance(value, str | int) and str(value).strip() in ("0", "-1")


def _read_decimal(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, str) and "_" in value:  # Python's own spelling, not the exchange's
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _read_percent(value: Any) -> float | None:
    """Read ``175%`` as 1.75, and a number without the sign as the fraction it is."""
    if isinstance(value, str) and value.strip().endswith("%"):
        number = _read_decimal(value.strip()[:-1])
        return None if number is None else number / 100
    return _read_decimal(value)


def _read_int(value: Any) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-").removesuffix(".0")
        number = int(text.removesuffix(".0")) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None
    elif isinstance(value, float | Decimal):
        number = int(value) if -(2**63) <= value < 2**63 and value == int(value) else None
    else:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def _read_ms(value: Any) -> int | None:
    number = _read_int(value)
    if number is None:
        return None
    if number in _SECONDS:
        return number * 1000
    return number if number in _MILLISECONDS else None


def _read_truth(value: Any) -> bool | None:
    if isinstance(value, str | int):
        return _TRUTH.get(str(value).strip().lower())
    return None


def _read_text(value: Any) -> str | None:
    return None if value is None or value == "" else as_text(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "decimal": _read_decimal, "percent": _read_percent, "int": _read_int, "ms": _read_ms, "flag": _read_truth,
    "bool": _read_truth,
}  # fmt: skip
