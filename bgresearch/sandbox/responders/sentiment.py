"""Long and short shares, taker volumes, money flows: consistent series per period, for every symbol that trades."""

from __future__ import annotations

from typing import Any

from bgresearch.core.intervals import DAY_MS, HOUR_MS
from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.lookup import unknown
from bgresearch.sandbox.world.hash_random import bits_at, key_of
from bgresearch.sandbox.world.markets import KINDS, Market, find

_ROWS = 30
_MINUTE_MS = 60_000
_PERIOD_MS = {
    "5m": 5 * _MINUTE_MS, "15m": 15 * _MINUTE_MS, "30m": 30 * _MINUTE_MS, "1h": HOUR_MS, "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS, "6h": 6 * HOUR_MS, "12h": 12 * HOUR_MS, "1d": DAY_MS, "1Dutc": DAY_MS, "24h": HOUR_MS,
    "30d": DAY_MS,
}  # fmt: skip
_SIZES = ("whale", "dolphin", "fish")
_NAMES = {
    "data.futures_long_short": ("longRatio", "shortRatio", "longShortRatio"),
    "data.futures_account_long_short": ("longAccountRatio", "shortAccountRatio", "longShortAccountRatio"),
    "data.futures_position_long_short": ("longPositionRatio", "shortPositionRatio", "longShortPositionRatio"),
}


def _market(call: Call) -> Market:
    """Return the market of that name: most of these do not say in which one."""
    spot_first = call.endpoint.id.startswith(("data.spot", "data.margin"))
    for kind in KINDS if spot_first else reversed(KINDS):
        market = find(kind, call.params["symbol"])
        if market is not None and market.listed_at(call.now_ms):
            return market
    raise unknown(call, call.params["symbol"])


def _times(call: Call) -> list[int]:
    """Return the starts of the last whole periods, oldest first."""
    length = _PERIOD_MS[call.params.get("period", "30d")]
    newest = call.now_ms - call.now_ms % length
    return [newest - back * length for back in range(_ROWS, 0, -1)]


def _share(call: Call, market: Market, at: int, what: str = "") -> int:
    """Return a share in units of 1e-4, around a half."""
    key = key_of(call.world.seed, "mood", call.endpoint.id, market.symbol, call.params.get("period"), what)
    return 5000 + (bits_at(key, at // _MINUTE_MS) & 0xFFFF) * 3000 // 65_536 - 1500


def long_short(call: Call) -> list[dict[str, str]]:
    """Return which share is long, which is short, and the one over the other."""
    market = _market(call)
    long, short, ratio = _NAMES[call.endpoint.id]
    shares = [(at, _share(call, market, at)) for at in _times(call)]
    return [
        {
            long: f"{share / 10**4:.4f}", short: f"{(10**4 - share) / 10**4:.4f}",
            ratio: f"{share / (10**4 - share):.4f}", "ts": str(at),
        }
        for at, share in shares
    ]  # fmt: skip


def margin_long_short(call: Call) -> list[dict[str, str]]:
    """Return long over short of margin."""
    market = _market(call)
    shares = [(at, _share(call, market, at)) for at in _times(call)]
    return [{"longShortRatio": f"{share / (10**4 - share):.4f}", "ts": str(at)} for at, share in shares]


def taker_volume(call: Call) -> list[dict[str, str]]:
    """Return what takers sold and bought."""
    market = _market(call)
    return [
        {
            "sellVolume": f"{_share(call, market, at, 'sell') / 10:.1f}",
            "buyVolume": f"{_share(call, market, at, 'buy') / 10:.1f}", "ts": str(at),
        }
        for at in _times(call)
    ]  # fmt: skip


def flow(call: Call) -> dict[str, str]:
    """Return what large, middle and small orders bought and sold; the shares of each side add up to one."""
    market, at = _market(call), call.now_ms - call.now_ms % HOUR_MS
    row: dict[str, str] = {}
    for side in ("Buy", "Sell"):
        volumes = {size: _share(call, market, at, side + size) for size in _SIZES}
        whole = sum(volumes.values())
        row |= {f"{size}{side}Volume": f"{volume / 10:.1f}" for size, volume in volumes.items()}
        row |= {f"{size}{side}Ratio": f"{volume / whole:.6f}" for size, volume in volumes.items()}
    return row


def _one(name: str, time: str, centre: int, places: int) -> Responder:
    """Return a responder for a series of one number around zero or above it."""

    def answer(call: Call) -> list[dict[str, Any]]:
        market = _market(call)
        values = [(at, _share(call, market, at) - centre) for at in _times(call)]
        return [{name: f"{value / 10**places:.{places}f}", time: str(at)} for at, value in values]

    return answer


MOOD_RESPONDERS: dict[str, Responder] = {
    **dict.fromkeys(_NAMES, long_short),
    "data.futures_isolated_borrow_rate": _one("borrowRate", "ts", 3000, 5),
    "data.margin_isolated_borrow_rate": _one("borrowRate", "ts", 3000, 5),
    "data.futures_taker_buy_sell": taker_volume,
    "data.margin_loan_growth": _one("growthRate", "ts", 5000, 5),
    "data.margin_long_short_ratio": margin_long_short,
    "data.spot_fund_flow": flow,
    "data.spot_fund_net_flow": _one("netFlow", "ts", 5000, 1),
    "data.spot_whale_net_flow": _one("volume", "date", 5000, 1),
}
