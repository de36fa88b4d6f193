from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault import Credential, HostNotAllowed, InvalidField, ReadOnlyRefusal, Surroundings, Vault, normalise_host
from vault.credential import hmac_signature, prehash
from vault.entries import Slot, Triple
from vault.hidden import Hidden

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vault_signing.json").read_text("utf-8"))
NAMES = {"ACCESS-KEY", "ACCESS-SIGN", "ACCESS-TIMESTAMP", "ACCESS-PASSPHRASE", "Content-Type"}
TARGET = "/api/v2/spot/account/info"

AWKWARD_TARGETS = [
    TARGET,
    "/api/v2/spot/market/candles?symbol=$ALT USDT&granularity=1min",
    "/api/v2/spot/market/candles?symbol=币安人生USDT",
    "/api/v2/spot/market/candles?a=&b=+&c=%2B&d=#x&e=/../..&f=\u200b",
    "/api/v2/spot/market/candles?a=https://elsewhere.example/",
    "/api/v2/spot/market/candles?",
    "/api/v2/mix/position/history-position?endTime=2&limit=1&startTime=1",
    "/api/v2/x?emoji=\U0001f680&a\u0301=\u00e1",
]
REFUSED_TARGETS = [
    "",
    "/",
    "/api",
    "/api/",
    "/api//v2",
    "/api/v2/",
    "api/v2/spot",
    "/apix/v2",
    "/API/v2/spot",
    "/v2/api/x",
    "/api/v2/../../x",
    "/api/../x",
    "/api/..",
    "/api/v2/.../x",
    "/api/v2/./x",
    "/api/v2/a..b",
    "/api/v2/%2e%2e/x",
    "/api/v2/a%2Fb",
    "/api/v2/x#fragment",
    "/api/v2/x y",
    "/api/v2/x\\y",
    "/api/v2/x;y",
    "/api/v2/x@elsewhere.example",
    "/api/v2/é",
    "/api/v2/\uff0e\uff0e/x",
    "https://api.bitget.com/api/v2/x",
    "//elsewhere.example/api/v2/x",
    "http://elsewhere.example/api/v2",
    " /api/v2/x",
    "/api/v2/x ",
    "/api/v2/x\n",
    "/api/v2/x\r\nHost: elsewhere.example",
    "/api/v2/x?a=1\n",
    "/api/v2/x?a=1\r\nX: y",
    "/api/v2/x?a=\x00",
    "/api/v2/x?a=\x7f",
    "/api/v2/x?a=\x85",
    "/api/v2/x?a=\u2028",
    "/api/v2/x?a=\u2029",
    "/api/v2/x?a=\ud800",
    "/api/v2/x?a=" + "1" * 8192,
    None,
    b"/api/v2/x",
    7,
]
ALLOWED_HOSTS = {
    "https://api.bitget.com": "https://api.bitget.com",
    "https://api.bitget.com/": "https://api.bitget.com",
    "HTTPS://API.Bitget.Com:443": "https://api.bitget.com",
    "http://localhost": "http://localhost",
    "http://LOCALHOST:80/": "http://localhost",
    "https://localhost:9000": "https://localhost:9000",
    "http://127.0.0.1:9000/": "http://127.0.0.1:9000",
    "http://127.255.255.254": "http://127.255.255.254",
    "https://127.0.0.1:80": "https://127.0.0.1:80",
    "http://[::1]:65535": "http://[::1]:65535",
    "http://[0:0:0:0:0:0:0:1]": "http://[::1]",
}
REFUSED_HOSTS = [
    "",
    "api.bitget.com",
    "http://api.bitget.com",
    "https://api.bitget.com:8443",
    "https://api.bitget.com:0443",
    "https://api.bitget.com.",
    "https://api.bitget.com//",
    "https://api.bitget.com/api",
    "https://api.bitget.com?x",
    "https://api.bitget.com#x",
    "https://api.bitget.com\n",
    "https://api.bitget.com ",
    "https://api.bitget.com@elsewhere.example",
    "https://user:password@api.bitget.com",
    "https://api.bitget.com.elsewhere.example",
    "https://elsewhere.example",
    "https://xapi.bitget.com",
    "https://www.bitget.com",
    "https://api.bit\u212aet.com",
    "https://ap\u0456.bitget.com",
    "ftp://localhost",
    "ws://localhost",
    "file:///etc/passwd",
    "//localhost",
    "http://",
    "http://localhost.",
    "http://localhost.elsewhere.example",
    "http://localhost:0",
    "http://localhost:65536",
    "http://localhost:99999",
    "http://localhost:x",
    "http://localhost:",
    "http://localhost:\uff11",
    "http://127.0.0.1.elsewhere.example",
    "http://127.1",
    "http://0177.0.0.1",
    "http://127.0.0.01",
    "http://2130706433",
    "http://0x7f000001",
    "http://0.0.0.0",
    "http://10.0.0.1",
    "http://169.254.169.254",
    "http://128.0.0.1",
    "http://[::]",
    "http://[::2]",
    "http://[::ffff:127.0.0.1]",
    "http://[::ffff:7f00:1]",
    "http://[::1%25lo]",
    "http://::1",
    "http://[127.0.0.1]",
    "http://[::1",
    None,
    7,
    b"http://localhost",
]


@pytest.fixture
def credential(vault: Vault) -> Credential:
    return vault.get("research")


def made_up(secret: str, now_ms: int = 1) -> Credential:
    triple = Triple(Hidden("key"), Hidden(secret), Hidden("pass phrase"))
    slot = Slot("00", "made up", "hmac", "https://api.bitget.com", False, "", "", "", triple, Hidden({}))
    return Credential(slot, lambda: now_ms)


def expected_sign(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["what"])
def test_what_is_signed_is_the_documented_text(case: dict[str, Any]) -> None:
    text = prehash(case["timestamp_ms"], case["method"], case["target"], case["body"])
    assert text == case["prehash"]
    assert hmac_signature(VECTORS["secret"], text) == case["signature"]


@pytest.mark.parametrize("case", [case for case in VECTORS["cases"] if case["method"] == "GET"])
def test_headers_carry_the_signature_of_the_vectors(case: dict[str, Any]) -> None:
    headers = made_up(VECTORS["secret"]).headers("GET", case["target"], timestamp_ms=case["timestamp_ms"])
    assert dict(headers) == {
        "ACCESS-KEY": "key",
        "ACCESS-SIGN": case["signature"],
        "ACCESS-TIMESTAMP": str(case["timestamp_ms"]),
        "ACCESS-PASSPHRASE": "pass phrase",
        "Content-Type": "application/json",
    }


@pytest.mark.parametrize("target", AWKWARD_TARGETS)
def test_awkward_targets_are_signed_character_for_character(
    credential: Credential, target: str, triple: dict[str, str]
) -> None:
    headers = credential.headers("GET", target, timestamp_ms=1_700_000_000_123)
    assert headers.keys() == NAMES
    assert headers["ACCESS-SIGN"] == expected_sign(triple["secret_key"], f"1700000000123GET{target}")


@given(
    st.dictionaries(st.text("abc", min_size=1), st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")))),
    st.integers(1, 10**14 - 1),
)
def test_any_query_is_signed_as_it_stands(query: dict[str, str], timestamp_ms: int) -> None:
    target = "/api/v2/spot/x?" + "&".join(f"{name}={value}" for name, value in query.items())
    headers = made_up("secret").headers("GET", target, timestamp_ms=timestamp_ms)
    assert headers["ACCESS-SIGN"] == expected_sign("secret", f"{timestamp_ms}GET{target}")


@given(st.text(), st.text())
def test_whatever_is_asked_either_is_signed_as_a_plain_get_or_refused(path: str, query: str) -> None:
    target = f"/api/{path}?{query}"
    try:
        headers = made_up("secret").headers("GET", target)
    except ReadOnlyRefusal:
        return
    assert ".." not in path
    assert all(
        character.isascii() and (character.isalnum() or character in "._~-/?") for character in path.partition("?")[0]
    )
    assert headers["ACCESS-SIGN"] == expected_sign("secret", f"1GET{target}")


@pytest.mark.parametrize("target", REFUSED_TARGETS)
def test_targets_that_are_no_plain_api_path_are_refused(credential: Credential, target: Any) -> None:
    with pytest.raises(ReadOnlyRefusal):
        credential.headers("GET", target)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "get", "Get", "GET ", "", "GET\n", None, 1]
)
def test_only_get_is_signed(credential: Credential, method: Any) -> None:
    with pytest.raises(ReadOnlyRefusal, match="only reads"):
        credential.headers(method, TARGET)


@pytest.mark.parametrize("body", ["{}", " ", '{"symbol":"BTCUSDT"}', None, b"", 0])
def test_a_body_is_refused_and_not_repeated(credential: Credential, body: Any) -> None:
    with pytest.raises(ReadOnlyRefusal, match="no body") as refusal:
        credential.headers("GET", TARGET, body)
    assert "BTCUSDT" not in str(refusal.value)


@pytest.mark.parametrize("timestamp_ms", [0, -1, 10**14, True, 1.5, "1700000000123", float("nan")])
def test_an_implausible_timestamp_is_refused(credential: Credential, timestamp_ms: Any) -> None:
    with pytest.raises(InvalidField, match="milliseconds"):
        credential.headers("GET", TARGET, timestamp_ms=timestamp_ms)


def test_without_a_timestamp_the_injected_clock_is_asked(path: Path, password: str) -> None:
    vault = Vault.open(path, password, surroundings=Surroundings(now_ms=lambda: 1_700_000_000_999))
    assert vault.get("demo").headers("GET", TARGET)["ACCESS-TIMESTAMP"] == "1700000000999"


def test_the_real_clock_gives_milliseconds(credential: Credential) -> None:
    assert len(credential.headers("GET", TARGET)["ACCESS-TIMESTAMP"]) == 13


def test_a_credential_says_what_it_is_for_and_cannot_be_pointed_elsewhere(vault: Vault) -> None:
    credential = vault.get("demo")
    public = (credential.name, credential.host, credential.demo)
    assert public == ("demo", "http://127.0.0.1:9000", True)
    assert credential.fingerprint == vault.describe()[0].fingerprint
    for attribute in ("host", "name", "demo", "fingerprint", "_Credential__slot", "anything"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(credential, attribute, "http://elsewhere.example")
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(credential, attribute)
    assert credential.host == "http://127.0.0.1:9000"


@pytest.mark.parametrize(("text", "normal"), ALLOWED_HOSTS.items())
def test_the_exchange_and_this_machine_are_allowed_and_spelt_in_one_way(text: str, normal: str) -> None:
    assert normalise_host(text) == normal
    assert normalise_host(normal) == normal


@pytest.mark.parametrize("text", REFUSED_HOSTS)
def test_every_other_host_is_refused(text: Any) -> None:
    with pytest.raises(HostNotAllowed, match=r"https://api\.bitget\.com") as refusal:
        normalise_host(text)
    assert refusal.value.field == "host"


@given(st.text())
def test_no_text_becomes_a_host_elsewhere(text: str) -> None:
    for attempt in (text, f"https://{text}", f"http://localhost{text}", f"https://api.bitget.com{text}"):
        try:
            host = normalise_host(attempt)
        except HostNotAllowed:
            continue
        assert host == "https://api.bitget.com" or host.split("://")[1].startswith(("localhost", "127.", "[::1]"))
