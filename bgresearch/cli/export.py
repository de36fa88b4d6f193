"""``bgresearch export``: stored data, or data fetched now, as one file that other tools read."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgresearch.cli.archive import connected
from bgresearch.cli.options import DataDir, Interval, MarketName, PriceKind, Since, Until, as_an_option
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.cli.prompts import PasswordFile, VaultPath
from bgresearch.errors import InvalidInput

if TYPE_CHECKING:
    from bgresearch.client.client import Client
    from bgresearch.core.symbols import Named
    from bgresearch.exports.chunked import ChunkedCandles

ARGUMENTS = ("symbol", "frame", "candles", "KIND")

To = Annotated[
    Path, typer.Option(metavar="FILE", help="The file; its suffix selects the format. For freqtrade, its data folder.")
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="NAME", show_default="by the suffix",
        help="csv feather excel parquet sqlite duckdb; of candles ccxt freqtrade nautilus backtesting vectorbt.",
    ),
]  # fmt: skip
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]
Offline = Annotated[bool, typer.Option("--offline", help="Send no request; data that is not in the store is an error.")]

app = typer.Typer(no_args_is_help=True, help="Write data to one file for other tools, with its provenance.")


@app.command()
def candles(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As the exchange spells it.", show_default=False)],
    *,
    since: Since,
    to: To,
    until: Until = None,
    interval: Interval = "1m",
    market: MarketName = "spot",
    price: PriceKind = "last",
    format_: Format = None,
    force: Force = False,
    offline: Offline = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write candles to a file, fetching what is not in the store. Memory use is small for any length of history."""
    from bgresearch.connect import connect
    from bgresearch.core.intervals import interval_name
    from bgresearch.core.symbols import wire_symbol
    from bgresearch.exports import export_pieces
    from bgresearch.exports.export import checked_target

    with as_an_option(*ARGUMENTS), connect(data_dir=data_dir, offline=offline) as client:
        named, interval = wire_symbol(symbol, market), interval_name(interval)
        about = {**named._asdict(), "verb": "candles", "interval": interval, "price": price}
        checked_target(to, about, format=format_, force=force)
        found = _history(client, named.symbol, interval, since, until, market=named.market, price=price)
        path = export_pieces(found, to, rows=found.rows, about=found.about, format=format_, force=force)
    _print_file(path, found.rows, len(found.about["gaps"]), as_json, pair=_pair(named, format_))


@app.command("funding-rates")
def funding_rates(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As the exchange spells it.", show_default=False)],
    *,
    since: Since,
    to: To,
    until: Until = None,
    market: Annotated[
        str, typer.Option(metavar="NAME", help="usdt-futures, usdc-futures, coin-futures.")
    ] = "usdt-futures",
    format_: Format = None,
    force: Force = False,
    offline: Offline = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write funding rates to a file, fetching what is not in the store."""
    from bgresearch.connect import connect
    from bgresearch.core.symbols import wire_symbol
    from bgresearch.exports import export
    from bgresearch.exports.export import checked_target

    with as_an_option(*ARGUMENTS), connect(data_dir=data_dir, offline=offline) as client:
        named = wire_symbol(symbol, market, default="usdt-futures")
        checked_target(to, {**named._asdict(), "verb": "funding_rates"}, format=format_, force=force)
        frame = client.funding_rates(named.symbol, since, until, market=named.market)
        path = export(frame, to, format=format_, force=force)
    gaps = len(frame.attrs["bgresearch"].get("gaps", []))
    _print_file(path, len(frame), gaps, as_json, pair=_pair(named, format_))


@app.command()
def account(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's label.", show_default=False)],
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="fills orders bills transfers deposits and so on.", show_default=False),
    ],
    *,
    since: Since,
    to: To,
    until: Until = None,
    market: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of kinds that have one.", show_default="the verb's")
    ] = None,
    format_: Format = None,
    force: Force = False,
    offline: Offline = False,
    data_dir: DataDir = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Write private records of a key's account to a file that no other user can read."""
    from bgresearch.account.kinds import KINDS
    from bgresearch.exports import export
    from bgresearch.exports.export import checked_target

    kind = kind.replace("-", "_")
    if kind not in KINDS:
        raise InvalidInput.unknown("KIND", kind, KINDS)
    with as_an_option(*ARGUMENTS):
        checked_target(to, {"verb": f"account.{kind}"}, format=format_, force=force)
        with connected(name, path, password_file, data_dir, offline=offline) as client:
            verb = getattr(client.account, kind)
            if market is not None and "market" not in inspect.signature(verb).parameters:
                raise InvalidInput("market", f"{kind} have none.", hint="Leave it out.")
            frame = verb(since, until, **({} if market is None else {"market": market}))
        written = export(frame, to, format=format_, force=force)
    _print_file(written, len(frame), 0, as_json)


def _history(
    client: Client, symbol: str, interval: str, since: str, until: str | None, *, market: str, price: str
) -> ChunkedCandles:  # fmt: skip
    """Download the candles to the store and return them in chunks."""
    from bgresearch.core.intervals import interval as length_of
    from bgresearch.core.spans import Span
    from bgresearch.core.timestamps import span_of
    from bgresearch.exports.chunked import ChunkedCandles

    now_ms = client.now.value // 10**6
    asked = span_of(since, until, now_ms)
    span = Span(asked.start_ms, min(asked.end_ms, now_ms))
    client.download(symbol, interval, span.start_ms, span.end_ms, market=market, price=price)
    return ChunkedCandles(
        lambda start, end: client.candles(symbol, interval, start, end, market=market, price=price, progress=False),
        span, length_of(interval).nominal_ms,
    )  # fmt: skip


def _pair(named: Named, format_: str | None) -> str:
    """Return what freqtrade calls the symbol, empty for other formats."""
    from bgresearch.core.symbols import ccxt_symbol

    return ccxt_symbol(named.symbol, named.market) if format_ == "freqtrade" else ""


def _print_file(path: Path, rows: int, gaps: int, as_json: bool, *, pair: str = "") -> None:
    size = path.stat().st_size
    result: dict[str, Any] = {"file": str(path), "rows": rows, "bytes": size, "gaps": gaps}
    shown = {"file": str(path), "rows": f"{rows:,}", "MB": f"{size / 1e6:.1f}", "gaps": str(gaps)}
    note = ""
    if pair:
        folder = path.parent.parent if ":" in pair else path.parent
        result["pair"], note = pair, f"\n\nIn freqtrade: pair {pair}, --datadir {folder}"
    print_result(result, as_json, lambda: table([shown]) + note)
