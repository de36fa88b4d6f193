"""Progress display: a bar in a terminal or notebook, the user's callable, or none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Literal

from bgresearch.errors import InvalidInput

Wish = Literal["auto"] | bool | Callable[[int, int], object]

_SHORT = 2_000  # rows that arrive before a bar could be read


@contextlib.contextmanager
def shown(
    wish: Wish, total: int, title: str, *, unit: str = "rows", least: int = _SHORT, limit_s: float = 0.0
) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the additional amount done.

    Parameters
    ----------
    wish : "auto", bool or callable
        ``auto`` shows a bar for longer work in a terminal or notebook; a callable gets the amount done and the total.
    total : int
        The total, in units.
    title : str
        The text before the bar.
    unit : str
        The name of the unit.
    least : int
        Number of units from which ``auto`` shows a bar.
    limit_s : float
        Shortest possible duration under the exchange's limits; the bar shows the share of the limit in use.
    """
    if callable(wish):
        yield _counting(wish, total)
        return
    if wish not in {"auto", True, False}:
        raise InvalidInput("progress", f"{wish!r} is not an option.", hint='Use "auto", True, False or a callable.')
    if wish is False or (wish == "auto" and (total < least or not _seen())):
        yield lambda _more: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - slow to import, and most calls show nothing

    with tqdm(total=total, desc=title, unit=f" {unit}", unit_scale=True, leave=False) as bar:

        def grow(more: int) -> None:
            elapsed_s = bar.format_dict["elapsed"]
            if limit_s and total and elapsed_s:
                share = limit_s * min(1.0, (bar.n + more) / total) / elapsed_s
                bar.set_postfix_str(f"{share:.0%} of the limit", refresh=False)
            bar.update(more)

        yield grow
        bar.total = bar.n  # a notebook shows a bar that ends before its total in red, as if something had failed


def _counting(report: Callable[[int, int], object], total: int) -> Callable[[int], None]:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        report(done, total)

    return count


def _seen() -> bool:
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
