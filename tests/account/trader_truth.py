"""What the sandbox's trader really did, by kind and list, as ids and times: what an archive of it has to hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from bgresearch.account.kinds import KINDS
from bgresearch.core.spans import Span
from bgresearch.sandbox.traders.accounts import Account
from bgresearch.session.session import Session

Ids = list[tuple[str, int]]
MARKETS = ("spot", "usdt-futures")
REPORTED = ("fills", "orders", "closed_positions", "bills", "transfers", "deposits", "withdrawals")


def truth(account: Account, now_ms: int, span: Span) -> dict[tuple[str, str], Ids]:
    """Return id and time of everything that was over at ``now_ms`` and has its time in the span."""
    found: dict[tuple[str, str], Ids] = {}
    unified = account.mode == "unified"
    for market in MARKETS:
        fills = (fill for fill in account.fills(now_ms) if fill.market.kind == market)
        found["fills", market] = _ids(((fill.fill_id, fill.ts_ms) for fill in fills), span)
        orders = (order for order in account.orders(now_ms, pending=False) if order.market.kind == market)
        found["orders", market] = _ids(((order.order_id, order.ts_ms) for order in orders), span)
    if not unified:  # the unified key of the sandbox may not read positions
        closed = account.positions(now_ms, closed=True)
        found["closed_positions", "usdt-futures"] = _ids(((one.position_id, one.opened_ms) for one in closed), span)
        for market in MARKETS:
            lines = (line for line in account.entries(now_ms) if line.wallet == market)
            found["bills", market] = _ids(((line.entry_id, line.ts_ms) for line in lines), span)
        moved = account.transfers(now_ms)
        found["transfers", "USDT"] = _ids(((one.transfer_id, one.ts_ms) for one in moved), span)
    for name, incoming in (("deposits", True), ("withdrawals", False)):
        rows = (one for one in account.movements(now_ms) if one.incoming is incoming)
        found[name, ""] = _ids(((one.movement_id, one.ts_ms) for one in rows), span)
    return found


def kept(source: Session, uid: str, kind: str, lot: str, span: Span) -> Ids:
    """Return id and time of everything that the store holds of one list in the span, in the order of their times."""
    what = KINDS[kind]
    table = source.store.read(what.series(uid, lot), span)
    if table is None:
        return []
    times = table.column(what.time).cast(pa.int64()).to_pylist()
    return sorted(zip(table.column(what.id).to_pylist(), times, strict=True), key=lambda pair: (pair[1], pair[0]))


def _ids(pairs: Iterable[tuple[Any, int]], span: Span) -> Ids:
    inside = [(str(name), at) for name, at in pairs if span.start_ms <= at < span.end_ms]
    return sorted(inside, key=lambda pair: (pair[1], pair[0]))
