"""Which addresses a key may be bound to: the exchange, or this machine."""

from __future__ import annotations

import ipaddress
import re

from vault.errors import HostNotAllowed

EXCHANGE_HOST = "https://api.bitget.com"

_HOST = re.compile(
    r"(?P<scheme>https?)://(?P<name>[a-z0-9.-]+|\[[0-9a-f:]+\])(?::(?P<port>[1-9][0-9]{0,4}))?/?", re.ASCII
)
_STANDARD_PORT = {"https": 443, "http": 80}


def normalise_host(text: str) -> str:
    """Return the one spelling of an allowed host: lower case, no trailing slash, no standard port.

    Parameters
    ----------
    text : str
        ``https://api.bitget.com``, or ``http`` or ``https`` to ``localhost``, ``127.0.0.0/8`` or ``[::1]`` with an
        optional port.

    Raises
    ------
    HostNotAllowed
        Any other text; a key is never sent anywhere else.

    Examples
    --------
    >>> normalise_host("HTTP://127.0.0.1:9000/")
    'http://127.0.0.1:9000'
    """
    match = _HOST.fullmatch(text.lower()) if isinstance(text, str) and text.isascii() else None
    if match is None:
        raise _refusal(text, "it is not scheme://host or scheme://host:port")
    scheme, port = match["scheme"], int(match["port"] or _STANDARD_PORT[match["scheme"]])
    if port > 65535:
        raise _refusal(text, "there is no such port")
    name = _loopback_name(match["name"])
    shown_port = "" if port == _STANDARD_PORT[scheme] else f":{port}"
    if name is not None:
        return f"{scheme}://{name}{shown_port}"
    if f"{scheme}://{match['name']}{shown_port}" == EXCHANGE_HOST:
        return EXCHANGE_HOST
    raise _refusal(text, "it is neither the exchange nor this machine")


def _loopback_name(name: str) -> str | None:
    if name == "localhost":
        return name
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address) if address.is_loopback and not name.startswith("[") else None
    return f"[{address}]" if address == ipaddress.IPv6Address("::1") else None


def _refusal(text: object, reason: str) -> HostNotAllowed:
    shown = f"{text[:80]!r}" if isinstance(text, str) else f"a value of type {type(text).__name__}"
    return HostNotAllowed(
        f"the host {shown} is refused: {reason}. Allowed are {EXCHANGE_HOST} and loopback addresses such as "
        "http://127.0.0.1:9000 or http://localhost:9000, without path, user name or query",
        field="host",
    )
