"""Opens WebSockets, public and private, and nothing else; light, so that the agent can use it too.

A private connection logs in before it is handed on. The login message holds the API key and the passphrase: it stays
wrapped until the moment it is sent, and no error that leaves this module has a frame with it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bgresearch.catalogue.response import printable
from bgresearch.core.version import release
from bgresearch.errors import (
    AddressRejected,
    AuthenticationError,
    ConfigurationError,
    ExchangeError,
    NetworkError,
    TimestampError,
)
from bgresearch.http.transport import tls_context

LARGEST_FRAME = 8 * 2**20  # bytes; the largest measured is 55 KB
LOGIN_S = 15.0  # for a login to be answered
_QUEUED_FRAMES = (20_000, 10_000)
_WHERE = "live.login"
_LOGIN_ERRORS: Mapping[str, type[ExchangeError]] = {
    "30013": TimestampError, "30014": TimestampError, "40018": AddressRejected, "40038": AddressRejected,
}  # fmt: skip
_HINT = "Check the network; ws_url= and BGRESEARCH_WS_URL choose the address."
_LOGIN_HINT = "Check API key, SecretKey and passphrase, the key's address list, and whether it is a demo key."

_silent = logging.getLogger(f"{__name__}.frames")  # the library would log frames, and a login is one
_silent.setLevel(logging.CRITICAL + 1)
_silent.propagate = False


class Gone(Exception):
    """The other side closed the connection, or it broke."""


class Socket(Protocol):
    """What a connection needs of a WebSocket."""

    def send(self, text: str) -> None:
        """Send a text message."""

    def receive(self, wait_s: float) -> str | bytes | None:
        """Return the next message, None if none came in time."""

    def close(self) -> None:
        """Close; may be called from any thread."""


class Login(Protocol):
    """A signed login message; its repr does not show it."""

    @property
    def value(self) -> str:
        """The text to send."""


SignLogin = Callable[[bool], Login]
"""Returns the login message; True reads the exchange's clock again first."""


class WebSocket:
    """A socket of the `websockets` library."""

    def __init__(self, inner: Any, closed: type[Exception]) -> None:
        self._inner, self._closed = inner, closed

    def send(self, text: str) -> None:
        """Send a text message."""
        try:
            self._inner.send(text)
        except (self._closed, OSError) as error:
            raise Gone("no connection") from error

    def send_login(self, login: Login) -> bool:
        """Send a login message, and return whether it left; the library's error would hold it in its frames."""
        try:
            self._inner.send(login.value)
        except (self._closed, OSError):
            return False
        return True

    def receive(self, wait_s: float) -> str | bytes | None:
        """Return the next message, None if none came in time."""
        try:
            message: str | bytes = self._inner.recv(timeout=wait_s)
        except TimeoutError:
            return None
        except (self._closed, OSError) as error:
            raise Gone("no connection") from error
        return message

    def close(self) -> None:
        """Close the connection; from any thread, and twice."""
        self._inner.close()


def open_websocket(url: str, *, demo: bool = False) -> WebSocket:
    """Return an open WebSocket: no proxy, no compression, no cookies, TLS verified against certifi's roots.

    Parameters
    ----------
    url : str
        The whole address.
    demo : bool
        Whether it is for a demo key: on this machine a header names the environment, elsewhere the host does.

    Raises
    ------
    ConfigurationError
        The library is not installed.
    NetworkError
        There is no connection.
    """
    try:
        from websockets.exceptions import ConnectionClosed, WebSocketException  # noqa: PLC0415 - an extra
        from websockets.sync.client import connect  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            "streams need the package websockets.", hint="pip install 'bgresearch[live]'"
        ) from None
    is_tls = url.startswith("wss:")
    headers = {"paptrading": "1"} if demo and not is_tls else None
    try:
        inner = connect(
            url, compression=None, max_size=LARGEST_FRAME, max_queue=_QUEUED_FRAMES, ping_interval=None, proxy=None,
            open_timeout=10, close_timeout=1, user_agent_header=release(), logger=_silent, legacy=True,
            ssl=tls_context() if is_tls else None, additional_headers=headers,
        )  # fmt: skip
    except (WebSocketException, OSError, TimeoutError) as error:
        raise NetworkError("live.connect", f"{url} is not reachable: {type(error).__name__}.", hint=_HINT) from None
    return WebSocket(inner, ConnectionClosed)


def open_private(url: str, sign: SignLogin, *, demo: bool) -> WebSocket:
    """Return an open WebSocket that is logged in.

    Parameters
    ----------
    url : str
        The whole address; the caller has checked that the key may be sent there.
    sign : callable
        Signs the login; called again if the exchange finds it too old or too new.
    demo : bool
        As of `open_websocket`.

    Raises
    ------
    ConfigurationError, NetworkError
        As `open_websocket`; the login was not answered.
    AuthenticationError, AddressRejected, TimestampError
        The exchange refuses the login.
    """
    try:
        return _logged_in(url, sign(False), demo=demo)
    except TimestampError:
        return _logged_in(url, sign(True), demo=demo)


def _logged_in(url: str, login: Login, *, demo: bool) -> WebSocket:
    socket = open_websocket(url, demo=demo)
    is_in = False
    try:
        if socket.send_login(login):
            _await_login(socket)
            is_in = True
    finally:
        if not is_in:
            socket.close()
    if not is_in:
        raise NetworkError(_WHERE, "the connection was closed before the login.", hint=_HINT)
    return socket


def _await_login(socket: WebSocket) -> None:
    """Wait for the answer to a login."""
    until_s = time.monotonic() + LOGIN_S
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            frame = _object(socket.receive(left_s))
        except Gone:
            raise NetworkError(_WHERE, "the connection was closed during the login.", hint=_HINT) from None
        event, code = frame.get("event"), str(frame.get("code", ""))
        if event == "login" and code in ("0", ""):
            return
        if event in ("login", "error"):
            said = printable(frame.get("msg", ""))
            raise _LOGIN_ERRORS.get(code, AuthenticationError)(_WHERE, code, said, hint=_LOGIN_HINT)
    raise NetworkError(_WHERE, f"the login was not answered within {LOGIN_S:.0f} s.", hint=_HINT)


def _object(text: str | bytes | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
