"""Which WebSocket address is used, and what a stream needs of its surroundings to connect to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from bgresearch.catalogue import Endpoint, load
from bgresearch.catalogue.endpoint import Limit
from bgresearch.core.clock import LOOPBACK
from bgresearch.errors import ConfigurationError, ConnectionLimited
from bgresearch.http.ratelimit.limiter import Limiter, Wait
from bgresearch.http.transport import origin
from bgresearch.live.pacing import USUAL, Pace
from bgresearch.live.websocket import Login, Socket, open_private, open_websocket

Version = Literal["v2", "v3"]
LIVE_URL = "wss://ws.bitget.com"
DEMO_URL = "wss://wspap.bitget.com"
_CONNECTS, _CONNECT_WINDOW_S = 270, 300  # 90 % of what an address may open
_PLAIN = {"wss": "https", "ws": "http"}


class PrivateAccess(Protocol):
    """Opens private connections that are logged in."""

    def open(self, version: Version) -> Socket:
        """Return a connection of one version of the protocol."""


class LoginSigner(Protocol):
    """Signs logins with one key, which is bound to one exchange."""

    @property
    def host(self) -> str: ...
    @property
    def demo(self) -> bool: ...
    def login(self, read_clock: bool = False) -> Login:
        """Return a login message, dated by the exchange's clock."""


@dataclass(frozen=True)
class OwnLogin:
    """Private connections whose login this process signs: its memory holds the key already.

    Attributes
    ----------
    base_url : callable
        Returns the base address.
    limiter : Limiter
        Counts connections of this address.
    signer : LoginSigner
        Signs the login.
    """

    base_url: Callable[[], str]
    limiter: Limiter
    signer: LoginSigner = field(repr=False)

    def open(self, version: Version) -> Socket:
        """Return a connection that is logged in.

        Raises
        ------
        ConfigurationError
            The address does not belong to the key's exchange.
        NetworkError, ExchangeError
            There is no connection, it may not be opened yet (`ConnectionLimited`), or the login is refused.
        """
        base = self.base_url()
        check_login_address(self.signer.host, base, demo=self.signer.demo, own=True)
        count_connection(self.limiter)
        return open_private(private_url(base, version), self.signer.login, demo=self.signer.demo)


@dataclass(frozen=True)
class LiveAccess:
    """How streams of a client connect.

    Attributes
    ----------
    base_url : callable
        Returns the base address; the embedded exchange begins to serve when it is called first.
    limiter : Limiter
        Counts connections of this address, shared with every process of this machine.
    private : PrivateAccess or None
        Opens private connections; None without a key.
    close : callable
        Ends what was begun for it.
    pace : Pace
        How patient connections are.
    """

    base_url: Callable[[], str]
    limiter: Limiter
    private: PrivateAccess | None = field(default=None, repr=False)
    close: Callable[[], None] = lambda: None
    pace: Pace = USUAL

    def open(self, version: Version, *, private: bool) -> Socket:
        """Return an open connection, logged in if it is private.

        Raises
        ------
        ConfigurationError
            A private one without a key.
        NetworkError, ExchangeError
            There is no connection, it may not be opened yet (`ConnectionLimited`), or the login is refused.
        """
        if private:
            if self.private is None:
                raise ConfigurationError("a private channel needs a key.", hint="Connect with key=.")
            return self.private.open(version)
        count_connection(self.limiter)
        return open_websocket(f"{ws_origin(self.base_url())}/{version}/ws/public")


def count_connection(limiter: Limiter) -> None:
    """Count one more connection of this address, before it is opened.

    Raises
    ------
    ConnectionLimited
        It may not be opened yet. Callers wait in their own way, as it may take five minutes.
    """
    found = limiter.attempt(_connects(), "")
    if isinstance(found, Wait):
        said = f"this address has opened {_CONNECTS} connections within {_CONNECT_WINDOW_S // 60} minutes"
        error = ConnectionLimited("live.connect", f"{said}.", hint="A stream waits by itself; stop() ends it.")
        error.wait_s = math.ceil(found.seconds)
        raise error
    limiter.answered(found, heard=False)


def private_url(base: str, version: str) -> str:
    """Return the whole address of private connections."""
    return f"{ws_origin(base)}/{version}/ws/private"


def check_login_address(host: str, base: str, *, demo: bool, own: bool = False) -> None:
    """Refuse an address that a key must not be sent to.

    Parameters
    ----------
    host : str
        What the key is bound to.
    base : str
        The WebSocket address.
    demo : bool
        Whether it is a demo key.
    own : bool
        Whether the address was chosen by who holds the key: then a key of this machine may go to any port of it. The
        agent does not let its callers choose, as one of them could listen there.

    Raises
    ------
    ConfigurationError
        It is not the WebSocket address of the key's exchange.
    """
    here = own and host.startswith(LOOPBACK) and ws_origin(base).startswith("ws://")
    if not here and ws_origin(base) != ws_origin(ws_url_of(host, demo=demo)):
        raise ConfigurationError(
            f"The key is bound to {host}, and its login is never sent to {base[:80]!r}.",
            hint="Leave ws_url= and BGRESEARCH_WS_URL out for private streams.",
        )


def ws_origin(text: str) -> str:
    """Return the one spelling of ``wss://host[:port]``.

    Raises
    ------
    ConfigurationError
        Anything else than wss, or ws to this very machine.
    """
    scheme, mark, rest = text.strip().partition("://") if isinstance(text, str) else ("", "", "")
    plain = _PLAIN.get(scheme.lower())
    try:
        if not plain or not mark:
            raise ConfigurationError("it is not wss://host or ws://127.0.0.1:port")
        return "ws" + origin(f"{plain}://{rest}").removeprefix("http")
    except ConfigurationError:
        raise ConfigurationError(
            f"ws_url {str(text)[:80]!r} is refused: it is not wss://host or ws://127.0.0.1:port.",
            hint="Without TLS only this very machine may be asked.",
        ) from None


def ws_url_of(host: str, *, demo: bool) -> str:
    """Return the WebSocket address that belongs to a REST address: of another exchange the same host and port."""
    if host == "https://api.bitget.com":
        return DEMO_URL if demo else LIVE_URL
    return "ws" + host.removeprefix("http")


def _connects() -> Endpoint:
    """Return the limit of connections in the form that the shared rate limiter takes."""
    limit = Limit(_CONNECTS, _CONNECT_WINDOW_S, "ip")
    return replace(load()["common.time"], id="live.connect", limit=limit)
