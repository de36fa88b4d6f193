"""What the sandbox's gate costs per request beyond the responder: public, private and invented rows.

Run: ``python benchmarks/sandbox_overhead.py``. Prints microseconds per request, the best of five rounds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, Request
from bgresearch.sandbox.responders import RESPONDERS

NOW_MS = 1_780_000_000_000
REQUESTS = 500


def signed(target: str) -> Request:
    key = SANDBOX_KEYS["readonly"]
    text = f"{NOW_MS}GET{target}".encode()
    sign = base64.b64encode(hmac.new(key.secret_key.encode(), text, hashlib.sha256).digest()).decode()
    headers = {
        "ACCESS-KEY": key.api_key, "ACCESS-SIGN": sign, "ACCESS-TIMESTAMP": str(NOW_MS),
        "ACCESS-PASSPHRASE": key.passphrase, "Content-Type": "application/json",
    }  # fmt: skip
    return Request("GET", target, headers, "127.0.0.1")


def best_us(call: Callable[[], object]) -> float:
    call()
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(REQUESTS):
            call()
        rounds.append((time.perf_counter() - started) / REQUESTS * 1e6)
    return min(rounds)


def main() -> None:
    clock = ManualClock(NOW_MS)
    exchange = Exchange(clock=clock, limits=False)
    window = f"startTime={NOW_MS - 86_400_000}&endTime={NOW_MS}"
    cases = {
        "public, server time": Request("GET", "/api/v2/public/time", {}, "127.0.0.1"),
        "private, key information": signed("/api/v2/spot/account/info"),
        "private, invented history": signed(f"/api/v2/margin/crossed/borrow-history?{window}"),
        "refused signature": signed("/api/v2/spot/account/info")._replace(target="/api/v2/spot/account/assets"),
    }
    for name, request in cases.items():
        print(f"{name:30s} {best_us(lambda request=request: exchange.handle(request)):8.0f} us")
    limited = Exchange(clock=clock)
    public = cases["public, server time"]

    def with_limits() -> None:
        clock.advance(0.06)
        limited.handle(public)

    print(f"{'public, with limits':30s} {best_us(with_limits):8.0f} us")
    print(f"{len(RESPONDERS)} rows have responders")


if __name__ == "__main__":
    main()
