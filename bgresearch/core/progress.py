"""Progress display: a bar in a terminal or notebook, the user's callable, or none."""

from __future__ import annotations

import contextlib
import inspect
import reprlib
import sys
from collections.abc import Callable, Iterator
from typing import Literal, cast

from bgresearch.errors import InvalidInput

Wish = Literal["auto"] | bool | Callable[[int, int], object]

_SHORT = 2_000  # rows that arrive before a bar could be read


def checked_wish(wish: object) -> Wish:
    """Return ``progress=`` of a verb.

    Raises
    ------
    InvalidInput
        It is neither "auto", True, False, nor a callable of two arguments.
    """
    if wish is True or wish is False or (isinstance(wish, str) and wish == "auto"):
        return cast(Wish, wish)
    hint = 'Use "auto", True, False or a callable of (done, total).'
    if not callable(wish):
        raise InvalidInput("progress", f"{reprlib.repr(wish)} is not an option.", hint=hint)
    return checked_callback("progress", wish, 2, hint=hint)


def checked_callback(name: str, given: object, arguments: int, *, hint: str = "") -> Callable[..., object]:
    """Return a function that a verb will call with so many arguments.

    Raises
    ------
    InvalidInput
        It cannot be called, or not with as many.
    """
    if not callable(given):
        raise InvalidInput(name, f"{reprlib.repr(given)} cannot be called.", hint=hint)
    try:
        signature = inspect.signature(given)
    except ValueError:  # some built-in functions name none
        return given
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        raise InvalidInput(name, f"it is called with {arguments} arguments: {error}.", hint=hint) from None
    return given


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
    wish = checked_wish(wish)
    if callable(wish):
        yield _counting(wish, total)
        return
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
