"""Whether anything was traded in a span, by the volume of its candles."""

from __future__ import annotations

import pyarrow as pa

from bgresearch.catalogue import load
from bgresearch.catalogue.response import rows_of
from bgresearch.core.intervals import HOUR_MS, MINUTE_MS
from bgresearch.core.spans import Span
from bgresearch.core.symbols import Named
from bgresearch.errors import BadResponse, ExchangeError
from bgresearch.frames import candle_table
from bgresearch.http.sender import Sender

_CANDLES = 200  # of one request
_SPOT, _CONTRACT = {MINUTE_MS: "1min", HOUR_MS: "1h"}, {MINUTE_MS: "1m", HOUR_MS: "1H"}


def was_traded(sender: Sender, named: Named, span: Span) -> bool:
    """Return whether a candle that is wholly inside the span has a volume; one request, for a week at most.

    False where the span is shorter than a candle, and where the exchange has no candles to compare with.
    """
    step_ms = MINUTE_MS if span.duration_ms <= _CANDLES * MINUTE_MS else HOUR_MS
    whole = Span(-(-span.start_ms // step_ms) * step_ms, span.end_ms // step_ms * step_ms)
    if whole.end_ms <= whole.start_ms:
        return False
    spot = named.market == "spot"
    endpoint = load()["spot.history_candles" if spot else "futures.history_candles"]
    params = {"symbol": named.symbol} | ({} if spot else {"productType": named.market.upper()})
    params |= {"granularity": (_SPOT if spot else _CONTRACT)[step_ms], "endTime": str(whole.end_ms)}
    try:
        reply = sender.send(endpoint, params | {"limit": str(_CANDLES)})
        candles = candle_table(endpoint, rows_of(endpoint, reply.data))
    except (BadResponse, ExchangeError):
        return False
    opened, volumes = candles.column("open_time").cast(pa.int64()).to_pylist(), candles.column("volume").to_pylist()
    return any(
        at is not None and volume > 0 and whole.start_ms <= at and at + step_ms <= whole.end_ms
        for at, volume in zip(opened, volumes, strict=True)
    )
