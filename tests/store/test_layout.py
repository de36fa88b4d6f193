"""Where rows lie: any Parquet tool finds them, and every instant has exactly one file."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.core.intervals import INTERVALS
from bgresearch.core.spans import Span
from bgresearch.store import Series, Store

JAN_MS = 1_704_067_200_000
MONTH = Span(JAN_MS, JAN_MS + 31 * 86_400_000)


def of_interval(name: str) -> Series:
    return Series("candles", (("symbol", "X"), ("interval", name)), "open_time")


@pytest.mark.parametrize(
    ("interval", "file"),
    [("1m", "2024-01.parquet"), ("30m", "2024-01.parquet"), ("1h", "2024.parquet"), ("12h", "2024.parquet"),
     ("1d", "all.parquet"), ("1M", "all.parquet")],
)  # fmt: skip
def test_the_file_holds_a_month_a_year_or_everything(interval: str, file: str) -> None:
    assert of_interval(interval).period_at(JAN_MS)[0] == file


@given(st.sampled_from(list(INTERVALS)), st.integers(0, 2**41), st.integers(1, 10**11))
def test_periods_cover_a_span_without_overlap(interval: str, start: int, length: int) -> None:
    span = Span(start, start + length)
    periods = [period for _name, period in of_interval(interval).periods(span)]
    assert periods[0].start_ms <= span.start_ms
    assert periods[-1].end_ms >= span.end_ms
    assert all(left.end_ms == right.start_ms for left, right in itertools.pairwise(periods))


def test_no_two_intervals_share_a_folder_where_case_does_not_count() -> None:
    folders = [of_interval(name).folder for name in INTERVALS]
    assert len({folder.as_posix().lower() for folder in folders}) == len(INTERVALS)
    assert of_interval("1M").folder.name == "interval=1month"


def test_the_contracts_path_is_kept(store: Store, series: Series, minutes: Callable[..., pa.Table]) -> None:
    store.write(series, minutes(MONTH), [MONTH], source="spot.candles")
    expected = "candles/market=spot/price=last/symbol=BTCUSDT/interval=1m/2024-01.parquet"
    assert [path.relative_to(store.data_dir).as_posix() for path in store.data_dir.rglob("*.parquet")] == [expected]


@pytest.mark.parametrize("symbol", ["$ALTUSDT", "龙USDT", "A/B", "..", "a=b&c %", "x" * 40])
def test_an_awkward_symbol_comes_back_from_a_glob(store: Store, minutes: Callable[..., pa.Table], symbol: str) -> None:
    keys = (("market", "spot"), ("price", "last"), ("symbol", symbol), ("interval", "1m"))
    store.write(Series("candles", keys, "open_time"), minutes(MONTH), [MONTH])
    table = ds.dataset(store.data_dir / "candles", partitioning="hive", format="parquet").to_table()
    assert set(table.column("symbol").to_pylist()) == {symbol}
    assert table.num_rows == 31 * 1440


def test_any_parquet_tool_reads_the_types_of_the_contract(
    store: Store, series: Series, minutes: Callable[..., pa.Table]
) -> None:
    store.write(series, minutes(MONTH), [MONTH])
    path = next(store.data_dir.rglob("*.parquet"))
    file = pq.ParquetFile(path)
    assert file.schema_arrow.field("open_time").type == pa.timestamp("ms", "UTC")
    assert {file.schema_arrow.field(name).type for name in file.schema_arrow.names[1:]} == {pa.float64()}
    assert file.metadata.row_group(0).column(1).compression == "ZSTD"
    frame = pd.read_parquet(path)
    assert str(frame["open_time"].dtype) == "datetime64[ms, UTC]"
    assert frame["open_time"].is_monotonic_increasing


def test_hidden_helpers_do_not_get_into_a_glob(
    store: Store, series: Series, minutes: Callable[..., pa.Table], tmp_path: Path
) -> None:
    store.write(series, minutes(MONTH), [MONTH])
    visible = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    outside = [path for path in visible if ".locks" not in path.parts]
    assert [path.suffix for path in outside] == [".parquet"]
