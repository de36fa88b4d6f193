"""One request out, one response in, independent of the environment: no proxies, netrc, key log, cookies or redirects.

TLS is always verified against certifi's roots. This module does not sign and has no knowledge of the exchange, and no
object that leaves it, in particular no error, contains a header.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Literal, NamedTuple

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bgresearch.catalogue.response import MAX_BODY_BYTES
from bgresearch.core.clock import Clock
from bgresearch.errors import ConfigurationError

CONNECTIONS = 48  # as many as a download has threads; with fewer, connections would be opened and discarded
CONNECT_TIMEOUT_S = 3.05  # just above TCP's first retransmission
READ_TIMEOUT_S = 20.0
BODY_TIMEOUT_S = 120.0  # for a body that arrives slowly
REMAINING_HEADER = "x-mbx-used-remain-limit"  # calls left, despite its name (documentation: common/faq Q11)
_CHUNK_BYTES = 65_536
_STANDARD_PORT = {"https": 443, "http": 80}
_LAST_PORT = 65_535
_LONGEST_ORIGIN = 300  # characters; a host name has at most 253
_BROKEN = (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError, urllib3.exceptions.DecodeError)
_ENCODINGS = (
    "",
    "identity",
    "gzip",
    "deflate",
)  # requested encodings; nested encodings could expand small bodies enormously
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9-]+(?:\.[a-z0-9-]+)*))(?::(?P<port>[1-9][0-9]{0,4}))?/?"
)

Mishap = Literal["no connection", "no answer in time", "broken off", "too large", "no trust", "unsendable"]


class Answer(NamedTuple):
    """The response: status, calls left if reported, redirect location, and the whole body."""

    status: int
    remaining: int | None
    location: str
    body: bytes


class Stray(NamedTuple):
    """Any other exception raised meanwhile: Ctrl-C, a signal handler's exception, out of memory or stack.

    Its frames and context are removed, as they hold the headers.
    """

    error: BaseException


class Headers(dict[str, str]):
    """The headers of one request, with a repr that shows only names: tracebacks may print local variables."""

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self)}>"


def new_session() -> requests.Session:
    """Return a new hardened session, see `harden`."""
    session = requests.Session()
    session.mount("https://", _SecureAdapter())
    session.mount("http://", _Adapter())
    return session


def harden(session: requests.Session) -> None:
    """Make a session ignore the environment and log nothing."""
    session.trust_env = False  # proxies, .netrc, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE
    session.verify = True
    session.cert = None
    session.auth = None
    session.proxies.clear()
    session.headers.clear()
    session.cookies.clear()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))


def carry(session: requests.Session, url: str, headers: Headers, clock: Clock) -> Answer | Mishap | Stray:
    """Return the response to one GET. Failures are returned, not raised, so that no error holds the headers.

    The URL is sent unchanged; the usual preparation of a request would encode it again. The adapter is called
    directly: `Session.send` would resolve redirects, with the headers, even with redirects disabled.
    """
    try:
        return _carried(session, url, headers, clock)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        return _mishap_of(error)
    except BaseException as error:  # noqa: BLE001 - all of them, as the frames below hold headers; it is raised again
        error.__cause__ = error.__context__ = None
        return Stray(error.with_traceback(None))


def _carried(session: requests.Session, url: str, headers: Headers, clock: Clock) -> Answer | Mishap:
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        return "unsendable"  # http.client would include the value in its error
    request = requests.PreparedRequest()
    request.method, request.url, request.headers = "GET", url, CaseInsensitiveDict(headers)
    response = session.get_adapter(url).send(
        request, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S), verify=True, cert=None, proxies={}
    )
    with response:
        return _read(response, clock)


def _mishap_of(error: Exception) -> Mishap:
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "no trust"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return "broken off" if isinstance(error, _BROKEN) else "no connection"


def _read(response: requests.Response, clock: Clock) -> Answer | Mishap:
    if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        return "broken off"
    deadline_s = clock.monotonic_s() + BODY_TIMEOUT_S
    body = bytearray()
    while chunk := response.raw.read1(
        _CHUNK_BYTES, decode_content=True
    ):  # returns what has arrived; `read` waits for everything
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return "too large"
        if clock.monotonic_s() > deadline_s:
            return "no answer in time"
    left = response.headers.get(REMAINING_HEADER, "")
    remaining = int(left) if left.isascii() and left.isdecimal() and len(left) < 9 else None
    return Answer(response.status_code, remaining, response.headers.get("Location", ""), bytes(body))


def origin(text: str) -> str:
    """Return the canonical form of ``scheme://host[:port]``: lower case, no trailing slash, no standard port.

    Raises
    ------
    ConfigurationError
        Anything other than https, or http to this machine; user names, paths and queries.
    """
    plain = isinstance(text, str) and text.isascii() and len(text) <= _LONGEST_ORIGIN
    match = _ORIGIN.fullmatch(text.strip(" ").lower()) if plain else None
    if match is None:
        raise _refusal(text, "it is not https://host or http://127.0.0.1:port")
    scheme, port = match["scheme"], int(match["port"] or _STANDARD_PORT[match["scheme"]])
    name = match["name"] or _ipv6(match["v6"])
    if not name or port > _LAST_PORT:
        raise _refusal(text, "there is no such address")
    if scheme == "http" and not _is_loopback(name.strip("[]")):
        raise _refusal(text, "only this machine may be contacted without TLS")
    return f"{scheme}://{name}" + (f":{port}" if port != _STANDARD_PORT[scheme] else "")


def _ipv6(text: str) -> str:
    try:
        return f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _refusal(text: object, reason: str) -> ConfigurationError:
    return ConfigurationError(f"base_url {str(text)[:80]!r} is refused: {reason}.")


class _Plain(HTTPConnection):
    debuglevel = 0  # setting http.client's own to 1 would print every header


class _Secure(HTTPSConnection):
    debuglevel = 0


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    """An adapter whose connections never print debug output."""

    def __init__(self) -> None:
        super().__init__(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


class _SecureAdapter(_Adapter):
    """An adapter with our own TLS context: urllib3's would write session keys to SSLKEYLOGFILE."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=_tls_context())


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Return the TLS context; one for all sessions, as loading the authorities is slow."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=certifi.where())
    return context
