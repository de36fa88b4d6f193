"""Files that are written otherwise than the archive's, or hold what no trade is: each ends exact, or in a named gap.

A case changes the bytes of a file whose rows are known. What is stored afterwards is either all of those rows, or those
outside a gap that the result names with its reason; nothing else is stored, and only errors of this package leave.
"""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pandas as pd
import pytest

import bgresearch
from bgresearch.archives.archive_file import Data
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BgresearchError
from tests.archives.conftest import KLINES, QUOTES, TRADES
from tests.conftest import NOW_MS

START = int(pd.Timestamp("2026-08-16T16:00Z").timestamp())
SPAN = ("2026-08-16T16:00", "2026-08-17T16:00")
KEYS: dict[Data, str] = {
    "klines": "kline/BTCUSDT/SP/20260817.zip", "trades": "trades/SPBL/BTCUSDT/20260817_001.zip",
    "quotes": "depth/BTCUSDT/1/20260817.zip", "books": "depth_500/BTCUSDT/1/BTCUSDT_1_20260817.zip",
}  # fmt: skip
Rows = list[list[str]]


class Good(NamedTuple):
    """The rows of a file that nothing is wrong with."""

    header: list[str]
    rows: Rows

    def text(self, *, sep: str = ",", eol: str = "\n", quote: str = "") -> str:
        lines = [sep.join(f"{quote}{cell}{quote}" for cell in row) for row in (self.header, *self.rows)]
        return eol.join([*lines, ""])

    def changed(self, column: str, change: Callable[[str], str], rows: slice = slice(None)) -> Good:
        at = self.header.index(column)
        new = [list(row) for row in self.rows]
        for row in new[rows]:
            row[at] = change(row[at])
        return Good(self.header, new)

    def quoted(self, column: str) -> Good:
        return self.changed(column, lambda cell: f'"{cell}"')

    def with_rows(self, *rows: Sequence[str]) -> Good:
        return Good(self.header, [*self.rows, *map(list, rows)])

    def named(self, change: Callable[[str], str]) -> Good:
        return Good([change(name) for name in self.header], self.rows)


def good(data: Data) -> Good:
    """Return a day: every minute's candle, or some of its trades, quotes or books."""
    if data == "klines":
        prices = [(60_000 + at % 7, 60_010 + at % 7, 59_990, 60_001 + at % 5) for at in range(1440)]
        numbers = [[f"{one}.5" for one in price] + ["1.25", f"{price[0]}.125"] for price in prices]
        return Good(KLINES.split(","), [[str(START + 60 * at), *row] for at, row in enumerate(numbers)])
    if data == "trades":
        sides, first = ("buy", "sell"), (START * 1000 - 1_435_725_920_677) << 22
        rows = [
            [
                str(first + (at * 7_000 << 22)),
                f"{START + 7 * at}000",
                f"{60_000 + at}.25",
                sides[at % 2],
                "900",
                f"0.{at + 1:03}",
            ]
            for at in range(40)
        ]
        return Good(TRADES.split(","), rows)
    if data == "quotes":
        return Good(QUOTES.split(","), [[str(START + 9 * at), "60001", "60000", "0.5", f"{at}"] for at in range(40)])
    books = [[str(START + 20 * at), f"[[60001.5,{at}],[60002,1]]", "[[60000,1],[59999.5,2]]"] for at in range(10)]
    return Good(["timestamp", "asks", "bids"], books)


def zipped(*members: tuple[str, bytes | str], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = comment
    return out.getvalue()


def plain(text: str | bytes, name: str = "a.csv") -> bytes:
    return zipped((name, text))


def sheet(cells: Sequence[Sequence[Any]], *more: str) -> bytes:
    """Return a workbook as a spreadsheet program writes it: shared texts, typed cells."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in cells:
        book.active.append(list(row))  # type: ignore[union-attr]  # a new workbook has a sheet
    for name in more:
        book.create_sheet(name)
    book.save(out)
    return out.getvalue()


def cells(file: Good, time: Callable[[str], Any] = int) -> list[list[Any]]:
    return [file.header, *([time(row[0]), *row[1:]] for row in file.rows)]


def repacked(body: bytes, flip: Callable[[bytearray], None]) -> bytes:
    spoilt = bytearray(body)
    flip(spoilt)
    return bytes(spoilt)


def encrypted(spoilt: bytearray) -> None:
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        spoilt[spoilt.index(mark) + place] |= 1


def mixed_times(file: Good) -> Good:
    for size, zeros in ((3, "000"), (5, "000000")):
        file = file.changed("timestamp", lambda cell, zeros=zeros: cell + zeros, slice(1, None, size))  # type: ignore[misc]
    return file.changed("timestamp", lambda cell: cell[:16])


def turned(file: Good) -> Good:
    return Good(file.header[::-1], [row[::-1] for row in file.rows])


def excel_days(cell: str) -> float:
    return int(cell) / 86_400 + 25_569


def moment(cell: str) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(cell), dt.UTC).replace(tzinfo=None)


SAME = "exact"
CASES: dict[str, tuple[Data, Callable[[Good], bytes], str]] = {
    # how it is written
    "byte order mark": ("klines", lambda f: plain("\ufeff" + f.text()), SAME),
    "CRLF": ("trades", lambda f: plain(f.text(eol="\r\n")), SAME),
    "CR alone": ("trades", lambda f: plain(f.text(eol="\r")), SAME),
    "no end of the last line": ("trades", lambda f: plain(f.text()[:-1]), SAME),
    "empty lines": ("klines", lambda f: plain(f.text(eol="\n\n")), SAME),
    "everything quoted": ("klines", lambda f: plain(f.text(quote='"')), SAME),
    "everything quoted, trades": ("trades", lambda f: plain(f.text(quote='"')), SAME),
    "UTF-16": ("trades", lambda f: plain(f.text().encode("utf-16")), "damaged"),
    "an accent in Latin-1": ("trades", lambda f: plain(f.text().replace("buy", "é", 1).encode("latin-1")), "damaged"),
    "semicolons": ("klines", lambda f: plain(f.text(sep=";")), "no file of the archive has"),
    "tabs": ("trades", lambda f: plain(f.text(sep="\t")), "no file of the archive has"),
    "zero bytes": ("klines", lambda f: plain(f.text().replace("60001", "6\x00001")), "damaged"),
    "an HTML page": ("klines", lambda f: plain("<html><body>Sorry</body></html>"), "no file of the archive has"),
    "a line before the header": ("klines", lambda f: plain("Bitget\n" + f.text()), "no file of the archive has"),
    "two files, one after the other": ("klines", lambda f: plain(f.text() + f.text()), "damaged"),
    "a row cut short": ("trades", lambda f: plain(f.text()[:-30]), "damaged"),
    "a comma at the end": ("klines", lambda f: plain(f.text(eol=",\n").replace(",\n", "\n", 1)), "damaged"),
    # the header
    "header in upper case": ("trades", lambda f: plain(f.named(str.upper).text()), SAME),
    "header with blanks": ("klines", lambda f: plain(f.named(lambda name: f" {name.title()} ").text()), SAME),
    "columns in another order": ("trades", lambda f: plain(turned(f).text()), SAME),
    "columns of quotes in another order": ("quotes", lambda f: plain(turned(f).text()), SAME),
    "a column more": (
        "klines",
        lambda f: plain(Good([*f.header, "x"], [[*r, "1"] for r in f.rows]).text()),
        "no file of the archive has",
    ),
    "a column twice": (
        "klines",
        lambda f: plain(f.named(lambda name: name.replace("high", "low")).text()),
        "no file of the archive has",
    ),
    "no header": ("trades", lambda f: plain(f.text().partition("\n")[2]), "no file of the archive has"),
    "the header alone": ("klines", lambda f: plain(Good(f.header, []).text()), "no rows"),
    # times
    "times in s, ms and µs": ("klines", lambda f: plain(mixed_times(f).text()), SAME),
    "times in s, ms and µs, quotes": ("quotes", lambda f: plain(mixed_times(f).text()), SAME),
    "times as 1.7e9": ("klines", lambda f: plain(f.changed("timestamp", lambda c: f"{int(c):.9e}").text()), "damaged"),
    "times as text": ("klines", lambda f: plain(f.changed("timestamp", lambda c: str(moment(c))).text()), "damaged"),
    "a time far below zero": (
        "klines",
        lambda f: plain(f.changed("timestamp", lambda _: str(-(2**62)), slice(9, 10)).text()),
        "outside the years",
    ),
    "the first instant after the day": (
        "trades",
        lambda f: plain(f.with_rows([str(2**62), f"{START + 86_400}000", "60000", "buy", "1", "1"]).text()),
        "its name says",
    ),
    "the last instant of the day": (
        "quotes",
        lambda f: plain(f.with_rows([str(START + 86_399), "2", "1", "1", "1"]).text()),
        "+1",
    ),
    "days of UTC": (
        "klines",
        lambda f: plain(f.changed("timestamp", lambda c: str(int(c) + 8 * 3600)).text()),
        "its name says",
    ),
    "candles between minutes": (
        "klines",
        lambda f: plain(f.changed("timestamp", lambda c: str(int(c) + 7), slice(3, 5)).text()),
        "opens between two boundaries|not in the file",
    ),
    # numbers
    "scientific notation": ("trades", lambda f: plain(f.changed("price", lambda c: f"{float(c):e}").text()), SAME),
    "blanks around numbers": ("klines", lambda f: plain(f.changed("close", lambda c: f" {c} ").text()), SAME),
    "thousands separators": (
        "klines",
        lambda f: plain(f.changed("close", lambda c: f'"{float(c):,}"').text()),
        "damaged",
    ),
    "decimal commas": (
        "klines",
        lambda f: plain(f.changed("close", lambda c: '"' + c.replace(".", ",") + '"').text()),
        "damaged",
    ),
    "a negative price": (
        "klines",
        lambda f: plain(f.changed("low", lambda c: f"-{c}", slice(7, 9)).text()),
        "negative",
    ),
    "a high below its low": (
        "klines",
        lambda f: plain(f.changed("high", lambda _: "1", slice(7, 8)).text()),
        "outside its own",
    ),
    "an infinite close": (
        "klines",
        lambda f: plain(f.changed("close", lambda _: "inf", slice(7, 8)).text()),
        "infinite",
    ),
    "-999999 as a candle": (
        "klines",
        lambda f: plain(f.changed("close", lambda _: "-999999", slice(7, 8)).text()),
        "negative",
    ),
    "-999999 as a trade": (
        "trades",
        lambda f: plain(f.changed("price", lambda _: "-999999", slice(7, 8)).text()),
        "-999999",
    ),
    "-999999 with decimals": (
        "quotes",
        lambda f: plain(f.changed("ask_price", lambda _: "-999999.00", slice(0, 1)).text()),
        "missing",
    ),
    "a minus that is a dash": (
        "quotes",
        lambda f: plain(f.changed("ask_price", lambda _: "\u2212999999", slice(0, 1)).text()),
        "damaged",
    ),
    "a missing close": (
        "klines",
        lambda f: plain(f.changed("close", lambda _: "", slice(7, 8)).text()),
        "a cell of close is empty",
    ),
    # rows
    "rows in no order": (
        "trades",
        lambda f: plain(Good(f.header, f.rows[::2] + f.rows[1::2]).text()),
        SAME,
    ),
    "candles in no order": ("klines", lambda f: plain(Good(f.header, f.rows[::-1]).text()), SAME),
    "every row twice": ("trades", lambda f: plain(f.with_rows(*f.rows).text()), SAME),
    "every candle twice": ("klines", lambda f: plain(f.with_rows(*f.rows).text()), SAME),
    "a candle twice, not the same": (
        "klines",
        lambda f: plain(f.with_rows([*f.rows[9][:-1], "7"]).text()),
        "two different candles",
    ),
    "an id twice, another price": (
        "trades",
        lambda f: plain(f.with_rows([*f.rows[9][:2], "7", *f.rows[9][3:]]).text()),
        "the id",
    ),
    "an id twice, another time": (
        "trades",
        lambda f: plain(f.with_rows([f.rows[9][0], *f.rows[30][1:]]).text()),
        "the id",
    ),
    "ids as a spreadsheet cuts them": (
        "trades",
        lambda f: plain(f.changed("trade_id", lambda c: f"{int(c):.5e}").text()),
        "the id",
    ),
    "ids with blanks": ("trades", lambda f: plain(f.changed("trade_id", lambda c: f" {c}").text()), "the id"),
    "sides in capitals": ("trades", lambda f: plain(f.changed("side", str.upper).text()), SAME),
    "a minute that lacks": (
        "klines",
        lambda f: plain(Good(f.header, f.rows[:100] + f.rows[101:]).text()),
        "not in the file",
    ),
    # order books
    "levels as texts": (
        "books",
        lambda f: plain(
            f.changed("asks", lambda c: '"' + c.replace("[60002,1]", '[""60002"",""1.0""]') + '"').quoted("bids").text()
        ),
        SAME,
    ),
    "levels in no order": (
        "books",
        lambda f: plain(
            f.changed("asks", lambda c: f'"[[60002,1],{c[1:].partition("],")[0]}]]"').quoted("bids").text()
        ),
        SAME,
    ),
    "levels as an object": (
        "books",
        lambda f: plain(f.changed("asks", lambda _: '"{""12"":1}"').quoted("bids").text()),
        "no list of pairs",
    ),
    "levels as a list of texts": (
        "books",
        lambda f: plain(f.changed("asks", lambda _: '"[""12"",""13""]"').quoted("bids").text()),
        "no list of pairs",
    ),
    "levels of three numbers": (
        "books",
        lambda f: plain(f.changed("asks", lambda _: '"[[60001,1,1]]"').quoted("bids").text()),
        "no list of pairs",
    ),
    "a number with an underscore": (
        "books",
        lambda f: plain(f.changed("asks", lambda _: '"[[""6_0001"",1]]"').quoted("bids").text()),
        "no number",
    ),
    "null": ("books", lambda f: plain(f.changed("asks", lambda _: "null").quoted("bids").text()), "no list of pairs"),
    # containers
    "an empty ZIP": ("klines", lambda _: zipped(), "holds 0 files"),
    "no bytes at all": ("klines", lambda _: b"", "no ZIP file"),
    "a ZIP in a ZIP": ("klines", lambda f: plain(plain(f.text()), "a.zip"), "neither CSV nor XLSX"),
    "two members": ("klines", lambda f: zipped(("a.csv", f.text()), ("b.csv", f.text())), "holds 2 files"),
    "a folder in it": ("klines", lambda f: zipped(("x/", b""), ("x/a.csv", f.text())), SAME),
    "a member that climbs": ("klines", lambda f: plain(f.text(), "../../../a.csv"), SAME),
    "a member in capitals": ("klines", lambda f: plain(f.text(), "A.CSV"), SAME),
    "a member of another kind": ("klines", lambda f: plain(f.text(), "a.xls"), "neither CSV nor XLSX"),
    "packed by LZMA": ("klines", lambda f: zipped(("a.csv", f.text()), method=zipfile.ZIP_LZMA), SAME),
    "not packed, with a comment": (
        "klines",
        lambda f: zipped(("a.csv", f.text()), method=zipfile.ZIP_STORED, comment=b"PK"),
        SAME,
    ),
    "damaged LZMA": (
        "klines",
        lambda f: repacked(
            zipped(("a.csv", f.text()), method=zipfile.ZIP_LZMA), lambda b: b.__setitem__(slice(60, 90), b"\xff" * 30)
        ),
        "damaged",
    ),
    "encrypted": ("klines", lambda f: repacked(plain(f.text()), encrypted), "encrypted"),
    "gzip": ("klines", lambda f: b"\x1f\x8b" + plain(f.text()), "no ZIP file"),
    # sheets
    "a sheet with shared texts": ("quotes", lambda f: plain(sheet(cells(f)), "a.XLSX"), SAME),
    "a sheet of numbers": (
        "quotes",
        lambda f: plain(sheet([f.header, *([float(c) for c in r] for r in f.rows)]), "a.xlsx"),
        SAME,
    ),
    "a sheet with times as texts": ("quotes", lambda f: plain(sheet(cells(f, str)), "a.xlsx"), SAME),
    "a sheet with dates": ("quotes", lambda f: plain(sheet(cells(f, moment)), "a.xlsx"), "datetime"),
    "a sheet with days as numbers": ("quotes", lambda f: plain(sheet(cells(f, excel_days)), "a.xlsx"), "whole number"),
    "a sheet with whole days as numbers": (
        "quotes",
        lambda f: plain(sheet(cells(f, lambda c: int(excel_days(c)))), "a.xlsx"),
        "outside the years",
    ),
    "a sheet with half seconds": (
        "quotes",
        lambda f: plain(sheet(cells(f, lambda c: int(c) + 0.5)), "a.xlsx"),
        "whole number",
    ),
    "a sheet with an enormous time": (
        "quotes",
        lambda f: plain(sheet(cells(f, lambda _: 1e300)), "a.xlsx"),
        "whole number",
    ),
    "a sheet with truth values": ("quotes", lambda f: plain(sheet(cells(f, lambda _: True)), "a.xlsx"), "bool"),
    "a sheet with an error": (
        "klines",
        lambda f: plain(sheet([*cells(f)[:20], [*cells(f)[20][:-1], "#N/A"]]), "a.xlsx"),
        "a cell of usdtvolume is empty or an error",
    ),
    "a side that is an error": (
        "quotes",
        lambda f: plain(sheet([*cells(f)[:20], [*cells(f)[20][:1], "#N/A", *cells(f)[20][2:]]]), "a.xlsx"),
        "a cell of ask_price is empty or an error",
    ),
    "a side of a book that is an error": (
        "books",
        lambda f: plain(sheet([*cells(f)[:5], [*cells(f)[5][:-1], "#N/A"]]), "a.xlsx"),
        "an order book cannot be read",
    ),
    "two sheets": ("quotes", lambda f: plain(sheet(cells(f), "more"), "a.xlsx"), "2 sheets"),
    "a sheet with a row too long": (
        "quotes",
        lambda f: plain(sheet([*cells(f), ["", "", "", "", "", "note"]]), "a.xlsx"),
        "no file of the archive has|another number of cells",
    ),
    "a CSV that is named XLSX": ("quotes", lambda f: plain(f.text(), "a.xlsx"), "damaged"),
    "an XLSX that is named CSV": (
        "quotes",
        lambda f: plain(sheet(cells(f)), "a.csv"),
        "damaged|no file of the archive has",
    ),
    "trades in a sheet": ("trades", lambda f: plain(sheet([f.header, *f.rows]), "a.xlsx"), SAME),
    "ids that a sheet has rounded": (
        "trades",
        lambda f: plain(sheet([f.header, *([float(r[0]), *r[1:]] for r in f.rows)]), "a.xlsx"),
        "whole number",
    ),
}


def read(client: Client, data: Data) -> pd.DataFrame:
    return client.candles("BTCUSDT", "1m", *SPAN) if data == "klines" else getattr(client, data)("BTCUSDT", *SPAN)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[Data, pd.DataFrame]:
    """What is stored of the good files, each imported as it is."""
    folder, found = tmp_path_factory.mktemp("truth"), {}
    with bgresearch.connect(
        data_dir=folder / "data", offline=True, progress=False, clock=ManualClock(NOW_MS)
    ) as client:
        for data, key in KEYS.items():
            path = folder / key
            path.parent.mkdir(parents=True)
            file = good(data)
            body = plain(file.text(quote='"') if data == "books" else file.text())
            path.write_bytes(body)
            assert client.import_archive(path)["state"].tolist() == ["stored"]
            found[data] = read(client, data)
    return found


@pytest.mark.quick_cases(30)
@pytest.mark.parametrize("case", CASES)
def test_a_file_that_was_imported_is_exact_or_a_gap_is_named(
    tmp_path: Path, truth: dict[Data, pd.DataFrame], case: str
) -> None:
    data, made, expected = CASES[case]
    path = tmp_path / "Downloads" / KEYS[data]
    path.parent.mkdir(parents=True)
    path.write_bytes(made(good(data)))
    options = {"offline": True, "progress": False, "clock": ManualClock(NOW_MS)}
    with bgresearch.connect(data_dir=tmp_path / "data", **options) as client:  # type: ignore[arg-type]
        frame = client.import_archive(path)
        (row,) = frame.to_dict("records")
        about = frame.attrs["bgresearch"]
        if expected in (SAME, "+1", "missing"):
            assert (row["state"], row["reason"]) == ("stored", None), row["reason"]
            found = read(client, data)
            if expected == SAME:
                pd.testing.assert_frame_equal(found, truth[data], check_exact=True)
            else:
                assert len(found) == len(truth[data]) + (expected == "+1")
                assert found["ask"].isna().sum() == (expected == "missing")
            return
        assert pd.Series([row["reason"]]).str.contains(expected).all(), row["reason"]
        assert about["gaps"], "a file that is not stored leaves a gap"
        stored = list((tmp_path / "data").rglob("*.parquet"))
        assert bool(stored) == (row["state"] == "stored in part")
        with pytest.raises(BgresearchError):
            read(client, data)
        if stored:
            bad = [(pd.Timestamp(gap["start"]), pd.Timestamp(gap["end"])) for gap in about["gaps"]]
            right = truth[data]
            right = right[[not any(start <= at < end for start, end in bad) for at in right.index]]
            kept = client.lens.sql("SELECT open_time, close FROM candles WHERE market = 'spot' ORDER BY open_time")
            assert kept["close"].tolist() == right["close"].tolist()
    assert not list(tmp_path.rglob("*.csv"))
