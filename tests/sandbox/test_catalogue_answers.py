"""No row of the table goes unanswered, and what is made up has the row's shape."""

from __future__ import annotations

import pytest

from bgresearch.catalogue import Endpoint, load
from bgresearch.frames import decode
from bgresearch.sandbox.generic_responder import JSON_NUMBERS
from bgresearch.sandbox.responders import RESPONDERS

NOW = 1_780_000_000_000
DAY = 86_400_000

_SUITABLE = {
    "symbol": "BTCUSDT", "coin": "USDT", "marginCoin": "USDT", "loanCoin": "USDT", "pledgeCoin": "BTC",
    "fromCoin": "BTC", "toCoin": "USDT", "startTime": str(NOW - DAY), "endTime": str(NOW), "requestTime": str(NOW),
    "receiveWindow": "1000", "category": "USDT-FUTURES",
}  # fmt: skip


def suitable(endpoint: Endpoint) -> dict[str, str]:
    """Return the required parameters with values that any sane exchange takes."""
    chosen = {}
    for param in endpoint.params:
        if param.required:
            fits = _SUITABLE.get(param.name)
            listed = fits if fits in param.enum else next(iter(param.enum), None)
            chosen[param.name] = listed or fits or "1"
    return chosen


def key_for(endpoint: Endpoint) -> str | None:
    if not endpoint.private:
        return None
    if endpoint.version == "v2":
        return "readonly"
    return "unified_trader" if endpoint.permission.endswith(":read_write") else "unified"


@pytest.mark.quick_cases(1)
def test_every_row_of_the_table_answers(unlimited):
    rows = list(load())
    assert len(rows) >= 400
    wrong = {}
    for endpoint in rows:
        answer = unlimited.get(endpoint.path, suitable(endpoint), key=key_for(endpoint))
        body = answer.json()
        # an order asked for by a made-up id may be honestly unknown
        expected = ("00000", "43001", "40109") if "orderId" in suitable(endpoint) else ("00000",)
        if body["code"] not in expected or (body["code"] == "00000" and answer.status_code != 200):
            wrong[endpoint.id] = (answer.status_code, body["code"], body["msg"])
    assert wrong == {}


INVENTED = [endpoint for endpoint in load() if endpoint.id not in RESPONDERS and endpoint.columns]


@pytest.mark.parametrize("endpoint", INVENTED, ids=lambda endpoint: endpoint.id)
def test_made_up_answer_has_the_shape_of_its_row(inventing, endpoint):
    data = inventing.get(endpoint.path, suitable(endpoint), key=key_for(endpoint)).json()["data"]
    if endpoint.response != "object":
        assert isinstance(data, list)
    elif endpoint.rows_at:
        assert isinstance(data[endpoint.rows_at], list)
    top = {column.name for column in endpoint.columns if "." not in column.path}
    if top == {"index[0]"}:
        assert data
        assert all(isinstance(row, str) for row in data), "a list of texts"
        return
    for row in data if isinstance(data, list) else [data]:
        assert set(row) == top if isinstance(row, dict) else len(row) == len(top)
    for column in endpoint.columns:
        numbers = column.name in JSON_NUMBERS.get(endpoint.id, ())
        for value in values_at(data, column.path):
            if not numbers:
                assert_kind(column, value)
            elif value not in ("", []):  # no further page; nothing listed
                assert all(type(one) is int for one in (value if isinstance(value, list) else [value])), column.path


def test_every_answer_decodes_to_a_typed_frame(inventing):
    """Frames and sandbox read the same row and nothing of each other; undocumented fields would warn, so fail here."""
    decoded = 0
    for endpoint in load():
        if endpoint.rows_at and all(not column.path.startswith(f"{endpoint.rows_at}.") for column in endpoint.columns):
            continue  # the table does not say what the rows hold
        answer = inventing.get(endpoint.path, suitable(endpoint), key=key_for(endpoint))
        if answer.status_code == 200:
            frame = decode(endpoint, answer.content)
            decoded += 1
            if endpoint in INVENTED:
                assert len(frame), endpoint.id
                assert [name for name in frame if frame[name].isna().all()] == [], endpoint.id
    assert decoded >= 390


def test_words_are_those_of_the_documentation_in_every_answer(inventing):
    """Rows made up and rows of the world alike: where the table lists the values of a field, no other one is sent."""
    wrong, compared = [], 0
    for endpoint in load():
        listed = [column for column in endpoint.columns if column.enum and column.kind in ("enum", "flag")]
        if not listed:
            continue
        answer = inventing.get(endpoint.path, suitable(endpoint), key=key_for(endpoint))
        if answer.status_code == 200:
            for column in listed:
                values = [one for one in values_at(answer.json()["data"], column.path) if one != ""]
                compared += len(values)
                wrong += [(endpoint.id, column.path, one) for one in values if one not in column.enum][:1]
    assert wrong == []
    assert compared > 500


@pytest.mark.parametrize("path", ["/api/v2/spot/wallet/transfer-coin-info", "/api/v3/account/transferable-coins"])
def test_a_list_of_coins_is_a_list_of_texts(inventing, path):
    endpoint = load().at_path(path)
    answer = inventing.get(path, suitable(endpoint), key=key_for(endpoint))
    assert answer.json()["data"]
    assert all(isinstance(coin, str) for coin in answer.json()["data"])
    assert len(decode(endpoint, answer.content)) == len(answer.json()["data"])


def values_at(data, path):
    """Yield every value found on a dotted way through lists and objects."""
    head, _, rest = path.partition(".")
    for item in data if isinstance(data, list) else [data]:
        if isinstance(item, dict) and head in item:
            if rest:
                yield from values_at(item[head], rest)
            else:
                yield item[head]


def assert_kind(column, value):
    where = f"{column.path}: {value!r}"
    match column.kind:
        case "list":
            assert isinstance(value, list), where
        case "object":
            assert isinstance(value, dict), where
        case "bool":
            assert isinstance(value, bool), where
        case "decimal":
            float(value)
        case "ms":
            assert value.isdecimal(), where
            assert len(value) == 13, where
        case "flag":
            assert value in (column.enum or ("yes", "no")), where
        case "enum" if column.enum:
            assert value in column.enum, where
        case _:
            assert isinstance(value, str), where
