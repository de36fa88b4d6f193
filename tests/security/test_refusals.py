"""Nothing but a GET of a listed path, and a key for no address but its own: every refusal is counted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bgresearch.catalogue import Endpoint, load
from bgresearch.errors import ConfigurationError
from bgresearch.http.sender import Wire
from tests.security.conftest import Street, credential
from vault import EXCHANGE_HOST, HostNotAllowed, ReadOnlyRefusal, normalise_host

PUBLIC, PRIVATE = load()["spot.candles"], load()["spot.account_assets"]

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "refused.json").read_text("utf-8"))
METHODS: list[Any] = [*VECTORS["methods"], None, b"GET", 7, True, ["GET"], ("GET",), {"GET": 1}]
TARGETS = [PUBLIC.path, f"{PRIVATE.path}?coin=BTC", "/api/v3/account/settings", "/api/v2/spot/trade/place-order"]
BODIES: list[Any] = [*VECTORS["bodies"], b"", b"{}", None, {}, [], 0, False]
PATHS: list[Any] = [
    *(*VECTORS["targets"], "/api/v2/x" * 1000, None, b"/api/v2/x", 7),
    *(f"/api/v2/{fragment}/info" for fragment in VECTORS["fragments"]),
    *(f"/api/v2/spot{fragment}info" for fragment in VECTORS["fragments"]),
    *(f"/api/v2/spot/info{fragment}" for fragment in VECTORS["fragments"]),
]
QUERIES = [f"/api/v2/x?a={text}" for text in VECTORS["query_characters"]]
HOSTS: list[Any] = [*VECTORS["hosts"], "https://" + "a" * 5000, None, 7, b"x", ["https://api.bitget.com"]]
FORGED: list[dict[str, Any]] = [
    *({"path": path} for path in VECTORS["paths"]),
    *({"method": method} for method in METHODS[:10]),
    *({name: "x"} for name in ("id", "permission", "rows_at", "title")),
    {"columns": ()},
]

COUNTED = (len(METHODS) * len(TARGETS)) + len(BODIES) + len(PATHS) + len(QUERIES) + 2 * len(HOSTS) + 2 * len(FORGED)


def refused(call: Callable[[], object], kinds: Any) -> bool:
    try:
        call()
    except kinds:
        return True
    return False


def test_five_hundred_refusals_are_looked_at() -> None:
    assert COUNTED >= 500


def test_nothing_but_a_plain_get_is_signed() -> None:
    key = credential(EXCHANGE_HOST)
    signed = [
        (method, target)
        for method in METHODS
        for target in TARGETS
        if not refused(lambda method=method, target=target: key.headers(method, target), ReadOnlyRefusal)
    ]
    assert signed == []
    assert [
        body for body in BODIES if not refused(lambda b=body: key.headers("GET", TARGETS[0], b), ReadOnlyRefusal)
    ] == []
    assert key.headers("GET", TARGETS[0])["ACCESS-SIGN"], "the plain one is signed"


def test_no_odd_path_or_query_is_signed() -> None:
    key = credential(EXCHANGE_HOST)
    targets = [*PATHS, *QUERIES]
    assert [target for target in targets if not refused(lambda t=target: key.headers("GET", t), ReadOnlyRefusal)] == []


def test_no_odd_host_is_taken_for_a_key() -> None:
    assert [host for host in HOSTS if not refused(lambda host=host: normalise_host(host), HostNotAllowed)] == []


def test_no_odd_address_is_taken_for_the_exchange_with_a_key_in_hand(wires: Callable[..., Wire]) -> None:
    key = credential(EXCHANGE_HOST)
    taken = [host for host in HOSTS if not refused(lambda host=host: wires(host, signer=key), ConfigurationError)]
    assert taken == []
    assert wires("https://api.bitget.com", signer=key).host == EXCHANGE_HOST


def forged(row: Endpoint, change: dict[str, Any], street: Street) -> Endpoint:
    elsewhere = street.elsewhere.url.removeprefix("http://")
    filled = {name: value.format(elsewhere=elsewhere) if name == "path" else value for name, value in change.items()}
    return dataclasses.replace(row, **filled)


@pytest.mark.parametrize("row", [PUBLIC, PRIVATE], ids=["public", "private"])
def test_no_row_that_is_not_in_the_table_is_asked(row: Endpoint, street: Street, wires: Callable[..., Wire]) -> None:
    wire = wires(street.bound.url, signer=credential(street.bound.url))
    rows = [forged(row, change, street) for change in FORGED]
    assert row not in rows
    assert [made for made in rows if not refused(lambda made=made: wire.send(made, {}), ConfigurationError)] == []
    assert street.bound.seen == street.elsewhere.seen == []
    wire.send(dataclasses.replace(row), {})
    assert street.bound.seen[-1][0] == row.path, "an equal row is asked"


@pytest.mark.parametrize("value", VECTORS["values"])
def test_no_value_of_a_parameter_leaves_the_query(value: str, street: Street, wires: Callable[..., Wire]) -> None:
    wire = wires(street.bound.url, signer=credential(street.bound.url))
    wire.send(PRIVATE, {"coin": value, value: "1"})
    path, _, query = street.bound.seen[-1][0].partition("?")
    assert path == PRIVATE.path
    assert len(query.split("&")) == 2
    assert not set(query) & set("?#/\\@; ")
    assert street.elsewhere.seen == []
