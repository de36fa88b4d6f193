"""A third of all pairs quickly, the others with the slow tests; every value of either side is in a quick pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def a_third(left: Iterable[Any], right: Iterable[Any], name: Callable[[Any], str] = str) -> list[Any]:
    """Return all pairs as parameters, two thirds of them marked slow."""
    rights = list(right)
    return [
        pytest.param(one, other, marks=[pytest.mark.slow] if (at + place) % 3 else [], id=f"{name(one)}-{other}")
        for at, one in enumerate(left)
        for place, other in enumerate(rights)
    ]
