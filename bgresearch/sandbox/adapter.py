"""The exchange inside the process: a requests adapter that never opens a socket.

It fails the way the real transport fails, with the same exceptions.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from http.client import responses as reasons

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.messages import Request, Response
from bgresearch.sandbox.traders.keys import LOOPBACK

_Timeout = float | tuple[float, float] | tuple[float, None] | None


class SandboxAdapter(BaseAdapter):
    """Answers a session's requests from an exchange in memory.

    Parameters
    ----------
    exchange : Exchange
        Who answers. Latency passes on its clock.
    address : str
        Where the requests seem to come from.

    Examples
    --------
    >>> session = requests.Session()
    >>> session.mount("https://api.bitget.com", SandboxAdapter(Exchange()))
    >>> session.get("https://api.bitget.com/api/v2/public/time").json()["code"]
    '00000'
    """

    def __init__(self, exchange: Exchange, *, address: str = LOOPBACK) -> None:
        super().__init__()
        self.exchange = exchange
        self.address = address

    def send(  # noqa: PLR0917 - the signature is the base class's
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: _Timeout = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return the exchange's answer; stream, verify, cert and proxies mean nothing without a connection.

        Raises
        ------
        requests.ConnectionError
            If a fault resets the connection.
        requests.ReadTimeout
            If a fault's latency outlasts the timeout.
        """
        answer = self.exchange.handle(_received(request, self.address))
        self._wait(answer.delay_s, timeout, request)
        if answer.broken == "reset":
            cause = ConnectionResetError(104, "Connection reset by peer")
            raise requests.ConnectionError("Connection aborted.", cause, request=request)
        return _built(request, answer, self)

    def close(self) -> None:
        """Nothing is open."""

    def _wait(self, delay_s: float, timeout: _Timeout, request: requests.PreparedRequest) -> None:
        patience_s = timeout[1] if isinstance(timeout, tuple) else timeout
        if patience_s is not None and delay_s > patience_s:
            self.exchange.clock.sleep(patience_s)
            raise requests.ReadTimeout(f"Read timed out. (read timeout={patience_s})", request=request)
        if delay_s:
            self.exchange.clock.sleep(delay_s)


def _received(request: requests.PreparedRequest, address: str) -> Request:
    headers = {name: _text(value) for name, value in request.headers.items()}
    body = request.body or b""
    sent = body.encode() if isinstance(body, str) else bytes(body)
    return Request(request.method or "", request.path_url, headers, address, sent)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _built(request: requests.PreparedRequest, answer: Response, adapter: BaseAdapter) -> requests.Response:
    """Return what requests would have made of these bytes; a truncated body fails when it is read."""
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    arrived = answer.body[: len(answer.body) // 2] if answer.broken == "truncate" else answer.body
    if request.method == "HEAD":
        arrived = b""
    response = requests.Response()
    response.status_code = answer.status
    response.reason = reasons.get(answer.status, "")
    response.headers = CaseInsensitiveDict(headers)
    response.encoding = "utf-8"
    response.raw = HTTPResponse(
        body=io.BytesIO(arrived),
        headers=headers,
        status=answer.status,
        preload_content=False,
        request_method=request.method,
    )
    response.url = request.url or ""
    response.request = request
    response.connection = adapter  # type: ignore[assignment]  # requests sets it too, to whatever adapter it used
    return response
