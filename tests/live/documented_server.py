"""A WebSocket server written from the exchange's documentation alone: it shares no code with package or sandbox.

What it publishes is fixed, so that a test can say what a client has to make of it. What a client must not do (too many
arguments or messages, a login that is not signed as documented) is written down in `broken`, and ends the connection.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections import deque
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

T0 = 1_795_132_800_000
SEQUENCE = 2**60
API_KEY, SECRET_KEY, PASSPHRASE = "bg_documented", "secret-of-the-document", "phrase-of-the-document"
BOOK = {"asks": [["101.50", "1.0"], ["102.00", "2.5"]], "bids": [["101.00", "0.5"], ["100.50", "4.0"]]}
UPDATES = [  # changes of asks, of bids
    ([["101.50", "0"], ["101.75", "7.25"]], []),
    ([], [["101.25", "3.5"], ["100.50", "4.75"]]),
    ([["102.00", "2.75"]], [["101.00", "0"]]),
]
TRADES = [("900000000000000003", 30, "buy", "101.3", "0.4"), ("900000000000000002", 20, "sell", "101.2", "0.3"),
          ("900000000000000001", 10, "buy", "101.1", "0.2")]  # fmt: skip
MORE_TRADES = [("900000000000000004", 40, "sell", "101.4", "0.5")]
CANDLES = [(T0 + 60_000 * minute, f"{100 + minute}", f"{110 + minute}.5", "99.5", f"{101 + minute}.25", "3.5", "350.75")
           for minute in range(3)]  # fmt: skip
MORE_CANDLES = [(T0 + 180_000, "103", "103", "103", "103", "0", "0")]
TICKERS = {
    "v2": {"lastPr": "101.4", "bidPr": "101.25", "bidSz": "3.5", "askPr": "101.75", "askSz": "7.25", "open24h": "99",
           "high24h": "105", "low24h": "98.5", "change24h": "0.0242", "baseVolume": "1234.5",
           "quoteVolume": "125000.75", "ts": str(T0 + 40)},
    "v3": {"lastPrice": "101.4", "bid1Price": "101.25", "bid1Size": "3.5", "ask1Price": "101.75", "ask1Size": "7.25",
           "openPrice24h": "99", "highPrice24h": "105", "lowPrice24h": "98.5", "price24hPcnt": "0.0242",
           "volume24h": "1234.5", "turnover24h": "125000.75"},
}  # fmt: skip
BALANCES = {
    "v2": {"coin": "USDT", "available": "12.5", "frozen": "0.25", "locked": "0", "limitAvailable": "0",
           "uTime": str(T0)},
    "v3": {"totalEquity": "12.75", "effEquity": "12.75", "mmr": "0", "imr": "0", "mgnRatio": "0",
           "positionMgnRatio": "0", "unrealisedPnL": "0",
           "coin": [{"coin": "USDT", "balance": "12.75", "locked": "0.25", "equity": "12.75", "usdValue": "12.75",
                     "available": "12.5", "borrow": "0", "debts": "0"}]},
}  # fmt: skip
SYMBOLS = {"BTCUSDT", "default", *(f"C{number}USDT" for number in range(25))}


class DocumentedServer:
    """Serves ``/v2`` and ``/v3``, public and private, on loopback.

    Parameters
    ----------
    lost_update : int, optional
        The update of the first order book that is left out, counted from 0.

    Attributes
    ----------
    broken : list of str
        Rules that a client broke.
    asked : list of dict
        Every message that came, in order; pings as ``{"op": "ping"}``.
    """

    def __init__(self, lost_update: int | None = None) -> None:
        self.lost_update = lost_update
        self.broken: list[str] = []
        self.asked: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._server: Server = serve(self._handle, "127.0.0.1", 0, compression=None, ping_interval=None)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        _, version, _, access = socket.request.path.split("/")
        times: deque[float] = deque(maxlen=11)
        logged_in = access == "public"
        with contextlib.suppress(ConnectionClosed):
            while True:
                text = socket.recv(timeout=120)
                assert isinstance(text, str)
                times.append(time.monotonic())
                if len(times) == 11 and times[-1] - times[0] < 1:
                    return self._end("more than ten messages in a second")
                if text == "ping":
                    self.asked.append({"op": "ping"})
                    socket.send("pong")
                    continue
                message = json.loads(text)
                self.asked.append(message)
                if len(text.encode()) > 4096 or (version == "v3" and len(message["args"]) >= 25):
                    return self._end("a message that is too long")
                if message["op"] == "login":
                    if (problem := login_problem(message["args"][0])) is not None:
                        socket.send(json.dumps({"event": "error", "code": problem, "msg": "login failed"}))
                        return None
                    logged_in = True
                    socket.send(json.dumps({"event": "login", "code": 0, "connId": "0a-0b"}))
                elif not logged_in:
                    return self._end("a subscription before the login")
                else:
                    for argument in message["args"]:
                        self._subscribe(socket, version, message["op"], argument)

    def _end(self, rule: str) -> None:
        self.broken.append(rule)

    def _subscribe(self, socket: ServerConnection, version: str, op: str, argument: dict[str, str]) -> None:
        topic = argument.get("channel") or argument["topic"]
        symbol = argument.get("instId") or argument.get("symbol") or argument.get("coin") or "default"
        if symbol not in SYMBOLS:
            problem = {"event": "error", "arg": argument, "code": 30001, "msg": "doesn't exist"}
            if version == "v3":
                problem = {"event": "error", "code": 30001, "msg": f"{json.dumps(argument)} doesn't exist"}
            socket.send(json.dumps(problem))
            return
        socket.send(json.dumps({"event": op, "arg": argument}))
        if op == "subscribe":
            for action, row in self._pushes(version, topic):
                rows = row if isinstance(row, list) else [row]
                socket.send(json.dumps({"action": action, "arg": argument, "data": rows, "ts": T0 + 50}))

    def _pushes(self, version: str, topic: str) -> list[tuple[str, Any]]:
        if topic in ("trade", "publicTrade"):
            return [("snapshot", trade_rows(version, TRADES)), ("update", trade_rows(version, MORE_TRADES))]
        if topic in ("candle1m", "kline"):
            return [("snapshot", candle_rows(version, CANDLES)), ("update", candle_rows(version, MORE_CANDLES))]
        if topic == "ticker":
            return [("snapshot", TICKERS[version])]
        return [("snapshot", BALANCES[version])] if topic == "account" else self._book(version)

    def _book(self, version: str) -> list[tuple[str, Any]]:
        asks, bids = ("asks", "bids") if version == "v2" else ("a", "b")
        numbers = {"seq": SEQUENCE, "pseq": 0, "ts": str(T0)}
        found: list[tuple[str, Any]] = [("snapshot", {asks: BOOK["asks"], bids: BOOK["bids"], **numbers})]
        for number, (above, below) in enumerate(UPDATES):
            numbers = {"seq": SEQUENCE + 7 * (number + 1), "pseq": SEQUENCE + 7 * number, "ts": str(T0 + number + 1)}
            if number != self.lost_update:
                found.append(("update", {asks: above, bids: below, **numbers}))
        self.lost_update = None
        return found


def trade_rows(version: str, trades: list[tuple[str, int, str, str, str]]) -> list[dict[str, str]]:
    names = ("tradeId", "ts", "side", "price", "size") if version == "v2" else ("i", "T", "S", "p", "v")
    return [
        dict(zip(names, (key, str(T0 + after), side, price, size), strict=True))
        for key, after, side, price, size in trades
    ]


def candle_rows(version: str, candles: list[tuple[Any, ...]]) -> list[Any]:
    if version == "v2":
        return [[str(value) for value in (*one, one[-1])] for one in candles]
    names = ("start", "open", "high", "low", "close", "volume", "turnover")
    return [dict(zip(names, map(str, one), strict=True)) for one in candles]


def login_problem(login: dict[str, str]) -> int | None:
    """Return the documented code of what is wrong with a login, None if nothing is."""
    if login["apiKey"] != API_KEY:
        return 30011
    if login["passphrase"] != PASSPHRASE:
        return 30012
    if len(login["timestamp"]) != 10 or abs(time.time() - int(login["timestamp"])) > 30:
        return 30014
    text = f"{login['timestamp']}GET/user/verify"
    digest = hmac.new(SECRET_KEY.encode(), text.encode(), hashlib.sha256).digest()
    return None if login["sign"] == base64.b64encode(digest).decode() else 30015
