"""The archive's files: names of every era, containers, what is absent, and rows equal to those of REST."""

from __future__ import annotations

import csv
import datetime as dt
import email.utils
import hashlib
import io
import json
import zipfile
from typing import Any

import openpyxl
import pytest
import requests

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange, Request, Response
from bgresearch.sandbox.archive.rows import Amounts
from bgresearch.sandbox.faults import FaultName
from bgresearch.sandbox.server import Server
from tests.conftest import PATIENCE_S

NOW_MS = 1_795_165_230_000  # 2026-11-20
DAY_MS = 86_400_000
SPOT_DAYS = {1: "20220110", 2: "20250110", 3: "20261110"}
TRADES = ["trade_id", "timestamp", "price", "side", "volume(quote)", "size(base)"]
CANDLES = ["timestamp", "open", "high", "low", "close", "basevolume", "usdtvolume"]
QUOTES = ["timestamp", "ask_price", "bid_price", "ask_volume", "bid_volume"]
CANDLE_KEYS = {
    1: "kline/BTCUSDT/BTCUSDT_SP_1min_20220110.zip",
    2: "kline/BTCUSDT/SP/20250110.zip",
    3: "kline/BTCUSDT/SP/BTCUSDT_SP_1min_20261110.zip",
}
THERE = [
    *CANDLE_KEYS.values(), "kline/ETHUSDT/ETHUSDT_UMCBL_1min_20220110.zip", "kline/BTCUSD/UMCBL/20250110.zip",
    "kline/BTCPERP/UMCBL/BTCPERP_UMCBL_1min_20261110.zip", "trades/SPBL/BTCUSDT/BTCUSDT_SPBL_20220110_001.zip",
    "trades/SPBL/BTCUSDT/20250110_001.zip", "trades/SPBL/BTCUSDT/BTCUSDT_20261110_001.zip",
    "trades/UMCBL/BTCUSDT/BTCUSDT_UMCBL_20220110_001.zip", "trades/DMCBL/BTCUSD/20250110_001.zip",
    "trades/CMCBL/BTCPERP/BTCPERP_20261110_001.zip", "trades/SPBL/BTCUSDT/BTCUSDT_SPBL_20240418_001.zip",
    "trades/SPBL/BTCUSDT/20240418_001.zip", "depth/BTCUSDT/1/20250110.zip", "depth/BTCUSDT/1/BTCUSDT_1_20261110.zip",
    "depth/BTCUSDT/2/20250110.zip", "depth/BTCUSDT/2/BTCUSDT_3_20261110.zip",
    "depth_500/BTCUSDT/1/BTCUSDT_1_20261110.zip", "depth_500/BTCUSDT/2/BTCUSDT_3_20260110.zip",
    "trades/SPBL/$ALTUSDT/$ALTUSDT_20261110_001.zip", "trades/SPBL/龙USDT/龙USDT_20261110_001.zip",
]  # fmt: skip
NOT_THERE = [
    "kline/BTCUSDT/SP/20220110.zip", "kline/BTCUSDT/BTCUSDT_SP_1min_20250110.zip",
    "kline/BTCUSDT/SP/BTCUSDT_SP_1min_20250110.zip", "kline/BTCUSDT/SP/20261110.zip",
    "trades/SPBL/BTCUSDT/20220110_001.zip", "trades/SPBL/BTCUSDT/20261110_001.zip",
    "trades/SPBL/BTCUSDT/BTCUSDT_20250110_001.zip", "trades/SPBL/BTCUSDT/BTCUSDT_20240418_001.zip",
    "trades/SPBL/BTCUSDT/20250110_000.zip", "trades/SPBL/BTCUSDT/20250110_099.zip",
    "trades/SPBL/BTCUSDT/20250110.zip", "trades/UMCBL/BTCUSD/20250110_001.zip",
    "depth/BTCUSDT/2/BTCUSDT_2_20261110.zip",
    "depth/BTCUSDT/1/BTCUSDT_3_20261110.zip", "depth/BTCUSDT/1/20240708.zip",
    "depth_500/BTCUSDT/1/BTCUSDT_1_20250731.zip",
    "depth_500/BTCUSDT/1/20260110.zip", "kline/NOPEUSDT/SP/20250110.zip", "kline/btcusdt/SP/20250110.zip",
    "kline/BTCUSDT/SP/20250230.zip", "kline/BTCUSDT/SP/20181231.zip",
    "kline_month/BTCUSDT/SP/BTCUSDT_SP_1min_202507.zip",
    "kline_month/BTCUSDT/SP/BTCUSDT_SP_1min_202611.zip", "depth_500_month/BTCUSDT/1/BTCUSDT_1_202508.zip",
    "kline/BTCUSDT/SP/BTCUSDT_SP_1min_20261119.zip", "kline/FRESHUSDT/SP/20251229.zip",
    "kline/GONEUSDT/SP/20260212.zip",
    "trades/UMCBL/BTCUSDT/BTCUSDT_UMCBL_20210517_001.zip", "", "kline", "index.html",
]  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Exchange:
    return Exchange(clock=ManualClock(NOW_MS), limits=False)


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(clock=ManualClock(NOW_MS), limits=False)


def asked(exchange: Exchange, key: str, *, method: str = "GET", agent: str = "bgresearch/1") -> Response:
    target = "/online/" + key.replace("$", "%24").replace("龙", "%E9%BE%99")
    return exchange.handle(Request(method, target, {"User-Agent": agent}, "127.0.0.1"))


def member(exchange: Exchange, key: str) -> tuple[str, bytes]:
    answer = asked(exchange, key)
    assert answer.status == 200, key
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        [name] = archive.namelist()
        assert archive.testzip() is None
        return name, archive.read(name)


def table(exchange: Exchange, key: str) -> tuple[list[str], list[list[Any]]]:
    name, body = member(exchange, key)
    if name.endswith(".csv"):
        header, *rows = csv.reader(io.StringIO(body.decode()))
        return header, rows
    book = openpyxl.load_workbook(io.BytesIO(body), read_only=True)
    [sheet] = book.worksheets
    header, *rows = (list(row) for row in sheet.iter_rows(values_only=True))
    book.close()
    return header, rows


def rest(exchange: Exchange, path: str, **params: object) -> Any:
    query = "&".join(f"{name}={value}" for name, value in params.items())
    answer = exchange.handle(Request("GET", f"{path}?{query}", {}, "127.0.0.1"))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["data"]


def day_of(text: str) -> tuple[int, int]:
    """Return the instants that a file of that day covers: UTC+8."""
    start = int(dt.datetime.strptime(text, "%Y%m%d").replace(tzinfo=dt.UTC).timestamp()) * 1000 - 8 * 3_600_000
    return start, start + DAY_MS


# which there are


@pytest.mark.quick_cases(16)
@pytest.mark.parametrize("key", THERE)
def test_a_file_under_the_name_of_its_era_is_there(model: Exchange, key: str) -> None:
    answer = asked(model, key)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    xlsx = not key.startswith("trades")
    assert member(model, key)[0].endswith(".xlsx" if xlsx else ".csv")
    tag = answer.headers["ETag"].strip('"')
    whole = hashlib.md5(answer.body, usedforsecurity=False).hexdigest()
    assert ("-" in tag) if key.startswith("depth_500") else tag == whole
    modified = email.utils.parsedate_to_datetime(answer.headers["Last-Modified"])
    day = dt.datetime.strptime(key.removesuffix(".zip").replace("_001", "")[-8:], "%Y%m%d").replace(tzinfo=dt.UTC)
    assert dt.timedelta(days=2, hours=3) <= modified - day < dt.timedelta(days=2, hours=5)


@pytest.mark.parametrize("key", NOT_THERE)
def test_any_other_name_is_absent_in_the_words_of_s3(model: Exchange, key: str) -> None:
    answer = asked(model, key)
    assert (answer.status, answer.headers["Server"]) == (403, "AmazonS3")
    assert len(answer.body) == 111
    assert b"<Code>AccessDenied</Code>" in answer.body


def test_a_query_makes_a_key_another_one(model: Exchange) -> None:
    assert asked(model, CANDLE_KEYS[3] + "?x=1").status == 403


def test_a_file_appears_two_days_and_three_hours_after_its_day(exchange: Exchange) -> None:
    key = "trades/SPBL/BTCUSDT/BTCUSDT_20261118_001.zip"
    published = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC).timestamp() * 1000
    seen = []
    for minutes in (-1, 0, 30, 91):
        moment = Exchange(clock=ManualClock(int(published) + minutes * 60_000))
        moment.archive = exchange.archive
        seen.append(asked(moment, key).status)
    assert seen[0] == 403
    assert seen[-1] == 200
    assert seen == sorted(seen, reverse=True)


@pytest.mark.slow
def test_some_candles_of_the_first_era_have_the_name_of_the_second_alone(model: Exchange) -> None:
    day, found = dt.date(2023, 1, 1), {"first": 0, "second": 0}
    for _ in range(250):
        stamp = f"{day:%Y%m%d}"
        old = asked(model, f"kline/TRXUSDT/TRXUSDT_SP_1min_{stamp}.zip", method="HEAD").status == 200
        new = asked(model, f"kline/TRXUSDT/SP/{stamp}.zip", method="HEAD").status == 200
        assert old is not new
        found["first" if old else "second"] += 1
        day += dt.timedelta(days=1)
    assert found["first"] > found["second"] > 0


def test_a_hole_and_a_launch_day_are_absent_and_their_neighbours_are_there(model: Exchange) -> None:
    statuses = [asked(model, f"trades/SPBL/BTCUSDT/BTCUSDT_SPBL_201906{day:02}_001.zip").status for day in (1, 2)]
    assert statuses == [403, 200]
    assert [asked(model, f"kline/FRESHUSDT/SP/202512{day}.zip").status for day in (28, 29, 30)] == [403, 403, 200]


# rows


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("era", CANDLE_KEYS)
@pytest.mark.parametrize(
    ("symbol", "token", "params"),
    [("BTCUSDT", "SP", None), ("ETHUSDT", "UMCBL", "USDT-FUTURES"), ("BTCPERP", "UMCBL", "USDC-FUTURES"),
     ("BTCUSD", "UMCBL", "COIN-FUTURES")],
)  # fmt: skip
def test_candles_of_a_day_are_those_of_rest(
    model: Exchange, era: int, symbol: str, token: str, params: str | None
) -> None:
    key = CANDLE_KEYS[era].replace("BTCUSDT", symbol).replace("SP", token)
    header, rows = table(model, key)
    assert header == (CANDLES if era > 1 else [*CANDLES[:5], "baseVolume", "usdtVolume"])
    start, end = day_of(SPOT_DAYS[era])
    reported: list[list[str]] = []
    while len(reported) < 1440:
        asked_for: dict[str, object] = {"symbol": symbol, "endTime": end - len(reported) * 60_000, "limit": 200}
        if params is None:
            reported = rest(model, "/api/v2/spot/market/history-candles", granularity="1min", **asked_for) + reported
        else:
            path = "/api/v2/mix/market/history-candles"
            reported = rest(model, path, granularity="1m", productType=params, **asked_for) + reported
    reported = reported[-1440:]
    assert [row[0] for row in rows] == [int(row[0]) // 1000 for row in reported]
    assert (rows[0][0] * 1000, rows[-1][0] * 1000) == (start, end - 60_000)
    assert all(isinstance(cell, str) for row in rows for cell in row[1:])
    for row, same in zip(rows, reported, strict=True):
        exact = [*same[1:6], same[-1]]
        assert [float(f"{float(cell):.15g}") for cell in row[1:]] == [float(cell) for cell in exact]
    noisy = sum(float(row[5]) != float(same[5]) for row, same in zip(rows, reported, strict=True))
    assert (noisy > 0) is (era == 1)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    ("key", "symbol", "params"),
    [
        ("trades/SPBL/BTCUSDT/BTCUSDT_20261110_{}.zip", "BTCUSDT", None),
        ("trades/UMCBL/ETHUSDT/ETHUSDT_20261110_{}.zip", "ETHUSDT", "USDT-FUTURES"),
        ("trades/CMCBL/BTCPERP/BTCPERP_20261110_{}.zip", "BTCPERP", "USDC-FUTURES"),
        ("trades/DMCBL/BTCUSD/BTCUSD_20261110_{}.zip", "BTCUSD", "COIN-FUTURES"),
    ],
)
def test_trades_of_a_day_in_all_parts_are_those_of_rest(
    model: Exchange, key: str, symbol: str, params: str | None
) -> None:
    rows: list[list[str]] = []
    part = 1
    while asked(model, key.format(f"{part:03}")).status == 200:
        header, found = table(model, key.format(f"{part:03}"))
        assert header == TRADES
        rows += found
        part += 1
    assert part > 3
    start, end = day_of("20261110")
    reported: list[dict[str, str]] = []
    path = "/api/v2/spot/market/fills-history" if params is None else "/api/v2/mix/market/fills-history"
    window: dict[str, object] = {"symbol": symbol, "startTime": start, "endTime": end - 1, "limit": 1000}
    while page := rest(model, path, **window, **({"productType": params} if params else {})):
        reported += [row for row in page if start <= (int(row["tradeId"]) >> 22) + 1_435_725_920_677 < end]
        if int(page[-1]["ts"]) < start:
            break
        window["idLessThan"] = page[-1]["tradeId"]
    reported.reverse()
    assert [row[0] for row in rows] == [row["tradeId"] for row in reported]
    for row, same in zip(rows, reported, strict=True):
        assert (row[1], row[3], float(row[2]), float(row[5])) == (
            same["ts"], same["side"].lower(), float(same["price"]), float(same["size"]),
        )  # fmt: skip
        assert float(row[4]) == pytest.approx(float(row[2]) * float(row[5]), rel=1e-12)
        assert not row[2].endswith(".0")
    assert all(0 <= (int(row[0]) >> 22) + 1_435_725_920_677 - int(row[1]) < 1000 for row in rows)


def test_times_are_cut_to_seconds_since_2024_and_whole_before(model: Exchange) -> None:
    for key, cut in (
        ("trades/SPBL/BTCUSDT/BTCUSDT_SPBL_20220110_001.zip", False),
        ("trades/SPBL/BTCUSDT/20250110_001.zip", True),
    ):
        _, rows = table(model, key)
        assert all(row[1].endswith("000") for row in rows) is cut


def test_both_names_of_the_day_between_two_eras_hold_the_same(model: Exchange) -> None:
    first = table(model, "trades/SPBL/BTCUSDT/BTCUSDT_SPBL_20240418_001.zip")
    assert table(model, "trades/SPBL/BTCUSDT/20240418_001.zip") == first


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["1", "2"])
def test_quotes_are_the_best_levels_of_their_second_in_no_order(model: Exchange, folder: str) -> None:
    header, rows = table(model, f"depth/ETHUSDT/{folder}/20250110.zip")
    assert header == QUOTES
    times = [row[0] for row in rows]
    start, end = day_of("20250110")
    assert start <= min(times) * 1000 <= max(times) * 1000 < end
    assert times != sorted(times)
    assert len(set(times)) < len(times)
    gaps = {later - earlier for earlier, later in zip(sorted(set(times)), sorted(set(times))[1:], strict=False)}
    assert gaps <= set(range(5, 21))
    assert sum("-999999" in row for row in rows) > 3
    whole = [row for row in rows if "-999999" not in row and times.count(row[0]) == 1][:40]
    kind = "spot" if folder == "1" else "usdt-futures"
    for row in whole:
        true = model.order_book("ETHUSDT", kind=kind, now_ms=row[0] * 1000, levels=1)
        best = [true["asks"][0][0], true["bids"][0][0], true["asks"][0][1], true["bids"][0][1]]
        assert [float(cell) for cell in row[1:]] == [float(cell) for cell in best]


def test_books_are_the_true_images_of_their_second_in_no_order(model: Exchange) -> None:
    header, rows = table(model, "depth_500/ETHUSDT/1/ETHUSDT_1_20260110.zip")
    assert header == ["timestamp", "asks", "bids"]
    times = [row[0] for row in rows]
    assert times != sorted(times)
    for row in rows[:5]:
        true = model.order_book("ETHUSDT", now_ms=row[0] * 1000, levels=500)
        for cell, side in zip(row[1:], ("asks", "bids"), strict=True):
            assert [[float(price), float(size)] for price, size in json.loads(cell)] == [
                [float(price), float(size)] for price, size in true[side]
            ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("month", "day"),
    [("kline_month/LTCUSDT/SP/LTCUSDT_SP_1min_202609.zip", "kline/LTCUSDT/SP/LTCUSDT_SP_1min_202609{}.zip"),
     pytest.param("depth_month/STILLUSDT/1/STILLUSDT_1_202609.zip", "depth/STILLUSDT/1/STILLUSDT_1_202609{}.zip",
                  marks=pytest.mark.slow)],
)  # fmt: skip
def test_a_month_as_csv_holds_what_its_days_hold(model: Exchange, month: str, day: str) -> None:
    name, _ = member(model, month)
    assert name.endswith(".csv")
    header, rows = table(model, month)
    for number in ("01", "17", "30"):
        daily_header, daily = table(model, day.format(number))
        start, end = day_of(f"202609{number}")
        assert daily_header == header
        same = [row for row in rows if start <= int(row[0]) * 1000 < end]
        assert sorted(same) == sorted([str(row[0]), *row[1:]] for row in daily)
    times = [int(row[0]) for row in rows]
    assert min(times) * 1000 < day_of("20260901")[0] + 60_000
    assert max(times) * 1000 >= day_of("20260930")[1] - 60_000


def test_parts_are_full_but_the_last(exchange: Exchange) -> None:
    exchange.archive.amounts = Amounts(part_rows=777)
    counts = []
    while asked(exchange, key := f"trades/SPBL/BTCUSDT/20250110_{len(counts) + 1:03}.zip").status == 200:
        counts.append(len(table(exchange, key)[1]))
    assert set(counts[:-1]) == {777}
    assert 0 < counts[-1] <= 777


def test_minutes_without_a_trade_are_absent_from_contracts_in_usdt_alone(model: Exchange) -> None:
    counts = {
        key: len(table(model, key)[1])
        for key in ("kline/GONEUSDT/UMCBL/20250110.zip", "kline/GONEUSDT/SP/20250110.zip")
    }
    assert sorted(counts.values())[1] == 1440
    assert counts["kline/GONEUSDT/UMCBL/20250110.zip"] < 1000


def test_the_same_file_is_the_same_bytes_in_every_exchange(model: Exchange, exchange: Exchange) -> None:
    for key in (CANDLE_KEYS[2], "trades/SPBL/BTCUSDT/20250110_001.zip", "depth_500/BTCUSDT/1/BTCUSDT_1_20260110.zip"):
        assert asked(model, key) == asked(exchange, key)


# the host


@pytest.mark.parametrize("agent", ["", "Python-urllib/3.11"])
def test_a_caller_without_a_name_of_its_own_is_blocked(model: Exchange, agent: str) -> None:
    answer = asked(model, CANDLE_KEYS[3], agent=agent)
    assert (answer.status, answer.headers["Content-Type"]) == (403, "text/html")
    assert b"AccessDenied" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(model: Exchange, method: str) -> None:
    assert asked(model, CANDLE_KEYS[3], method=method).status == 405


def test_head_and_get_over_a_socket_agree(server: Server, exchange: Exchange) -> None:
    server.exchange = exchange
    for key, status in ((CANDLE_KEYS[3], 200), ("kline/NOPE/SP/20250110.zip", 403)):
        url = f"{server.url}/online/{key}"
        head, get = requests.head(url, timeout=PATIENCE_S), requests.get(url, timeout=PATIENCE_S)
        assert (head.status_code, get.status_code, head.content) == (status, status, b"")
        assert head.headers["Content-Length"] == str(len(get.content))
        assert head.headers.get("ETag") == get.headers.get("ETag")


# faults

KEY = "trades/SPBL/BTCUSDT/BTCUSDT_20261110_001.zip"


def test_absent_and_block_are_distinguished(exchange: Exchange) -> None:
    exchange.faults.inject("absent", times=1)
    assert b"AccessDenied" in asked(exchange, KEY).body
    exchange.faults.inject("block", times=1)
    blocked = asked(exchange, KEY)
    assert blocked.status == 403
    assert b"AccessDenied" not in blocked.body
    assert asked(exchange, KEY).status == 200


@pytest.mark.parametrize(("name", "status"), [("rate429", 429), ("http503", 503), ("http500", 503)])
def test_throttles(exchange: Exchange, name: FaultName, status: int) -> None:
    exchange.faults.inject(name, times=1)
    assert asked(exchange, KEY).status == status
    assert asked(exchange, KEY).status == 200


def test_a_swapped_instrument_is_another_ones_day_under_this_name(exchange: Exchange) -> None:
    _, right = table(exchange, KEY)
    exchange.faults.inject("swapped_instrument", times=1)
    header, wrong = table(exchange, KEY)
    assert header == TRADES
    assert not 0.5 < float(wrong[0][2]) / float(right[0][2]) < 2
    assert table(exchange, KEY)[1] == right


def test_a_truncated_file_is_half_of_it_with_the_tag_of_the_half(exchange: Exchange) -> None:
    whole = asked(exchange, KEY).body
    exchange.faults.inject("truncated", times=1)
    answer = asked(exchange, KEY)
    assert answer.body == whole[: len(whole) // 2]
    assert answer.headers["ETag"].strip('"') == hashlib.md5(answer.body, usedforsecurity=False).hexdigest()
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(answer.body))


def test_a_bad_crc_shows_when_the_member_is_read(exchange: Exchange) -> None:
    exchange.faults.inject("bad_crc", times=1)
    with zipfile.ZipFile(io.BytesIO(asked(exchange, KEY).body)) as archive:
        assert archive.testzip() is not None


def test_unsorted_rows_are_all_there_in_another_order(exchange: Exchange) -> None:
    _, right = table(exchange, KEY)
    exchange.faults.inject("unsorted", times=1)
    _, found = table(exchange, KEY)
    assert found != right
    assert sorted(found) == sorted(right)


def test_a_file_uploaded_again_stays_another_one(exchange: Exchange) -> None:
    before = asked(exchange, KEY)
    exchange.faults.inject("reuploaded", endpoint=KEY, times=1)
    after = asked(exchange, KEY, method="HEAD")
    assert after.headers["ETag"] != before.headers["ETag"]
    assert email.utils.parsedate_to_datetime(after.headers["Last-Modified"]) > email.utils.parsedate_to_datetime(
        before.headers["Last-Modified"]
    )
    assert asked(exchange, KEY) == after
    assert asked(exchange, CANDLE_KEYS[3]).headers["Last-Modified"] < "Z"


@pytest.mark.parametrize("endpoint", ["archive.trades", KEY])
def test_a_fault_of_a_kind_of_file_or_of_one_file_spares_the_others(exchange: Exchange, endpoint: str) -> None:
    exchange.faults.inject("absent", endpoint=endpoint)
    assert asked(exchange, CANDLE_KEYS[3]).status == 200
    assert asked(exchange, KEY).status == 403
    other = asked(exchange, KEY.replace("001", "002")).status
    assert other == (403 if endpoint.startswith("archive") else 200)
