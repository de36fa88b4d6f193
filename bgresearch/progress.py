"""How far it is: a bar in a terminal or a notebook, a callable of the user's, or silence."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Literal

from bgresearch.errors import InvalidInput

Wish = Literal["auto"] | bool | Callable[[int, int], object]

_SHORT = 2_000  # rows that come before a bar could be read


@contextlib.contextmanager
def shown(wish: Wish, total: int, title: str) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many rows have come.

    Parameters
    ----------
    wish : "auto", bool or callable
        ``auto`` shows a bar for longer work where somebody can see it; a callable gets rows done and rows in all.
    total : int
        Rows in all.
    title : str
        What stands before the bar.
    """
    if callable(wish):
        yield _counting(wish, total)
        return
    if wish not in {"auto", True, False}:
        raise InvalidInput("progress", f"{wish!r} is no choice.", hint='Use "auto", True, False or a callable.')
    if wish is False or (wish == "auto" and (total < _SHORT or not _seen())):
        yield lambda _rows: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - slow to import, and most calls show nothing

    with tqdm(total=total, desc=title, unit=" rows", unit_scale=True, leave=False) as bar:

        def grow(rows: int) -> None:
            bar.update(rows)

        yield grow


def _counting(tell: Callable[[int, int], object], total: int) -> Callable[[int], None]:
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        tell(done, total)

    return count


def _seen() -> bool:
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
