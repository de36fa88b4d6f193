"""``bgresearch download``: downloads data into the local store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bgresearch.cli.options import DataDir, Interval, MarketName, PriceKind, Since, SourceName, Until, as_an_option
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.core.verbs import refuse_interval
from bgresearch.errors import BgresearchError, InvalidInput

_SHOWN_FAILURES = 10  # the others are in --json


class SymbolsFailed(BgresearchError):
    """Some of several symbols failed; the others did not."""

    def __init__(self, failed: Mapping[str, str], asked: int) -> None:
        failures = [f"{symbol}: {error}" for symbol, error in failed.items()]
        rest = len(failures) - _SHOWN_FAILURES
        more = f"; and {rest} more, which --json names" if rest > 0 else ""
        super().__init__(f"{len(failed)} of {asked} symbols failed. {'; '.join(failures[:_SHOWN_FAILURES])}{more}")


download = typer.Typer(
    no_args_is_help=True, help="Download data into the local store; data already stored is not downloaded again."
)


@download.callback()
def _group() -> None:
    """Group the kinds of data, so that each is a command of its own."""


@download.command()
def candles(
    named: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL]...", help="As the exchange spells them: BTCUSDT.", show_default=False),
    ] = None,
    *,
    symbols: Annotated[
        str, typer.Option(metavar="ALL|LIST", help="ALL of the market, or some, with commas between them.")
    ] = "",
    since: Since,
    until: Until = None,
    interval: Interval = "1m",
    market: MarketName = "spot",
    price: PriceKind = "last",
    source: SourceName = "auto",
    data_dir: DataDir = None,
    workers: Annotated[int, typer.Option(metavar="COUNT", min=1, help="Symbols at a time at most.")] = 16,
    as_json: AsJson = False,
) -> None:
    """Download candles of one or more symbols and say what is there; one that fails does not stop the others."""
    from bgresearch.connect import connect

    wanted = _wanted(named or [], symbols)
    with connect(data_dir=data_dir) as client:
        with as_an_option("symbol"):
            frame = client.download(
                wanted[0] if len(wanted) == 1 else wanted, interval, since, until, market=market, price=price,
                workers=workers, source=source,
            )  # fmt: skip
        place = client.data_dir
    about = frame.attrs["bgresearch"]
    failed = [{"symbol": symbol, **error} for symbol, error in about["errors"].items()]
    done = [_summary(row, about["gaps"]) for row in frame.to_dict("records") if row["symbol"] not in about["errors"]]
    if done or as_json:
        result = {
            "data_dir": place, "series": done, "failed": failed, "no_longer_listed": about["no_longer_listed"],
            "archive": about.get("archive", {}),
        }  # fmt: skip
        print_result(result, as_json, lambda: f"{table(_shown(done))}\n\nKept in {place}")
    if failed:
        raise SymbolsFailed({symbol: error["message"] for symbol, error in about["errors"].items()}, len(frame))


def _wanted(named: list[str], symbols: str) -> list[str]:
    """Return the symbols that are named in either way; ``ALL`` must be the only one."""
    listed = [name.strip() for name in symbols.split(",")] if symbols else []
    if not (named or listed):
        raise InvalidInput("symbols", "no symbol is named.", hint="Name some, or all of a market: --symbols ALL.")
    if "ALL" in listed and [*named, *listed] != ["ALL"]:
        raise InvalidInput("--symbols", "ALL excludes other symbols.", hint="Name symbols, or say ALL.")
    for name in named:
        refuse_interval(name, hint=f"Only symbols go there: --interval {name}.")
    return [*named, *listed]


def _summary(row: dict[Any, Any], gaps: dict[str, list[Any]]) -> dict[str, Any]:
    first, last = (row[end].strftime("%Y-%m-%dT%H:%M:%SZ") if row["candles"] else None for end in ("first", "last"))
    counts = {"candles": row["candles"], "first": first, "last": last}
    return {"symbol": row["symbol"], **counts, "gaps": gaps.get(row["symbol"], []), "requests": row["requests"]}


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
