"""SQL over the store: what it sees, what it must not see, and what it cannot touch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from bgresearch.core.spans import Span
from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from bgresearch.query.datasets import families
from bgresearch.store import Series, Store, pins
from tests.query.stores import DAY_MS, HOUR_MS, JAN_MS, SYMBOLS, in_ms, keep, offline


def count(connection: duckdb.DuckDBPyConnection, view: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {view}").fetchall()[0][0])  # noqa: S608


def test_every_view_of_an_empty_store_is_empty_and_has_its_columns(tmp_path: Path) -> None:
    client = offline(tmp_path / "nothing")
    connection = client.lens.duckdb()
    for name, family in families(client._source).items():
        reported = connection.execute(f"DESCRIBE {name}").fetchall()
        assert [row[0] for row in reported] == [*family.columns.names, "period"]
        assert count(connection, name) == 0
    types = {row[0]: row[1] for row in connection.execute("DESCRIBE candles").fetchall()}
    assert (types["open_time"], types["close"], types["symbol"]) == ("TIMESTAMP WITH TIME ZONE", "DOUBLE", "VARCHAR")
    assert (count(connection, "gaps"), count(connection, "coverage")) == (0, 0)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_candles_are_those_of_the_client_to_the_last_bit(tmp_path: Path, symbol: str) -> None:
    for other in SYMBOLS:
        keep(tmp_path, other, "1m", 2_000, start_ms=JAN_MS - 1_000 * 60_000, absent=(3, 1_500), seed=len(other))
    client = offline(tmp_path)
    expected = client.candles(symbol, "1m", JAN_MS - 1_000 * 60_000, JAN_MS + 1_000 * 60_000).reset_index()
    wanted = "SELECT open_time, open, high, low, close, volume, quote_volume FROM candles JOIN asked USING (symbol)"
    reported = client.lens.sql(f"{wanted} ORDER BY open_time", asked=pd.DataFrame({"symbol": [symbol]}))
    assert len(expected) == 1_998
    pd.testing.assert_frame_equal(in_ms(reported), expected, check_exact=True)


def test_every_market_price_interval_and_anchor_is_apart_and_spelled_as_users_do(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT", "1m", 10)
    keep(tmp_path, "BTCUSDT", "1M", 1)
    keep(tmp_path, "BTCUSDT", "1d", 20, market="usdt-futures", price="mark")
    keep(tmp_path, "BTCUSDT", "12h", 30, anchor="exchange", start_ms=JAN_MS - 8 * HOUR_MS)
    lens = offline(tmp_path).lens
    query = "SELECT market, price, interval, count(*) AS n FROM {} GROUP BY ALL ORDER BY n"
    reported = lens.sql(query.format("candles"))
    assert reported.to_numpy().tolist() == [["spot", "last", "1M", 1], ["spot", "last", "1m", 10]]
    assert lens.sql(query.format("candles_mark")).to_numpy().tolist() == [["usdt-futures", "mark", "1d", 20]]
    assert lens.sql("SELECT count(*) AS n FROM candles WHERE interval = '1M'").n.tolist() == [1]
    assert lens.sql("SELECT interval, count(*) AS n FROM candles_utc8 GROUP BY ALL").to_numpy().tolist() == [
        ["12h", 30]
    ]


def test_a_connection_sees_what_is_kept_after_it_was_made(tmp_path: Path) -> None:
    connection = offline(tmp_path).lens.duckdb()
    seen = [count(connection, "candles")]
    for symbol in ("BTCUSDT", "ETHUSDT"):
        keep(tmp_path, symbol)
        seen.append(count(connection, "candles"))
    keep(tmp_path, "ETHUSDT", start_ms=JAN_MS + 40 * DAY_MS)
    assert [*seen, count(connection, "candles"), count(connection, "coverage")] == [0, 100, 200, 300, 2]


def test_what_is_no_whole_partition_is_never_read(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT")
    file = next(tmp_path.glob("candles/**/*.parquet"))
    for name in (
        f"{file.name}.damaged-20260101T000000Z", f".{file.name}.1.abcd.tmp", "page.page", "../other.parquet",
    ):  # fmt: skip
        (file.parent / name).write_bytes(b"garbage")
    for hidden in (".pins/x", ".spool", ".locks"):
        folder = tmp_path / hidden / file.parent.relative_to(tmp_path)
        folder.mkdir(parents=True)
        (folder / "2026-01.parquet").write_bytes(b"garbage")
    connection = offline(tmp_path).lens.duckdb()
    assert (count(connection, "candles"), count(connection, "coverage")) == (100, 1)


@pytest.mark.parametrize(
    "condition",
    ["symbol = 'BTCUSDT'", "symbol LIKE 'BTC%' AND period = '2026-01'", "interval IN ('1m') AND symbol < 'C'"],
)
def test_a_filter_on_keys_and_period_opens_no_other_file(tmp_path: Path, condition: str) -> None:
    keep(tmp_path, "BTCUSDT")
    for symbol, interval in (("ETHUSDT", "1m"), ("ETHUSDT", "1h")):
        keep(tmp_path, symbol, interval, start_ms=JAN_MS + 40 * DAY_MS)
    if "period" in condition:
        keep(tmp_path, "BTCUSDT", start_ms=JAN_MS + 40 * DAY_MS)
    connection = offline(tmp_path).lens.duckdb()
    connection.execute("SELECT * FROM candles LIMIT 0").fetchall()
    for file in tmp_path.glob("candles/**/*.parquet"):
        if "symbol=BTCUSDT" not in file.as_posix() or file.name != "2026-01.parquet":
            file.write_bytes(b"garbage")
    assert connection.execute(f"SELECT count(*) FROM candles WHERE {condition}").fetchall() == [(100,)]  # noqa: S608
    with pytest.raises(duckdb.Error):
        connection.execute("SELECT sum(close) FROM candles").fetchall()


REFUSED = {
    "another file": "SELECT * FROM read_text('{outside}/secret.txt')",
    "another file, around the corner": "SELECT * FROM read_text('{store}/candles/../../outside/secret.txt')",
    "a list of files": "SELECT * FROM glob('{outside}/*')",
    "the marker of the store": "SELECT * FROM read_text('{store}/.bgresearch.json')",
    "the ids of accounts": "SELECT * FROM read_text('{store}/account/keys.json')",
    "another account": "SELECT * FROM read_parquet('{store}/account/*/fills/*/*.parquet')",
    "a file of one's own": "COPY (SELECT 1) TO '{outside}/out.csv'",
    "a place in the store that is no view's": "COPY (SELECT 1) TO '{store}/out.parquet'",
    "a database": "ATTACH '{outside}/x.db'",
    "a dump": "EXPORT DATABASE '{outside}/dump'",
    "an address": "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "a log": "CALL enable_logging(storage := 'file', storage_config := {{'path': '{outside}'}})",
    "an extension": "INSTALL httpfs",
    "a loaded extension": "LOAD httpfs",
    "the door": "SET enable_external_access = true",
    "another folder": "SET allowed_directories = ['/']",
    "the lock": "SET lock_configuration = false",
    "extensions by themselves": "SET autoload_known_extensions = true",
    "a place for what does not fit": "SET temp_directory = '{outside}'",
    "what may be set": "SET allowed_configs = ['enable_external_access']",
}


@pytest.mark.quick_cases(10)
@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_a_connection_is_locked_to_the_folders_of_its_views(tmp_path: Path, statement: str) -> None:
    store, outside = tmp_path / "store", tmp_path / "outside"
    keep(store, "BTCUSDT")
    Store(store).edit_private("account/keys.json", lambda _text: b"{}")
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    connection = offline(store).lens.duckdb()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(duckdb.Error):
        connection.execute(statement.format(store=store, outside=outside)).fetchall()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1 AS a) TO '{}'", "EXPLAIN ANALYZE COPY (SELECT 1 AS a) TO '{}'", "ATTACH '{}'",
        "SELECT 1; COPY (SELECT 2 AS a) TO '{}'", "CREATE TABLE a AS SELECT 1", "SET threads = 1", "",
        "SELECT * FROM enable_logging(storage := 'file', storage_config := {{'path': '{}'}})", "SELEC 1",
        "SELECT * FROM nothing_of_that_name",
    ],
)  # fmt: skip
def test_a_query_reads_and_nothing_else_even_inside_the_store(tmp_path: Path, query: str) -> None:
    keep(tmp_path, "BTCUSDT")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidInput, match="query"):
        offline(tmp_path).lens.sql(query.format(tmp_path / "candles" / "x.parquet"))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "damage", [lambda _: b"garbage", lambda data: data[:-9], lambda data: b"\xff" * 400 + data[400:]]
)
def test_a_file_that_cannot_be_read_is_not_the_query_s_fault(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    keep(tmp_path, "BTCUSDT")
    file = next(tmp_path.glob("candles/**/*.parquet"))
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(StoreError, match=r"(a file cannot be read|is damaged).*verify\(repair=True\)") as caught:
        offline(tmp_path).lens.sql("SELECT min(open_time), sum(open), sum(volume) FROM candles")
    assert file.name in str(caught.value)


def test_what_is_set_for_comfort_may_be_changed(tmp_path: Path) -> None:
    connection = offline(tmp_path).lens.duckdb()
    connection.execute("SET threads = 1")
    connection.execute("SET memory_limit = '100MB'")
    with pytest.raises(duckdb.Error, match="no temporary directory"):
        connection.execute(
            "SELECT count(*) FROM (SELECT i FROM range(50000000) t(i) ORDER BY hash(i)) GROUP BY i"
        ).fetchall()


def test_frames_are_joined_by_name_and_whole_numbers_stay_numbers(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT")
    own = pd.DataFrame({"weight": [2]}, index=pd.Index(["BTCUSDT"], name="symbol"))
    reported = offline(tmp_path).lens.sql(
        "SELECT sum(weight) AS weight, count(*) AS n FROM candles JOIN own USING (symbol)", own=own
    )
    assert reported.to_dict("records") == [{"weight": 200.0, "n": 100}]
    assert reported.attrs["bgresearch"]["verb"] == "lens.sql"


@pytest.mark.skipif(sys.platform == "win32", reason="the time zone of a process is set another way there")
def test_times_are_utc_wherever_the_machine_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path, "BTCUSDT", "1h", 48)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        reported = offline(tmp_path).lens.sql(
            "SELECT date_trunc('day', open_time) AS day, count(*) AS n FROM candles GROUP BY ALL ORDER BY 1"
        )
    finally:
        monkeypatch.undo()
        time.tzset()
    assert reported.n.tolist() == [24, 24]
    assert reported.day[0] == pd.Timestamp(JAN_MS, unit="ms", tz="UTC")


@pytest.mark.parametrize("name", ["a b", "it's", "100%", "x[1]", "star*", "who?", "env=prod", "Straße"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    keep(tmp_path / name, "BTCUSDT")
    connection = offline(tmp_path / name).lens.duckdb()
    assert (count(connection, "candles"), count(connection, "coverage")) == (100, 1)


def test_a_folder_that_duckdb_cannot_look_into_is_refused_in_words(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there it parts folders")
    keep(tmp_path / "a\\b", "BTCUSDT")
    with pytest.raises(ConfigurationError, match="cannot look into"):
        offline(tmp_path / "a\\b").lens.duckdb()


def test_copies_that_others_made_of_files_are_no_rows_of_any_lens(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT")
    [file] = tmp_path.rglob("2026-01.parquet")
    for name in ("2026-01 (1).parquet", "2026-01-conflict.parquet", "copy.parquet"):
        (file.parent / name).write_bytes(file.read_bytes())
    (tmp_path / "candles" / "2026-01.parquet").write_bytes(file.read_bytes())
    lens = offline(tmp_path).lens
    reported = lens.sql("SELECT (SELECT count(*) FROM candles) AS rows, (SELECT sum(rows) FROM coverage) AS known")
    assert reported.to_numpy().tolist() == [[100, 100]]
    assert lens.polars().candles().collect().height == len(lens.dask().compute(scheduler="synchronous")) == 100


def test_a_folder_above_the_store_that_looks_like_a_key_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="says market="):
        offline(tmp_path / "market=spot").lens.duckdb()


def test_a_pinned_client_looks_at_what_was_frozen(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT")
    pins.create(tmp_path, "paper", JAN_MS)
    keep(tmp_path, "ETHUSDT")
    pinned = offline(tmp_path, pin="paper")
    reported = pinned.lens.sql("SELECT symbol, count(*) AS n FROM candles GROUP BY ALL")
    assert reported.to_numpy().tolist() == [["BTCUSDT", 100]]
    assert reported.attrs["bgresearch"]["pin"].startswith("paper ")


def test_without_duckdb_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bgresearch\[duckdb\]'"):
        offline(tmp_path).lens.duckdb()


def test_a_foreign_file_in_a_place_of_candles_does_not_end_a_query_of_what_is_there(tmp_path: Path) -> None:
    span = Span(JAN_MS, JAN_MS + 1)
    rows = pa.table({"at": pa.array([JAN_MS], pa.timestamp("ms", "UTC"))})
    Store(tmp_path).write(Series("notes", (), "at"), rows, [span])
    keep(tmp_path, "BTCUSDT")
    [file] = (tmp_path / "candles").rglob("*.parquet")
    file.write_bytes((tmp_path / "notes" / "2026-01.parquet").read_bytes())
    reported = offline(tmp_path).lens.sql("SELECT rows, first FROM coverage")
    assert (reported.rows[0], reported["first"].isna()[0]) == (1, True)
