"""What the exchange says to wrong parameters, by both carriers."""

from __future__ import annotations

import pytest

from bgresearch.catalogue import load
from bgresearch.sandbox import Request
from tests.conftest import PATIENCE_S

DAY = 86_400_000
NOW = 1_780_000_000_000

CANDLES = ("/api/v2/mix/market/candles", {"symbol": "BTCUSDT", "productType": "usdt-futures", "granularity": "1m"})
SPOT_CANDLES = ("/api/v2/spot/market/candles", {"symbol": "BTCUSDT", "granularity": "1min"})
FUNDING = ("/api/v2/mix/market/history-fund-rate", {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"})
BILLS = ("/api/v2/spot/account/bills", {})
FUTURES_BILLS = ("/api/v2/mix/account/bill", {"productType": "USDT-FUTURES"})
SPOT_FILLS = ("/api/v2/spot/trade/fills", {})
TAX = ("/api/v2/tax/spot-record", {})
BORROWED = ("/api/v2/margin/crossed/borrow-history", {})
LOANS = ("/api/v2/earn/loan/borrow-history", {"startTime": NOW - DAY, "endTime": NOW})
TRADE_RATE = ("/api/v2/common/trade-rate", {"symbol": "BTCUSDT", "businessType": "spot"})
V3_FILLS = ("/api/v3/trade/fills", {})
V3_CANDLES = ("/api/v3/market/candles", {"symbol": "BTCUSDT", "category": "SPOT", "interval": "1m"})
V3_FUNDING = ("/api/v3/market/history-fund-rate", {"symbol": "BTCUSDT", "category": "USDT-FUTURES"})


def code(caller, row, *, key=None, without=(), **more):
    path, given = row
    params = {name: value for name, value in {**given, **more}.items() if name not in without}
    return caller.code(path, params, key=key)


@pytest.mark.quick_cases(50)
@pytest.mark.parametrize(
    ("row", "key", "more", "expected"),
    [
        (CANDLES, None, {"symbol": ""}, "40019"),
        (V3_CANDLES, None, {"symbol": ""}, "25200"),
        (("/api/v2/spot/market/history-candles", SPOT_CANDLES[1]), None, {}, "40019"),  # endTime is required
        (("/api/v2/spot/account/transferRecords", {}), "readonly", {}, "40019"),  # coin is required
        (("/api/v2/spot/wallet/deposit-records", {"endTime": NOW}), "readonly", {}, "40019"),
        (CANDLES, None, {"granularity": "1min"}, "400172"),
        (CANDLES, None, {"granularity": "2H"}, "00000"),  # works although the lists lack it
        (SPOT_CANDLES, None, {"granularity": "2H"}, "400172"),
        (SPOT_CANDLES, None, {"granularity": "1M"}, "00000"),  # a month is not a minute
        (CANDLES, None, {"productType": "FUTURES"}, "40020"),
        (CANDLES, None, {"productType": "USDT-FUTURES"}, "00000"),  # either case
        (CANDLES, None, {"kLineType": "mark"}, "00000"),
        (CANDLES, None, {"kLineType": "last"}, "40020"),
        (V3_CANDLES, None, {"type": "MARK", "category": "USDT-FUTURES"}, "00000"),
        (V3_CANDLES, None, {"interval": "1min"}, "25200"),
        (V3_CANDLES, None, {"category": "FUTURES"}, "25200"),
        (CANDLES, None, {"limit": 1000}, "00000"),
        (CANDLES, None, {"limit": 1001}, "400172"),
        (CANDLES, None, {"limit": 0}, "400172"),
        (CANDLES, None, {"limit": -5}, "400172"),
        (CANDLES, None, {"limit": "many"}, "400172"),
        (CANDLES, None, {"limit": "1e2"}, "400172"),
        (V3_CANDLES, None, {"limit": 1001}, "25200"),
        (V3_FUNDING, None, {"cursor": 101}, "25200"),
        (V3_FUNDING, None, {"cursor": 100}, "00000"),
        (CANDLES, None, {"startTime": "yesterday"}, "40020"),
        (CANDLES, None, {"startTime": f"{NOW - DAY}.0"}, "40020"),
        (V3_CANDLES, None, {"endTime": "2026-05-01"}, "25200"),
        (CANDLES, None, {"startTime": NOW, "endTime": NOW - 1}, "40707"),
        (BILLS, "readonly", {"startTime": NOW, "endTime": NOW - 1}, "42072"),
        (BORROWED, "readonly", {"startTime": NOW, "endTime": NOW - 1}, "20001"),
        (V3_FILLS, "unified", {"startTime": NOW, "endTime": NOW - 1}, "25200"),
        (CANDLES, None, {"startTime": NOW - 90 * DAY, "endTime": NOW}, "00000"),
        (CANDLES, None, {"startTime": NOW - 90 * DAY - 1, "endTime": NOW}, "40705"),
        (BILLS, "readonly", {"startTime": NOW - 91 * DAY, "endTime": NOW}, "00001"),
        (FUTURES_BILLS, "readonly", {"startTime": NOW - 31 * DAY, "endTime": NOW}, "00001"),
        (TAX, "readonly", {"startTime": NOW - 31 * DAY, "endTime": NOW}, "70008"),
        (V3_FILLS, "unified", {"startTime": NOW - 31 * DAY, "endTime": NOW}, "25200"),
        (SPOT_FILLS, "readonly", {"startTime": NOW - 90 * DAY}, "00000"),
        (SPOT_FILLS, "readonly", {"startTime": NOW - 90 * DAY - 1}, "43111"),
        (FUTURES_BILLS, "readonly", {"startTime": NOW - 91 * DAY}, "40704"),
        (SPOT_CANDLES, None, {"symbol": "BTCUSDT_SPBL"}, "40034"),  # ids of the first API generation
        (TRADE_RATE, "readonly", {"symbol": "BTCUSDT_UMCBL"}, "40034"),
        (TRADE_RATE, "readonly", {}, "00000"),
        (V3_CANDLES, None, {"symbol": "BTCUSDT_UMCBL"}, "25100"),
        (CANDLES, None, {"nobodyKnows": "this"}, "00000"),
        (("/api/v2/spot/market/merge-depth", {"symbol": "BTCUSDT"}), None, {"limit": "max"}, "00000"),
        (("/api/v2/spot/market/merge-depth", {"symbol": "BTCUSDT"}), None, {"limit": "2"}, "400172"),
        (LOANS, "readonly", {"pageNo": 0}, "400172"),
        (LOANS, "readonly", {"pageNo": 1}, "00000"),
    ],
)
def test_each_mistake_has_its_code(unlimited, row, key, more, expected):
    assert code(unlimited, row, key=key, **more) == expected


def test_span_error_carries_the_number_of_days(unlimited):
    path, params = FUTURES_BILLS
    answer = unlimited.get(path, {**params, "startTime": NOW - 31 * DAY, "endTime": NOW}, key="readonly")
    assert answer.json()["msg"] == "startTime and endTime interval cannot be greater than 30 days"


def test_missing_parameter_is_named(unlimited):
    assert unlimited.get(CANDLES[0], {}).json()["msg"] == "Parameter symbol cannot be empty"


@pytest.mark.parametrize(
    "path", ["/api/v2/mix/market/history-fund-rate", "/api/v2/mix/market/fills", "/api/v2/spot/market/fills"]
)
def test_some_rows_cut_a_page_that_is_too_large(unlimited, path):
    size = "pageSize" if path.endswith("rate") else "limit"
    maximum = load().at_path(path).param(size).maximum
    rows = [
        unlimited.get(path, {**FUNDING[1], size: asked}).json()["data"]
        for asked in (maximum, maximum + 1, 10 * maximum)
    ]
    assert rows[0]
    assert rows[0] == rows[1] == rows[2]


def test_paging_is_refused_below_the_deepest_row(unlimited):
    path = "/api/v2/spot/account/transferRecords"
    asked = {"coin": "USDT", "limit": 500}
    assert unlimited.code(path, {**asked, "pageNum": 40}, key="readonly") == "00000"
    assert unlimited.code(path, {**asked, "pageNum": 41}, key="readonly") == "40303"


@pytest.mark.parametrize("query", ["symbol=%zz", "symbol=%", "symbol=%ff%fe", "symbol=%e4"])
def test_query_that_is_no_text_is_refused(unlimited, query):
    """Sent as it is: a well-behaved client library would repair the escapes."""
    answer = unlimited.exchange.handle(Request("GET", f"/api/v2/spot/market/tickers?{query}", {}, "127.0.0.1"))
    assert answer.status == 400
    assert b'"400172"' in answer.body


def test_first_of_two_equal_names_counts(unlimited):
    answer = unlimited.session.get(f"{unlimited.base_url}/api/v2/public/time?a=1&a=2", timeout=PATIENCE_S)
    assert answer.status_code == 200
    path = f"{unlimited.base_url}{SPOT_CANDLES[0]}?symbol=BTCUSDT&granularity=1min&granularity=wrong"
    assert unlimited.session.get(path, timeout=PATIENCE_S).json()["code"] == "00000"


def test_withdrawn_demo_products_hold_nothing(unlimited):
    for product in ("SUSDT-FUTURES", "scoin-futures"):
        answer = unlimited.get("/api/v2/mix/market/contracts", {"productType": product}).json()
        assert (answer["code"], answer["data"]) == ("00000", [])
