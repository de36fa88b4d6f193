"""What goes in and out of the exchange, before and after any carrier: raw target in, raw bytes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Break = Literal["", "reset", "truncate"]


class Request(NamedTuple):
    """One request as it came over the wire.

    Attributes
    ----------
    method : str
        Upper case.
    target : str
        Path and query, still percent-encoded.
    headers : mapping of str to str
        Names in any case.
    address : str
        Where the connection came from; never taken from a header.
    body : bytes
        Empty for a GET.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    address: str
    body: bytes = b""


class Response(NamedTuple):
    """One answer, and how the carrier must spoil it when a fault asks for that.

    Attributes
    ----------
    broken : {"", "reset", "truncate"}
        ``reset``: close the connection without an answer. ``truncate``: announce the whole body, send half, close.
    delay_s : float
        How long the carrier waits before it answers.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    broken: Break = ""
    delay_s: float = 0.0


def envelope(code: str, message: str, data: Any, now_ms: int) -> bytes:
    """Return the body around every answer: code, msg, requestTime, data."""
    whole = {"code": code, "msg": message, "requestTime": now_ms, "data": data}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
