"""Which WebSocket address is used, and what a stream needs of its surroundings to connect to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from bgresearch.catalogue import Endpoint, load
from bgresearch.catalogue.endpoint import Limit
from bgresearch.errors import ConfigurationError
from bgresearch.http.ratelimit.limiter import Limiter
from bgresearch.http.transport import origin
from bgresearch.live.channels import Version
from bgresearch.live.pacing import USUAL, Pace

LIVE_URL = "wss://ws.bitget.com"
DEMO_URL = "wss://wspap.bitget.com"
_CONNECTS, _CONNECT_WINDOW_S = 270, 300  # 90 % of what an address may open
_PLAIN = {"wss": "https", "ws": "http"}


class Login(Protocol):
    """A key that signs the login of a private connection, and nothing else of it."""

    def login_message(self, timestamp_s: int | None = None) -> str:
        """Return the text of the login message; its repr must not be logged."""


@dataclass(frozen=True)
class LiveAccess:
    """How streams of a client connect.

    Attributes
    ----------
    base_url : callable
        Returns the base address; the embedded exchange begins to serve when it is called first.
    limiter : Limiter
        Counts connections of this address, shared with every process of this machine.
    login : Login or None
        Signs in this process; None where only public channels can be streamed.
    close : callable
        Ends what was begun for it.
    pace : Pace
        How patient connections are.
    """

    base_url: Callable[[], str]
    limiter: Limiter
    login: Login | None = field(default=None, repr=False)
    close: Callable[[], None] = lambda: None
    pace: Pace = USUAL

    def url(self, version: Version, *, private: bool) -> str:
        """Return the address of one kind of connection."""
        return f"{ws_origin(self.base_url())}/{version}/ws/{'private' if private else 'public'}"

    def wait_for_turn(self) -> None:
        """Wait until this address may open one more connection, and count it."""
        slot = self.limiter.acquire(_connects(), "")
        self.limiter.answered(slot, heard=False)


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


def ws_url_beside(host: str, *, demo: bool) -> str:
    """Return the WebSocket address that belongs to a REST address: of another exchange the same host and port."""
    if host == "https://api.bitget.com":
        return DEMO_URL if demo else LIVE_URL
    return "ws" + host.removeprefix("http")


def _connects() -> Endpoint:
    """Return the limit of connections in the form that the shared rate limiter takes."""
    limit = Limit(_CONNECTS, _CONNECT_WINDOW_S, "ip")
    return replace(load()["common.time"], id="live.connect", limit=limit)
