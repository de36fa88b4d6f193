"""A row that comes twice in one answer is one row, also in another order: nothing is counted twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.faults import FaultName
from tests.conftest import NOW_MS
from tests.verbs import test_account_verbs, test_market_verbs

ACCOUNT = {f"account.{name}": (lambda c, ask=ask: ask(c.account)) for name, ask in test_account_verbs.CALLS.items()} | {
    "account.assets": lambda c: c.account.assets()
}
VERBS: dict[str, Callable[[Client], pd.DataFrame]] = {**test_market_verbs.CALLS, **ACCOUNT}


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    plain = (frame if frame.index.names == [None] else frame.reset_index()).astype(str)
    return plain.sort_values(list(plain.columns)).reset_index(drop=True)


@pytest.mark.quick_cases(12)
@pytest.mark.parametrize("verb", VERBS)
def test_rows_that_come_twice_and_in_another_order_are_given_once(model: Exchange, tmp_path: Path, verb: str) -> None:
    def asked(*faults: FaultName) -> pd.DataFrame:
        clock = ManualClock(NOW_MS)  # of its own: prices of now move with it
        exchange = Exchange(clock=clock)
        exchange.world, exchange.accounts = model.world, dict(model.accounts)
        for fault in faults:
            exchange.faults.inject(fault)
        data = tmp_path / "-".join(["data", *faults])
        return VERBS[verb](
            bgresearch.connect(sandbox=exchange, key="readonly", clock=clock, data_dir=data, progress=False)
        )  # fmt: skip

    whole, found = asked(), asked("duplicates", "shuffle")
    pd.testing.assert_frame_equal(ordered(found), ordered(whole))
