"""Where requests may go, and what of the environment may reach them: nothing."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, ConfigurationError, NetworkError
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Wire
from bgresearch.http.transport import harden, new_session, origin
from tests.conftest import PATIENCE_S
from tests.http.conftest import HOST, NOW_MS, Peer, Scripted, TestSigner, good

PUBLIC = load()["spot.candles"]
PRIVATE = load()["spot.account_assets"]


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("https://api.bitget.com", HOST),
        ("HTTPS://API.Bitget.com:443/", HOST),
        (" https://api.bitget.com ", HOST),
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("http://localhost:9000", "http://localhost:9000"),
    ],
)
def test_one_address_has_one_spelling(text, spelling):
    assert origin(text) == spelling


@pytest.mark.parametrize(
    "text",
    ["http://api.bitget.com", "http://10.0.0.1", "http://localhost.evil.com", "ftp://127.0.0.1", "api.bitget.com", "",
     "https://", "https://user@api.bitget.com", "https://user:pw@api.bitget.com", "https://api.bitget.com/api",
     "https://api.bitget.com?x=1", "https://api.bitget.com#x", "https://api.bitget.com:99999", "https://biтget.com",
     "http://127.0.0.1%2eevil.com", None, 7],
)  # fmt: skip
def test_other_addresses_are_refused(text):
    with pytest.raises(ConfigurationError, match=r"base_url .* is refused"):
        origin(text)


@pytest.mark.parametrize("host", [HOST, "http://127.0.0.1:9001", "http://localhost:9000"])
def test_a_key_for_another_host_is_refused_before_anything_leaves(host, peer: Peer):
    clock = ManualClock(NOW_MS)
    with pytest.raises(ConfigurationError, match="is bound to"):
        Wire(peer.url, limiter=LocalLimiter(clock), clock=clock, signer=TestSigner(host))
    assert peer.seen == []


def test_a_key_s_host_may_be_spelt_differently(clock: ManualClock):
    assert (
        Wire(f"{HOST}/", limiter=LocalLimiter(clock), clock=clock, signer=TestSigner("https://API.bitget.com:443")).host
        == HOST
    )


def test_a_private_row_without_a_key_sends_nothing(make_wire: Callable[..., Wire], scripted: Scripted):
    wire = make_wire()
    with pytest.raises(ConfigurationError, match=r"spot\.account_assets is private"):
        wire.send(PRIVATE, {})
    assert scripted.sent == []
    assert wire.sent == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_named_and_never_followed(status, peer: Peer, real_wire: Callable[..., Wire]):
    elsewhere = Peer()
    peer.answer = lambda target, _: (
        good({"serverTime": "1"}) if target.endswith("/time") else (status, {"Location": f"{elsewhere.url}/x"}, b"")
    )
    try:
        with pytest.raises(BadResponse, match=rf"HTTP {status}, a redirect to .*/x' that is not followed"):
            real_wire(peer.url, signer=TestSigner(peer.url)).send(PRIVATE, {})
        assert elsewhere.seen == []
        assert len(peer.seen) == 2
    finally:
        elsewhere.close()


def test_proxies_of_the_environment_are_ignored(peer: Peer, real_wire: Callable[..., Wire], monkeypatch):
    proxy = Peer()
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    try:
        assert requests.get(peer.url, timeout=PATIENCE_S).status_code == 200
        assert proxy.seen, "the proxy works for a client that listens to the environment"
        proxy.seen.clear()
        real_wire(peer.url).send(PUBLIC, {"symbol": "BTCUSDT"})
        assert proxy.seen == []
        assert len(peer.seen) == 1
    finally:
        proxy.close()


def test_netrc_is_ignored(peer: Peer, real_wire: Callable[..., Wire], monkeypatch, tmp_path: Path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    requests.get(peer.url, timeout=PATIENCE_S)
    assert "authorization" in peer.seen.pop()[1], "a client that listens to the environment sends it"
    real_wire(peer.url).send(PUBLIC, {"symbol": "BTCUSDT"})
    assert "authorization" not in peer.seen[-1][1]


def test_cookies_are_not_kept(peer: Peer, real_wire: Callable[..., Wire]):
    peer.answer = lambda *_: good([], **{"Set-Cookie": "track=1; Path=/"})
    wire = real_wire(peer.url)
    wire.send(PUBLIC, {"symbol": "BTCUSDT"})
    wire.send(PUBLIC, {"symbol": "BTCUSDT"})
    assert [headers.get("cookie") for _, headers in peer.seen] == [None, None]


def test_a_session_that_is_handed_in_is_made_deaf():
    session = requests.Session()
    session.verify, session.auth, session.headers["X"] = False, ("a", "b"), "y"
    session.proxies["http"] = "http://127.0.0.1:1"
    harden(session)
    assert session.verify is True
    assert (session.trust_env, session.auth, dict(session.headers), session.proxies) == (False, None, {}, {})


class SecurePeer:
    """A TLS server on loopback whose certificate nobody vouches for."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        always = [dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2000, 2200)]
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(always[0]).not_valid_after(always[1])
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        self.bundle = folder / "peer.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file = folder / "peer.key"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.seen: list[str] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.seen.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(HTTPServer):
            def handle_error(self, *_: object) -> None:
                """The client hangs up in the middle of the handshake, as it should."""

        self._server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.bundle, key_file)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def secure_peer(tmp_path: Path) -> Iterator[SecurePeer]:
    server = SecurePeer(tmp_path)
    yield server
    server.close()


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_of_the_environment_are_not_believed(
    name, secure_peer: SecurePeer, real_wire: Callable[..., Wire], monkeypatch
):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, str(secure_peer.bundle))
    wire = real_wire(secure_peer.url)
    with pytest.raises(NetworkError, match=r"the certificate of .* is not trusted"):
        wire.send(PUBLIC, {"symbol": "BTCUSDT"})
    assert secure_peer.seen == []
    assert wire.sent == 1, "asking again is pointless"
    if name != "SSL_CERT_FILE":
        assert requests.get(secure_peer.url, timeout=PATIENCE_S).status_code == 200, "others do believe it"


def test_no_session_keys_are_logged(
    secure_peer: SecurePeer, real_wire: Callable[..., Wire], monkeypatch, tmp_path: Path
):
    key_log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(key_log))
    with pytest.raises(NetworkError):
        real_wire(secure_peer.url).send(PUBLIC, {"symbol": "BTCUSDT"})
    assert not key_log.exists() or key_log.read_bytes() == b""
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        urllib3.PoolManager(retries=0, cert_reqs="CERT_REQUIRED").request("GET", secure_peer.url)
    assert key_log.read_bytes(), "a client that listens to the environment writes them"


def test_verification_cannot_be_switched_off(secure_peer: SecurePeer, real_wire: Callable[..., Wire]):
    session = new_session()
    wire = real_wire(secure_peer.url, session=session)
    session.verify = False
    with pytest.raises(NetworkError, match="is not trusted"):
        wire.send(PUBLIC, {"symbol": "BTCUSDT"})
    assert secure_peer.seen == []
