"""A second stand-in for the exchange, over a real socket, that shares no code with the package.

Written from the documentation's words alone, with a switch for everything they leave open: whether ends are included,
whether history obeys a start, what an empty answer looks like, what an unknown symbol is called, and so on.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import hmac
import json
import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
LENGTHS = {
    "1min": MINUTE, "3min": 3 * MINUTE, "5min": 5 * MINUTE, "15min": 15 * MINUTE, "30min": 30 * MINUTE, "1h": HOUR,
    "4h": 4 * HOUR, "6Hutc": 6 * HOUR, "12Hutc": 12 * HOUR, "1Dutc": DAY, "1m": MINUTE, "3m": 3 * MINUTE,
    "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE, "1H": HOUR, "2H": 2 * HOUR, "4H": 4 * HOUR,
}  # fmt: skip
LOOK_BACK_DAYS = {
    MINUTE: 30, 3 * MINUTE: 30, 5 * MINUTE: 30, 15 * MINUTE: 52, 30 * MINUTE: 62, HOUR: 83, 2 * HOUR: 120,
    4 * HOUR: 240, 6 * HOUR: 360,
}  # fmt: skip
KEY, SECRET, PASSPHRASE = "bg_" + "7" * 32, "5" * 64, "correct horse"
_PRIVATE = ("/api/v2/spot/account", "/api/v2/spot/trade", "/api/v2/mix/account", "/api/v2/mix/order", "/api/v2/account",
            "/api/v3/account", "/api/v3/trade")  # fmt: skip


class Lack(NamedTuple):
    """What one path does not have, of candles as long as that."""

    path: str
    lengths: tuple[int, ...]
    start_ms: int
    end_ms: int


@dataclass
class Habits:
    """What the documentation leaves open, and what may go wrong on the way."""

    candles_end_included: bool = False
    candles_start_excluded: bool = False
    candles_fill_from: str = "end"
    history_end_included: bool = False
    history_obeys_start: bool = False
    history_reaches_only_its_limit: bool = False
    forming: bool = True
    late_ms: int = 0  # the newest closed candles that are not there yet
    empty: Any = field(default_factory=list)  # or None, "", or "missing"
    look_back_days: float | None = None
    unified_look_back_days: float = 90
    over_limit: str = "refused"
    unified_rows: int = 1000
    too_wide: str = "cut"
    newest_first: bool = False
    numbers: bool = False
    extra_columns: bool = False
    unified_markets: bool = True
    absent: tuple[str, ...] = ()  # beginnings of paths that are not there
    absent_body: bytes = b"<html>404</html>"
    granularities: tuple[str, ...] | None = None
    unknown_granularity: str = "400171"
    unknown_symbol: str = "40034"
    error_status: int = 400
    close_connections: bool = False
    latency_s: float = 0.0
    per_second: int | None = None
    counts_in_headers: bool = False
    faults: dict[str, float] = field(default_factory=dict)
    whole_candles: bool = False  # a longer candle is there if anything traded in it, else if something did at its open
    lacks: tuple[Lack, ...] = ()
    odd: dict[int, Callable[[list[Any]], list[list[Any]]]] = field(default_factory=dict)  # open -> rows instead of it
    odd_on: tuple[str, ...] = ("/api",)  # beginnings of the paths that answer so
    mode: str = "classic"
    refuse: dict[str, str] = field(default_factory=dict)  # path -> code
    info: dict[str, Any] = field(default_factory=dict)
    fills_page: int = 100


@dataclass
class Market:
    """One symbol: since when it trades, until when, and when nothing was to be had."""

    listed_ms: int
    gone_ms: int = 2**53
    gaps: tuple[tuple[int, int], ...] = ()  # in order

    def gap_at(self, open_ms: int) -> tuple[int, int] | None:
        at = bisect.bisect_right(self.gaps, (open_ms, 2**53)) - 1
        return self.gaps[at] if at >= 0 and open_ms < self.gaps[at][1] else None

    def trades_at(self, open_ms: int) -> bool:
        return self.listed_ms <= open_ms < self.gone_ms and self.gap_at(open_ms) is None

    def trades_in(self, start_ms: int, end_ms: int) -> bool:
        """Whether it trades at some minute of a span."""
        at, end_ms = max(start_ms, self.listed_ms), min(end_ms, self.gone_ms)
        while at < end_ms and (gap := self.gap_at(at)) is not None:
            at = gap[1]
        return at < end_ms


def bar(symbol: str, length: int, open_ms: int) -> list[str]:
    """Return open, high, low, close, base volume, USDT volume, quote volume: made up, but always the same."""
    digest = hashlib.blake2b(f"{symbol}:{length}:{open_ms}".encode(), digest_size=16).digest()
    low = 10_000 + int.from_bytes(digest[:3], "big") % 900_000
    high = low + digest[3] + 1
    opened, close = low + digest[4] % (high - low + 1), low + digest[5] % (high - low + 1)
    volume = int.from_bytes(digest[6:9], "big")
    cents = [f"{price / 100:.2f}" for price in (opened, high, low, close)]
    return [*cents, f"{volume / 1000:.3f}", f"{volume / 7:.4f}", f"{volume / 3:.4f}"]


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return tuple(found)


class OtherExchange:
    """The server; a context manager.

    Parameters
    ----------
    habits : Habits
        How it behaves where the documentation leaves that open.
    now_ms : callable
        Its clock.
    seed : int
        Of its faults.
    """

    def __init__(self, habits: Habits | None, now_ms: Callable[[], int], seed: int = 1) -> None:
        self.habits = habits or Habits()
        self.now_ms = now_ms
        self.markets = {"BTCUSDT": Market(1_500_000_000_000)}
        self.fills: list[dict[str, Any]] = []
        self.assets: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.refused = 0
        self._arrivals: defaultdict[str, deque[float]] = defaultdict(deque)
        self._random = random.Random(seed)  # noqa: S311 - mishaps, not secrets
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> OtherExchange:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, path: str) -> int:
        return sum(one == path for one, _params in self.requests)

    # one request

    def answer(self, target: str, headers: Any) -> tuple[int, bytes, dict[str, str]]:
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        with self._lock:
            self.requests.append((parts.path, params))
            full, left = self._is_full(parts.path)
        extra = {"x-mbx-used-remain-limit": str(left)} if self.habits.counts_in_headers else {}
        if full:
            self.refused += 1
            return 429, b"", extra
        if self.habits.latency_s:
            time.sleep(self.habits.latency_s)
        if any(parts.path.startswith(begin) for begin in self.habits.absent) or (
            not self.habits.unified_markets and parts.path.startswith("/api/v3/market")
        ):
            return 404, self.habits.absent_body, extra
        try:
            data = self._data(parts.path, params, target, headers)
        except Refusal as refusal:
            said = {"code": refusal.code, "msg": refusal.said, "requestTime": self.now_ms(), "data": None}
            return self.habits.error_status, json.dumps(said).encode(), extra
        body = {"code": "00000", "msg": "success", "requestTime": self.now_ms(), "data": data}
        if data == "missing":
            del body["data"]
        return 200, json.dumps(body).encode(), extra

    def _is_full(self, path: str) -> tuple[bool, int]:
        most = self.habits.per_second
        if most is None:
            return False, 99
        seen, now = self._arrivals[path], time.monotonic()
        while seen and seen[0] <= now - 1:
            seen.popleft()
        if len(seen) >= most:
            return True, 0
        seen.append(now)
        return False, most - len(seen)

    def _data(self, path: str, params: dict[str, str], target: str, headers: Any) -> Any:
        if path.startswith(_PRIVATE):
            self._check_signature(target, headers)
            if path in self.habits.refuse:
                raise Refusal(self.habits.refuse[path])
            return self._private(path, params)
        if path == "/api/v2/public/time":
            return {"serverTime": str(self.now_ms())}
        if path in ("/api/v2/spot/public/symbols", "/api/v2/mix/market/contracts"):
            return [{"symbol": symbol, "status": "online"} for symbol in self.markets]
        rows = self._candles(path, params)
        rows = self._spoilt(rows)
        return rows if rows else self.habits.empty

    def _spoilt(self, rows: list[Any]) -> list[Any]:
        if self._unlucky("duplicates"):
            rows = [row for row in rows for _ in range(2)]
        if self._unlucky("shuffle"):
            rows = self._random.sample(rows, len(rows))
        return [] if self._unlucky("false_empty") else rows

    def _unlucky(self, fault: str) -> bool:
        with self._lock:
            return self._random.random() < self.habits.faults.get(fault, 0)

    # candles

    def _candles(self, path: str, params: dict[str, str]) -> list[list[Any]]:
        unified, history = path.startswith("/api/v3"), "history" in path
        length, market = self._asked(path, params, unified=unified)
        most = (100 if unified else 200) if history else (self.habits.unified_rows if unified else 1000)
        limit = int(params.get("limit", "100"))
        if limit > most:
            if self.habits.over_limit == "refused":
                raise Refusal("40017", "limit")
            limit = most
        now = self.now_ms()
        if history and not unified and "endTime" not in params:
            raise Refusal("40019", "endTime")
        start = int(params.get("startTime", "0"))
        end = int(params["endTime"]) if "endTime" in params else now + 1
        if not unified and "mix" in path and start and end - start > 90 * DAY:
            raise Refusal("00001", "startTime and endTime interval cannot be greater than 90 day")
        if start and self.habits.too_wide == "empty" and end - start > limit * length:
            return []
        ended = self.habits.history_end_included if history else self.habits.candles_end_included
        last = (end if ended else end - 1) // length * length
        obeyed = unified or not history or self.habits.history_obeys_start
        first = -(-start // length) * length if obeyed and start else 0
        if not history and self.habits.candles_start_excluded:
            first = (start // length + 1) * length
        first = max(first, self._oldest(length, unified=unified, history=history, now=now))
        if history and self.habits.history_reaches_only_its_limit:
            first = max(first, end - limit * length)
        newest = now // length * length - (0 if self.habits.forming and not history else length)
        if self.habits.late_ms:
            newest = min(newest, (now - self.habits.late_ms) // length * length - length)
        last = min(last, newest, market.gone_ms - 1)
        lacks = [one for one in self.habits.lacks if path.startswith(one.path) and length in one.lengths]
        if lacks:
            market = replace(market, gaps=_merged([*market.gaps, *((one.start_ms, one.end_ms) for one in lacks)]))
        opens = self._opens(market, length, first, last, limit, from_start=not history and start > 0
                            and self.habits.candles_fill_from == "start")  # fmt: skip
        odd = self.habits.odd if path.startswith(self.habits.odd_on) else {}
        rows = []
        for at in opens:
            row = self._row(path, params["symbol"], length, at)
            rows += odd[at](row) if at in odd else [row]
        return rows[::-1] if self.habits.newest_first else rows

    def _asked(self, path: str, params: dict[str, str], *, unified: bool) -> tuple[int, Market]:
        word = params.get("interval" if unified else "granularity", "")
        known = LENGTHS if self.habits.granularities is None else self.habits.granularities
        if word not in known:
            raise Refusal(self.habits.unknown_granularity, f"granularity {word}")
        if "mix" in path and params.get("productType") != "USDT-FUTURES":
            raise Refusal("40034", "productType")
        market = self.markets.get(params.get("symbol", ""))
        if market is None:
            if self.habits.unknown_symbol == "empty":
                return LENGTHS[word], Market(2**53)
            raise Refusal(self.habits.unknown_symbol, "Parameter does not exist")
        return LENGTHS[word], market

    def _oldest(self, length: int, *, unified: bool, history: bool, now: int) -> int:
        if unified:
            days = self.habits.unified_look_back_days if history else 1000 * length / DAY
        elif history:
            return 0
        else:
            days = self.habits.look_back_days or LOOK_BACK_DAYS.get(length, 1000)
        return -int(-(now - days * DAY) // length) * length

    def _opens(self, market: Market, length: int, first: int, last: int, limit: int, *, from_start: bool) -> list[int]:
        whole = self.habits.whole_candles
        listed = market.listed_ms // length * length if whole else -(-market.listed_ms // length) * length
        first, at, step = max(first, listed), last // length * length, -length
        if from_start:
            at, step = -(-first // length) * length, length
        found: list[int] = []
        while first <= at <= last and len(found) < limit:
            gap = market.gap_at(at)
            if market.trades_in(at, at + length) if whole else market.trades_at(at):
                found.append(at)
            elif gap is not None:  # its other end at once
                ends = gap[1] // length * length - length, -(-gap[0] // length) * length
                at = max(at, ends[0]) if from_start else min(at, ends[1])
            at += step
        return sorted(found)

    def _row(self, path: str, symbol: str, length: int, at: int) -> list[Any]:
        values: list[Any] = bar(symbol, length, at)
        if "spot" not in path:
            del values[5]
        if self.habits.numbers:
            values = [float(value) for value in values]
        row = [at if self.habits.numbers else str(at), *values]
        return [*row, "1", "extra"] if self.habits.extra_columns else row

    # the account

    def _check_signature(self, target: str, headers: Any) -> None:
        path, _, query = target.partition("?")
        text = unquote(target) if query else path
        stamp = headers.get("ACCESS-TIMESTAMP", "")
        if not headers.get("ACCESS-KEY") or not stamp.isdecimal():
            raise Refusal("40006")
        if abs(int(stamp) - self.now_ms()) > 30_000:
            raise Refusal("40008")
        if headers["ACCESS-KEY"] != KEY:
            raise Refusal("40037")
        if headers["ACCESS-PASSPHRASE"] != PASSPHRASE:
            raise Refusal("40012")
        digest = hmac.new(SECRET.encode(), f"{stamp}GET{text}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(base64.b64encode(digest).decode(), headers.get("ACCESS-SIGN", "")):
            raise Refusal("40009")

    def _private(self, path: str, params: dict[str, str]) -> Any:
        unified = self.habits.mode == "unified"
        if path.startswith("/api/v3") and not unified:
            raise Refusal("40084")
        if path.startswith("/api/v2") and unified:
            raise Refusal("40085")
        if path == "/api/v3/account/settings":
            return {"uid": "42", "accountMode": "unified", "holdMode": "hedge_mode"}
        if path == "/api/v3/account/info":
            return {"userId": "42", "permType": "read-only", "permissions": ["uta_mgt", "uta_trade"], "ips": "",
                    **self.habits.info}  # fmt: skip
        if path == "/api/v2/spot/account/info":
            return {"userId": "42", "authorities": ["coor", "stor"], "ips": "", **self.habits.info}
        if "fills" in path:
            return self._spoilt_fills(path, params)
        return self.assets.get(path, self.habits.empty)

    def _spoilt_fills(self, path: str, params: dict[str, str]) -> Any:
        unified = path.startswith("/api/v3")
        if int(params["endTime"]) - int(params["startTime"]) > (30 if unified else 90) * DAY + 1:
            raise Refusal("00001", "startTime and endTime interval cannot be greater than 30 day")
        if int(params["startTime"]) < self.now_ms() - 90 * DAY:
            raise Refusal("43111")
        time_key, id_key = ("createdTime", "execId") if unified else ("cTime", "tradeId")
        cursor = int(params.get("cursor" if unified else "idLessThan") or 2**63)
        inside = [
            row for row in self.fills
            if int(params["startTime"]) <= int(row[time_key]) <= int(params["endTime"]) and int(row[id_key]) < cursor
        ]  # fmt: skip
        inside.sort(key=lambda row: -int(row[id_key]))
        page = inside[: min(int(params.get("limit", "100")), self.habits.fills_page)]
        last = page[-1][id_key] if page else ""
        page = self._spoilt(page)
        if unified:
            return {"list": page, "cursor": last}
        if "mix" in path:
            return {"fillList": page, "endId": last}
        return page if page else self.habits.empty

    def mishap(self) -> str:
        """Return what befalls this answer on its way: "", "reset", "cut", "html", "500" or "429"."""
        for name in ("reset", "cut", "html", "500", "429"):
            if self._unlucky(name):
                return name
        return ""


class Refusal(Exception):
    """The exchange says no."""

    def __init__(self, code: str, said: str = "refused") -> None:
        super().__init__(code)
        self.code, self.said = code, said


def _handler(exchange: OtherExchange) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            status, body, headers = exchange.answer(self.path, self.headers)
            mishap = exchange.mishap()
            if mishap == "reset":
                self.close_connection = True
                return
            if mishap in ("500", "429"):
                status, body = int(mishap), b""
            elif mishap == "html":
                body = b"<html><body>Just a moment</body></html>"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            if exchange.habits.close_connections:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if mishap == "cut":
                self.close_connection = True
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
