"""Whose records a lens shows: those of the client's own account, and no others that lie in the same store."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange
from tests.query.stores import in_ms

NOW = dt.datetime(2026, 11, 20, 9, 0, 30, tzinfo=dt.UTC)
SINCE = "2026-10-20"


CLOCK = ManualClock(int(NOW.timestamp() * 1000))  # one for the exchange and all its clients


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    return Exchange(clock=CLOCK)


@pytest.fixture(scope="module")
def folder(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def connected(exchange: Exchange, folder: Path, key: str) -> Client:
    return bg.connect(sandbox=exchange, key=key, data_dir=folder, clock=CLOCK, progress=False)


@pytest.fixture(scope="module")
def client(exchange: Exchange, folder: Path) -> Client:
    client = connected(exchange, folder, "readonly")
    client.account.fills(SINCE)
    client.account.bills(SINCE)
    client.account.assets()
    return client


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("market", ["spot", "usdt-futures"])
def test_records_are_those_of_the_verb_to_the_last_bit(client: Client, market: str) -> None:
    expected = client.account.fills(SINCE, market=market).reset_index()
    reported = client.lens.sql(f"SELECT * EXCLUDE period FROM fills WHERE market = '{market}' ORDER BY time, fill_id")  # noqa: S608
    final = expected[expected.time <= reported.time.max()].sort_values(["time", "fill_id"], ignore_index=True)
    assert len(reported) > 100
    reported, final = (
        frame.astype(dict.fromkeys(final.select_dtypes("category"), "str")) for frame in (reported, final)
    )
    pd.testing.assert_frame_equal(in_ms(reported), final, check_exact=True)


def test_polars_tells_the_same_records(client: Client) -> None:
    for view in ("fills", "bills", "assets"):
        reported = client.lens.sql(f"SELECT * EXCLUDE period FROM {view} ORDER BY ALL")  # noqa: S608
        lazy = getattr(client.lens.polars(), view)().collect().to_pandas()
        lazy = lazy.sort_values(list(lazy.columns), ignore_index=True)
        pd.testing.assert_frame_equal(reported.dtypes.to_frame(), reported[list(lazy.columns)].dtypes.to_frame())
        assert len(lazy) == len(reported) > 0


def test_another_key_s_account_has_views_of_its_own(client: Client, exchange: Exchange, folder: Path) -> None:
    other = connected(exchange, folder, "unified")
    assert other.lens.sql("SELECT count(*) AS n FROM fills").n.tolist() == [0]
    assert "fills" in other.lens.polars().names
    assert other.lens.polars().scan("fills").collect().is_empty()
    assert other.lens.sql("SELECT * FROM coverage WHERE series = 'fills'").empty
    assert client.lens.sql("SELECT count(*) AS n FROM fills").n[0] > 100


def test_an_account_whose_id_begins_with_this_one_cannot_be_reached(
    client: Client, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "store")
    (own,) = (path for path in (tmp_path / "store/account").iterdir() if path.is_dir())
    shutil.copytree(own, own.with_name(f"{own.name}7"))
    again = bg.connect(sandbox=True, data_dir=tmp_path / "store", offline=True, progress=False)
    connection = again.lens.duckdb()
    assert connection.execute("SELECT count(*) FROM fills").fetchall()[0][0] > 100
    with pytest.raises(duckdb.Error, match="disabled by configuration"):
        connection.execute(f"SELECT count(*) FROM read_parquet('{own}7/fills/*/*.parquet')").fetchall()  # noqa: S608


def test_without_a_key_no_private_view_exists(client: Client, folder: Path, tmp_path: Path) -> None:
    assert client.lens.sql("SELECT count(*) AS n FROM fills").n[0] > 100
    shutil.copytree(folder / "account", tmp_path / "account")
    public = bg.connect(data_dir=tmp_path, offline=True, progress=False)
    views = public.lens.sql("SHOW TABLES").name.tolist()
    assert {"candles", "trades", "coverage"} <= {*views}
    assert {*views} & {"fills", "bills", "assets"} == set()
    assert not hasattr(public.lens.polars(), "fills")
    assert public.lens.sql("SELECT * FROM coverage WHERE series NOT LIKE 'candles%'").empty
