"""Whatever the environment and the other side say, the headers of a key reach the host it is bound to, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from bgresearch.catalogue import load
from bgresearch.errors import BadResponse, ConfigurationError
from bgresearch.http.sender import Wire
from tests.conftest import PATIENCE_S
from tests.http.test_hosts import SecurePeer
from tests.security.conftest import Street, clock_answer, credential

ROOT = Path(__file__).parents[2]
PRIVATE = load()["spot.account_assets"]
REDIRECTS = (301, 302, 303, 307, 308)
PLACES = {
    "another port": "http://127.0.0.1:{elsewhere}/api/v2/x",
    "another name": "http://localhost:{elsewhere}/api/v2/x",
    "another scheme": "https://127.0.0.1:{elsewhere}/api/v2/x",
    "no scheme": "//127.0.0.1:{elsewhere}/api/v2/x",
    "a name before an at sign": "http://127.0.0.1:{bound}@127.0.0.1:{elsewhere}/",
    "the same host": "http://127.0.0.1:{bound}/api/v2/x",
    "a path": "/api/v2/x",
}
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "plain": {},
    "http_proxy": {"http_proxy": "{proxy}"},
    "HTTP_PROXY": {"HTTP_PROXY": "{proxy}"},
    "https_proxy": {"https_proxy": "{proxy}", "HTTPS_PROXY": "{proxy}"},
    "all_proxy": {"all_proxy": "{proxy}", "ALL_PROXY": "{proxy}"},
    "proxy for all but elsewhere": {"http_proxy": "{proxy}", "no_proxy": "example.com", "NO_PROXY": "example.com"},
    "proxy with a password": {"http_proxy": "{proxy_with_password}"},
    "NETRC": {"NETRC": "{netrc}"},
    "netrc at home": {"HOME": "{home}"},
    "REQUESTS_CA_BUNDLE": {"REQUESTS_CA_BUNDLE": "{netrc}"},
    "CURL_CA_BUNDLE": {"CURL_CA_BUNDLE": "{netrc}"},
    "SSL_CERT_FILE": {"SSL_CERT_FILE": "{netrc}", "SSL_CERT_DIR": "{home}"},
    "SSLKEYLOGFILE": {"SSLKEYLOGFILE": "{home}/keys"},
    "PYTHONHTTPSVERIFY": {"PYTHONHTTPSVERIFY": "0", "CURL_INSECURE": "1"},
    "everything": {
        **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"), "{proxy}"),
        **dict.fromkeys(("NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), "{netrc}"),
        "HOME": "{home}",
    },
}
MATRIX = [(name, status) for name in ENVIRONMENTS for status in REDIRECTS]


@pytest.fixture
def environment(street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    netrc = tmp_path / ".netrc"
    netrc.touch(mode=0o600)
    netrc.write_text("default login somebody password something\n", encoding="utf-8")
    proxy = street.proxy.url
    words = {
        "proxy": proxy, "proxy_with_password": proxy.replace("//", "//user:word@"), "netrc": str(netrc),
        "home": str(tmp_path),
    }  # fmt: skip

    def set_up(name: str) -> None:
        for variable, value in ENVIRONMENTS[name].items():
            monkeypatch.setenv(variable, value.format(**words))

    return set_up


def port(url: str) -> str:
    return url.rpartition(":")[2]


def send_redirected(street: Street, wire: Wire, status: int, place: str) -> None:
    location = place.format(elsewhere=port(street.elsewhere.url), bound=port(street.bound.url))
    street.bound.answer = lambda target, headers: (
        clock_answer(target, headers) if target.endswith("/time") else (status, {"Location": location}, b"")
    )
    with pytest.raises(BadResponse, match="not followed"):
        wire.send(PRIVATE, {})
    assert [sorted(name for name in headers if name.startswith("access")) for _, headers in street.bound.seen] == [
        [],
        ["access-key", "access-passphrase", "access-sign", "access-timestamp"],
    ]
    assert not [headers for _, headers in street.bound.seen if "authorization" in headers or "cookie" in headers]
    assert street.elsewhere.seen == street.proxy.seen == []


def test_the_matrix_has_the_cases_that_are_promised() -> None:
    assert len(MATRIX) + len(REDIRECTS) * len(PLACES) >= 60


@pytest.mark.parametrize(("name", "status"), MATRIX)
def test_no_environment_and_no_redirect_moves_a_key(
    name: str, status: int, street: Street, environment: Callable[[str], None], wires: Callable[..., Wire]
) -> None:
    environment(name)
    wire = wires(street.bound.url, signer=credential(street.bound.url))
    send_redirected(street, wire, status, PLACES["another port"])


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("place", PLACES)
def test_no_spelling_of_a_redirect_moves_a_key(
    status: int, place: str, street: Street, wires: Callable[..., Wire]
) -> None:
    wire = wires(street.bound.url, signer=credential(street.bound.url))
    send_redirected(street, wire, status, PLACES[place])


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "everything"])
def test_a_client_that_listens_would_have_gone_to_the_proxy(
    name: str, street: Street, environment: Callable[[str], None]
) -> None:
    environment(name)
    requests.get(street.bound.url, headers={"ACCESS-PASSPHRASE": "x"}, timeout=PATIENCE_S)
    assert [headers["access-passphrase"] for _, headers in street.proxy.seen] == ["x"]


def test_a_client_that_follows_would_have_sent_the_headers_on(street: Street) -> None:
    street.bound.answer = lambda *_: (302, {"Location": f"{street.elsewhere.url}/"}, b"")
    requests.get(street.bound.url, headers={"ACCESS-PASSPHRASE": "x"}, timeout=PATIENCE_S)
    assert [headers["access-passphrase"] for _, headers in street.elsewhere.seen] == ["x"]


def test_the_host_of_a_wire_cannot_be_set(street: Street, wires: Callable[..., Wire]) -> None:
    wire = wires(street.bound.url, signer=credential(street.bound.url))
    with pytest.raises(AttributeError):
        wire.host = street.elsewhere.url


def test_the_binding_is_looked_at_again_before_every_request(street: Street, wires: Callable[..., Wire]) -> None:
    wire = wires(street.bound.url, signer=credential(street.bound.url))
    wire.send(PRIVATE, {})
    wire._host = street.elsewhere.url
    with pytest.raises(ConfigurationError, match="never sent to"):
        wire.send(PRIVATE, {})
    assert street.elsewhere.seen == []


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[SecurePeer]:
    peer = SecurePeer(tmp_path)
    yield peer
    peer.close()


def test_a_configuration_of_openssl_does_not_vouch_for_a_stranger(untrusted: SecurePeer, tmp_path: Path) -> None:
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = all\n[all]\n"
        f"VerifyCAFile = {untrusted.bundle}\nVerifyMode = None\n",
        encoding="utf-8",
    )
    code = (
        "import sys; from bgresearch.catalogue import load; from bgresearch.core.clock import ManualClock as Clock\n"
        "from bgresearch.http.ratelimit.limiter import LocalLimiter\n"
        "from bgresearch.http.sender import Wire; clock = Clock(1)\n"
        "Wire(sys.argv[1], limiter=LocalLimiter(clock), clock=clock).send(load()['spot.candles'], {})"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, this text
        [sys.executable, "-c", code, untrusted.url],
        env={**os.environ, "OPENSSL_CONF": str(configuration), "SSL_CERT_FILE": str(untrusted.bundle)},
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert "is not trusted" in done.stderr
    assert untrusted.seen == []
