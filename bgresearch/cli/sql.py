"""``bgresearch sql``: one query over everything that is kept."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgresearch.cli.options import DataDir
from bgresearch.cli.output import AsJson, need, table, tell
from bgresearch.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 40  # rows that a person reads


def sql(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="One SELECT, in quotes; - reads it from standard input.")
    ],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all rows as CSV.")] = False,
    pin: Annotated[str | None, typer.Option(metavar="NAME", help="Ask what was frozen under this name.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Ask the store in SQL: candles, trades, funding_rates, recordings, gaps, coverage. Asks nobody else."""
    from bgresearch.connect import connect

    if as_csv and as_json:
        raise InvalidInput("--csv", "it excludes --json.", hint="Leave one of them out.")
    need("duckdb", extras="duckdb")
    with connect(data_dir=data_dir, offline=True, pin=pin) as client:
        found = client.lens.sql(sys.stdin.read() if query == "-" else query)
    if as_csv:
        _guarded(_as_text(found)).to_csv(sys.stdout, index=False, lineterminator="\n")
        return
    columns, plain = [str(name) for name in found.columns], _as_text(found)
    there = plain.notna() & ~plain.isin([math.inf, -math.inf])  # JSON has no word for these
    rows = [dict(zip(columns, row, strict=True)) for row in plain.astype(object).where(there, None).to_numpy().tolist()]
    tell({"columns": columns, "rows": rows}, as_json, lambda: _words(rows, columns))


def _as_text(found: pd.DataFrame) -> pd.DataFrame:
    """Return an answer with its times as ISO 8601 in UTC, and whatever else JSON has no word for as text."""
    told = {name: found[name].map(_told, na_action="ignore").astype(object) for name in _strange(found)}
    return found.assign(**told)


def _guarded(plain: pd.DataFrame) -> pd.DataFrame:
    """Return an answer of which no text or name is a formula to a spreadsheet, as in exports."""
    import pyarrow as pa

    from bgresearch.exports.csv_text import guarded

    def safe(values: list[Any]) -> list[Any]:
        return list(guarded(pa.array(values, pa.string()))[0].to_pylist())

    texts = {name: safe(plain[name].where(plain[name].notna(), None).tolist()) for name in _strange(plain)}
    told = plain.assign(**texts)
    return told.set_axis(safe([str(name) for name in told.columns]), axis=1)


def _strange(found: pd.DataFrame) -> list[str]:
    return [str(name) for name, kind in found.dtypes.items() if kind.kind not in "biuf"]


def _told(value: Any) -> str:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


def _words(rows: list[dict[str, Any]], columns: list[str]) -> str:
    if not rows:
        return f"No rows. Columns: {', '.join(columns)}."
    shown = [{name: _cell(row[name]) for name in columns} for row in rows[:_SHOWN]]
    left = len(rows) - len(shown)
    return table(shown) + (f"\n... and {left:,} more rows; --csv prints them all." if left else "")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
