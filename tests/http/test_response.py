from __future__ import annotations

import contextlib
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.catalogue import error_codes, load
from bgresearch.catalogue import response as envelope
from bgresearch.catalogue.response import retry_of, rows_of, unwrap
from bgresearch.errors import (
    AddressRejected,
    AuthenticationError,
    BadResponse,
    BgresearchError,
    ExchangeError,
    ExchangeUnavailable,
    IncompleteData,
    InvalidInput,
    ParameterRejected,
    PermissionDenied,
    RateLimited,
    TimestampError,
    UnknownSymbol,
)

TABLE = load()
LIST = TABLE["spot.tickers"]
CANDLES = TABLE["spot.candles"]
OBJECT = TABLE["common.time"]
NESTED = TABLE["futures.order_fills"]
KINDS = {
    "auth": AuthenticationError, "timestamp": TimestampError, "permission": PermissionDenied, "ip": AddressRejected,
    "rate": RateLimited, "param": ParameterRejected, "symbol": UnknownSymbol, "maintenance": ExchangeUnavailable,
    "other": ExchangeError,
}  # fmt: skip


def body(data: object, code: object = "00000", **more: object) -> bytes:
    return json.dumps({"code": code, "msg": "success", "data": data} | more).encode()


def refused(code: object, said: str = "", status: int = 400, endpoint=LIST) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        unwrap(endpoint, status, json.dumps({"code": code, "msg": said, "data": None}).encode())
    return caught.value


def test_data_comes_back_as_it_is():
    assert unwrap(LIST, 200, body([{"symbol": "BTCUSDT"}])) == [{"symbol": "BTCUSDT"}]


@pytest.mark.parametrize("data", [None, "", [], {}])
def test_nothing_is_nothing_in_every_spelling(data):
    assert rows_of(LIST, unwrap(LIST, 200, body(data))) == []
    assert rows_of(NESTED, unwrap(NESTED, 200, body(data))) == []
    assert rows_of(CANDLES, unwrap(CANDLES, 200, body(data))) == []


def test_whole_numbers_above_2_to_the_53_are_exact():
    assert unwrap(LIST, 200, b'{"code":"00000","data":[{"x":9223372036854775809}]}') == [{"x": 9223372036854775809}]


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_every_known_code_becomes_the_error_of_its_group(code):
    known = error_codes()[code]
    error = refused(code, "no way")
    assert type(error) is KINDS[known.group]
    assert (error.endpoint, error.code, error.said, error.http_status) == (LIST.id, code, "no way", 400)
    assert retry_of(error) == known.retry


def test_an_unknown_code_is_an_exchange_error_that_is_not_retried():
    error = refused("98765", "new")
    assert type(error) is ExchangeError
    assert retry_of(error) == "no"
    assert type(refused("98765", "new", status=503)) is ExchangeUnavailable
    assert type(refused("98765", "new", status=429)) is RateLimited
    assert type(refused("98765", "new", status=403)) is ExchangeError


def test_a_code_sent_as_a_number_is_understood():
    assert type(refused(40009)) is AuthenticationError


def test_the_exchange_may_call_its_words_message():
    with pytest.raises(ExchangeError, match="other words") as caught:
        unwrap(LIST, 400, b'{"code":"40009","message":"other words"}')
    assert caught.value.said == "other words"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("40012", ["key", "unknown", "passphrase", "wrong", "check both"]),
        ("40085", ["unified", "v3"]),
        ("40084", ["classic", "v2"]),
        ("25245", ["classic", "v2"]),
        ("40099", ["demo", "live"]),
        ("40018", ["address list"]),
        ("40008", ["clock", "30 s"]),
        ("40037", ["unknown"]),
        ("40036", ["passphrase"]),
        ("40009", ["SecretKey"]),
    ],
)
def test_hints_say_what_to_do_next(code, words):
    error = refused(code)
    for word in words:
        assert word.lower() in error.hint.lower()
    assert error.hint in str(error)


@pytest.mark.parametrize(
    ("endpoint", "box"),
    [
        ("spot.account_assets", "spot trade"),
        ("futures.account_accounts", "futures"),
        ("uta.account_assets", "unified account management"),
    ],
)
def test_a_missing_permission_names_the_box_to_tick(endpoint, box):
    assert box in refused("40014", endpoint=TABLE[endpoint]).hint
    assert "tick" in refused("40014", endpoint=TABLE[endpoint]).hint


def test_a_bare_403_means_that_the_edge_refused_the_address():
    with pytest.raises(AddressRejected) as caught:
        unwrap(LIST, 403, b"<html>Forbidden</html>")
    assert "address" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, RateLimited), (500, ExchangeUnavailable), (502, ExchangeUnavailable), (504, ExchangeUnavailable)],
)
def test_a_status_without_json_is_reported_by_its_number(status, kind):
    with pytest.raises(kind) as caught:
        unwrap(LIST, status, b"<html>no</html>")
    assert caught.value.code == str(status)
    assert retry_of(caught.value) in ("yes", "cooldown")


@pytest.mark.parametrize(
    "garbage",
    [b"", b"   ", b"<!DOCTYPE html><html></html>", b"<html>", b"hello", b"{", b'{"code":"00000","data":[1,2', b"null",
     b"[]", b"7", b'"x"', b"{}", b'{"data":[]}', b'{"code":null,"data":[]}', b'{"code":true,"data":[]}',
     b'{"code":["00000"],"data":[]}', b'{"code":1.5,"data":[]}', b'{"code":"00000"}', b"\xff\xfe", b"\x00",
     b'{"code":"00000","data":NaN}', b'{"code":"00000","data":[Infinity]}', b"[" * 100_000,
     b'{"code":"00000","data":' + b"9" * 5000 + b"}", b'{"code":"00000","data":"hello"}', b'{"code":"00000","data":7}',
     b'{"code":"00000","data":true}'],
    ids=lambda garbage: repr(garbage[:30]),
)  # fmt: skip
def test_garbage_is_a_bad_response(garbage):
    with pytest.raises(BadResponse, match=r"^spot\.tickers: "):
        unwrap(LIST, 200, garbage)


def test_an_html_page_is_called_one():
    with pytest.raises(BadResponse, match="HTML page"):
        unwrap(LIST, 200, b"\n <!doctype html><title>login</title>")


@pytest.mark.parametrize("data", [[{}], [None], ["1"], [{}, None]])
def test_candles_that_are_no_lists_are_a_bad_response(data):
    with pytest.raises(BadResponse, match="where a list is documented"):
        unwrap(CANDLES, 200, body(data))


def test_one_candle_that_is_no_list_does_not_cost_the_others():
    assert unwrap(CANDLES, 200, body([["1"], {}])) == [["1"], {}]


def test_a_success_with_an_error_status_is_not_believed():
    with pytest.raises(BadResponse, match="HTTP 500 with a body that says success"):
        unwrap(LIST, 500, body([]))


def test_a_body_beyond_the_cap_is_not_even_read(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_BODY_BYTES", 10)
    with pytest.raises(BadResponse, match="larger than"):
        unwrap(LIST, 200, body([]))


def test_a_byte_order_mark_does_no_harm():
    assert unwrap(LIST, 200, b"\xef\xbb\xbf" + body([1])) == [1]


def test_the_exchange_s_words_are_shortened_and_cannot_move_the_cursor():
    error = refused("40009", "\x1b[31mred\r\nline\u202e" + "x" * 5000)
    assert len(error.said) <= 201
    assert error.said.isprintable()
    assert "red" in error.said
    assert refused("4" * 500).code.startswith("444")
    assert len(str(refused("4" * 500))) < 600


@given(st.binary(max_size=200), st.sampled_from([200, 204, 400, 403, 404, 429, 500, 503]))
def test_no_body_crashes(raw, status):
    for endpoint in (LIST, CANDLES, OBJECT, NESTED):
        with contextlib.suppress(BgresearchError):
            rows_of(endpoint, unwrap(endpoint, status, raw))


NAMES = st.sampled_from(["fillList", "list", "ts", "code", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["00000", "40009", "1", 0, None, [], {}]))
def test_no_json_crashes(data, code):
    for endpoint in (LIST, CANDLES, OBJECT, NESTED):
        try:
            rows = rows_of(endpoint, unwrap(endpoint, 200, body(data, code)))
        except BgresearchError:
            continue
        assert isinstance(rows, list)


def test_rows_are_found_where_the_table_says():
    assert rows_of(NESTED, {"fillList": [{"tradeId": "1"}], "endId": "1"}) == [{"tradeId": "1"}]
    assert rows_of(NESTED, {"fillList": None, "endId": "1"}) == []
    assert rows_of(NESTED, {"fillList": "", "endId": "1"}) == []
    assert rows_of(NESTED, {"endId": None}) == []
    assert rows_of(OBJECT, {"serverTime": "1"}) == [{"serverTime": "1"}]


def test_rows_are_found_where_they_should_not_be():
    row = {"tradeId": "1", "price": "2"}
    assert rows_of(NESTED, [row]) == [row]
    assert rows_of(NESTED, {"resultList": [row], "endId": "1"}) == [row]
    assert rows_of(NESTED, {"other": [{"x": 1}], "resultList": [row]}) == [row]
    assert rows_of(NESTED, row) == [row]
    assert rows_of(LIST, {"list": [{"symbol": "BTCUSDT"}], "cursor": "1"}) == [{"symbol": "BTCUSDT"}]
    assert rows_of(LIST, {"symbol": "BTCUSDT"}) == [{"symbol": "BTCUSDT"}]
    assert rows_of(OBJECT, [{"serverTime": "1"}]) == [{"serverTime": "1"}]


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput("interval", "'2m' is unknown.", hint="Use 1m."),
        BadResponse("spot.tickers", "no sense.", hint="Ask again."),
        RateLimited("spot.tickers", "429", "slow down", http_status=429, hint="Wait."),
        IncompleteData("2 bars are missing.", missing=[(1, 2)]),
    ],
)
def test_errors_survive_another_process(error):
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))
