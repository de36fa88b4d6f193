"""Every row of the table, from its documentation to a typed frame, through the client that people use."""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coverage_page
import errors_page
import pandas as pd
import pytest

import bgresearch
from bgresearch.catalogue import Endpoint, load
from bgresearch.client.api_signatures import turning
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import IncompleteData, UndocumentedData
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.responders import RESPONDERS
from tests.conftest import call_of

ROOT = Path(__file__).parents[2]
NOW_MS = 1_795_165_230_000  # 2026-11-20
DAY_MS = 86_400_000
ROWS = list(load())
TEXT = str(pd.Series(["text"]).dtype)  # pandas 3 calls it str, pandas 2 object
DTYPES = {
    "decimal": "float64", "percent": "float64", "ms": "datetime64[ms, UTC]", "int": "Int64", "flag": "boolean",
    "bool": "boolean", "enum": "category",
}  # fmt: skip
SUITABLE = {
    "symbol": "BTCUSDT", "coin": "USDT", "marginCoin": "USDT", "loanCoin": "USDT", "pledgeCoin": "BTC",
    "fromCoin": "BTC", "toCoin": "USDT", "startTime": NOW_MS - DAY_MS, "endTime": NOW_MS, "requestTime": NOW_MS,
    "receiveWindow": "1000", "category": "USDT-FUTURES", "type": "market", "granularity": "1h",
}  # fmt: skip

NEVER_TURNED = {"uta.broker_sub_list"}  # no page says how, and no id of a row helps

Calls = Callable[[Endpoint], Any]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Client]:
    clock = ManualClock(NOW_MS)
    exchange = Exchange(clock=clock, limits=False)
    return {
        key: bgresearch.connect(
            sandbox=exchange, key=key, clock=clock, data_dir=tmp_path_factory.mktemp(key), progress=False
        )
        for key in ("readonly", "unified", "unified_trader")
    }


@pytest.fixture(scope="module")
def calls(clients: dict[str, Client]) -> Calls:
    def call(row: Endpoint) -> Any:
        key = "readonly" if row.version == "v2" else "unified"
        if row.permission.endswith(":read_write"):
            key = "unified_trader"
        return call_of(clients[key], row)

    return call


def suitable(row: Endpoint, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the required parameters with values that any sane exchange takes."""
    chosen: dict[str, Any] = {}
    for param in row.params:
        if param.required and param.name not in without:
            fits = "1H" if "1H" in param.enum else SUITABLE.get(param.name)
            listed = fits if fits in param.enum else next(iter(param.enum), None)
            chosen[param.name] = listed or fits or "1"
    return chosen


def labels(row: Endpoint) -> dict[str, str]:
    """Label in the frame → kind, for everything inside the rows that is not itself a container."""
    prefix = f"{row.rows_at}." if row.rows_at else ""
    lists = tuple(f"{column.path}." for column in row.columns if column.kind == "list" and column.path != row.rows_at)
    return {
        column.alias or column.path.removeprefix(prefix): column.kind
        for column in row.columns
        if column.path.startswith(prefix) and not column.path.startswith(lists) and column.kind != "object"
        and column.path != row.rows_at
    }  # fmt: skip


def test_every_row_is_documented_and_has_a_limit_and_columns():
    documented = [row for row in ROWS if row.documented]
    assert [row.id for row in documented if not (row.page and row.title)] == []
    assert [row.id for row in ROWS if not (row.limit.count > 0 and row.limit.seconds > 0)] == []
    assert [row.id for row in documented if not row.columns] == []
    assert [row.id for row in ROWS if not row.documented and row.limit.count / row.limit.seconds > 5] == []
    bare = sum(not row.columns for row in ROWS)
    print(f"\n{len(documented)} documented rows, {len(ROWS) - len(documented)} others, {bare} without columns")
    assert (len(documented), len(ROWS)) == (269, 401)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_docstring_and_the_signature_tell_all_that_the_table_knows(row: Endpoint, calls: Calls):
    call = calls(row)
    text = inspect.getdoc(call)
    assert text is not None
    for word in (row.path, row.permission if row.permission not in ("public", "any") else "", row.page):
        assert word in text
    assert f"Limit: {row.limit.count} per {row.limit.seconds:g} s" in text
    for days in (row.max_span_days, row.lookback_days):
        assert days is None or f"{days} days" in text
    for label, kind in labels(row).items():
        assert f"    {label} : {DTYPES.get(kind, 'text')}" in text
    parameters = inspect.signature(call).parameters.values()
    assert [param.name for param in parameters if param.default is param.empty] == [
        param.name for param in row.params if param.required
    ]
    assert all(param.kind is param.KEYWORD_ONLY for param in parameters)
    required = [param.default is param.empty for param in parameters]
    assert required == sorted(required, reverse=True)
    assert not turning(row) & set(inspect.signature(call.all).parameters)
    assert inspect.getdoc(call.all).startswith("Every row to the end of the list")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_sandbox_answers_with_what_becomes_a_typed_frame(row: Endpoint, calls: Calls):
    with warnings.catch_warnings():
        if not row.documented:
            warnings.simplefilter("ignore", UndocumentedData)  # of some rows nobody knows any column
        frame = calls(row)(**suitable(row))
    for label, kind in labels(row).items():
        assert str(frame[label].dtype) == DTYPES.get(kind, TEXT), label
    assert frame.attrs["bgresearch"]["endpoint"] == row.id


def inside_lookback(frame: pd.DataFrame, row: Endpoint) -> pd.DataFrame:
    """Leave out the oldest hour: the look-back of a list without an end moves on while its pages are asked for."""
    times = frame[row.time]
    return frame[times >= times.max() - pd.Timedelta(days=row.lookback_days or 0) + pd.Timedelta(hours=1)]


@pytest.mark.quick_cases(15)
@pytest.mark.parametrize("row", [row for row in ROWS if row.paging.kind != "none"], ids=lambda row: row.id)
def test_every_list_is_walked_to_its_end_in_pages_of_any_size(row: Endpoint, calls: Calls):
    params = suitable(row, without=turning(row))
    if row.param("endTime") is not None:
        params |= {"startTime": NOW_MS - DAY_MS // (12 if row.id in RESPONDERS else 1), "endTime": NOW_MS}
    size = next((name for name in ("limit", "pageSize") if row.param(name)), None)
    small = {} if size is None else {size: 100 if row.id in RESPONDERS else 3}
    with warnings.catch_warnings():
        if not row.documented:
            warnings.simplefilter("ignore", UndocumentedData)
        whole = calls(row).all(**params)
        if row.id in NEVER_TURNED:
            with pytest.raises(IncompleteData, match="no page documents how"):
                calls(row).all(**params | small)
            pages = calls(row).pages(**params | small)
            assert len(next(pages)) == 3
            with pytest.raises(IncompleteData, match="no page documents how"):
                next(pages)
            return
        pages = [page for page in calls(row).pages(**params | small) if len(page)]
    paged = pd.concat(pages, ignore_index=True) if pages else whole.head(0)
    if row.lookback_days and row.param("endTime") is None:
        paged, whole = inside_lookback(paged, row), inside_lookback(whole, row)
    pd.testing.assert_frame_equal(
        paged.astype(str).sort_values(list(paged)).reset_index(drop=True),
        whole.astype(str).sort_values(list(whole)).reset_index(drop=True),
    )
    for label, kind in labels(row).items():
        assert str(whole[label].dtype) == DTYPES.get(kind, TEXT), label


def test_the_page_of_documentation_is_the_one_that_the_table_makes():
    assert (ROOT / "docs/errors.md").read_text(encoding="utf-8") == errors_page.page(), (
        "make it again: python docs/hooks/errors_page.py docs/errors.md"
    )
    assert (ROOT / "docs/coverage.md").read_text(encoding="utf-8") == coverage_page.page(), (
        "make it again: python docs/hooks/coverage_page.py docs/coverage.md"
    )


def test_every_way_of_walking_is_met():
    kinds = Counter(row.paging.kind for row in ROWS)
    print(f"\nwalked: {dict(kinds)}")
    assert set(kinds) == {"none", "time-window", "id-cursor", "cursor", "page"}
