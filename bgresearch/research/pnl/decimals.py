"""Decimals from frames: the amounts that the exchange sent, added up without losing a digit. Pure.

Frames keep amounts as float64. A decimal of at most 15 significant digits comes back from a float64 unchanged when it
is written in the shortest way that names the float (IEEE 754-2019, 5.12.2; that is Python's ``repr``). With eight
decimals that holds for every amount below 67,108,864 (2**26), whatever its digits: there neighbouring floats differ by
less than 1e-8. Amounts that have lost digits can be recognised: their shortest texts have more than 15. `doubt` returns
how large the loss can be. Columns of decimals or of texts are taken as they are.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from decimal import (
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)  # fmt: skip
from functools import wraps
from typing import ParamSpec, TypeVar

import pandas as pd

from bgresearch.errors import InvalidInput

CERTAIN_DIGITS = 15  # of a decimal that float64 gives back unchanged, whatever it is
PLACES = 8  # to which the exchange books amounts, as its answers show them
ZERO = Decimal(0)

_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_ROUNDING = Context(prec=80, traps=[InvalidOperation, DivisionByZero, Overflow])
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Amount(Decimal):
    """A decimal that writes itself into SQLite, which knows none, as text with every digit: for frames and `to_sql`."""

    __slots__ = ()

    def __conform__(self, protocol: object) -> str | None:
        """Return the text for SQLite, None for any other protocol."""
        return f"{self:f}" if protocol is sqlite3.PrepareProtocol else None


def with_amounts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its decimals as `Amount`."""
    for name in [name for name, kind in frame.dtypes.items() if pd.api.types.is_object_dtype(kind)]:
        frame[name] = frame[name].map(lambda value: Amount(value) if isinstance(value, Decimal) else value)
    return frame


def exactly(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Return the function with decimals that are exact or raise `InvalidInput`: 80 digits, and no silent rounding."""

    @wraps(function)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            with localcontext(_EXACT):
                return function(*args, **kwargs)
        except Inexact:
            hint = f"Amounts and prices must fit into {_EXACT.prec} digits together; look for one that cannot be right."
            raise InvalidInput("amounts", "some are too large or too small to add up exactly.", hint=hint) from None

    return run


def decimal_of(value: object, field: str = "amount") -> Decimal:
    """Return an amount as the decimal that was sent; what is missing is 0.

    Parameters
    ----------
    value : float, int, str, Decimal or None
        Floats by their shortest text, everything else as it is written.
    field : str
        Its name, for the error.

    Raises
    ------
    InvalidInput
        It is no finite number.

    Examples
    --------
    >>> decimal_of(0.1) + decimal_of(0.2)
    Decimal('0.3')
    """
    if value is None or value is pd.NA or value != value or value == "":  # noqa: PLR0124 - NaN is unequal to itself
        return ZERO
    try:
        number = value if isinstance(value, Decimal) else Decimal(_text(value))
    except InvalidOperation:
        raise InvalidInput(field, f"{value!r} is not a number.") from None
    if not number.is_finite():
        raise InvalidInput(field, f"{value!r} is not finite.")
    return number if number else ZERO


def given(value: object, field: str, of: str) -> Decimal:
    """Return an amount that must be there, as `decimal_of` does; ``of`` names its record for the error."""
    if value is None or value is pd.NA or value != value or value == "":  # noqa: PLR0124 - NaN is unequal to itself
        raise InvalidInput(field, f"{of} has none.", hint="Ask for the record again, or leave it out.")
    return decimal_of(value, field)


def doubt(*values: object) -> tuple[Decimal, bool]:
    """Return how far floats may be from what was sent, together, and whether one of them shows more than 15 digits.

    Each may be as far as its neighbour is, once digits were lost at all (half of it for the nearest float, half for its
    shortest text): a coin none of whose amounts shows more than 15 digits lost none.
    """
    found = [value for value in values if isinstance(value, float) and math.isfinite(value) and value]
    shown = any(_digits(value) > CERTAIN_DIGITS for value in found)
    return Decimal(f"{sum(map(math.ulp, found)) * 1.01:.2e}") if found else ZERO, shown


def share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return total x part / whole, rounded down to 8 decimals or to those of the total; all of it for the whole.

    Shares taken one after the other, and the rest as the last one, add up to exactly the total.
    """
    if part == whole:
        return total
    exponent = total.as_tuple().exponent
    unit = Decimal(1).scaleb(min(-PLACES, exponent if isinstance(exponent, int) else 0))
    with localcontext(_ROUNDING):
        return (total * part / whole).quantize(unit, ROUND_FLOOR)


def divided(total: Decimal, by: Decimal) -> Decimal:
    """Return total / by to 8 decimals, halves to even."""
    with localcontext(_ROUNDING):
        return (total / by).quantize(Decimal(1).scaleb(-PLACES), ROUND_HALF_EVEN)


def plain(amount: Decimal) -> str:
    """Return a decimal as people write it: no exponent, no zeros at the end.

    Examples
    --------
    >>> plain(Decimal("1E-7")), plain(Decimal("1200.500"))
    ('0.0000001', '1200.5')
    """
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if amount else "0"


def floats(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its columns of decimals as float64, for charts and statistics.

    Examples
    --------
    >>> floats(pd.DataFrame({"profit": [Decimal("0.1"), Decimal("0.2")]})).dtypes.to_dict()
    {'profit': dtype('float64')}
    """
    objects = [name for name, kind in frame.dtypes.items() if pd.api.types.is_object_dtype(kind)]
    decimals = [name for name in objects if any(isinstance(value, Decimal) for value in frame[name])]
    return frame.astype(dict.fromkeys(decimals, "float64"))


def _digits(value: float) -> int:
    return len(_text(value).partition("e")[0].replace(".", "").replace("-", "").strip("0"))


def _text(value: object) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value).strip()  # numpy's floats name their type
