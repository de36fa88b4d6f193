"""JSON with every digit: numbers with a fraction are `decimal.Decimal`, whole numbers are int at any size. Pure."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

_MOST_DIGITS = 1_000  # Python is slow for longer ones and refuses more than 4,300: they stay text


def loads(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    A number that is too long (more than 1,000 digits, or an exponent beyond the range of decimals) stays text.

    Raises
    ------
    ValueError
        It is not valid JSON; NaN and Infinity are not allowed.
    RecursionError
        It is nested too deep.

    Examples
    --------
    >>> loads("[0.12345678901234567890, 9007199254740993]")
    [Decimal('0.12345678901234567890'), 9007199254740993]
    """
    return json.loads(text, parse_float=_decimal, parse_int=_whole, parse_constant=_refuse)


def dumps(value: Any, *, sort_keys: bool = False, ascii_only: bool = True) -> str:
    """Return a value from `loads` as JSON, decimals as numbers.

    Examples
    --------
    >>> dumps({"price": loads("1.50")})
    '{"price":1.50}'
    """
    try:
        return json.dumps(value, sort_keys=sort_keys, ensure_ascii=ascii_only, separators=(",", ":"))
    except TypeError:  # the library cannot write a decimal as a number
        return _written(value, sort_keys=sort_keys, ascii_only=ascii_only)


def _written(value: Any, *, sort_keys: bool, ascii_only: bool) -> str:
    if isinstance(value, Decimal):
        return str(value)
    parts = []
    if isinstance(value, dict):
        for key in sorted(value) if sort_keys else value:  # loops, as a comprehension uses an extra stack frame
            inside = _written(value[key], sort_keys=sort_keys, ascii_only=ascii_only)
            parts.append(f"{json.dumps(key, ensure_ascii=ascii_only)}:{inside}")
        return f"{{{','.join(parts)}}}"
    if isinstance(value, list):
        for one in value:
            parts.append(_written(one, sort_keys=sort_keys, ascii_only=ascii_only))  # noqa: PERF401 - as above
        return f"[{','.join(parts)}]"
    return json.dumps(value, ensure_ascii=ascii_only)


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text) if len(text) <= _MOST_DIGITS else text
    except InvalidOperation:
        return text


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
