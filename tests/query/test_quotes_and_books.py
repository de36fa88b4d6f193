"""Quotes and books of the bulk archive through every lens, as trades: the rows and the types of the verb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput
from tests.archives.conftest import QUOTES, TRADES, csv, packed
from tests.query.stores import in_ms, offline

DAY = ("2026-08-16T16:00", "2026-08-17T16:00")
SECOND = int(pd.Timestamp("2026-08-17T00:00:00Z").timestamp())
FILES = {
    "quotes": (
        "depth/{}/{}/20260817.zip",
        csv(QUOTES, f"{SECOND + 9},12,11,1,1", f"{SECOND},-999999,10,-999999,2", f"{SECOND},12,10,1,2"),
    ),
    "books": (
        "depth_500/{0}/{1}/{0}_" + "{2}_20260817.zip",
        csv("timestamp,asks,bids", f'{SECOND},"[[12,1],[13,2.5]]","[[11,1]]"', f'{SECOND + 9},"[[12.5,4]]","[]"'),
    ),
    "trades": ("trades/{3}/{0}/20260817_001.zip", csv(TRADES, f"9,{SECOND}000,12,buy,24,2")),
}
Ask = Callable[[Client, str], pd.DataFrame]


def kept(folder: Path, *wanted: tuple[str, str, str]) -> Client:
    """Return a client of a store with one day of each kind, symbol and side (1 is spot, 2 futures)."""
    client = offline(folder / "data")
    for data, symbol, side in wanted:
        name, text = FILES[data]
        key = name.format(symbol, side, {"1": "1", "2": "3"}[side], {"1": "SPBL", "2": "UMCBL"}[side])
        assert client.import_archive(packed(folder / key, "x.csv", text))["state"].tolist() == ["stored"]
    return client


def polars(client: Client, data: str) -> pd.DataFrame:
    rows = client.lens.polars().scan(data, market="spot").collect().to_arrow()
    return pd.DataFrame({name: rows.column(name).to_pandas() for name in rows.column_names})


LENSES: dict[str, Ask] = {
    "sql": lambda client, data: client.lens.sql(f"SELECT * EXCLUDE period FROM {data} WHERE market = 'spot'"),  # noqa: S608
    "polars": polars,
    "dask": lambda client, data: client.lens.dask(data, market="spot").compute().reset_index(),
}


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize("data", FILES)
def test_every_lens_has_the_rows_of_the_verb(tmp_path: Path, data: str, lens: str) -> None:
    client = kept(tmp_path, (data, "BTCUSDT", "1"), (data, "BTCUSDT", "2"))
    rows = getattr(client, data)("BTCUSDT", *DAY).reset_index()
    rows = rows.drop(columns=[name for name in ("id_time",) if name in rows]).assign(market="spot", symbol="BTCUSDT")
    found = in_ms(LENSES[lens](client, data))
    names = [name for name in rows if name in found]
    assert {*rows} <= {*found}
    order = [name for name in ("time", "place", "side", "level") if name in names]
    texts = dict.fromkeys(("side", "market", "symbol"), "str")
    one, other = (
        frame[names].astype({name: kind for name, kind in texts.items() if name in names})
        .sort_values(order, ignore_index=True) for frame in (rows, found)
    )  # fmt: skip
    pd.testing.assert_frame_equal(other, one, check_dtype=False, check_exact=True)
    assert len(one) == {"quotes": 3, "books": 4, "trades": 1}[data]


@pytest.mark.parametrize("data", FILES)
def test_markets_are_not_mixed(tmp_path: Path, data: str) -> None:
    client = kept(tmp_path, (data, "BTCUSDT", "1"), (data, "BTCUSDT", "2"))
    for ask in (
        lambda: client.lens.sql(f"SELECT count(*) AS n FROM {data}"),  # noqa: S608
        lambda: client.lens.polars().scan(data),
        lambda: client.lens.dask(data),
    ):
        with pytest.raises(InvalidInput, match="several markets"):
            ask()


@pytest.mark.parametrize("data", FILES)
def test_what_is_not_kept_is_an_empty_table_with_its_columns(tmp_path: Path, data: str) -> None:
    client = kept(tmp_path, ("trades", "ETHUSDT", "1"))
    found = client.lens.sql(f"SELECT * FROM {data} WHERE symbol = 'BTCUSDT'")  # noqa: S608
    assert found.empty
    assert {"market", "symbol", "time", "price" if data != "quotes" else "bid"} <= {*found}
    series = {"series": ["trades"], "rows": [1]}
    assert client.lens.sql("SELECT series, rows FROM coverage").to_dict("list") == series
