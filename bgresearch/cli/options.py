"""Options that several commands take, said once, and what is wrong with one by the name that a person typed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bgresearch.core.user_folders import expanded
from bgresearch.errors import InvalidInput

_NAMES = {"start": "--since", "end": "--until", "path": "--to", "kinds": "--kind"}


def home_replaced(path: Path | None) -> Path | None:
    """Return a path with ``~`` replaced: no shell did it in a variable, or behind ``=``."""
    return None if path is None else expanded(path)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", metavar="FOLDER", envvar="BGRESEARCH_DATA_DIR", callback=home_replaced,
        help="Where data is kept.",
        show_default="in the user's folder",
    ),
]  # fmt: skip
Since = Annotated[
    str, typer.Option(metavar="TIME", help="First instant: 2024-01-01, 2024-01-01T12:00, 30d (ago), ytd. UTC.")
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="First instant that is no longer wanted.", show_default="now")
]
Interval = Annotated[str, typer.Option(metavar="LENGTH", help="1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M.")]
MarketName = Annotated[str, typer.Option(metavar="NAME", help="spot, usdt-futures, usdc-futures, coin-futures.")]
PriceKind = Annotated[str, typer.Option(metavar="KIND", help="last, mark, index.")]

SourceName = Annotated[
    str, typer.Option(metavar="NAME", help="rest, archive (the bulk history), or auto: the cheaper of both.")
]


class NoArguments(TyperCommand):
    """A command that refuses surplus arguments without repeating them, as the framework's own message would."""

    allow_extra_args = True

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # its own context class moved between releases
        if ctx.args:
            raise typer.BadParameter(
                "no secret is taken as an argument: leave it out and wait for the question, or use --stdin.",
                ctx=ctx,
                param_hint="arguments",
            )
        return super().invoke(ctx)


def excludes(option: str, *others: tuple[str, object]) -> None:
    """Refuse an option that was given together with one that it would make meaningless."""
    for other, given in others:
        if given:
            raise InvalidInput(option, f"it cannot be combined with {other}.", hint="Leave one of them out.")


def needs(option: str, other: str, given: object) -> None:
    """Refuse an option that was given without the one that it belongs to: alone it would do nothing."""
    if not given:
        raise InvalidInput(option, f"it does nothing without {other}.", hint=f"Add {other}, or leave it out.")


@contextlib.contextmanager
def as_an_option(*arguments: str) -> Iterator[None]:
    """Name a verb's wrong argument as on the command line; ``arguments`` have no dashes there."""
    try:
        yield
    except InvalidInput as error:
        if error.field in arguments:
            raise
        cause = str(error).removeprefix(f"{error.field}: ").removesuffix(error.hint).rstrip()
        raise InvalidInput(_NAMES.get(error.field, f"--{error.field}"), cause, hint=error.hint) from None
