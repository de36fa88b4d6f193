"""One page of an account's rows: the window, the cursor and the size that the call asks for, newest first. Pure."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar, cast

from bgresearch.core.intervals import DAY_MS
from bgresearch.sandbox.call import Call
from bgresearch.sandbox.traders.accounts import Account
from bgresearch.sandbox.world.markets import Market

_Row = TypeVar("_Row")


class TimeWindow(NamedTuple):
    """First and last millisecond of a window, both inside it."""

    start_ms: int
    end_ms: int

    @classmethod
    def of(cls, call: Call) -> TimeWindow:
        """Return the asked window; a missing end is now, a missing start the longest span before the end.

        Nothing before the look-back is served, even if it is requested.
        """
        end = min(int(call.params.get("endTime", call.now_ms)), call.now_ms)
        span, lookback = call.endpoint.max_span_days, call.endpoint.lookback_days
        longest = span or lookback
        start = int(call.params.get("startTime", end - longest * DAY_MS if longest else 0))
        return cls(max(start, call.now_ms - lookback * DAY_MS) if lookback else start, end)


def page(
    call: Call, rows: Sequence[_Row], wanted: Callable[[_Row], bool], *,
    key: Callable[[_Row], int], time: Callable[[_Row], int],
) -> list[_Row]:  # fmt: skip
    """Return the rows of one page, newest first.

    Parameters
    ----------
    call : Call
        Says window, cursor (``idLessThan`` or ``cursor``) and size.
    rows : sequence
        Ascending in time and id.
    wanted : callable
        Whether the call asks for a row of the window.
    key, time : callable
        The id that the cursor compares with; the instant that the window compares with.
    """
    window = TimeWindow.of(call)
    cursor = call.params.get("idLessThan") or call.params.get("cursor")
    below = int(cursor) if cursor and cursor.isdigit() else None
    limit = int(call.params.get("limit") or call.endpoint.paging.default_rows or 100)
    first = bisect.bisect_left(rows, window.start_ms, key=time)
    end = bisect.bisect_right(rows, window.end_ms, key=time)
    if below is not None:
        end = min(end, bisect.bisect_left(rows, below, key=key))
    newest_first = (rows[place] for place in range(end - 1, first - 1, -1))
    return list(itertools.islice(filter(wanted, newest_first), limit))


def account_of(call: Call) -> Account:
    """Return whose key signed the call; private rows always have one."""
    return cast(Account, call.account)


class _OfMarket(Protocol):
    @property
    def market(self) -> Market: ...


def concerns(call: Call, row: _OfMarket) -> bool:
    """Whether a fill, order or position is of the product, symbol and order that the call asks for, where it asks."""
    product = call.params.get("productType") or call.params.get("category")
    if product is not None and product.upper() != row.market.product_type:
        return False
    if call.params.get("symbol", row.market.symbol).upper() != row.market.symbol:
        return False
    order_id = str(getattr(row, "order_id", ""))
    return call.params.get("orderId", order_id) == order_id
