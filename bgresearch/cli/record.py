"""``bgresearch record``: snapshots on a schedule, or with ``--live`` a stream, until it is ended."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bgresearch.cli.download import SymbolsFailed
from bgresearch.cli.options import DataDir, as_an_option
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.errors import BgresearchError

if TYPE_CHECKING:
    from bgresearch.client.client import Client
    from bgresearch.market.recorder.recorder import Recorder

_T = TypeVar("_T")


def record(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="open-interest, funding-rate, long-short, account-long-short, position-long-short, taker-volume, "
            "order-book; with --live: trades, candles, order_book, or several with commas between them.",
            show_default=False,
        ),
    ],
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL", help="As the exchange spells them: BTCUSDT.", show_default=False)
    ],
    every: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH", help="Between two instants: 30s, 5m, 1h, 1d. Not with --live.", show_default=False
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Record the stream of a channel.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Store every frame as well, with --live.")] = False,
    interval: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Of candles, with --live: 1m, 1h.", show_default=False)
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="How long.", show_default="until it is ended")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many instants.", show_default="until it is ended")
    ] = None,
    market: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="spot, usdt-futures, usdc-futures, coin-futures.",
            show_default="usdt-futures; spot for order books and with --live",
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Record snapshots on a schedule, or with --live a stream. Ctrl-C ends it; what was recorded stays."""
    from bgresearch.connect import connect
    from bgresearch.market.recorder.reader import length_ms

    if live:
        _refuse(every=every, count=count)
        _record_live(
            kind.split(","), symbols, market=market, interval=interval, for_=for_, raw=raw, data_dir=data_dir,
            as_json=as_json,
        )  # fmt: skip
        return
    _refuse(interval=interval, raw=raw or None)
    if every is None:
        raise typer.BadParameter("is missing: write --every 5m, or --live.", param_hint="--every")
    with connect(data_dir=data_dir) as client:
        recorder = _recorder(client, kind, symbols, every=every, market=market, quiet=as_json)
        first = recorder.next_ms()
        with as_an_option():
            until_ms = None if for_ is None else first + length_ms(for_, "for")
        if not as_json:
            typer.echo(f"Recording {kind} of {', '.join(recorder.tallies)} into {client.data_dir}; Ctrl-C ends it.")
        failure: BgresearchError | None = None
        try:
            recorder.run(until_ms=until_ms, count=count)
        except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM: this is how it is meant to end
            pass
        except BgresearchError as error:
            failure = error
        place = client.data_dir
    rows = _rows(recorder)
    print_result({"data_dir": place, "series": rows}, as_json, lambda: f"\n{table(_shown(rows))}\n\nKept in {place}")
    if failure is not None:
        raise failure
    failed = {symbol: tally.failure for symbol, tally in recorder.tallies.items() if tally.failure is not None}
    if failed:
        raise SymbolsFailed({symbol: str(error) for symbol, error in failed.items()}, len(recorder.tallies))


def _refuse(**given: object) -> None:
    """Refuse options of the other way of recording."""
    for name, value in given.items():
        if value is not None:
            other = "without --live" if name in ("interval", "raw") else "together with --live"
            raise typer.BadParameter(f"means nothing {other}.", param_hint=f"--{name}")


def _record_live(
    channels: list[str], symbols: list[str], *, market: str | None, interval: str | None, for_: str | None,
    raw: bool, data_dir: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Record a stream, with a line on the screen that is kept up to date."""
    from bgresearch.connect import connect
    from bgresearch.live.live_recorder import shown_progress
    from bgresearch.market.recorder.reader import length_ms

    with as_an_option():
        seconds = None if for_ is None else length_ms(for_, "for") / 1000
    with connect(data_dir=data_dir) as client:
        with as_an_option("channel", "symbols"):
            recorder = client.recorder_of(channels, symbols, market=market or "spot", interval=interval, raw=raw)
        if not as_json:
            typer.echo(
                f"Recording {', '.join(channels)} of {', '.join(symbols)} into {client.data_dir}; Ctrl-C ends it."
            )
        with contextlib.suppress(KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM: this is how it is meant to end
            recorder.run(seconds, say=shown_progress(sys.stderr) if not as_json else lambda _recorder: None)
        place = client.data_dir
    rows = [
        {"symbol": one.symbol, "channel": one.channel, "rows": one.rows, "start": _moment(one.start_ms),
         "end": _moment(one.end_ms), "gaps": one.gaps}
        for one in recorder.results
    ]  # fmt: skip
    found = {"data_dir": place, "series": rows}
    print_result(
        found, as_json, lambda: f"\n{table([{k: str(v) for k, v in row.items()} for row in rows])}\n\nKept in {place}"
    )


def _moment(time_ms: int | None) -> str | None:
    from bgresearch.core.spans import iso

    return None if time_ms is None else iso(time_ms)


def _recorder(
    client: Client, kind: str, symbols: list[str], *, every: str, market: str | None, quiet: bool
) -> Recorder:  # fmt: skip
    say = (lambda _words: None) if quiet else typer.echo
    with as_an_option("kind", "symbol"):
        return client.recorder(kind, *symbols, every=every, market=market, say=say)


def _rows(recorder: Recorder) -> list[dict[str, Any]]:
    from bgresearch.core.spans import iso

    return [
        {
            "symbol": symbol,
            "recorded": tally.rows,
            "missed": tally.missed,
            "by_another": tally.known,
            "first": None if tally.first_ms is None else iso(tally.first_ms),
            "last": None if tally.last_ms is None else iso(tally.last_ms),
            "failed": None if tally.failure is None else str(tally.failure),
        }
        for symbol, tally in recorder.tallies.items()
    ]


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    names = ("symbol", "recorded", "missed", "by_another", "first", "last")
    return [{name.replace("_", " "): "-" if row[name] is None else str(row[name]) for name in names} for row in rows]
