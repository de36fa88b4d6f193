"""``bgresearch sql`` as it is typed: what it prints for a person, a spreadsheet and a program."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.query.stores import keep, offline

COUNT = "SELECT symbol, count(*) AS n, max(open_time) AS last FROM candles GROUP BY symbol ORDER BY symbol"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keep(tmp_path / "data", "BTCUSDT", "1h", 30)
    keep(tmp_path / "data", "ETHUSDT", "1h", 40)
    return tmp_path / "data"


def test_a_program_gets_the_rows_as_json(run: Run, folder: Path) -> None:
    result = run("sql", COUNT, "--json").json()
    assert result == {
        "columns": ["symbol", "n", "last"],
        "rows": [
            {"symbol": "BTCUSDT", "n": 30, "last": "2026-01-02T05:00:00Z"},
            {"symbol": "ETHUSDT", "n": 40, "last": "2026-01-02T15:00:00Z"},
        ],
    }
    assert run(
        "sql", "SELECT NULL AS a, 1.5 AS b, DATE '2026-01-01' AS c, true AS d, 'inf'::DOUBLE AS e", "--json"
    ).json()["rows"] == [{"a": None, "b": 1.5, "c": "2026-01-01", "d": True, "e": None}]


def test_csv_has_every_row_and_every_digit(run: Run, folder: Path) -> None:
    ran = run("sql", "-", "--csv", stdin="SELECT * FROM candles ORDER BY symbol, open_time")
    result = pd.read_csv(io.StringIO(ran.out), parse_dates=["open_time"])
    kept = offline(folder).candles("ETHUSDT", "1h", "2026-01-01", "2026-01-02T16:00").reset_index()
    assert len(result) == 70
    assert result[30:].close.tolist() == kept.close.tolist()
    assert (result[30:].open_time.reset_index(drop=True) == kept.open_time).all()


def test_a_person_gets_a_table_that_ends(run: Run, folder: Path) -> None:
    ran = run("sql", "SELECT open_time, close FROM candles")
    lines = ran.out.splitlines()
    assert lines[0].split() == ["open_time", "close"]
    assert (len(lines), lines[-1]) == (42, "... and 30 more rows; --csv prints them all.")
    assert run("sql", "SELECT symbol FROM trades").out == "No rows. Columns: symbol.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["SELEC 1"], "syntax error"),
        (["COPY (SELECT 1) TO 'x.csv'"], "no single query"),
        (["SELECT * FROM fills"], "fills does not exist"),
        (["SELECT 1", "--csv", "--json"], "excludes --json"),
    ],
)  # fmt: skip
def test_what_is_no_query_is_wrong_usage(run: Run, folder: Path, arguments: list[str], said: str) -> None:
    ran = run("sql", *arguments)
    assert (ran.status, ran.out, said in ran.err) == (2, "", True)


def test_no_text_of_an_answer_as_csv_is_a_formula(run: Run, folder: Path) -> None:
    query = "SELECT 'a;=1+1' AS \"=note\", '=1' AS other, -1.5 AS amount"
    assert (
        run(
            "sql",
            query,
            "--csv",
        ).out
        == "'=note,other,amount\na;'=1+1,'=1,-1.5\n"
    )
