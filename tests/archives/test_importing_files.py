"""Files that a person has downloaded: named by their path, checked, compared with what is stored, never moved."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from bgresearch.archives.archive_reader import read_file
from bgresearch.archives.file_names import file_of
from bgresearch.cli import app
from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.messages import Request
from bgresearch.sandbox.server import Server
from tests.archives.conftest import TRADES, csv, packed
from tests.conftest import Connect

DAY = ("2026-08-16T16:00", "2026-08-17T16:00")


def downloaded(exchange: Exchange, folder: Path, *keys: str) -> list[Path]:
    """Files of the sandbox's archive as a person would keep them: below the archive's own folders."""
    paths = []
    for key in keys:
        answer = exchange.handle(Request("GET", f"/online/{key}", {"User-Agent": "Mozilla/5.0"}, "127.0.0.1"))
        assert answer.status == 200, key
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer.body)
        paths.append(path)
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "Downloads"


def parts(day: str, count: int) -> list[str]:
    return [f"trades/SPBL/BTCUSDT/{day}_{part:03}.zip" for part in range(1, count + 1)]


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("offline", [False, True])
def test_every_kind_of_file_is_imported(connect: Connect, exchange: Exchange, folder: Path, offline: bool) -> None:
    downloaded(
        exchange, folder, "kline/BTCUSDT/SP/20260817.zip", *parts("20260817", 5), "depth/BTCUSDT/1/20260817.zip",
        "depth_500/BTCUSDT/1/BTCUSDT_1_20260817.zip",
    )  # fmt: skip
    client = connect(offline=offline)
    frame = client.import_archive(folder)
    assert set(frame["state"]) == {"stored"}, frame["reason"].tolist()
    assert sorted(frame["data"]) == ["books", "klines", "quotes", *["trades"] * 5]
    assert len(list(folder.rglob("*.zip"))) == 8
    kept = connect(offline=True)
    assert len(kept.candles("BTCUSDT", "1m", *DAY)) == 1440
    assert len(kept.quotes("BTCUSDT", *DAY)) > 5_000
    assert len(kept.books("BTCUSDT", *DAY)) > 10_000
    trades = kept.trades("BTCUSDT", *DAY)
    sums = trades["amount"].groupby(trades.index.floor("1min")).sum()
    pd.testing.assert_series_equal(
        sums, kept.candles("BTCUSDT", "1m", *DAY)["volume"], check_names=False, check_freq=False
    )


@pytest.mark.slow
def test_a_monthly_file_and_daily_ones_are_compared(connect: Connect, exchange: Exchange, folder: Path) -> None:
    month = downloaded(exchange, folder, "kline_month/BTCUSDT/SP/BTCUSDT_SP_1min_202608.zip")
    day = downloaded(exchange, folder, "kline/BTCUSDT/SP/20260817.zip")
    client = connect()
    assert client.import_archive(day).attrs["bgresearch"]["rows"] == 1440
    reported = client.import_archive(month).attrs["bgresearch"]
    assert reported["rows"] == 30 * 1440
    assert reported["differences"] == []
    text = pd.read_csv(month[0])
    text.loc[text["timestamp"] == int(pd.Timestamp("2026-08-17T03:00Z").timestamp()), "volume"] = 0
    changed = text.assign(basevolume=text["basevolume"].where(text["timestamp"] % 86400 != 3 * 3600, 1.5))
    other = packed(
        folder / "other/kline_month/BTCUSDT/SP/BTCUSDT_SP_1min_202608.zip", "a.csv",
        changed.drop(columns="volume").to_csv(index=False).encode(),
    )  # fmt: skip
    [words] = client.import_archive(other).attrs["bgresearch"]["differences"]
    assert "30 candles differ from those that are stored, the first at 2026-08-01T03:00:00Z" in words or "31 " in words
    fresh = connect(data_dir=folder.parent / "fresh").candles("BTCUSDT", "1m", *DAY)
    pd.testing.assert_frame_equal(client.candles("BTCUSDT", "1m", *DAY), fresh, check_exact=True)


FIRST = int(pd.Timestamp("2026-08-16T16:00Z").timestamp())


def trades(*changes: tuple[int, str], lost: int | None = None) -> list[str]:
    """Return ten trades as rows of a file, some with another price."""
    prices = dict(changes)
    return [
        f"{at + 1},{FIRST + 60 * at}000,{prices.get(at, '57000')},buy,57,0.00{at + 1}" for at in range(10) if at != lost
    ]


OTHER = {
    "the same": (trades(), None),
    "two other prices": (trades((3, "57001"), (7, "57002")), "2 trades of {} differ from those that are stored"),
    "all of one second": (trades()[:1], "9 trades of {} are stored or in the file alone"),
    "one missing": (trades(lost=4), "1 trades of {} are stored or in the file alone"),
    "both": (trades((3, "57001"), lost=4),
             "1 trades of {} are stored or in the file alone, 1 trades of {} differ from those that are stored"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER)
@pytest.mark.parametrize("key", ["20260817_001", "trades_month/SPBL/BTCUSDT/BTCUSDT_SPBL_202608"])
def test_trades_that_are_stored_are_compared_by_their_values(
    connect: Connect, folder: Path, key: str, case: str
) -> None:
    rows, words = OTHER[case]
    client = connect(offline=True)
    first = packed(folder / f"{parts('20260817', 1)[0]}", "x.csv", csv(TRADES, *trades()))
    assert client.import_archive(first)["state"].tolist() == ["stored"]
    before = client.trades("BTCUSDT", *DAY)
    name = key if "/" in key else f"trades/SPBL/BTCUSDT/{key}"
    found = client.import_archive(packed(folder / f"other/{name}.zip", "x.csv", csv(TRADES, *rows)))
    reported = found.attrs["bgresearch"]["differences"]
    span = "[2026-08-16T16:00:00Z, 2026-08-17T16:00:00Z)"
    assert [one.partition(": ")[2] for one in reported] == (
        [] if words is None else [f"{words.replace('{}', span)}; the stored ones stay"]
    )
    pd.testing.assert_frame_equal(client.trades("BTCUSDT", *DAY), before)


def test_some_parts_of_a_day_that_is_stored_are_compared_with_it(
    connect: Connect, exchange: Exchange, folder: Path
) -> None:
    downloaded(exchange, folder, *parts("20260817", 5))
    client = connect()
    assert set(client.import_archive(folder)["state"]) == {"stored"}
    before = client.trades("BTCUSDT", *DAY)
    two = downloaded(exchange, folder / "again", *parts("20260817", 2))
    assert client.import_archive(two).attrs["bgresearch"]["rows"] == 0
    pd.testing.assert_frame_equal(client.trades("BTCUSDT", *DAY), before)


EVERY_NAME = (
    "kline/BTCUSDT/BTCUSDT_SP_1min_20220110.zip", "kline/BTCUSDT/SP/20250110.zip",
    "kline/BTCUSDT/SP/BTCUSDT_SP_1min_20261110.zip", "kline/ETHUSDT/ETHUSDT_UMCBL_1min_20220110.zip",
    "kline/BTCPERP/UMCBL/BTCPERP_UMCBL_1min_20261110.zip", "kline/BTCUSD/UMCBL/20250110.zip",
    "trades/SPBL/STILLUSDT/STILLUSDT_SPBL_20230510_001.zip", "trades/SPBL/STILLUSDT/20250110_001.zip",
    "trades/SPBL/STILLUSDT/STILLUSDT_20261110_001.zip", "depth/BTCUSDT/1/20250110.zip",
    "depth/BTCUSDT/2/BTCUSDT_3_20261110.zip", "depth_500/BTCUSDT/1/BTCUSDT_1_20260110.zip",
    pytest.param("kline_month/STILLUSDT/SP/STILLUSDT_SP_1min_202608.zip", marks=pytest.mark.slow),
    pytest.param("trades_month/SPBL/STILLUSDT/STILLUSDT_SPBL_202608.zip", marks=pytest.mark.slow),
    pytest.param("depth_month/STILLUSDT/1/STILLUSDT_1_202608.zip", marks=pytest.mark.slow),
    pytest.param("depth_500_month/STILLUSDT/1/STILLUSDT_1_202609.zip", marks=pytest.mark.slow),
)  # fmt: skip


@pytest.mark.quick_cases(5)
@pytest.mark.parametrize("key", EVERY_NAME)
def test_a_file_under_every_name_of_every_era_is_imported_by_its_path(
    connect: Connect, exchange: Exchange, folder: Path, key: str
) -> None:
    (path,) = downloaded(exchange, folder, key)
    file = file_of(path)
    assert file is not None
    client = connect()
    (row,) = client.import_archive(path).to_dict("records")
    assert (row["state"], row["reason"]) == ("stored", None)
    kept = connect(offline=True)
    span = (row["start"], row["end"])
    if file.data == "klines":
        found = kept.candles(file.symbol, "1m", *span, market=file.market).reset_index()
    else:
        found = getattr(kept, file.data)(file.symbol, *span, market=file.market).reset_index()
    raw = pa.concat_tables(read_file(path, file.data))
    name = raw.column_names[0]
    twins = raw.drop_columns("place").to_pandas().duplicated().sum() if file.data == "quotes" else 0
    assert len(found) == raw.num_rows - twins
    assert {*found[name].astype("datetime64[ms, UTC]")} == {*raw.column(name).to_pandas()}


def test_files_of_other_instruments_and_days_are_set_aside(connect: Connect, exchange: Exchange, folder: Path) -> None:
    [eth] = downloaded(exchange, folder, "kline/ETHUSDT/SP/20260817.zip")
    swapped = folder / "kline/BTCUSDT/SP/20260817.zip"
    swapped.parent.mkdir(parents=True)
    swapped.write_bytes(eth.read_bytes())
    other_day = folder / "kline/ETHUSDT/SP/20260816.zip"
    other_day.write_bytes(eth.read_bytes())
    client = connect()
    frame = client.import_archive([swapped, other_day]).set_index("file")
    assert frame["state"].tolist() == ["set aside", "set aside"]
    assert "its prices from" in frame.loc[str(swapped), "reason"]
    assert "its name says" in frame.loc[str(other_day), "reason"]
    assert client._source.store.count is not None
    assert not list(Path(client.data_dir).glob("candles/**/*.parquet"))
    assert swapped.exists()


def test_a_name_that_says_too_little_is_completed(connect: Connect, folder: Path) -> None:
    second = int(pd.Timestamp("2026-08-17T00:00:00Z").timestamp())
    path = packed(folder / "20260817_001.zip", "x.csv", csv(TRADES, f"9,{second}000,57000,buy,57,0.001"))
    client: Client = connect(offline=True)
    [row] = client.import_archive(path).to_dict("records")
    assert (row["state"], row["symbol"]) == ("set aside", None)
    assert "market=" in row["reason"]
    [row] = client.import_archive(path, market="coin-futures", symbol="xyzusd").to_dict("records")
    assert (row["state"], row["symbol"], row["data"]) == ("stored", "XYZUSD", "trades")
    assert len(client.trades("XYZUSD", *DAY, market="coin-futures")) == 1
    with pytest.raises(InvalidInput, match="market"):
        client.import_archive(path, symbol="XYZUSD")
    with pytest.raises(InvalidInput, match="there is no file"):
        client.import_archive(folder / "nothing")


def test_parts_without_those_before_them_are_set_aside(connect: Connect, exchange: Exchange, folder: Path) -> None:
    downloaded(exchange, folder, *parts("20260817", 3)[1:])
    frame = connect().import_archive(folder)
    assert set(frame["state"]) == {"set aside"}
    assert "before it" in frame["reason"][0]


def test_a_spot_symbol_that_is_not_quoted_in_usdt_is_refused(
    connect: Connect, exchange: Exchange, folder: Path
) -> None:
    [path] = downloaded(exchange, folder, "kline/ETHUSDT/SP/20260817.zip")
    [row] = connect().import_archive(path, market="spot", symbol="ETHBTC").to_dict("records")
    assert (row["state"], "USDT" in row["reason"]) == ("set aside", True)


@pytest.mark.slow
def test_the_command_imports_and_verifies(exchange: Exchange, folder: Path, tmp_path: Path) -> None:
    good, bad = downloaded(exchange, folder, "kline/BTCUSDT/SP/20260817.zip", "kline/ETHUSDT/SP/20260817.zip")
    bad.write_bytes(bad.read_bytes()[:-100])
    with Server(Exchange()) as server:
        variables = {
            "BGRESEARCH_BASE_URL": server.url, "BGRESEARCH_ARCHIVE_URL": f"{server.url}/online",
            "BGRESEARCH_DATA_DIR": str(tmp_path / "data"),
        }  # fmt: skip

        def run(*words: str) -> tuple[int, dict[str, object]]:
            done = CliRunner().invoke(app, [*words, "--json"], env=variables)
            return int(done.exception is not None), json.loads(done.stdout or "{}")

        status, reported = run("import", str(good), str(bad))
        assert status == 1
        assert [one["state"] for one in reported["files"]] == ["stored", "set aside"]  # type: ignore[index,attr-defined]
        status, reported = run("import", str(good))
        assert (status, reported["rows"]) == (0, 0)
        week = ("--since", "2026-08-20", "--until", "2026-08-23")
        status, reported = run("download", "candles", "ETHUSDT", *week, "--source", "archive")
        assert status == 0
        assert reported["archive"]["ETHUSDT"]["files"] > 0  # type: ignore[index]
        status, reported = run("plan", "ETHUSDT", *week, "--source", "archive")
        assert status == 0
        assert run("verify", "--against-archive") == (0, run("verify", "--against-archive")[1])
        server.exchange.faults.inject("reuploaded", endpoint="archive.candles")
        status, reported = run("verify", "--against-archive")
        assert status == 1
        assert {one["what"] for one in reported["archive_changes"]} == {"it was uploaded again"}  # type: ignore[index,attr-defined]


@pytest.mark.parametrize("paths", [None, 3, b"a.zip", [None], ["a.zip", 3], 1.5], ids=repr)
def test_what_is_no_path_is_refused_by_name(connect: Connect, paths: object) -> None:
    with pytest.raises(InvalidInput, match="paths"):
        connect(offline=True).import_archive(paths)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name != "posix", reason="a name without a file behind it that is a file all the same")
def test_a_file_that_cannot_be_read_now_is_not_called_damaged(connect: Connect, folder: Path) -> None:
    good = packed(folder / "trades/SPBL/BTCUSDT/20260817_001.zip", "x.csv", csv(TRADES, "9,1786924800,57000,buy,57,1"))
    path = good.with_name("20260818_001.zip")
    path.symlink_to("/proc/self/mem")  # opens, and every read of it fails with EIO
    found = connect(offline=True).import_archive([good, path]).set_index("file")
    assert found.loc[str(good), "state"] == "stored"
    assert "cannot be read now: Input/output error" in found.loc[str(path), "reason"]
