"""Over all verbs: once kept files are damaged, a verb gives what it gave before or an error, and never less."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.errors import BgresearchError
from bgresearch.store import StoreWarning
from tests.completeness.test_damaged_files import HOW
from tests.completeness.test_damaged_files import VERBS as PAST
from tests.completeness.test_false_empty import VERBS as EVERY

Connect = Callable[..., Client]
Ask = Callable[[Client], pd.DataFrame]
VERBS: dict[str, Ask] = {
    **{name: ask for name, (ask, _shape) in EVERY.items()},
    **{f"{name} of a month": ask for name, (_folder, ask) in PAST.items()},
    "candles by exchange days": lambda c: c.candles("BTCUSDT", "1d", "2026-10-01", "2026-11-01", anchor="exchange"),
    "mark candles": lambda c: c.candles(
        "BTCUSDT", "1h", "2026-11-01", "2026-11-02", market="usdt-futures", price="mark"
    ),
    "panel": lambda c: c.panel(["BTCUSDT", "ETHUSDT"], "1h", "2026-11-01", "2026-11-02"),
    "symbols at": lambda c: c.symbols(at="2026-11-20 09:00:30"),
    "listings": lambda c: (c.symbols(), c.listings())[1],
}  # fmt: skip

QUICK = {name: how for place, name in enumerate(VERBS) if place % 3 == 0 and not name.endswith("of a month")
         for how in [list(HOW)[place // 3 % 2]]} | {
    "candles of a month": "page", "mark candles": "footer", "candles by exchange days": "page", "panel": "footer",
    "listings": "page", "symbols at": "footer", "account.fills": "page", "account.bills": "footer",
    "account.deposits": "page", "account.tax_records": "page",
}  # fmt: skip
CASES = [
    pytest.param(verb, how, marks=() if QUICK.get(verb) == how else pytest.mark.slow) for verb in VERBS for how in HOW
]


def answer(ask: Ask, client: Client) -> pd.DataFrame | None:
    """Return what a verb gives, None if it raises an error of this package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        try:
            return ask(client)
        except BgresearchError:
            return None


@pytest.mark.quick_cases(10)
@pytest.mark.parametrize(("verb", "how"), CASES)
def test_a_verb_never_gives_less(connect: Connect, tmp_path: Path, verb: str, how: str) -> None:
    ask, root = VERBS[verb], tmp_path / "data"
    online = answer(ask, connect(key="readonly"))
    offline = answer(ask, connect(key="readonly", offline=True))
    assert online is not None
    for path in sorted(root.rglob("*.parquet")):
        HOW[how](path)
    for _ in range(2):
        after = answer(ask, connect(key="readonly", offline=True))
        if after is not None:
            assert offline is not None
            pd.testing.assert_frame_equal(after, offline)
    for options in ({}, {"offline": True}):
        after = answer(ask, connect(key="readonly", **options))
        if after is not None:
            assert len(after) == len(online)
            assert list(after.columns) == list(online.columns)
