"""The explorer on a terminal: search, cost before download, summary, export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.sandbox.server import Server
from tests.cli.conftest import Converse, Run

SPAN = ["--interval", "1h", "--since", "2026-10-01", "--until", "2026-10-05"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def _asks_the_sandbox(environment: dict[str, str], server: Server) -> None:
    environment["BGRESEARCH_BASE_URL"] = server.url


def test_symbols_are_searched_in_a_market(run: Run) -> None:
    assert "BTCUSDT" in run("explore", "--search", "btc", "--json").json()["symbols"]
    found = run("explore", "--search", "eth", "--market", "usdt-futures")
    assert "ETHUSDT" in found.out
    assert run("explore", "--search", "zzzz").out == "\n0 symbols.\n"


def test_the_cost_stands_before_the_download_and_the_second_time_it_is_nothing(run: Run, tmp_path: Path) -> None:
    first = run("explore", "BTCUSDT", *SPAN, "--yes", "--export", str(tmp_path / "x.csv"))
    assert first.status == 0, first.err
    assert first.out.index("96 candles are missing in the local store") < first.out.index(
        "96 closed candles of BTCUSDT"
    )
    assert "1 request (1 to spot." in first.out
    result = run("explore", "BTCUSDT", *SPAN, "--json", "--export", str(tmp_path / "x.parquet")).json()
    assert result["costs"] == ["Everything is in the local store already: no request is needed."]
    assert (result["candles"], result["first"], result["last"]) == (96, "2026-10-01T00:00:00Z", "2026-10-04T23:00:00Z")
    parquet, csv = pd.read_parquet(tmp_path / "x.parquet"), pd.read_csv(tmp_path / "x.csv")
    assert (len(csv), result["high"]) == (96, parquet["high"].max())
    assert csv["close"].tolist() == parquet["close"].tolist()


def test_without_a_symbol_it_searches_and_asks_before_it_downloads(converse: Converse) -> None:
    questions = [("or a part of it", "zzz"), ("or a part of it", "ETHUS"), ("Interval [1h]", "1d")]
    questions += [("From (UTC)", "2026-10-01"), ("Download them? [Y/n]", "n")]
    ran = converse(["explore", "--until", "2026-10-05"], questions)
    assert ran.status == 1
    assert "No symbol contains this" in ran.out
    assert "4 candles are missing" in ran.out
    assert "Nothing was downloaded" in ran.out


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["BTCUSDT", "--interval", "7h", "--yes"], 2, "--interval: '7h' is unknown"),
        (["BTCUSDT", "--since", "soon", "--yes"], 2, "--since: 'soon' is not a time"),
        (["BTCUSDT", "--market", "moon"], 2, "--market: 'moon' is unknown"),
        (["BTCUSDT", "--export", "x.xls"], 2, "neither .csv nor .parquet"),
        (["BTCUSDT", "--export", "there.csv"], 2, "exists already"),
        (["NOPE", "--yes"], 1, "'NOPE' is not listed in the spot market"),
    ],
)
def test_what_makes_no_sense_is_named_by_its_option(
    run: Run, tmp_path: Path, options: list[str], status: int, words: str
) -> None:
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    ran = run("explore", *options)
    assert ran.status == status
    assert words in ran.err
    assert (tmp_path / "there.csv").read_text(encoding="utf-8") == "mine"
