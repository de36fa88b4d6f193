"""Parts of long matrices for ``make test``; the rest of them is marked slow and runs with ``make test-all``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def a_third(left: Iterable[Any], right: Iterable[Any], name: Callable[[Any], str] = str) -> list[Any]:
    """Return all pairs as parameters, two thirds of them slow; every value of either side is in a quick pair."""
    rights = list(right)
    return [
        pytest.param(one, other, marks=[pytest.mark.slow] if (at + place) % 3 else [], id=f"{name(one)}-{other}")
        for at, one in enumerate(left)
        for place, other in enumerate(rights)
    ]


def quick_of(*values: Any, every: int = 4, name: Callable[[Any], str] = str) -> list[Any]:
    """Return parameters of which all but every fourth (or so) are slow."""
    return [
        pytest.param(value, marks=[pytest.mark.slow] if place % every else [], id=name(value))
        for place, value in enumerate(values)
    ]
