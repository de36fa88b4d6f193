"""Carries one WebSocket between its socket and a `ServedConnection`, which decides everything.

The connection is asked for what is due every few milliseconds, whatever clock its exchange has: a clock that a test
moves by hand cannot be waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.frames import CloseCode

from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.streams.served_connection import Outgoing, ServedConnection

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_TICK_S = 0.01
_CODES = {
    "expired": CloseCode.GOING_AWAY, "refused": CloseCode.NORMAL_CLOSURE, "over_limit": CloseCode.POLICY_VIOLATION,
}  # fmt: skip


async def carry(exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
    """Carry one connection from its handshake until either side ends it."""
    await receive()  # websocket.connect
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    found = exchange.connect(scope["raw_path"].decode("ascii"), headers, scope["client"][0])
    if isinstance(found, int):
        await send({"type": "websocket.http.response.start", "status": found, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
        return
    try:
        await send({"type": "websocket.accept"})
        await _carry(found, scope["extensions"]["transport"], receive, send)
    finally:
        found.close()


async def _carry(connection: ServedConnection, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    reader = asyncio.create_task(_read(receive, inbox))
    try:
        while True:
            if connection.behind():
                await asyncio.sleep(0)  # others first, then on at once
            try:
                message = inbox.get_nowait() if connection.behind() else await asyncio.wait_for(inbox.get(), _TICK_S)
            except (TimeoutError, asyncio.QueueEmpty):
                out = connection.due()
            else:
                if message["type"] == "websocket.disconnect":
                    return
                out = connection.receive(message.get("text") or message.get("bytes") or "")
                out += connection.due()
            if not await _send(out, transport, send):
                return
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _read(receive: Receive, inbox: asyncio.Queue[dict[str, Any]]) -> None:
    while True:
        message = await receive()
        inbox.put_nowait(message)
        if message["type"] == "websocket.disconnect":
            return


async def _send(out: list[Outgoing], transport: asyncio.Transport, send: Send) -> bool:
    """Send what leaves; return whether the connection goes on."""
    for one in out:
        if one.text:
            await send({"type": "websocket.send", "text": one.text})
        if one.ending == "abort":
            transport.abort()
            return False
        if one.ending:
            await send({"type": "websocket.close", "code": int(_CODES[one.ending])})
            return False
    return True
