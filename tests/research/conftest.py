"""A client on the sandbox exchange, a clock moved by hand, and an exchange whose future can be altered."""

from __future__ import annotations

import json
from typing import Any

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.messages import Request, Response

_NUMBERS = ("fundingRate", "size", "longShortRatio", "buyVolume", "sellVolume")
_TIMES = ("fundingTime", "ts")


class OtherFuture(Exchange):
    """The sandbox's exchange, but every number that becomes known after an instant is another one.

    Parameters
    ----------
    model : Exchange
        Whose world it has.
    clock : ManualClock
        What time it is.
    after_ms : int
        The instant.
    length_ms : int
        Length of the candles that are asked for.
    """

    def __init__(self, model: Exchange, clock: ManualClock, after_ms: int, length_ms: int) -> None:
        super().__init__(clock=clock)
        self.world, self.accounts = model.world, model.accounts
        self._after_ms, self._length_ms = after_ms, length_ms
        self.altered = 0

    def handle(self, request: Request) -> Response:
        """Answer, with another future."""
        answer = super().handle(request)
        if answer.status != 200 or not answer.body.startswith(b"{"):
            return answer
        body = json.loads(answer.body)
        late = int(body.get("requestTime") or 0) > self._after_ms  # of what names no time of its own
        body["data"] = self._changed(body.get("data"), late=late)
        return answer._replace(body=json.dumps(body).encode())

    def _changed(self, data: Any, *, late: bool = False) -> Any:
        if isinstance(data, list):
            candle = len(data) > 5 and all(isinstance(one, str) for one in data)
            if candle and int(data[0]) + self._length_ms > self._after_ms:
                self.altered += 1
                return [data[0], *(_doubled(one) for one in data[1:])]
            return [self._changed(one, late=late) for one in data]
        if isinstance(data, dict):
            times = [int(data[name]) for name in _TIMES if str(data.get(name) or "").isdigit()]
            late = times[0] > self._after_ms if times else late
            self.altered += late
            return {
                name: _doubled(one) if late and name in _NUMBERS else self._changed(one, late=late)
                for name, one in data.items()
            }
        return data


def _doubled(text: str) -> str:
    """Twice the number, with as many decimals."""
    _, point, decimals = text.partition(".")
    return f"{2 * float(text):.{len(decimals) if point else 0}f}"
