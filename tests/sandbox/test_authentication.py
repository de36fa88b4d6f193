"""Each refusal of the gate, by both carriers."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
from urllib.parse import quote

import pytest

from bgresearch.catalogue import load
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.authentication import permits

INFO = "/api/v2/spot/account/info"
TIME = "/api/v2/public/time"
SETTINGS = "/api/v3/account/settings"
POSITIONS = "/api/v2/mix/position/all-position"
FUTURES = {"productType": "USDT-FUTURES"}
READONLY = SANDBOX_KEYS["readonly"]


def test_public_row_needs_no_headers(unlimited):
    answer = unlimited.get(TIME)
    assert answer.status_code == 200
    assert answer.json() == {
        "code": "00000",
        "msg": "success",
        "requestTime": unlimited.exchange.clock.now_ms(),
        "data": {"serverTime": str(unlimited.exchange.clock.now_ms())},
    }


def test_right_signature_opens_a_private_row(unlimited):
    assert unlimited.code(INFO, key="readonly") == "00000"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            {"ACCESS-KEY": None, "ACCESS-SIGN": None, "ACCESS-TIMESTAMP": None, "ACCESS-PASSPHRASE": None},
            "40006",
        ),
        ({"ACCESS-KEY": None}, "40001"),
        ({"ACCESS-SIGN": None}, "40002"),
        ({"ACCESS-SIGN": ""}, "40003"),
        ({"ACCESS-TIMESTAMP": None}, "40005"),
        ({"ACCESS-TIMESTAMP": "1780000000"}, "40005"),
        ({"ACCESS-TIMESTAMP": "noon"}, "40005"),
        ({"ACCESS-PASSPHRASE": None}, "40011"),
        ({"Content-Type": "text/plain"}, "40007"),
        ({"Content-Type": "application/json; charset=utf-8"}, "00000"),
        ({"Content-Type": None}, "00000"),
        ({"ACCESS-KEY": "not-a-key"}, "40006"),
        ({"ACCESS-KEY": "bg_" + "0" * 32}, "40037"),
        ({"ACCESS-PASSPHRASE": "wrong"}, "40012"),
        ({"paptrading": "1"}, "40099"),
        ({"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}, "00000"),
    ],
)
def test_each_header_is_checked(unlimited, change, code):
    answer = unlimited.get(INFO, key="readonly", change=change)
    assert answer.json()["code"] == code
    assert answer.status_code == (200 if code == "00000" else 400)


@pytest.mark.parametrize(
    ("off_ms", "code"), [(0, "00000"), (30_000, "00000"), (-30_000, "00000"), (30_001, "40008"), (-30_001, "40008")]
)
def test_timestamp_may_be_thirty_seconds_off_and_no_more(unlimited, off_ms, code):
    stamp = unlimited.exchange.clock.now_ms() + off_ms
    assert unlimited.code(INFO, key="readonly", timestamp=stamp) == code


def test_wrong_secret_fails_the_signature(unlimited):
    assert unlimited.code(INFO, key=dataclasses.replace(READONLY, secret_key="0" * 64)) == "40009"


@pytest.mark.quick_cases(1)
def test_signature_covers_method_path_query_and_timestamp(unlimited):
    stamp = str(unlimited.exchange.clock.now_ms())
    right = unlimited.get("/api/v2/spot/account/assets", {"coin": "BTC"}, key="readonly").request.headers["ACCESS-SIGN"]
    for path, params in [
        ("/api/v2/spot/account/assets", {"coin": "ETH"}),
        ("/api/v2/spot/account/assets", {}),
        ("/api/v2/spot/account/bills", {"coin": "BTC"}),
    ]:
        assert unlimited.code(path, params, key="readonly", change={"ACCESS-SIGN": right}) == "40009"
    shifted = {"ACCESS-TIMESTAMP": str(int(stamp) + 1), "ACCESS-SIGN": right}
    assert unlimited.code("/api/v2/spot/account/assets", {"coin": "BTC"}, key="readonly", change=shifted) == "40009"


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("coin", ["$ALT", "a b", "a+b", "a&b=c", "50%", "币", "é", "a/b?c", "100%25"])
def test_query_is_signed_before_percent_encoding(unlimited, coin):
    path = "/api/v2/spot/account/assets"
    assert unlimited.code(path, {"coin": coin}, key="readonly") != "40009"
    encoded = quote(coin, safe="")
    stamp = str(unlimited.exchange.clock.now_ms())
    text = f"{stamp}GET{path}?coin={encoded}"
    wrong = base64.b64encode(hmac.new(READONLY.secret_key.encode(), text.encode(), hashlib.sha256).digest()).decode()
    assert unlimited.code(path, {"coin": coin}, key="readonly", change={"ACCESS-SIGN": wrong}) == "40009"


def test_query_is_signed_in_the_order_sent(unlimited):
    path = "/api/v2/spot/account/assets"
    assert unlimited.code(path, {"coin": "BTC", "assetType": "all"}, key="readonly") == "00000"
    swapped = unlimited.get(path, {"assetType": "all", "coin": "BTC"}, key="readonly").request.headers["ACCESS-SIGN"]
    changed = {"ACCESS-SIGN": swapped}
    assert unlimited.code(path, {"coin": "BTC", "assetType": "all"}, key="readonly", change=changed) == "40009"


def test_key_with_an_address_list_is_refused_from_elsewhere(unlimited):
    answer = unlimited.get(INFO, key="other_address")
    assert answer.json()["code"] == "40018"


def test_address_cannot_be_spoofed_by_a_header(unlimited):
    spoof = dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "Client-IP", "True-Client-IP"), "203.0.113.7")
    assert unlimited.code(INFO, key="other_address", change=spoof) == "40018"


def test_key_without_an_address_list_works_from_anywhere(unlimited):
    assert unlimited.code(INFO, key="no_address_list") == "00000"


def test_unified_account_is_refused_by_private_v2_rows(unlimited):
    assert unlimited.code(INFO, key="unified") == "40085"
    assert unlimited.code(SETTINGS, key="unified") == "00000"


def test_classic_account_is_refused_by_private_v3_rows(unlimited):
    assert unlimited.code(SETTINGS, key="readonly") == "40084"


def test_demo_key_needs_the_demo_header(unlimited):
    assert unlimited.code(INFO, key="demo") == "00000"
    assert unlimited.code(INFO, key="demo", change={"paptrading": None}) == "40099"


def test_missing_permission_is_named(unlimited):
    answer = unlimited.get(POSITIONS, FUTURES, key="spot_only").json()
    assert answer["code"] == "40014"
    assert "cpor" in answer["msg"]
    assert answer["data"] is None


def test_row_that_asks_for_read_and_write_refuses_a_reading_key(unlimited):
    path = "/api/v3/position/adlRank"
    assert unlimited.code(path, {"category": "USDT-FUTURES"}, key="unified") == "40014"
    assert unlimited.code(path, {"category": "USDT-FUTURES"}, key="unified_trader") == "00000"


def test_refusals_come_in_the_documented_order(unlimited):
    """A key with every defect hears of the first one; each repair reveals the next."""
    path = "/api/v2/mix/account/bill"
    stamp = unlimited.exchange.clock.now_ms()
    broken = dataclasses.replace(SANDBOX_KEYS["other_address"], secret_key="0" * 64, passphrase="wrong")
    assert unlimited.code(path, key=broken, timestamp=stamp + 60_000) == "40008"
    assert unlimited.code(path, key=broken) == "40009"
    broken = dataclasses.replace(SANDBOX_KEYS["other_address"], passphrase="wrong")
    assert unlimited.code(path, key=broken) == "40012"
    assert unlimited.code(path, key="other_address", change={"paptrading": "1"}) == "40099"
    assert unlimited.code(path, key="other_address") == "40018"
    assert unlimited.code(path, key="spot_only") == "40014"
    assert unlimited.code(path, key="readonly") == "40019"
    assert unlimited.code(path, FUTURES, key="readonly") == "00000"


def test_unlisted_path_is_not_found(unlimited):
    answer = unlimited.get("/api/v2/spot/trade/place-order")
    assert (answer.status_code, answer.json()["code"]) == (404, "40404")
    assert unlimited.get("/api/v2/public/time/").status_code == 404
    assert unlimited.get("/").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_get_is_answered(unlimited, method):
    answer = unlimited.get(INFO, key="trader", method=method)
    assert (answer.status_code, answer.json()["code"]) == (405, "40805")


@pytest.mark.parametrize(
    ("name", "permission", "allowed"),
    [
        ("readonly", "stor", True),
        ("trader", "coor", True),  # coow covers coor
        ("trader", "stor", True),
        ("trader", "chor", False),
        ("withdrawer", "wtor", True),
        ("spot_only", "stor", True),
        ("spot_only", "coor", False),
        ("spot_only", "any", True),
        ("unified", "uta_mgt:read", True),
        ("unified", "uta_trade:read_write", False),
        ("unified_trader", "uta_trade:read_write", True),
        ("readonly", "uta_mgt:read", False),
        ("unified", "stor", False),
    ],
)
def test_authorities_cover_what_they_say(name, permission, allowed):
    assert permits(SANDBOX_KEYS[name], permission) is allowed


@pytest.mark.parametrize("legacy", ["readonly", "trade"])
def test_legacy_authorities_cover_all_reading(legacy):
    key = dataclasses.replace(READONLY, authorities=(legacy,))
    rows = [row for row in load() if row.private and row.version == "v2"]
    assert len(rows) > 100
    assert all(permits(key, row.permission) for row in rows)


def test_key_information_names_authorities_and_addresses(unlimited):
    classic = unlimited.get(INFO, key="trader").json()["data"]
    assert classic["authorities"] == ["coow", "cpor", "stow", "smor", "wtor", "taxr"]
    assert classic["ips"] == "127.0.0.1"
    assert unlimited.get(INFO, key="no_address_list").json()["data"]["ips"] == ""
    unified = unlimited.get("/api/v3/account/info", key="unified_trader").json()["data"]
    assert (unified["permType"], unified["permissions"]) == ("read-and-write", ["uta_mgt", "uta_trade"])
    assert unlimited.get(SETTINGS, key="unified").json()["data"]["accountMode"] == "unified"


def test_keys_of_one_account_are_one_user(unlimited):
    users = {unlimited.get(INFO, key=name).json()["data"]["userId"] for name in ("readonly", "trader", "spot_only")}
    assert len(users) == 1
    assert unlimited.get(INFO, key="demo").json()["data"]["userId"] not in users
