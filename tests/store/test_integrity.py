"""Verify finds what is wrong, names it, and repair fetches only that again; nothing is ever deleted."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.sandbox import Exchange
from bgresearch.store import parquet_file as partition
from bgresearch.store.integrity import candles_at, files_of, inspect

SPAN = ("2026-08-28", "2026-09-03")  # two partitions
MONTH = "candles/market=spot/price=last/symbol=BTCUSDT/interval=1m/2026-09.parquet"


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(seed=7)


@pytest.fixture
def client(tmp_path: Path, exchange: Exchange) -> Client:
    client = bg.connect(sandbox=exchange, data_dir=tmp_path, progress=False)
    client.candles("BTCUSDT", "1m", *SPAN)
    client.candles("BTCUSDT", "1M", "2026-01-01", "2026-07-01")
    return client


def rewritten(path: Path, change: object) -> None:
    """Write a file again with other rows and an honest digest: what a broken writer would have left."""
    with path.open("rb") as file:
        table, ledger, time = partition.decode_any(file)
    series = candles_at(path.relative_to(path.parents[5]))
    assert series is not None
    assert series.time == time
    path.write_bytes(partition.encode(series, change(table), ledger))  # type: ignore[operator]


class Reads(io.BytesIO):
    """A file that remembers which threads read it."""

    threads: set[int]

    def read(self, size: int | None = -1, /) -> bytes:
        self.threads.add(threading.get_ident())
        return super().read(size)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("way", ["ledger", "rows", "any", "columns"])
def test_a_file_is_read_by_the_thread_that_asks_and_by_no_other(client: Client, tmp_path: Path, way: str) -> None:
    path, *_ = files_of(tmp_path)
    file = Reads(path.read_bytes())
    file.threads = set()
    series = partition.series_of(file)
    file.seek(0)
    {
        "ledger": lambda: partition.read_ledger(file), "rows": lambda: partition.decode(file, series),
        "any": lambda: partition.decode_any(file), "columns": lambda: partition.decode_some(file, ["close"]),
    }[way]()  # fmt: skip
    assert file.threads == {threading.get_ident()}


def test_an_intact_store_is_sound(client: Client) -> None:
    found = client.verify()
    assert found.sound
    assert (found.files, found.flaws) == (3, [])


@pytest.mark.slow
def test_no_changed_byte_is_overlooked_that_changes_a_row_or_the_ledger(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "candles/market=spot/price=last/symbol=BTCUSDT/interval=1month/all.parquet"
    whole = path.read_bytes()
    truth = partition.decode_any(io.BytesIO(whole))
    found = 0
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        if inspect(tmp_path, path):
            found += 1
        else:  # a byte that means nothing to a reader of the rows, of the first magic word for one
            assert partition.decode_any(io.BytesIO(path.read_bytes())) == truth
    assert found > len(whole) / 7 / 2


def test_a_damaged_file_is_set_aside_and_only_its_month_is_fetched_again(
    client: Client, exchange: Exchange, tmp_path: Path
) -> None:
    before = client.candles("BTCUSDT", "1m", *SPAN)
    path = tmp_path / MONTH
    path.write_bytes(path.read_bytes()[:-100])
    [flaw] = client.verify().flaws
    assert (flaw.path.as_posix(), flaw.kind) == (MONTH, "damaged")
    assert path.exists()  # looking changes nothing
    with pytest.warns(UserWarning, match="set aside"):
        found = client.verify(repair=True)
    assert found.sound
    assert list(path.parent.glob("2026-09.parquet.damaged-*"))
    offline = bg.connect(sandbox=exchange, data_dir=tmp_path, offline=True)
    assert offline.candles("BTCUSDT", "1m", *SPAN).equals(before)


def test_candles_that_the_ledger_claims_and_the_file_lacks_are_fetched_again_and_nothing_else(
    client: Client, tmp_path: Path
) -> None:
    before = client.candles("BTCUSDT", "1m", *SPAN)
    rewritten(tmp_path / MONTH, lambda table: pa.concat_tables([table.slice(0, 500), table.slice(510)]))
    [flaw] = client.verify().flaws
    assert flaw.kind == "incomplete"
    assert "10 candles" in flaw.words
    sent = client.requests_sent
    assert client.verify(repair=True).sound
    assert client.requests_sent - sent == 1
    assert client.verify().flaws == []
    assert client.candles("BTCUSDT", "1m", *SPAN).equals(before)


def test_a_candle_without_a_number_is_unsound_and_fetched_again(client: Client, tmp_path: Path) -> None:
    def spoiled(table: pa.Table) -> pa.Table:
        highs = table.column("high").to_pylist()
        highs[700] = float("nan")
        return table.set_column(table.column_names.index("high"), "high", pa.array(highs))

    before = client.candles("BTCUSDT", "1m", *SPAN)
    rewritten(tmp_path / MONTH, spoiled)
    [flaw] = client.verify().flaws
    assert flaw.kind == "unsound"
    assert "missing or infinite" in flaw.words
    assert client.verify(repair=True).sound
    assert client.candles("BTCUSDT", "1m", *SPAN).equals(before)


def test_rows_that_the_ledger_does_not_know_are_named(client: Client, tmp_path: Path) -> None:
    path = tmp_path / MONTH
    with path.open("rb") as file:
        table, ledger, _ = partition.decode_any(file)
    series = candles_at(path.relative_to(tmp_path))
    assert series is not None
    first = ledger.covered[0]
    shorter = ledger.without(first._replace(start_ms=first.end_ms - 60 * 60_000))
    path.write_bytes(partition.encode(series, table, shorter))
    assert any("60 rows that the ledger does not know" in flaw.words for flaw in client.verify().flaws)


def test_a_file_of_another_tool_is_damaged_and_not_believed(client: Client, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "candles" / "stray.parquet")
    assert [flaw.kind for flaw in client.verify().flaws] == ["damaged"]


def test_a_repair_that_cannot_be_made_says_why(client: Client, exchange: Exchange, tmp_path: Path) -> None:
    (tmp_path / MONTH).write_bytes(b"nothing")
    offline = bg.connect(sandbox=exchange, data_dir=tmp_path, offline=True)
    with pytest.warns(UserWarning, match="set aside"):
        found = offline.verify(repair=True)
    assert not found.sound
    [(_flaw, why)] = found.failed
    assert "offline" in why


@pytest.mark.slow
def test_locks_and_pins_are_no_partitions(client: Client, tmp_path: Path) -> None:
    hidden = tmp_path / ".pins" / "x" / "candles"
    hidden.mkdir(parents=True)
    (hidden / "a.parquet").write_bytes(b"")
    assert len(files_of(tmp_path)) == 3


@pytest.mark.slow
def test_a_closed_candle_that_the_exchange_answers_differently_is_named(client: Client, tmp_path: Path) -> None:
    def revised(table: pa.Table) -> pa.Table:
        volumes = table.column("volume").to_pylist()
        volumes[3] += 1
        return table.set_column(table.column_names.index("volume"), "volume", pa.array(volumes))

    assert client.revisions(*SPAN) == []
    rewritten(tmp_path / MONTH, revised)
    assert client.verify().sound
    [one] = client.revisions(*SPAN, symbols=("BTCUSDT",))
    assert (one.open_time, one.column) == ("2026-09-01T00:03:00Z", "volume")
    assert one.kept is not None
    assert one.answered == pytest.approx(one.kept - 1)
    assert client.revisions(*SPAN, symbols=("ETHUSDT",)) == []


@pytest.mark.slow
def test_a_file_of_another_symbol_is_found_and_fetched_again(client: Client, tmp_path: Path) -> None:
    before = client.candles("BTCUSDT", "1m", *SPAN)
    client.candles("ETHUSDT", "1m", *SPAN)
    (tmp_path / MONTH).write_bytes((tmp_path / MONTH.replace("BTC", "ETH")).read_bytes())
    found = client.verify(repair=True)
    [flaw] = found.flaws
    assert (flaw.kind, flaw.path.as_posix(), found.sound) == ("unsound", MONTH, True)
    assert "written for another place, candles/market=spot/price=last/symbol=ETHUSDT" in flaw.words
    assert client.verify().sound
    pd.testing.assert_frame_equal(client.candles("BTCUSDT", "1m", *SPAN), before)
