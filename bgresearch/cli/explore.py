"""``bgresearch explore``: find a symbol, see the cost of its candles, download, summarise and export them. No key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from bgresearch.cli.options import DataDir, Interval, PriceKind, as_an_option, excludes
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.cli.prompts import agreed, answer
from bgresearch.core.symbols import known_market
from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.market.candles.plan import Market, priced

if TYPE_CHECKING:
    import pandas as pd

    from bgresearch.client.client import Client

_MOST_SHOWN = 20  # symbols
_DAYS = 7  # the default span
_ENDINGS = (".csv", ".parquet")


def explore(
    symbol: Annotated[
        str | None, typer.Argument(metavar="SYMBOL", help="As the exchange spells it; prompted for if left out.")
    ] = None,
    search: Annotated[str, typer.Option(metavar="TEXT", help="List the symbols that contain this, and exit.")] = "",
    market: Annotated[str, typer.Option(metavar="NAME", help=f"{', '.join(get_args(Market))}.")] = "spot",
    interval: Interval = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="First instant, UTC; a week ago.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="End, not included; now.")] = "",
    price: PriceKind = "last",
    export: Annotated[Path | None, typer.Option(metavar="FILE", help="Save them as .csv or .parquet.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Download without asking.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what candles cost before they are downloaded, then a summary; export them if wanted."""
    from bgresearch.connect import connect

    if search:
        others = {"SYMBOL": symbol, "--interval": interval, "--since": since, "--until": until, "--export": export}
        excludes("--search", *others.items(), ("--yes", yes), ("--price", price != "last"))
    _check_export(export)
    with as_an_option():
        market = known_market(market, [symbol] if symbol else [])
    with connect(data_dir=data_dir) as client:
        if search:
            found = _symbols(client, market, search)
            text = f"{_few(found)}\n{len(found)} symbols."
            print_result({"market": market, "symbols": found}, as_json, lambda: text)
            return
        symbol = symbol or _chosen_symbol(client, market)
        asks = not (yes or as_json)
        interval = interval or (answer("Interval", default="1h") if asks else "1h")
        week_ago = (client.now.date() - dt.timedelta(days=_DAYS)).isoformat()
        since = since or (answer("From (UTC)", default=week_ago) if asks else week_ago)
        wanted = {"symbol": symbol, "interval": interval, "start": since, "end": until or None}
        frame, costs = _downloaded(client, {**wanted, "market": market, "price": price}, asks=asks, as_json=as_json)
    summary = {**_summary(frame), "costs": list(costs), "file": None}
    if export is not None:
        summary["file"] = str(frame.bg.export(export))
    print_result(summary, as_json, lambda: _text(summary))


def _downloaded(
    client: Client, wanted: dict[str, Any], *, asks: bool, as_json: bool
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    with as_an_option("symbol"):
        plan = client.plan(**wanted)
        costs = priced(plan)
        if not as_json:
            typer.echo("\n".join(costs))
        if plan.pages and asks and not agreed("Download them?", default=True):
            raise ConfigurationError("Nothing was downloaded.")
        return client.candles(**wanted, progress=False if as_json else "auto"), costs


def _symbols(client: Client, market: str, text: str) -> list[str]:
    """Return the symbols of a market that contain a text, shortest first; one request."""
    futures = client.api.futures.contracts
    listed = client.api.spot.symbols() if market == "spot" else futures(productType=market.upper())
    wanted = text.strip().upper()
    return sorted((one for one in {*listed["symbol"].astype(str)} if wanted in one), key=lambda one: (len(one), one))


def _chosen_symbol(client: Client, market: str) -> str:
    """Return the symbol that the user picked, after any number of searches."""
    while True:
        found = _symbols(client, market, text := answer(f"Symbol in {market}, or a part of it", default="BTCUSDT"))
        if text.strip().upper() in found or len(found) == 1:
            return text.strip().upper() if len(found) != 1 else found[0]
        typer.echo(f"{_few(found)}\nType one of them." if found else "No symbol contains this.")


def _few(found: list[str]) -> str:
    shown = ", ".join(found[:_MOST_SHOWN])
    return f"{shown} and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else shown


def _check_export(export: Path | None) -> None:
    if export is None:
        return
    if export.suffix not in _ENDINGS:
        raise InvalidInput("--export", f"{export.name} ends in neither .csv nor .parquet.")
    if export.exists():
        raise InvalidInput("--export", f"{export} exists already.", hint="Choose another name.")


def _summary(frame: pd.DataFrame) -> dict[str, Any]:
    from bgresearch.core.spans import iso
    from bgresearch.core.timestamps import moment_ms

    summary = frame.attrs["bgresearch"]
    named = {name: summary[name] for name in ("symbol", "market", "price", "interval")}
    known = {"candles": len(frame), "gaps": summary["gaps"]}
    if not len(frame):
        return {**named, **known}
    ends = {"first": frame.index[0], "last": frame.index[-1]}
    return {
        **named, **known, **{name: iso(moment_ms(moment, name)[0]) for name, moment in ends.items()},
        "open": float(frame["open"].iloc[0]), "close": float(frame["close"].iloc[-1]),
        "high": float(frame["high"].max()), "low": float(frame["low"].min()), "volume": float(frame["volume"].sum()),
    }  # fmt: skip


def _text(summary: dict[str, Any]) -> str:
    where = f"{summary['market']}, {summary['price']}"
    title = f"{summary['candles']:,} closed candles of {summary['symbol']} ({where}), {summary['interval']}"
    if not summary["candles"]:
        return f"{title}: the exchange has none in this span."
    row = {name: f"{summary[name]:,.10g}" if isinstance(summary[name], float) else summary[name] for name in
           ("first", "last", "open", "high", "low", "close", "volume")}  # fmt: skip
    gaps = (
        f"{len(summary['gaps'])} spans have no candles at the exchange." if summary["gaps"] else "No candle is missing."
    )
    return "\n".join([title, table([row]), gaps, *([f"Saved: {summary['file']}"] if summary["file"] else [])])
