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
from typing import Any, BinaryIO, Literal, NamedTuple

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bgresearch.catalogue.assumptions import REMAINING_HEADER
from bgresearch.catalogue.response import MAX_BODY_BYTES
from bgresearch.core.clock import Clock
from bgresearch.errors import ConfigurationError

CONNECTIONS = 96  # as many as a download has threads; more than that would be opened and thrown away
CONNECT_TIMEOUT_S = 3.05  # just above TCP's first retransmission
READ_TIMEOUT_S = 20.0
BODY_TIMEOUT_S = 120.0  # for a body that arrives slowly
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

_BASE = re.compile(r"(?P<origin>https?://[^/?#@]+)(?P<path>(?:/[A-Za-z0-9_-]+)*)/?", re.IGNORECASE)

Mishap = Literal["no connection", "no answer in time", "broken off", "too large", "no trust", "unsendable"]
_FILE_TIMEOUT_S = 3_600.0  # for a file of a gigabyte on a slow line
_ERROR_BYTES = 4_096  # of a body that is not the file
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)


class Answer(NamedTuple):
    """The response: status, calls left if reported, redirect location, and the whole body."""

    status: int
    remaining: int | None
    location: str
    body: bytes


class FileAnswer(NamedTuple):
    """What came for a file: status, what the headers say of it, its size as it came, and the body of an error.

    ``length`` is None where no length was said; ``etag`` has no quotes.
    """

    status: int
    length: int | None
    etag: str
    modified: str
    received: int
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


def carry_file(
    session: requests.Session, url: str, headers: Headers, clock: Clock, *, sink: BinaryIO | None, most_bytes: int
) -> FileAnswer | Mishap | Stray:
    """Return the outcome of a request for a file, whose bytes go into ``sink``; without one, of a HEAD request.

    Bytes are written as they arrive, so memory stays small; errors are returned as by `carry`.
    """
    try:
        with _sent(session, "GET" if sink is not None else "HEAD", url, headers) as response:
            return _received(response, clock, sink, most_bytes)
    except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
        return _mishap_of(error)
    except BaseException as error:  # noqa: BLE001 - as in `carry`; an error of the disk is among them
        error.__cause__ = error.__context__ = None
        return Stray(error.with_traceback(None))


def _received(
    response: requests.Response, clock: Clock, sink: BinaryIO | None, most_bytes: int
) -> FileAnswer | Mishap:  # fmt: skip
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        return "broken off"  # packed a second time: neither its length nor its digest would be the file's
    said = response.headers.get("Content-Length", "").strip()
    length = int(said) if _LENGTH.fullmatch(said) else None
    about = (length, response.headers.get("ETag", "").strip().strip('"'), response.headers.get("Last-Modified", ""))
    if sink is None or response.status_code != 200:
        body = b"" if sink is None else response.raw.read(_ERROR_BYTES, decode_content=False)
        return FileAnswer(response.status_code, *about, 0, body)
    if length is not None and length > most_bytes:
        return "too large"
    received = _poured(response, clock, sink, most_bytes)
    if isinstance(received, str):
        return received
    return FileAnswer(200, *about, received, b"") if length in (None, received) else "broken off"


def _poured(response: requests.Response, clock: Clock, sink: BinaryIO, most_bytes: int) -> int | Mishap:
    """Write a body into ``sink`` as it comes; return its size."""
    deadline_s, received = clock.monotonic_s() + _FILE_TIMEOUT_S, 0
    while chunk := response.raw.read1(_CHUNK_BYTES * 4, decode_content=False):
        received += len(chunk)
        if received > most_bytes:
            return "too large"
        sink.write(chunk)
        if clock.monotonic_s() > deadline_s:
            return "no answer in time"
    return received


def _carried(session: requests.Session, url: str, headers: Headers, clock: Clock) -> Answer | Mishap:
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        return "unsendable"  # http.client would include the value in its error
    with _sent(session, "GET", url, headers) as response:
        return _read(response, clock)


def _sent(session: requests.Session, method: Literal["GET", "HEAD"], url: str, headers: Headers) -> requests.Response:
    request = requests.PreparedRequest()
    request.method, request.url, request.headers = method, url, CaseInsensitiveDict(headers)
    return session.get_adapter(url).send(
        request, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S), verify=True, cert=None, proxies={}
    )


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
    left = response.headers.get(REMAINING_HEADER.value, "")
    remaining = int(left) if left.isascii() and left.isdecimal() and len(left) < 9 else None
    return Answer(response.status_code, remaining, response.headers.get("Location", ""), bytes(body))


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return TLS 1.2 or newer that verifies certificate and host name against certifi's roots, and logs no keys.

    It is one for the whole process, as loading the roots takes 25 ms.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=certifi.where())
    return context


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


def base_address(text: str, name: str) -> str:
    """Return an address with a path that keys follow: ``scheme://host[:port]/path``, no slash at the end.

    Raises
    ------
    ConfigurationError
        As `origin`; or the path holds more than letters, digits, ``-``, ``_`` and ``/``. The message names ``name``.
    """
    found = _BASE.fullmatch(text.strip(" ")) if isinstance(text, str) and text.isascii() else None
    try:
        if found is not None:
            return origin(found["origin"]) + found["path"]
    except ConfigurationError:
        pass
    raise ConfigurationError(
        f"{name} {str(text)[:80]!r} is refused: it is not https://host/path, or http to this very machine."
    )


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
        super().init_poolmanager(*args, **kwargs, ssl_context=tls_context())
