"""A file that lacks rows, or holds values that are none, is not taken for all there is: what lacks is a named gap."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.errors import OfflineError, StoreError
from bgresearch.sandbox import Exchange
from bgresearch.store import StoreWarning
from tests.archives.conftest import KLINES, QUOTES, TRADES, Served, csv, packed
from tests.archives.test_importing_files import DAY, downloaded, parts
from tests.completeness.test_damaged_files import HOW, hurt
from tests.conftest import Connect

BOOKS = "timestamp,asks,bids"
SECOND = int(pd.Timestamp("2026-08-17T00:00:00Z").timestamp())
NAMES = {
    "trades": "trades/SPBL/BTCUSDT/20260817_001.zip", "quotes": "depth/BTCUSDT/1/20260817.zip",
    "books": "depth_500/BTCUSDT/1/BTCUSDT_1_20260817.zip", "candles": "kline/BTCUSDT/SP/20260817.zip",
}  # fmt: skip
HEADERS = {"trades": TRADES, "quotes": QUOTES, "books": BOOKS, "candles": KLINES}


def read(client: Client, data: str, span: tuple[str, str] = DAY) -> pd.DataFrame:
    return client.candles("BTCUSDT", "1m", *span) if data == "candles" else getattr(client, data)("BTCUSDT", *span)


@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
@pytest.mark.parametrize("data", NAMES)
def test_a_file_without_rows_is_no_day_without_trade(
    connect: Connect, tmp_path: Path, data: str, offline: bool
) -> None:
    path = packed(tmp_path / NAMES[data], "x.csv", csv(HEADERS[data]))
    frame = connect(offline=offline).import_archive(path)
    assert frame["state"].tolist() == ["set aside"]
    assert frame["reason"].notna().all()
    (gap,) = frame.attrs["bgresearch"]["gaps"]
    assert (gap["start"], gap["end"]) == ("2026-08-16T16:00:00Z", "2026-08-17T16:00:00Z")
    with pytest.raises(OfflineError):
        read(connect(offline=True), data)


@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
@pytest.mark.parametrize("count", [2, 4])
def test_the_first_parts_of_a_day_are_not_all_of_it(
    connect: Connect, exchange: Exchange, tmp_path: Path, count: int, offline: bool
) -> None:
    downloaded(exchange, tmp_path, *parts("20260817", count))
    frame = connect(offline=offline).import_archive(tmp_path / "trades")
    assert set(frame["state"]) == {"stored in part"}
    (gap,) = frame.attrs["bgresearch"]["gaps"]
    assert gap["end"] == "2026-08-17T16:00:00Z"
    assert len(read(connect(offline=True), "trades", (DAY[0], gap["start"].removesuffix("Z")))) > 1_999 * count - 10
    with pytest.raises(OfflineError):
        read(connect(offline=True), "trades")


def without_days(path: Path, lost: list[str]) -> None:
    """Remove all rows of some days of UTC+8 from a monthly file of trades, quotes or books."""
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        table = pd.read_csv(io.BytesIO(archive.read(name)), dtype=str)
    stamps = table["timestamp"].astype("int64")
    times = pd.to_datetime(stamps.where(stamps > 10**11, stamps * 1000), unit="ms") + pd.Timedelta(hours=8)
    packed(path, name, table[~times.dt.strftime("%Y-%m-%d").isin(lost)].to_csv(index=False).encode())


@pytest.mark.slow
@pytest.mark.parametrize("offline", [pytest.param(False, marks=pytest.mark.slow), True], ids=["online", "offline"])
@pytest.mark.parametrize(
    ("data", "key", "span"),
    [
        ("trades", "trades_month/SPBL/STILLUSDT/STILLUSDT_SPBL_202608.zip", ("2026-08-09T16:00", "2026-08-11T16:00")),
        ("quotes", "depth_month/STILLUSDT/1/STILLUSDT_1_202608.zip", ("2026-08-09T16:00", "2026-08-11T16:00")),
    ],
)
def test_a_month_that_lacks_days_is_stored_without_them(  # noqa: PLR0917 - fixtures and cases
    connect: Connect, exchange: Exchange, tmp_path: Path, data: str, key: str, span: tuple[str, str], offline: bool
) -> None:
    (path,) = downloaded(exchange, tmp_path, key)
    without_days(path, ["2026-08-10", "2026-08-11", "2026-08-31"])
    frame = connect(offline=offline).import_archive(path)
    assert frame["state"].tolist() == ["stored in part"]
    starts = [gap["start"] for gap in frame.attrs["bgresearch"]["gaps"]]
    assert starts == [f"2026-08-{day:02}T16:00:00Z" for day in (9, 10, 30)]
    kept = connect(offline=True)
    assert len(getattr(kept, data)("STILLUSDT", "2026-08-11T16:00", "2026-08-30T16:00"))
    with pytest.raises(OfflineError):
        getattr(kept, data)("STILLUSDT", *span)


BAD = {
    "trades": [(57000, "inf"), ("inf", 1), ("nan", 1), (57000, "nan"), (57000, -1), (-57000, 1), (0, 1), ("1e400", 1)],
    "quotes": [("inf", 1), ("nan", 1), (-5, 1), (0, 1), (57001, "inf"), (57001, -1), (57001, "nan")],
    "books": [('""Infinity""', 1), ("NaN", 1), (-5, 1), (0, 1), (57001, "Infinity"), (57001, -1), (57001, "true"),
              (57001, "null"), ("true", 1)],
}  # fmt: skip
ROWS = {
    "trades": lambda price, amount: f"9,{SECOND}000,{price},buy,57,{amount}",
    "quotes": lambda price, amount: f"{SECOND}000,{price},57000,{amount},1",
    "books": lambda price, amount: f'{SECOND}000,"[[{price},{amount}]]","[[57000,1]]"',
}


@pytest.mark.parametrize(("data", "bad"), [(data, bad) for data, all_bad in BAD.items() for bad in all_bad])
def test_values_that_are_no_prices_and_amounts_are_not_stored(
    connect: Connect, tmp_path: Path, data: str, bad: tuple[object, object]
) -> None:
    path = packed(tmp_path / NAMES[data], "x.csv", csv(HEADERS[data], ROWS[data](*bad)))
    (row,) = connect(offline=True).import_archive(path).to_dict("records")
    assert row["state"] == "set aside"
    assert row["reason"]
    with pytest.raises(OfflineError):
        read(connect(offline=True), data)


def test_a_side_that_is_missing_is_no_bad_value(connect: Connect, tmp_path: Path) -> None:
    rows = [f"{SECOND}000,-999999,57000,-999999,1", f"{SECOND + 9}000,57001,57000,0,1"]
    path = packed(tmp_path / NAMES["quotes"], "x.csv", csv(QUOTES, *rows))
    assert connect(offline=True).import_archive(path)["state"].tolist() == ["stored"]
    quotes = read(connect(offline=True), "quotes")
    assert quotes["ask"].isna().tolist() == [True, False]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(("data", "day"), [("quotes", "2026-08-17"), ("books", "2026-09-01")])
def test_what_was_kept_and_is_damaged_is_an_error_where_the_archive_has_it_no_more(  # noqa: PLR0917 - fixtures
    served: Served, exchange: Exchange, tmp_path: Path, data: str, day: str, how: str
) -> None:
    def ask() -> pd.DataFrame:
        return getattr(served(), data)("BTCUSDT", f"{day}T15:00", f"{day}T15:10")

    whole = ask()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        hurt(tmp_path / "served", "recorded", how)
        exchange.faults.inject("absent", endpoint=f"archive.{data}")
        for _ in range(2):
            with pytest.raises(StoreError, match=r"was in a damaged file that was set aside") as lost:
                ask()
            assert lost.value.missing
        exchange.faults.clear()
        pd.testing.assert_frame_equal(ask(), whole)
