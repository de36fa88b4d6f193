"""Reading files of the archive: samples of the real ones, both containers, old spellings, and what is refused."""

from __future__ import annotations

import csv as text_csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from bgresearch.archives import container
from bgresearch.archives.archive_file import Data
from bgresearch.archives.archive_reader import data_of, read_file
from bgresearch.archives.checks import Reference, checked_books
from bgresearch.archives.container import UnreadableFile
from bgresearch.archives.file_names import file_of
from tests.archives.conftest import KLINES, QUOTES, TRADES, csv, packed, xlsx

SAMPLES = Path(__file__).parents[3] / "shared" / "bitget" / "samples" / "bulk"
SECOND = 1_788_192_000


def whole(path: Path, data: Data) -> pa.Table:
    return pa.concat_tables(read_file(path, data))


def rows(path: Path, data: Data) -> list[dict[str, Any]]:
    table = whole(path, data)
    time = table.column_names[0]
    return list(table.set_column(0, time, table.column(time).cast(pa.int64())).to_pylist())


def test_the_samples_of_real_files_are_read_value_by_value() -> None:
    if not SAMPLES.exists():
        pytest.skip(f"no samples at {SAMPLES}")
    files, values = 0, 0
    for path in sorted(SAMPLES.glob("*.csv")):
        data = data_of(path)
        with path.open(encoding="utf-8", newline="") as file:
            reported = list(text_csv.DictReader(file))
        files += 1
        read = rows(path, data)
        if data == "books":
            values += same_books(reported, read)
            continue
        assert len(read) == len(reported)
        for theirs, ours in zip(reported, read, strict=True):
            values += same_row(data, theirs, ours)
    print(f"{files} samples, {values} values compared")
    assert files >= 8
    assert values > 350


def same_row(data: Data, theirs: dict[str, str], ours: dict[str, Any]) -> int:
    stamp = int(theirs["timestamp"])
    expected: dict[str, Any] = {"time" if data != "klines" else "open_time": stamp * (1000 if stamp < 10**11 else 1)}
    if data == "trades":
        expected |= {"trade_id": theirs["trade_id"], "side": theirs["side"], "price": float(theirs["price"]),
                     "amount": float(theirs["size(base)"])}  # fmt: skip
    elif data == "klines":
        expected |= {name: float(theirs[name]) for name in ("open", "high", "low", "close")}
        expected |= {"volume": float(theirs["basevolume"]), "quote_volume": float(theirs["usdtvolume"])}
    else:
        expected |= {"place": 0, "bid": float(theirs["bid_price"]), "bid_size": float(theirs["bid_volume"]),
                     "ask": float(theirs["ask_price"]), "ask_size": float(theirs["ask_volume"])}  # fmt: skip
    assert ours == expected
    return len(expected)


def same_books(reported: list[dict[str, str]], read: list[dict[str, Any]]) -> int:
    expected = {
        (int(image["timestamp"]) * 1000, side, float(price), float(amount))
        for image in reported for side in ("ask", "bid") for price, amount in json.loads(image[f"{side}s"])
    }  # fmt: skip
    assert {(row["time"], row["side"], row["price"], row["amount"]) for row in read} == expected
    best = [row["price"] for row in read if row["level"] == 1 and row["side"] == "ask"]
    assert best[0] == min(float(price) for price, _ in json.loads(reported[0]["asks"]))
    return 4 * len(read)


def test_both_containers_give_the_same_rows(tmp_path: Path) -> None:
    cells = [(str(SECOND + 60 * at), "1.5", "2", "1", "1.75", "10", "17") for at in range(3)]
    plain = packed(tmp_path / "a.zip", "a.csv", csv(KLINES, *(",".join(row) for row in cells)))
    sheet = packed(tmp_path / "b.zip", "b.xlsx", xlsx(KLINES, cells))
    assert whole(plain, "klines").equals(whole(sheet, "klines"))
    assert data_of(plain) == data_of(sheet) == "klines"
    assert rows(plain, "klines")[0]["open_time"] == SECOND * 1000


def test_old_files_spell_their_header_otherwise_and_have_noise_in_their_volumes(tmp_path: Path) -> None:
    old = KLINES.replace("basevolume", "baseVolume").replace("usdtvolume", "usdtVolume")
    noisy = (str(SECOND), "1.5", "2", "1", "1.75", "52.280100000000004", "128949.32991400001")
    for path in (
        packed(tmp_path / "a.zip", "a.csv", csv(old, ",".join(noisy))),
        packed(tmp_path / "b.zip", "b.xlsx", xlsx(old, [noisy])),
    ):
        [row] = rows(path, "klines")
        assert (row["volume"], row["quote_volume"]) == (52.2801, 128949.329914)


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000])
def test_seconds_and_milliseconds_are_reported_by_their_magnitude(tmp_path: Path, factor: int) -> None:
    path = packed(tmp_path / "a.zip", "a.csv", csv(KLINES, f"{SECOND * factor},1,2,1,1,1,1"))
    assert rows(path, "klines")[0]["open_time"] == SECOND * 1000


def test_quotes_are_sorted_numbered_and_sides_may_be_missing(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "depth/BTCUSDT/1/20260901.zip", "a.csv",
        csv(QUOTES, f"{SECOND + 9},12,11,1,1", f"{SECOND},-999999,10,-999999,2", f"{SECOND},12,10,1,2",
            f"{SECOND},12,10,1,2"),
    )  # fmt: skip
    file = file_of(path)
    assert file is not None
    table = checked_books(file, whole(path, "quotes"), Reference({})).table.to_pylist()
    shown = [(row["time"].timestamp() - SECOND, row["place"], row["bid"], row["ask"]) for row in table]
    assert shown == [(0, 0, 10, None), (0, 1, 10, 12), (9, 0, 11, 12)]


def spoilt(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        data[data.index(mark) + place] ^= 0xFF
    path.write_bytes(data)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


def two_members(path: Path) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.csv", "x")
    return path


GOOD = csv(TRADES, f"1,{SECOND}000,10,buy,20,2")
DAMAGED = {
    "bad checksum": lambda path: spoilt(packed(path, "a.csv", GOOD)),
    "cut short": lambda path: cut(packed(path, "a.csv", GOOD)),
    "two members": lambda path: two_members(packed(path, "a.csv", GOOD)),
    "no table": lambda path: packed(path, "a.exe", GOOD),
    "no header": lambda path: packed(path, "a.csv", b"1,2,3\n"),
    "empty": lambda path: packed(path, "a.csv", b""),
    "no UTF-8": lambda path: packed(path, "a.csv", csv(TRADES) + b"\xff\xfe,1,1,buy,1,1\n"),
    "another side": lambda path: packed(path, "a.csv", csv(TRADES, f"1,{SECOND}000,10,long,20,2")),
    "no price": lambda path: packed(path, "a.csv", csv(TRADES, f"1,{SECOND}000,,buy,20,2")),
    "no id": lambda path: packed(path, "a.csv", csv(TRADES, f",{SECOND}000,1,buy,20,2")),
    "a row too short": lambda path: packed(path, "a.csv", csv(TRADES, f"1,{SECOND}000,10")),
    "a time in 1970": lambda path: packed(path, "a.csv", csv(TRADES, "1,5,10,buy,20,2")),
    "a sheet that is none": lambda path: packed(path, "a.xlsx", GOOD),
    "no ZIP": lambda path: path.write_bytes(b"<html>") and path,
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_no_file_of_the_archive_is_refused_in_words(tmp_path: Path, kind: str) -> None:
    path = DAMAGED[kind](tmp_path / "file.zip")
    with pytest.raises(UnreadableFile) as caught:
        whole(path, "trades")
    assert str(caught.value)


ROWS: dict[Data, dict[str, str]] = {
    "trades": {"trade_id": "1", "timestamp": f"{SECOND}000", "price": "10", "side": "buy", "size(base)": "2"},
    "klines": dict.fromkeys(KLINES.split(","), "1") | {"timestamp": str(SECOND)},
    "quotes": dict.fromkeys(QUOTES.split(","), "1") | {"timestamp": str(SECOND)},
    "books": {"timestamp": str(SECOND), "asks": "[[2,1]]", "bids": "[[1,1]]"},
}
EMPTY = {"CSV": "", "sheet": None, "error": "#N/A", "formula": "=1/0"}  # in a sheet, the last three read as no text


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize(("data", "column"), [(data, column) for data, row in ROWS.items() for column in row])
def test_a_cell_that_is_empty_or_an_error_is_no_value(tmp_path: Path, data: Data, column: str, kind: str) -> None:
    good = ROWS[data] | ({"volume(quote)": "20"} if data == "trades" else {})
    lines = [list(good), list(good.values()), list((good | {column: EMPTY[kind]}).values())]
    if kind == "CSV":
        body, name = io.StringIO(), "a.csv"
        text_csv.writer(body).writerows(lines)
        path = packed(tmp_path / "a.zip", name, body.getvalue().encode())
    else:
        book, out = openpyxl.Workbook(), io.BytesIO()
        for line in lines:
            book.active.append(line)  # type: ignore[union-attr]  # a new workbook has a sheet
        book.save(out)
        path = packed(tmp_path / "a.zip", "a.xlsx", out.getvalue())
    with pytest.raises(UnreadableFile):
        whole(path, data)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.csv", b"0" * (64 * 1024**2))
    with pytest.raises(UnreadableFile, match="times its size"):
        whole(path, "trades")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as sheet:
        sheet.writestr("xl/worksheets/sheet1.xml", b"0" * (64 * 1024**2))
    with pytest.raises(UnreadableFile, match="times its size"):
        whole(packed(tmp_path / "b.zip", "a.xlsx", inner.getvalue()), "klines")


def test_a_member_that_says_it_is_absurdly_large_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.csv", GOOD)
    with zipfile.ZipFile(path) as archive:
        member = archive.infolist()[0]
    member.file_size = container.MOST_CSV_BYTES + 1
    with pytest.raises(UnreadableFile, match="absurdly large"):
        container._refuse_absurd(member, container.MOST_CSV_BYTES)


def test_what_is_expected_is_compared_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="holds trades, not klines"):
        whole(packed(tmp_path / "a.zip", "a.csv", GOOD), "klines")
