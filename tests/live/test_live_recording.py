"""Streams recorded into the store: through faults, through kills, and read back by the verbs of history."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from bgresearch.catalogue.assumptions import FINAL_AFTER_MS
from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput, OfflineError
from bgresearch.live.live_recorder import CommitPace
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server
from bgresearch.store import Store
from tests.conftest import child, inherited
from tests.live.conftest import Fresh
from tests.live.test_streams import until

FAULTS = ("drop", "gap", "duplicate", "reorder", "garbage", "cut_24h")
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT"]


def recorded_through_faults(
    exchange: Exchange, client: Client, channel: str, *, symbols: list[str], faults: int, seconds: float
) -> pd.DataFrame:
    """Record while faults happen evenly over the time, and return the summary."""
    chance = random.Random(faults)  # noqa: S311
    ended = threading.Event()

    def spoil() -> None:
        for _ in range(faults):
            if ended.wait(seconds * 0.9 / faults):
                return
            exchange.faults.inject(chance.choice(FAULTS), endpoint=f"stream.{channel}", times=1)  # type: ignore[arg-type]

    spoiler = threading.Thread(target=spoil)
    spoiler.start()
    try:
        return client.record(channel, symbols, interval="1m" if channel == "candles" else None, seconds=seconds)
    finally:
        ended.set()
        spoiler.join()
        exchange.faults.clear()


def read(client: Client, channel: str, symbol: str, row: Any) -> pd.DataFrame:
    if channel == "candles":
        return client.candles(symbol, "1m", row.start, row.end)
    return client.trades(symbol, row.start, row.end)


def compared(exchange: Exchange, fresh: Fresh, channel: str, tmp_path: Path, **options: Any) -> int:
    """Record through faults, compare with a download of its own, and return how many rows were equal."""
    recorder = fresh(exchange, data_dir=tmp_path / "recorded")
    found = recorded_through_faults(exchange, recorder, channel, **options)
    kept = fresh(exchange, data_dir=tmp_path / "recorded", offline=True)
    rest = fresh(exchange)
    equal = 0
    for row in found.itertuples():
        assert row.end > row.start
        mine, theirs = (read(one, channel, str(row.symbol), row) for one in (kept, rest))
        pd.testing.assert_frame_equal(mine, theirs)
        equal += len(mine)
    return equal


@pytest.mark.parametrize("channel", ["trades", "candles"])
def test_what_was_recorded_through_faults_equals_a_download(
    fast: Exchange, fresh: Fresh, channel: str, tmp_path: Path
) -> None:
    equal = 0
    for seconds in (3, 12, 48):  # longer on a busy machine
        if equal <= 20:
            equal = compared(
                fast, fresh, channel, tmp_path / str(seconds), symbols=SYMBOLS[:2], faults=6, seconds=seconds
            )
    print(f"{channel}: {equal} rows equal")
    assert equal > 20


@pytest.mark.slow
@pytest.mark.parametrize("channel", ["trades", "candles"])
def test_minutes_of_five_symbols_through_many_faults_equal_a_download(
    fast: Exchange, fresh: Fresh, channel: str, tmp_path: Path
) -> None:
    equal = compared(fast, fresh, channel, tmp_path, symbols=SYMBOLS, faults=30, seconds=15)
    print(f"{channel}: {equal} rows equal")


def test_a_trade_that_the_stream_lost_without_a_word_is_found_by_its_id_and_named(
    fast: Exchange, fresh: Fresh, tmp_path: Path
) -> None:
    client = fresh(fast, data_dir=tmp_path / "recorded")
    fast.faults.inject("gap", endpoint="stream.trades", probability=0.5)
    for seconds in (4, 16, 64):  # longer on a busy machine
        recorder = client.recorder_of("trades", "BTCUSDT")
        recorder.run(seconds)
        gaps = recorder.stream.gaps
        if "lost push" in set(gaps.cause):
            break
    assert "lost push" in set(gaps.cause)
    assert gaps[gaps.cause == "lost push"].repaired.all()
    [row] = recorder.results
    span = (row.start_ms, row.end_ms)
    kept = fresh(fast, data_dir=tmp_path / "recorded", offline=True).trades("BTCUSDT", *span)
    pd.testing.assert_frame_equal(kept, fresh(fast).trades("BTCUSDT", *span))


@pytest.mark.slow
def test_order_books_are_recorded_every_second_and_what_was_missed_has_a_cause(
    running: Exchange, fresh: Fresh, tmp_path: Path
) -> None:
    client = fresh(running, data_dir=tmp_path / "recorded")
    running.faults.inject("drop", endpoint="stream.order_book", probability=0.02)
    found = client.record("order_book", ["BTCUSDT", "ETHUSDT"], seconds=4)
    kept = fresh(running, data_dir=tmp_path / "recorded", offline=True)
    for row in found.itertuples():
        books = kept.recorded("order_book", str(row.symbol), row.start, row.end)
        about = books.attrs["bgresearch"]
        assert books.index.nunique() == row.rows >= 2
        missed = sum((pd.Timestamp(gap["end"]) - pd.Timestamp(gap["start"])).total_seconds() for gap in about["gaps"])
        assert row.rows + missed == (row.end - row.start).total_seconds()
        assert {gap["cause"] for gap in about["gaps"]} <= {"no connection", "late"}
        for _time, book in books.groupby(level=0):
            truth = running.order_book(str(row.symbol), now_ms=book.told.iloc[0].value // 1_000_000, levels=50)
            bids = book[book.side == "bid"]
            assert list(zip(bids.price, bids.amount, strict=True)) == [(float(p), float(a)) for p, a in truth["bids"]]
            assert bids.level.tolist() == list(range(1, 51))


def killed(exchange: Exchange, fresh: Fresh, folder: Path, channel: str, times: int) -> list[float]:
    """Kill a recording so often, and return how many seconds each kill cost."""
    chance, losses = random.Random(times), []  # noqa: S311
    with Server(exchange) as server:
        for _ in range(times):
            began, known = exchange.clock.now_ms(), written(folder)
            command = [sys.executable, "-m", "bgresearch", "record", channel, "BTCUSDT", "--live"]
            environment = inherited() | {"BGRESEARCH_BASE_URL": server.url}
            with child(*command, "--data-dir", str(folder), env=environment, stdout=subprocess.DEVNULL) as process:
                until(lambda known=known: written(folder) - known)
                time.sleep(3 * chance.random())
                process.kill()
                ended = exchange.clock.now_ms()
                process.wait()
            kept = fresh(exchange, data_dir=folder, offline=True)
            losses.append((ended - covered_until(kept, channel, began, ended)) / 1000)
            store = Store(folder)
            assert [flaw for path in store.files() for flaw in store.inspected(path)] == []
            assert not list(folder.rglob("*damaged*"))
        if channel == "trades":
            span = (exchange.clock.now_ms() - 60_000, exchange.clock.now_ms())
            again = fresh(exchange, data_dir=folder).trades("BTCUSDT", *span)
            pd.testing.assert_frame_equal(again, fresh(exchange).trades("BTCUSDT", *span))
    return losses


@pytest.mark.parametrize("series", [1, 4, 5, 8, 15, 40])
@pytest.mark.parametrize("started_ms", [0, 350, 990])
def test_at_any_instant_less_than_five_seconds_of_trades_are_not_written_yet(series: int, started_ms: int) -> None:
    pace, margin_ms, taking_ms, committing_ms = CommitPace(series), FINAL_AFTER_MS.value["last"], 100, 700
    begun_ms = 1_795_132_800_000 + started_ms
    now_ms, written_ms, worst_ms, commits = begun_ms, 0, 0, 0
    while now_ms < begun_ms + 60_000:
        if pace.is_due(now_ms, now_ms / 1000):
            complete_ms = (now_ms - margin_ms) // 1000 * 1000
            now_ms, commits = now_ms + committing_ms, commits + 1
            worst_ms = max(worst_ms, now_ms - written_ms if written_ms else 0)
            written_ms = complete_ms
        now_ms += taking_ms
    assert worst_ms < 5_000
    assert commits <= 60 / pace.every_s + 1


def written(folder: Path) -> set[Path]:
    """The pages that recordings have written."""
    return {*folder.rglob("*.page")}


def covered_until(kept: Client, channel: str, start_ms: int, end_ms: int) -> int:
    """Return until when the store is complete; what is missing is named."""
    if channel == "trades":
        with pytest.raises(OfflineError) as caught:
            kept.trades("BTCUSDT", start_ms, end_ms)
        return max(span.start_ms for span in caught.value.missing)
    books = kept.recorded("order_book", "BTCUSDT", start_ms, end_ms)
    until_ms = books.index[-1].value // 1_000_000 + 1000
    named = {gap["cause"] for gap in books.attrs["bgresearch"]["gaps"] if pd.Timestamp(gap["start"]) > books.index[-1]}
    assert until_ms >= end_ms or named == {"not recorded"}
    return until_ms


def test_a_kill_damages_no_file_and_what_it_cost_is_named(running: Exchange, fresh: Fresh, tmp_path: Path) -> None:
    losses = killed(running, fresh, tmp_path / "recorded", "order_book", 1)
    print(f"{losses} s lost")


@pytest.mark.slow
@pytest.mark.parametrize("channel", ["trades", "order_book"])
def test_many_kills_damage_no_file_and_what_they_cost_is_named(
    running: Exchange, fresh: Fresh, tmp_path: Path, channel: str
) -> None:
    losses = killed(running, fresh, tmp_path / "recorded", channel, 4)
    print(f"{channel}: at most {max(losses)} s lost")


@pytest.mark.slow
def test_the_command_records_and_says_what_in_json(running: Exchange, fresh: Fresh, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    with Server(running) as server:
        command = [sys.executable, "-m", "bgresearch", "record", "candles", "BTCUSDT", "ETHUSDT", "--live", "--json"]
        done = subprocess.run(  # noqa: S603
            [*command, "--interval", "1m", "--for", "2s", "--data-dir", str(folder)], capture_output=True, text=True,
            env=inherited() | {"BGRESEARCH_BASE_URL": server.url}, check=True,
        )  # fmt: skip
    said = json.loads(done.stdout)
    assert [one["symbol"] for one in said["series"]] == ["BTCUSDT", "ETHUSDT"]
    kept = fresh(running, data_dir=folder, offline=True)
    for one in said["series"]:
        assert len(kept.candles(one["symbol"], "1m", one["start"], one["end"])) == one["rows"] > 900


@pytest.mark.parametrize("channel", ["tickers", "liquidations"])
def test_what_has_no_place_in_the_store_is_not_recorded(live: Client, channel: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be recorded"):
        live.record(channel, "BTCUSDT", market="usdt-futures", seconds=1)


@pytest.mark.parametrize("seconds", [0, -1, True, float("nan")])
def test_a_time_that_means_nothing_is_refused(live: Client, seconds: float) -> None:
    with pytest.raises(InvalidInput, match="seconds"):
        live.record("trades", "BTCUSDT", seconds=seconds)


@pytest.mark.slow
def test_recorded_trades_keep_their_milliseconds_next_to_the_seconds_of_history(
    fast: Exchange, fresh: Fresh, tmp_path: Path
) -> None:
    client = fresh(fast, data_dir=tmp_path / "recorded")
    client.record("trades", "BTCUSDT", seconds=2)
    [file] = (tmp_path / "recorded" / "trades").rglob("*.parquet")
    table = pq.read_table(file)
    times, exact = (table[name].cast("int64").to_numpy() for name in ("time", "exact_time"))
    assert (times % 1000 == 0).all()
    assert (exact % 1000 != 0).any()
    assert (exact // 1000 * 1000 == times).all()
