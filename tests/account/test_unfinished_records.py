"""What is not over costs nothing: its record comes when it is, and is asked for then."""

from __future__ import annotations

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span
from bgresearch.core.timestamps import moment_ms
from bgresearch.sandbox import Exchange
from tests.account.trader_truth import kept, truth
from tests.conftest import Connect

WEEK_S = 7 * 86_400


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("kind", ["orders", "closed_positions"])
def test_the_instants_of_what_is_not_over_are_asked_only_when_it_is(
    connect: Connect, exchange: Exchange, clock: ManualClock, kind: str
) -> None:
    connect().account.archive("2026-11-09", kinds=[kind])
    source = connect()._source
    (lot,) = {"orders": ["spot"], "closed_positions": ["usdt-futures"]}[kind]
    account = exchange.accounts["classic"]
    begun = [one.ts_ms for one in account.orders(clock.now_ms(), pending=True) if one.market.kind == lot]
    if kind == "closed_positions":
        begun = [one.opened_ms for one in account.positions(clock.now_ms(), closed=False)]
    assert begun  # an order that waits since Monday, a position from last night
    again = connect().account.archive("2026-11-09", kinds=[kind])
    assert all(line.new == 0 for line in again.lines)
    line = next(line for line in again.lines if line.lot == lot)
    assert line.requests <= 5  # the list of what is open, and the last minutes
    clock.advance(WEEK_S)
    connect().account.archive("2026-11-09", kinds=[kind])
    span = Span(moment_ms("2026-11-09", "start")[0], clock.now_ms() - 5 * 60_000)
    expected = truth(account, clock.now_ms(), span)[kind, lot]
    assert set(begun) <= {at for _, at in expected}
    assert kept(source, account.uid, kind, lot, span) == expected
