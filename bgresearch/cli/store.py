"""``bgresearch plan``, ``verify`` and ``pin``: what a download costs, whether what is kept is sound, freezing it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgresearch.cli.options import (
    DataDir,
    Interval,
    MarketName,
    PriceKind,
    Since,
    SourceName,
    Until,
    excludes,
    needs,
)
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.errors import BgresearchError, InvalidInput, StoreError

if TYPE_CHECKING:
    from bgresearch.market.candles.verify import Revision, Verified
    from bgresearch.store.pins import Pin

_SHOWN = 20  # lines of a list that a person reads


class StoreUnsound(BgresearchError):
    """The store has flaws, which were printed before."""


def plan(
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL", help="As the exchange spells them: BTCUSDT.", show_default=False)
    ],
    since: Since,
    until: Until = None,
    interval: Interval = "1m",
    market: MarketName = "spot",
    price: PriceKind = "last",
    source: SourceName = "auto",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what a download of candles would cost; sends no requests."""
    from bgresearch.connect import connect

    rows: list[dict[str, Any]] = []
    with connect(data_dir=data_dir) as client:
        for symbol in symbols:
            made = client.plan(symbol, interval, since, until, market=market, price=price, source=source)
            rows.append({"symbol": symbol, **made.as_json()})
    shown = [
        {
            "symbol": row["symbol"], "kept": f"{row['rows_kept']:,}", "to fetch": f"{row['rows']:,}",
            "requests": ", ".join(f"{count} {name}" for name, count in row["requests"].items()) or "none",
            "MB": f"{row['bytes'] / 1e6:.1f}", "seconds": f"{row['seconds']:.1f}",
        }
        for row in rows
    ]  # fmt: skip
    print_result({"plans": rows}, as_json, lambda: table(shown))


def verify(
    url: Annotated[
        str,
        typer.Argument(
            metavar="[URL]",
            help="Of a published store: its objects are downloaded again.",
            show_default="the local store",
        ),
    ] = "",
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Set damaged files aside and fetch again what is bad.")
    ] = False,
    against_exchange: Annotated[
        bool, typer.Option("--against-exchange", help="Ask the exchange for closed candles again and compare.")
    ] = False,
    against_archive: Annotated[
        bool, typer.Option("--against-archive", help="Ask whether fetched files of the bulk archive were replaced.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --against-exchange: from when.", show_default="2017-01-01")
    ] = None,
    until: Until = None,
    symbol: Annotated[
        list[str] | None,
        typer.Option(metavar="SYMBOL", help="With --against-exchange: only this one; may be repeated."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check every file in the store: readable, as written, in order, as its ledger says. Exit status 1: a flaw."""
    from bgresearch.connect import connect

    if url and (repair or against_exchange or against_archive):
        raise InvalidInput("URL", "a published store is read-only.", hint="Repair the local one and publish it again.")
    for option, given in {"--since": since, "--until": until, "--symbol": symbol}.items():
        if given:
            needs(option, "--against-exchange", against_exchange)
    with connect(data_dir=data_dir, progress=False, store=url or None) as client:
        found = client.verify(repair=repair)
        revised = (
            client.revisions(since or "2017-01-01", until, symbols=tuple(symbol or ())) if against_exchange else []
        )
        changed = client.archive_changes() if against_archive else []
        place = url or client.data_dir
    result = {
        "data_dir": place, "files": found.files, "flaws": [_flaw(found, number) for number in range(len(found.flaws))],
        "revisions": [asdict(one) for one in revised],
        **({"archive_changes": [asdict(one) for one in changed]} if against_archive else {}),
    }  # fmt: skip

    def words() -> str:
        lines = [_words(found, revised, place, asked=against_exchange)]
        if against_archive:
            lines.append(f"{len(changed) or 'No'} files of the archive have changed since they were fetched.")
            lines += [f"  {one.key}: {one.what} ({one.kept}; now {one.now or 'nothing'})" for one in changed[:_SHOWN]]
        return "\n".join(lines)

    print_result(result, as_json, words)
    if not found.sound or revised or changed:
        left = len(found.flaws) - len(found.repaired)
        archived = f", {len(changed)} files that the archive has replaced" if against_archive else ""
        raise StoreUnsound(
            f"{left} flaws, {len(revised)} values that the exchange answers differently{archived}.",
            hint=_remedy(url) if found.flaws and not repair else "",
        )


def _remedy(url: str) -> str:
    return f"Type: bgresearch publish {url}." if url else "Type: bgresearch verify --repair."


def publish(
    url: Annotated[str, typer.Argument(metavar="URL", help="s3://bucket/prefix, file:///folder.", show_default=False)],
    *,
    symbols: Annotated[
        str, typer.Option(metavar="ALL|LIST", help="Some, with commas between them.", show_default="ALL")
    ] = "ALL",
    market: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="spot, usdt-futures, usdc-futures, coin-futures.", show_default="all"),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Let the publication be this and nothing else that was published before.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what only older publications need; their readers lose it.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Copy what is public of the kept data to object storage, for others to read; never what an account did."""
    from bgresearch.connect import connect

    wanted = None if symbols == "ALL" else [name.strip() for name in symbols.split(",")]
    with connect(data_dir=data_dir, offline=True) as client:
        done = client.publish(url, symbols=wanted, market=market, exact=exact, prune=prune)
    removed = f" {done.removed} objects that only older publications needed were deleted." if done.removed else ""
    print_result(asdict(done), as_json, lambda: (
        f"{done.files:,} files, {done.rows:,} rows, {done.bytes / 1e6:.1f} MB at {done.url}. "
        f"Sent now: {done.sent:,} ({done.sent_bytes / 1e6:.1f} MB).{removed}\n"
        f"Read it: bg.connect(store={done.url!r}). Digest: {done.digest}"
    ))  # fmt: skip


def pin(
    what: Annotated[str, typer.Argument(metavar="NAME|diff|list|remove|verify", show_default=False)],
    name: Annotated[str, typer.Argument(metavar="[NAME]", show_default=False)] = "",
    account: Annotated[bool, typer.Option("--account", help="Freeze the data of your accounts as well.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Freeze what is kept under a name, by hard links; or compare, list, remove or verify what was frozen."""
    from bgresearch.connect import connect
    from bgresearch.store import pins

    if what in pins.RESERVED:
        excludes(f"pin {what}", ("--account", account), ("a name", name and what == "list"))
    with connect(data_dir=data_dir, offline=True) as client:
        root, now_ms = Path(client.data_dir), client.now.value // 10**6
    if what == "list":
        there = [_listed(root, one) for one in pins.names(root)]
        print_result({"pins": there}, as_json, lambda: table([_row(one) for one in there]) if there else "No pins.")
        return
    if what not in pins.RESERVED:
        if name:
            raise InvalidInput("NAME", f"{what!r} is no verb.", hint="pin NAME, or pin diff|list|remove|verify NAME.")
        made = _pin(pins.create(root, what, now_ms, private=account))
        use = f"Read it: bg.connect(pin={what!r}). What has changed since: bgresearch pin diff {what}."
        print_result(made, as_json, lambda: f"{table([_row(made)])}\n\n{use}")
        return
    if not name:
        raise InvalidInput("NAME", f"which pin is meant? {what} needs its name.", hint="See: bgresearch pin list.")
    if what == "remove":
        pins.remove(root, name)
        print_result(
            {"pin": name}, as_json, lambda: f"The pin {name} is gone; the data that is kept now was not touched."
        )
        return
    frozen = pins.load(root, name)
    if what == "verify":
        bad = pins.changed(frozen)
        print_result(
            {**_pin(frozen), "changed": bad},
            as_json,
            lambda: "\n".join(bad) or f"{len(frozen.files)} files, as frozen.",
        )
        if bad:
            raise StoreUnsound(f"{len(bad)} files of the pin {name} are not what they were.")
        return
    changes = pins.diff(root, frozen)
    result = {"pin": name, "digest": frozen.digest, "changes": [asdict(one) for one in changes]}
    shown = [{key: str(value) for key, value in asdict(one).items()} for one in changes]
    print_result(result, as_json, lambda: table(shown) if shown else f"Nothing has changed since {name} was frozen.")


def _flaw(found: Verified, number: int) -> dict[str, Any]:
    flaw = found.flaws[number]
    why = next((words for one, words in found.failed if one is flaw), "")
    span = [flaw.span.start_ms, flaw.span.end_ms] if flaw.span else None
    return {
        "path": flaw.path.as_posix(), "kind": flaw.kind, "words": flaw.words, "span_ms": span,
        "repaired": flaw in found.repaired, "not_repaired_because": why,
    }  # fmt: skip


def _words(found: Verified, revised: list[Revision], place: str, *, asked: bool) -> str:
    lines = [f"{found.files} files in {place}: {'all sound' if not found.flaws else f'{len(found.flaws)} flaws'}."]
    for flaw in found.flaws:
        why = next((words for one, words in found.failed if one is flaw), "")
        state = "repaired" if flaw in found.repaired else f"not repaired: {why}" if why else ""
        at = f" {flaw.span}" if flaw.span else ""
        lines.append(f"  {flaw.path.as_posix()}{at}: {flaw.words}{f' ({state})' if state else ''}")
    if asked:
        lines.append(f"The exchange answers {len(revised) or 'no'} values differently today.")
        lines += [
            f"  {one.path} {one.open_time} {one.column or 'candle'}: kept {one.kept}, today {one.answered}"
            for one in revised[:_SHOWN]
        ]
        lines += [f"  ... and {len(revised) - _SHOWN} more; --json lists them all"] if len(revised) > _SHOWN else []
    return "\n".join(lines)


def _pin(found: Pin) -> dict[str, Any]:
    return {
        "pin": found.name, "folder": str(found.folder), "created_ms": found.created_ms, "files": len(found.files),
        "rows": found.rows, "bytes": found.size, "digest": found.digest,
    }  # fmt: skip


def _listed(root: Path, name: str) -> dict[str, Any]:
    from bgresearch.store import pins

    try:
        return _pin(pins.load(root, name))
    except StoreError as error:
        return {"pin": name, "error": str(error)}


def _row(found: dict[str, Any]) -> dict[str, str]:
    if "error" in found:
        return {"pin": found["pin"], "files": "-", "rows": "-", "MB": "-", "digest": found["error"]}
    return {
        "pin": found["pin"], "files": f"{found['files']:,}", "rows": f"{found['rows']:,}",
        "MB": f"{found['bytes'] / 1e6:.1f}", "digest": found["digest"][:16],
    }  # fmt: skip
