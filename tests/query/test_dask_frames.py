"""Dask over the local and the published store: equal to pandas and DuckDB, on workers, reading only what is needed."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.core.spans import Span
from bgresearch.errors import ConfigurationError, InvalidInput, OfflineError, StoreError
from bgresearch.query.dask_frames import File
from bgresearch.query.datasets import families
from bgresearch.store import Series, Store
from bgresearch.store.remote.manifest import PUBLIC
from tests.remote.s3 import CREDENTIALS, S3Server
from tests.store.conftest import candles

JAN_MS, DAY_MS = 1_767_225_600_000, 86_400_000  # 2026-01-01
DAYS = 3  # the last of December and the first two of January: two files a symbol
SPAN = Span(JAN_MS - DAY_MS, JAN_MS + (DAYS - 1) * DAY_MS)
SYMBOLS = [f"COIN{number:02}USDT" for number in range(18)] + ["$ALTUSDT", "1000SHIBUSDT"]
MARKETS = ("spot", "usdt-futures")
KEYS = ["market", "price", "symbol", "interval"]


def keep(folder: Path, symbol: str, span: Span, *, base: float, interval: str = "1m", market: str = "spot") -> None:
    keys = (("market", market), ("price", "last"), ("symbol", symbol), ("interval", interval))
    Store(folder, host="https://api.bitget.com").write(
        Series("candles", keys, "open_time"), candles(span, base), [span]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("universe")
    for number, symbol in enumerate(SYMBOLS):
        keep(made, symbol, SPAN, base=100.0 + number)
    keep(made, "COIN00USDT", Span(JAN_MS, JAN_MS + 60_000), base=7.0, market="usdt-futures")
    keep(made, "COIN00USDT", Span(JAN_MS, JAN_MS + 60_000), base=7.0, interval="1M")
    return made


@pytest.fixture(scope="module")
def local(folder: Path) -> Client:
    return bg.connect(data_dir=folder, offline=True, progress=False)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture(scope="module")
def environment(server: S3Server) -> Iterator[None]:
    """The environment that workers inherit: nothing of it goes through the graph."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": server.url}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def far(environment: None, local: Client, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The same, published in a bucket."""
    import s3fs  # noqa: PLC0415 - only tests make buckets

    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("universe")
    local.publish("s3://universe/v1")
    return bg.connect(store="s3://universe/v1", data_dir=tmp_path_factory.mktemp("reader"), progress=False)


@pytest.fixture(scope="module")
def cluster(environment: None) -> Iterator[Any]:
    """Two processes of one thread each, on loopback."""
    from distributed import Client as Workers  # noqa: PLC0415 - takes a second
    from distributed import LocalCluster  # noqa: PLC0415

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", memory_limit="600MB",
            host="127.0.0.1",
        ) as local_cluster,
        Workers(local_cluster, set_as_default=False) as workers,
    ):  # fmt: skip
        yield workers


@pytest.fixture(params=["local", "far"])
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.getfixturevalue(request.param)
    return found


@pytest.mark.slow
def test_a_symbol_s_rows_are_those_of_the_verb_types_included(client: Client, local: Client) -> None:
    rows = client.lens.dask(symbols="$ALTUSDT", interval="1m").compute(scheduler="synchronous")
    verb = local.candles("$ALTUSDT", "1m", SPAN.start_ms, SPAN.end_ms)
    pd.testing.assert_frame_equal(rows.drop(columns=KEYS), verb, check_exact=True)
    assert rows[KEYS].drop_duplicates().to_numpy().tolist() == [["spot", "last", "$ALTUSDT", "1m"]]
    assert set(map(str, rows[KEYS].dtypes)) == {"category"}


def test_the_frame_promises_the_types_that_it_then_has(local: Client) -> None:
    lazy = local.lens.dask(market=MARKETS)
    real = lazy.compute(scheduler="synchronous")
    pd.testing.assert_frame_equal(lazy._meta, real.iloc[:0])
    assert len(real) == len(SYMBOLS) * DAYS * 1440 + 2


@pytest.mark.slow
def test_two_workers_answer_over_the_universe_as_duckdb_does_over_the_same_files(
    client: Client, cluster: Any, folder: Path
) -> None:
    lazy = client.lens.dask(market="spot", interval="1m", block_bytes=15_000)
    assert lazy.npartitions > 4
    lazy["spread"] = (lazy.high - lazy.low) / lazy.close
    wanted = {"close": ["max", "count"], "volume": "sum", "spread": "mean"}
    ours = lazy.groupby("symbol", observed=True).agg(wanted).compute(scheduler=cluster).sort_index()
    files = duckdb.read_parquet(f"{folder}/candles/market=spot/*/*/interval=1m/*.parquet", hive_partitioning=True)
    theirs = (
        files.aggregate("symbol, max(close), count(*), sum(volume), avg((high - low) / close)", "symbol")
        .order("symbol")
        .fetchall()
    )
    assert list(ours.index) == [row[0] for row in theirs]
    assert ours["close"].to_numpy().tolist() == [[row[1], row[2]] for row in theirs]
    # sums of floats depend on their order: 4,320 terms, each rounded to 2**-53 of the sum at most
    np.testing.assert_allclose(ours["volume"]["sum"], [row[3] for row in theirs], rtol=4320 * 2**-53)
    np.testing.assert_allclose(ours["spread"]["mean"], [row[4] for row in theirs], rtol=4320 * 2**-53)
    processes = set(cluster.run(os.getpid).values())
    assert len(processes - {os.getpid()}) == 2


def opened(lazy: Any) -> list[File]:
    """The files in the graph."""
    [expression] = [each for each in lazy.expr.walk() if type(each).__name__ == "FromMapProjectable"]
    return [file for block in expression.operand("iterables")[0] for file in block]


@pytest.mark.quick_cases(1)
def test_only_files_of_the_wanted_symbols_markets_and_months_are_in_the_graph(client: Client) -> None:
    lens = client.lens
    assert len(opened(lens.dask(market=MARKETS))) == 2 * len(SYMBOLS) + 2
    assert len(opened(lens.dask(symbols=["COIN01USDT", "COIN02USDT"]))) == 4
    [month] = opened(lens.dask(symbols="COIN01USDT", start="2026-01-01", end="2026-02-01"))
    assert "/symbol=COIN01USDT/interval=1m/2026-01" in f"/{month.name}"
    assert len(opened(lens.dask(market="usdt-futures"))) == 1
    assert opened(lens.dask(interval="1M"))[0].keys[-1] == "1M"
    old = {"interval": "1m", "start": "2020-01-01", "end": "2020-02-01"}
    with pytest.raises(InvalidInput, match="the list is empty"):
        lens.dask(symbols=[])
    for nothing in ({"symbols": "NOSUCH"}, old, {"price": "mark"}):
        with pytest.raises(OfflineError, match="nothing of that is kept"):
            lens.dask(**nothing)


def test_rows_are_cut_to_the_span(client: Client, local: Client) -> None:
    ends = ("2025-12-31T20:00", "2026-01-01T04:00")
    rows = client.lens.dask(symbols="COIN03USDT", start=ends[0], end=ends[1]).compute(scheduler="synchronous")
    pd.testing.assert_frame_equal(rows.drop(columns=KEYS), local.candles("COIN03USDT", "1m", *ends), check_exact=True)


def test_a_series_lies_in_one_block_unless_it_alone_is_larger(local: Client) -> None:
    symbols = [one for one in SYMBOLS if one.startswith("COIN")]
    for block_bytes, whole in ((15_000, True), (1, False)):
        lazy = local.lens.dask(symbols=symbols, market="spot", interval="1m", block_bytes=block_bytes)
        blocks = [lazy.partitions[number].compute(scheduler="synchronous") for number in range(lazy.npartitions)]
        counts = pd.concat([pd.Series(block.symbol.unique()) for block in blocks]).value_counts()
        assert bool(counts.max() == 1) is whole


def test_only_the_columns_that_are_used_are_decoded(local: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from bgresearch.store import parquet_file as partition  # noqa: PLC0415 - watched

    seen: list[list[str]] = []
    decode = partition.decode_some
    monkeypatch.setattr(partition, "decode_some", lambda file, names: seen.append(names) or decode(file, names))
    highest = local.lens.dask(symbols="COIN01USDT").groupby("symbol").close.max().compute(scheduler="synchronous")
    assert highest.to_dict() == {"COIN01USDT": local.candles("COIN01USDT", "1m", *SPAN).close.max()}
    assert {tuple(names) for names in seen} == {("open_time", "close")}


def test_a_damaged_file_is_an_error_and_not_fewer_rows(folder: Path, local: Client, tmp_path: Path) -> None:
    local.publish(f"file://{tmp_path}/far", symbols="COIN05USDT")
    for path in tmp_path.rglob("*.parquet"):
        whole = bytearray(path.read_bytes())
        whole[60] ^= 1
        path.write_bytes(whole)
    far = bg.connect(store=f"file://{tmp_path}/far", data_dir=tmp_path / "reader")
    with pytest.raises(StoreError, match="is damaged"):
        far.lens.dask().compute(scheduler="synchronous")
    keep(tmp_path / "own", "COIN05USDT", SPAN, base=3.0)
    for path in (tmp_path / "own").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(StoreError, match="is damaged"):
        bg.connect(data_dir=tmp_path / "own", offline=True).lens.dask().compute(scheduler="synchronous")


def test_what_reads_folders_says_that_a_publication_is_none(far: Client) -> None:
    for ask in (far.lens.duckdb, far.lens.polars, lambda: far.lens.sql("SELECT 1")):
        with pytest.raises(ConfigurationError, match=r"lens\.dask"):
            ask()


def test_what_an_account_did_and_what_does_not_exist_are_refused(local: Client) -> None:
    for name in ("fills", "nothing"):
        with pytest.raises(InvalidInput, match="account records stay on this machine"):
            local.lens.dask(name)
    with pytest.raises(InvalidInput, match="trades has no interval"):
        local.lens.dask("trades", interval="1m")


def test_options_for_the_driver_are_not_shown(far: Client, server: S3Server, tmp_path: Path) -> None:
    secret = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    options = {"key": CREDENTIALS["AWS_ACCESS_KEY_ID"], "secret": secret, "endpoint_url": server.url}
    client = bg.connect(store="s3://universe/v1", data_dir=tmp_path, storage_options=options)
    lazy = client.lens.dask(symbols="COIN01USDT")
    assert len(lazy) == DAYS * 1440
    shown = [repr(lazy), lazy._repr_html_(), repr(lazy.expr), str(lazy.expr.operands), lazy.expr.tree_repr()]
    assert secret not in "".join(shown)


def test_every_public_family_can_be_published_and_nothing_else(local: Client) -> None:
    folders = {one.folder.partition("/")[0] for one in families(local._source).values() if not one.private}
    assert folders | {"lists"} == PUBLIC


def test_without_the_extra_the_way_to_install_it_is_said(local: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "dask":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"bgresearch\[dask\]"):
        local.lens.dask()


def test_a_file_that_has_gone_since_the_graph_was_made_is_named(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT", SPAN, base=3.0)
    lazy = bg.connect(data_dir=tmp_path, offline=True).lens.dask()
    for file in tmp_path.rglob("2026-01.parquet"):
        file.unlink()
    with pytest.raises(StoreError, match=r"2026-01\.parquet cannot be read now.*Make the frame again"):
        lazy.compute(scheduler="synchronous")


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("values", [["x"], [[1.0]]], ids=["text", "lists"])
def test_a_file_whose_columns_are_others_is_an_error_in_words(tmp_path: Path, values: list[Any]) -> None:
    keep(tmp_path, "BTCUSDT", Span(JAN_MS, JAN_MS + 60_000), base=3.0)
    [file] = tmp_path.rglob("2026-01.parquet")
    table = pq.ParquetFile(file).read()
    other = table.set_column(table.column_names.index("close"), "close", pa.array(values * table.num_rows))
    pq.write_table(other, file)
    with pytest.raises(StoreError, match="is damaged"):
        bg.connect(data_dir=tmp_path, offline=True).lens.dask().compute(scheduler="synchronous")
