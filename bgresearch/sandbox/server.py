"""The exchange on a real socket: loopback only, kept alive, closed in good order.

A small ASGI application under uvicorn, so that any HTTP client of any language can talk to the sandbox.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from bgresearch.sandbox.archive.served_archive import PREFIX
from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.messages import Request, Response
from bgresearch.sandbox.traders.keys import LOOPBACK
from bgresearch.sandbox.websocket_carrier import carry

_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]

LARGEST_BODY = 64 * 1024  # bytes; no GET has any, so what comes above is not even read
_NO_LINGER = struct.pack("ii", 1, 0)  # closing then sends a reset instead of a goodbye
GRACE_S = 2  # for answers under way when the server stops


class Server:
    """An exchange served over a loopback port for as long as the context lasts.

    Parameters
    ----------
    exchange : Exchange, optional
        Who answers; a fresh one on the machine's clock if not given.
    port : int
        0 takes a free one.

    Attributes
    ----------
    exchange : Exchange
        May be replaced while the server runs.
    url : str
        ``http://127.0.0.1:PORT``, from the moment it is built.
    ws_url : str
        The same port for WebSockets: ``/v2/ws/public`` and so on are appended.

    Examples
    --------
    >>> import requests
    >>> with Server() as server:
    ...     requests.get(server.url + "/api/v2/public/time", timeout=5).status_code
    200

    Raises
    ------
    OSError
        If the port is taken.
    """

    def __init__(self, exchange: Exchange | None = None, *, port: int = 0) -> None:
        self.exchange = exchange if exchange is not None else Exchange()
        self._socket = _listening(port)
        self.url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"
        self.ws_url = self.url.replace("http:", "ws:", 1)
        self._ready = threading.Event()
        self._uvicorn = _Uvicorn(_config(lambda: self.exchange), self._ready.set)
        self._thread = threading.Thread(target=self._run, name="bgresearch-sandbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is under way, close every connection and the port; may be called twice."""
        self._uvicorn.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            self._ready.set()


def serve_forever(
    port: int, *, exchange: Exchange | None = None, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve an exchange in the foreground until SIGINT or SIGTERM.

    Parameters
    ----------
    port : int
        0 takes a free one.
    exchange : Exchange, optional
        A fresh one on the machine's clock if not given.
    on_ready : callable, optional
        Called with the URL once connections are accepted.

    Raises
    ------
    OSError
        If the port is taken.
    """
    with _listening(port) as listener:
        url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        served = exchange if exchange is not None else Exchange()
        _Uvicorn(_config(lambda: served), lambda: on_ready(url) if on_ready else None).run(sockets=[listener])


def application(current: Callable[[], Exchange]) -> Callable[[_Scope, _Receive, _Send], Awaitable[None]]:
    """Return the ASGI application that carries each request to the exchange that ``current`` names."""

    async def app(scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "websocket":
            await carry(current(), scope, receive, send)
            return
        body = await _body(receive)
        request = _received(scope, body)
        if request.target.startswith(PREFIX):  # a file takes its time; others are answered meanwhile
            answer = await asyncio.to_thread(current().handle, request)
        else:
            answer = current().handle(request)
        if answer.delay_s and await _hangs_up(receive, answer.delay_s):
            return
        transport: asyncio.Transport = scope["extensions"]["transport"]
        if answer.broken == "reset":
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
            await _gone(receive)
            return
        await _send_answer(answer, send)
        if answer.broken == "truncate":
            transport.close()
            await _gone(receive)

    return app


async def _send_answer(answer: Response, send: _Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    truncated = answer.broken == "truncate"
    body = answer.body[: len(answer.body) // 2] if truncated else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": truncated})


def _received(scope: _Scope, body: bytes) -> Request:
    """Return the request as it stood on the wire; the address is the connection's own, whatever headers say."""
    target = scope["raw_path"].partition(b"?")[0]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value  # one of two would be a choice
    return Request(scope["method"], target.decode("latin-1"), headers, scope["client"][0], body)


async def _body(receive: _Receive) -> bytes:
    parts, size, more = [], 0, True
    while more and size <= LARGEST_BODY:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
    return b"".join(parts)


async def _hangs_up(receive: _Receive, within_s: float) -> bool:
    """Return whether the caller gives up before the time is over."""
    try:
        await asyncio.wait_for(_gone(receive), within_s)
    except TimeoutError:
        return False
    return True


async def _gone(receive: _Receive) -> None:
    """Wait until the connection is known to be closed, so that nothing more is sent on it."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Protocol(H11Protocol):
    """uvicorn's HTTP protocol, showing the application its transport so that faults can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {"transport": transport}
            await inner(scope, receive, send)

        self.app = app


class _StreamProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, showing the application its transport so that faults can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"]["transport"] = transport
            await inner(scope, receive, send)

        self.app = app


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, saying when it accepts connections."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def _config(current: Callable[[], Exchange]) -> uvicorn.Config:
    return uvicorn.Config(
        cast(Any, application(current)),
        http=_Protocol,
        ws=_StreamProtocol,
        ws_max_size=LARGEST_BODY,
        ws_ping_interval=None,  # the exchange sends no protocol pings; a client's own text ping keeps it alive
        ws_per_message_deflate=False,
        lifespan="off",
        proxy_headers=False,  # uvicorn would believe X-Forwarded-For from loopback
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",
        timeout_graceful_shutdown=GRACE_S,
    )


def _listening(port: int) -> socket.socket:
    """Return a socket bound to loopback."""
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    return listener
