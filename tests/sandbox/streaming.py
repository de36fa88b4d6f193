"""A caller of the sandbox's sockets without a socket, and one with: built from the documentation's recipes alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, SandboxKey
from bgresearch.sandbox.streams.served_connection import Outgoing, ServedConnection

V2, V3 = "/v2/ws/public", "/v3/ws/public"
V2_PRIVATE, V3_PRIVATE = "/v2/ws/private", "/v3/ws/private"
LOOPBACK = "127.0.0.1"


class Listener:
    """One connection in process: sends what a client would, moves the exchange's clock, keeps what comes."""

    def __init__(self, exchange: Exchange, path: str = V2, **headers: str) -> None:
        connection = exchange.connect(path, headers, LOOPBACK)
        assert isinstance(connection, ServedConnection), connection
        self.exchange, self.connection, self.path = exchange, connection, path
        self.clock: ManualClock = exchange.clock  # type: ignore[assignment]
        self.heard: list[Any] = []
        self.endings: list[str] = []
        self._pinged_s = self.clock.monotonic_s()

    def send(self, message: Any) -> list[Any]:
        """Send a message; return the replies."""
        return self._keep(self.connection.receive(message if isinstance(message, str) else json.dumps(message)))

    def subscribe(self, *arguments: Mapping[str, Any]) -> list[Any]:
        return self.send({"op": "subscribe", "args": list(arguments)})

    def wait(self, seconds: float, *, step_s: float = 0.1) -> list[Any]:
        """Let time pass, with a ping in time; return what came."""
        found: list[Any] = []
        steps = max(round(seconds / step_s), 1)
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            if self.clock.monotonic_s() - self._pinged_s > 25:
                self._pinged_s = self.clock.monotonic_s()
                self._keep(self.connection.receive("ping"))
            found += self._keep(self.connection.due())
            while self.connection.behind():
                found += self._keep(self.connection.due())
        return found

    def _keep(self, out: list[Outgoing]) -> list[Any]:
        found = [_read(one.text) for one in out if one.text]
        self.heard += found
        self.endings += [one.ending for one in out if one.ending]
        return found


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def pushes(messages: list[Any]) -> list[dict[str, Any]]:
    """Return the data messages."""
    return [one for one in messages if isinstance(one, dict) and "action" in one]


def login(key: str | SandboxKey, seconds: int, **changes: str) -> dict[str, Any]:
    """Return a login message, signed by hand."""
    chosen = SANDBOX_KEYS[key] if isinstance(key, str) else key
    stamp = changes.get("timestamp", str(seconds))
    argument = {
        "apiKey": chosen.api_key, "passphrase": chosen.passphrase, "timestamp": stamp,
        "sign": sign(chosen, f"{stamp}GET/user/verify"), **changes,
    }  # fmt: skip
    return {"op": "login", "args": [argument]}


def sign(key: SandboxKey, text: str) -> str:
    digest = hmac.new(key.secret_key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def v2(channel: str, symbol: str = "BTCUSDT", product: str = "SPOT") -> dict[str, str]:
    return {"instType": product, "channel": channel, "instId": symbol}


def v3(topic: str, symbol: str = "BTCUSDT", product: str = "spot", **more: str) -> dict[str, str]:
    return {"instType": product, "topic": topic, "symbol": symbol, **more}
