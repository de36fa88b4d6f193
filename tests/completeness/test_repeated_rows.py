"""A row that comes twice in one answer is one row, also in another order: nothing is counted twice."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.sandbox import Exchange
from tests.verbs import test_account_verbs, test_market_verbs

ACCOUNT = {f"account.{name}": (lambda c, ask=ask: ask(c.account)) for name, ask in test_account_verbs.CALLS.items()} | {
    "account.assets": lambda c: c.account.assets()
}
VERBS: dict[str, Callable[[Client], pd.DataFrame]] = {**test_market_verbs.CALLS, **ACCOUNT}


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    plain = frame.reset_index().drop(columns="index", errors="ignore").astype(str)
    return plain.sort_values(list(plain.columns)).reset_index(drop=True)


@pytest.mark.parametrize("verb", VERBS)
def test_rows_that_come_twice_and_in_another_order_are_given_once(
    connect: Callable[..., Client], exchange: Exchange, tmp_path: object, verb: str
) -> None:
    whole = VERBS[verb](connect(data_dir=f"{tmp_path}/whole", key="readonly"))
    exchange.faults.inject("duplicates")
    exchange.faults.inject("shuffle")
    found = VERBS[verb](connect(data_dir=f"{tmp_path}/again", key="readonly"))
    pd.testing.assert_frame_equal(ordered(found), ordered(whole))
