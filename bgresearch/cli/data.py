"""``bgresearch download``: brings data into the local store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgresearch.cli.words import AsJson, table, tell
from bgresearch.errors import BgresearchError, ExchangeError, IncompleteData, InvalidInput, NetworkError

if TYPE_CHECKING:
    import pandas as pd

_OF_ONE_SYMBOL = (ExchangeError, IncompleteData, NetworkError)  # another symbol may fare better
_OPTIONS = {"start": "--since", "end": "--until"}


class SymbolsFailed(BgresearchError):
    """Some of several symbols could not be downloaded; the others were."""

    def __init__(self, failed: dict[str, BgresearchError], asked: int) -> None:
        causes = "; ".join(f"{symbol}: {error}" for symbol, error in failed.items())
        super().__init__(f"{len(failed)} of {asked} symbols failed. {causes}")


download = typer.Typer(no_args_is_help=True, help="Bring data into the local store; what is there is not asked again.")


@download.callback()
def _group() -> None:
    """Stand above the kinds of data, so that each is a command of its own."""


@download.command()
def candles(
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL", help="As the exchange spells them: BTCUSDT.", show_default=False)
    ],
    since: Annotated[
        str, typer.Option(metavar="TIME", help="First instant: 2024-01-01, 2024-01-01T12:00, epoch milliseconds. UTC.")
    ],
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="First instant that is no longer wanted.", show_default="now")
    ] = None,
    interval: Annotated[
        str, typer.Option(metavar="LENGTH", help="1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M.")
    ] = "1m",
    market: Annotated[
        str, typer.Option(metavar="NAME", help="spot, usdt-futures, usdc-futures, coin-futures.")
    ] = "spot",
    price: Annotated[str, typer.Option(metavar="KIND", help="last, mark, index.")] = "last",
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            envvar="BGRESEARCH_DATA_DIR",
            help="Where data is kept.",
            show_default="in the user's folder",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download candles of one or more symbols and say what is there; one that fails does not stop the others."""
    from bgresearch.connect import connect

    done: list[dict[str, Any]] = []
    failed: dict[str, BgresearchError] = {}
    with connect(data_dir=data_dir) as client:
        for symbol in symbols:
            before = client.requests_sent
            try:
                frame = client.candles(symbol, interval, since, until, market=market, price=price)
            except (*_OF_ONE_SYMBOL, InvalidInput) as error:
                if isinstance(error, InvalidInput) and error.field != "symbol":
                    raise _of_an_option(error) from None
                failed[symbol] = error
            else:
                done.append(_summary(symbol, frame, client.requests_sent - before))
        place = client.data_dir
    if failed and len(symbols) == 1:
        raise failed[symbols[0]]
    missed = [
        {"symbol": symbol, "kind": type(error).__name__, "message": str(error)} for symbol, error in failed.items()
    ]
    if done or as_json:
        result = {"data_dir": place, "series": done, "failed": missed}
        tell(result, as_json, lambda: f"{table(_shown(done))}\n\nKept in {place}")
    if failed:
        raise SymbolsFailed(failed, len(symbols))


def _of_an_option(error: InvalidInput) -> InvalidInput:
    """The same error by the name that stands on the command line."""
    cause = str(error).removeprefix(f"{error.field}: ").removesuffix(error.hint).rstrip()
    return InvalidInput(_OPTIONS.get(error.field, f"--{error.field}"), cause, hint=error.hint)


def _summary(symbol: str, frame: pd.DataFrame, requests: int) -> dict[str, Any]:
    ends = (frame.index[0], frame.index[-1]) if len(frame) else (None, None)
    first, last = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None for moment in ends)
    gaps = frame.attrs["bgresearch"]["gaps"]
    return {"symbol": symbol, "candles": len(frame), "first": first, "last": last, "gaps": gaps, "requests": requests}


def _shown(done: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "symbol": one["symbol"],
            "candles": f"{one['candles']:,}",
            "first": one["first"] or "-",
            "last": one["last"] or "-",
            "gaps": str(len(one["gaps"])),
            "requests": str(one["requests"]),
        }
        for one in done
    ]
