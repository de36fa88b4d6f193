"""What crosses the socket: everything that is meant, nothing else."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bgresearch.errors
import vault.errors
from bgresearch.agent.error_codec import described, rebuilt
from bgresearch.agent.protocol import (
    MAX_LINE_BYTES,
    MAX_SEARCH_LINE_BYTES,
    MAX_SEARCHED_BYTES,
    VERSION,
    decode_header,
    decode_request,
    encode_answer,
    encode_error,
    encode_request,
)
from bgresearch.agent.requests import (
    PURPOSES,
    Audit,
    Check,
    Discard,
    Edit,
    Examine,
    Fetch,
    Keep,
    Lock,
    Offer,
    Open,
    Remove,
    Rename,
    Request,
    Search,
    Status,
)
from bgresearch.catalogue import load
from bgresearch.catalogue.response import MAX_BODY_BYTES
from bgresearch.errors import AgentError, ExchangeError, NetworkError, RateLimited
from vault import InvalidField, UnknownKey

TEXT = st.text(max_size=40)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
FETCHES = st.builds(
    Fetch, TEXT, TEXT, st.sampled_from([row.id for row in load()]), st.dictionaries(NAMES, TEXT, max_size=8)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)

OTHERS = st.one_of(
    st.sampled_from([Status(), Lock(), Audit()]),
    st.builds(Offer, st.sampled_from(PURPOSES), TEXT, TEXT, st.booleans()),
    st.dictionaries(TEXT, TEXT, max_size=5).map(Open),
    st.builds(Examine, TEXT, TEXT),
    st.builds(Keep, TEXT, TEXT, TEXT, TEXT, st.booleans()),
    st.builds(Rename, TEXT, TEXT),
    st.builds(Edit, TEXT, st.none() | TEXT, st.none() | TEXT, st.none() | TEXT),
    TEXT.map(Discard) | TEXT.map(Check) | TEXT.map(Remove),
    st.binary(max_size=200).map(Search),
)

FETCH = {"v": VERSION, "op": "fetch", "key": "research", "host": "h", "endpoint": "spot.account_info", "params": {}}

OFFER = {"v": VERSION, "op": "offer", "purpose": "unlock", "label": "", "host": "", "demo": False}
KEEP = {"v": VERSION, "op": "keep", "staged": "", "note": "", "account": "", "rotate_by": "", "accept_trade": False}


def line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


@given(FETCHES | OTHERS)
def test_a_request_comes_back_as_it_was(request: Request) -> None:
    encoded = encode_request(request)
    assert encoded.count(b"\n") == 1
    assert decode_request(encoded) == request


@given(st.dictionaries(TEXT, JSON, max_size=5), st.binary(max_size=200), st.integers(0, 99))
def test_an_answer_comes_back_as_it_was(result: dict[str, Any], body: bytes, sent: int) -> None:
    first, _, rest = encode_answer(result, body, sent=sent).partition(b"\n")
    header = decode_header(first)
    assert (header.result, header.error, header.sent) == (result, None, sent)
    assert (rest, header.body_bytes) == (body, len(body))


@given(JSON)
def test_any_other_json_is_refused(message: Any) -> None:
    for decode in (decode_request, decode_header):
        with pytest.raises(AgentError):
            decode(line(message))


@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    for decode in (decode_request, decode_header):
        with pytest.raises(AgentError):
            decode(data)


@given(st.data())
def test_a_request_with_a_changed_byte_is_refused_or_still_a_plain_request(data: st.DataObject) -> None:
    encoded = bytearray(line(FETCH))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode_request(bytes(encoded))
    except AgentError:
        return
    assert isinstance(found, Fetch | Status | Lock | Audit)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {**FETCH, "v": 1},
        {**FETCH, "v": True},
        {**FETCH, "v": "1"},
        {**FETCH, "op": "sign"},
        {**FETCH, "op": "headers"},
        {**FETCH, "op": ["fetch"]},
        {**FETCH, "method": "POST"},
        {**FETCH, "path": "/api/v2/spot/trade/place-order"},
        {**FETCH, "url": "https://example.com"},
        {**FETCH, "body": "{}"},
        {**FETCH, "headers": {}},
        {name: value for name, value in FETCH.items() if name != "host"},
        {**FETCH, "key": None},
        {**FETCH, "params": [["a", "b"]]},
        {**FETCH, "params": {"a": 1}},
        {**FETCH, "params": {"a": None}},
        {**FETCH, "params": {"a&b": "c"}},
        {**FETCH, "params": {"": "c"}},
        {**FETCH, "params": {f"a{number}": "" for number in range(65)}},
        {"v": VERSION, "op": "status", "secret": True},
        {"v": VERSION, "op": "open", "password": "typed"},
        {"v": VERSION, "op": "open", "box": "typed"},
        {"v": VERSION, "op": "unlock", "box": {}},
        {"v": VERSION, "op": "offer"},
        {**OFFER, "purpose": "typed"},
        {**OFFER, "purpose": None},
        {**OFFER, "label": None},
        {**OFFER, "demo": 0},
        {**OFFER, "demo": None},
        {**OFFER, "fields": ["api_key"]},
        {**KEEP, "accept_trade": 1},
        {**KEEP, "accept_trade": "true"},
        {**KEEP, "accept_withdraw": True},
        {**KEEP, "permissions": {}},
        {**KEEP, "note": None},
        {"v": VERSION, "op": "edit", "key": "a", "note": 1, "account": None, "rotate_by": None},
        {"v": VERSION, "op": "edit", "key": "a", "note": None, "account": None, "rotate_by": None, "host": "typed"},
        {"v": VERSION, "op": "search", "data": "typed!"},
        {"v": VERSION, "op": "search", "data": None},
        {"v": VERSION, "op": "search", "data": [1]},
        {"v": VERSION, "op": "search", "data": "é"},
    ],
    ids=repr,
)
def test_what_is_not_a_request_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(AgentError) as refusal:
        decode_request(line(message))
    assert "typed" not in str(refusal.value)


def test_hostile_json_is_refused() -> None:
    for text in (b"[" * 60_000, b'{"v":1,"v":1,"op":"status"}', b'{"v":1,"op":NaN}', b"1" * 60_000, b"\xff", b""):
        with pytest.raises(AgentError):
            decode_request(text)


def test_lines_and_bodies_have_a_largest_size() -> None:
    with pytest.raises(AgentError, match="longer than 65536 bytes"):
        encode_request(Fetch("k", "h", "spot.account_info", {"a": "x" * MAX_LINE_BYTES}))
    with pytest.raises(AgentError, match="longer than 65536 bytes"):
        decode_request(b" " * (MAX_LINE_BYTES + 1))
    most = Search(b"x" * MAX_SEARCHED_BYTES)
    assert decode_request(encode_request(most)) == most
    with pytest.raises(AgentError, match=f"base64 of at most {MAX_SEARCHED_BYTES} bytes"):
        decode_request(encode_request(Search(b"x" * (MAX_SEARCHED_BYTES + 1))))
    with pytest.raises(AgentError, match=f"longer than {MAX_SEARCH_LINE_BYTES} bytes"):
        encode_request(Search(b"x" * MAX_SEARCH_LINE_BYTES))
    for start in (
        b'{"op":"search","v":2,',
        b'{"v":2,"op":"keep",',
        b'{"v":2, "op":"search",',
        b' {"v":2,"op":"search",',
    ):
        with pytest.raises(AgentError, match="longer than 65536 bytes"):
            decode_request(start + b" " * MAX_LINE_BYTES)
    for length in (-1, MAX_BODY_BYTES + 1, True, 1.0, "1", None):
        with pytest.raises(AgentError, match="an invalid length"):
            decode_header(line({"v": VERSION, "result": {}, "body": length, "sent": 0}))


def crossed(error: Exception) -> Exception:
    found = decode_header(encode_error(error, sent=3)).error
    assert found is not None
    return found


KINDS = [
    kind
    for module in (bgresearch.errors, vault.errors)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, (bgresearch.errors.BgresearchError, vault.errors.VaultError))
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_crosses_as_itself(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    error.args = ("what failed. What to do.",)
    error.__dict__["hint"] = "What to do."
    found = crossed(error)
    assert type(found) is kind
    assert (found.args, vars(found)) == (error.args, vars(error))


def test_attributes_cross() -> None:
    limited = RateLimited("spot.assets", "429", "too many", http_status=429, hint="Wait.")
    limited.until_ms = 1_800_000_000_000
    errors: list[Exception] = [
        limited,
        ExchangeError("a.b", "00123", "said", http_status=400),
        NetworkError("a.b", "no connection", hint="Check."),
        UnknownKey("no such key", name="x", known=("a", "b")),
        InvalidField("wrong", field="name"),
    ]
    for error in errors:
        found = crossed(error)
        assert (str(found), vars(found)) == (str(error), vars(error))


def test_of_an_unexpected_error_only_its_kind_crosses() -> None:
    found = crossed(ValueError("a secret text"))
    assert isinstance(found, AgentError)
    assert str(found) == "the agent had an internal error (ValueError). Please report this."
    forged = type("NetworkError", (Exception,), {})("a secret text")
    assert "secret" not in json.dumps(described(forged))


@given(JSON)
def test_an_error_that_makes_no_sense_is_one_of_the_agents_own(payload: Any) -> None:
    assert isinstance(rebuilt(payload), AgentError)


def test_a_forged_error_sets_no_foreign_attribute() -> None:
    payload = {
        "kind": "AgentError",
        "message": "x",
        "state": {"__class__": "y", "other": 1, "hint": {"a": 1}, "code": "2"},
    }
    assert vars(rebuilt(payload)) == {"code": "2"}
