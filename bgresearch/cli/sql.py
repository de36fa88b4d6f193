"""``bgresearch sql``: one query over everything in the store."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgresearch.cli.options import DataDir
from bgresearch.cli.output import AsJson, need, print_result, table
from bgresearch.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 40  # rows printed as text


def sql(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="One SELECT, in quotes; - reads it from standard input.")
    ],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all rows as CSV.")] = False,
    pin: Annotated[str | None, typer.Option(metavar="NAME", help="Query the pin of this name.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Query the store in SQL: candles, trades, funding_rates, recordings, gaps, coverage. Sends no requests."""
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
    is_json = plain.notna() & ~plain.isin([math.inf, -math.inf])  # JSON cannot express these
    rows = [
        dict(zip(columns, row, strict=True)) for row in plain.astype(object).where(is_json, None).to_numpy().tolist()
    ]
    print_result({"columns": columns, "rows": rows}, as_json, lambda: _text(rows, columns))


def _as_text(found: pd.DataFrame) -> pd.DataFrame:
    """Return a result with its times as ISO 8601 in UTC, and everything else that JSON cannot express as text."""
    texts = {name: found[name].map(_cell_text, na_action="ignore").astype(object) for name in _text_columns(found)}
    return found.assign(**texts)


def _guarded(plain: pd.DataFrame) -> pd.DataFrame:
    """Return a result in which no text or name is a formula for a spreadsheet, as in exports."""
    import pyarrow as pa

    from bgresearch.exports.csv_text import guarded

    def safe(values: list[Any]) -> list[Any]:
        return list(guarded(pa.array(values, pa.string()))[0].to_pylist())

    texts = {name: safe(plain[name].where(plain[name].notna(), None).tolist()) for name in _text_columns(plain)}
    guarded_texts = plain.assign(**texts)
    return guarded_texts.set_axis(safe([str(name) for name in guarded_texts.columns]), axis=1)


def _text_columns(found: pd.DataFrame) -> list[str]:
    return [str(name) for name, kind in found.dtypes.items() if kind.kind not in "biuf"]


def _cell_text(value: Any) -> str:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


def _text(rows: list[dict[str, Any]], columns: list[str]) -> str:
    if not rows:
        return f"No rows. Columns: {', '.join(columns)}."
    shown = [{name: _cell(row[name]) for name in columns} for row in rows[:_SHOWN]]
    left = len(rows) - len(shown)
    return table(shown) + (f"\n... and {left:,} more rows; --csv prints them all." if left else "")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
