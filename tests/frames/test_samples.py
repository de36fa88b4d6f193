"""Every recorded answer decodes to a typed frame through its row."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bgresearch.catalogue import Column, Endpoint, load
from bgresearch.catalogue.response import rows_of, unwrap
from bgresearch.client.api import ApiCall
from bgresearch.client.api_pages import ApiContext
from bgresearch.client.api_signatures import turning
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, UndocumentedData
from bgresearch.frames import decode
from bgresearch.http.pagination.strategy import way_of
from bgresearch.http.sender import Reply
from bgresearch.store import Store

SAMPLES = Path(__file__).parents[3] / "shared" / "bitget" / "samples"
FILES = sorted(SAMPLES.glob("*.json"))
UNKNOWN_FIELDS: dict[str, set[str]] = {}  # file name -> fields the table does not know; none among these files
OF_TWO = {"api.v2.spot.market.fills-history": "BFTUSDT"}  # printed with rows of another symbol than the first one's
NOW_MS, DAY_MS = 1_795_165_230_000, 86_400_000
TEXT = str(pd.Series(["text"]).dtype)  # pandas 3 calls it str, pandas 2 object
DTYPES = {
    "decimal": "float64", "percent": "float64", "ms": "datetime64[ms, UTC]", "int": "Int64", "flag": "boolean",
    "bool": "boolean", "enum": "category",
}  # fmt: skip

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recorded answers at {SAMPLES}")


def row_of(file: Path) -> Endpoint:
    path = "/" + re.sub(r"\.\d$", "", file.stem).replace(".", "/")
    by_path = {row.path.lower(): row for row in load()}
    return by_path[path.lower()]


def raw_rows(row: Endpoint, data: Any) -> list[Any]:
    """Where the rows are, found here without the code under test: the documented key, or the recorded other one."""
    if isinstance(data, list):
        return data
    key = {"margin.crossed_open_orders": "resultList"}.get(row.id, row.rows_at)
    return data[key] if key else [data]


def columns_of(row: Endpoint) -> dict[str, Column]:
    """Label → column for everything inside the rows that is not itself a container."""
    prefix = f"{row.rows_at}." if row.rows_at else ""
    lists = tuple(f"{column.path}." for column in row.columns if column.kind == "list" and column.path != row.rows_at)
    return {
        column.alias or column.path.removeprefix(prefix): column
        for column in row.columns
        if column.path.startswith(prefix) and not column.path.startswith(lists) and column.kind != "object"
    }


def test_there_are_as_many_as_there_should_be():
    print(f"\n{len(FILES)} recorded answers of {len({row_of(file).id for file in FILES})} rows decode")
    assert len(FILES) == 85


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recorded_answer_becomes_a_typed_frame(file: Path):
    row = row_of(file)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        frame = decode(row, file.read_bytes())
    unknown = {str(w.message).split()[1] for w in said if issubclass(w.category, UndocumentedData)}
    assert unknown == UNKNOWN_FIELDS.get(file.name, set())
    rows = raw_rows(row, json.loads(file.read_text("utf-8"))["data"])
    assert len(frame) == len(rows)
    columns = columns_of(row)
    assert columns or row.id == "nothing"
    for label, column in columns.items():
        assert str(frame[label].dtype) == DTYPES.get(column.kind, TEXT), label
    assert frame.attrs["bgresearch"]["endpoint"] == row.id
    assert frame.attrs["bgresearch"]["source"] == row.page or not row.documented


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_value_of_a_recorded_answer_is_lost_or_changed(file: Path):
    row = row_of(file)
    frame = decode(row, file.read_bytes())
    rows = raw_rows(row, json.loads(file.read_text("utf-8"))["data"])
    labels = {column.path.removeprefix(f"{row.rows_at}."): label for label, column in columns_of(row).items()}
    for place, raw in enumerate(rows):
        values = raw if isinstance(raw, list) else [raw]
        keyed = raw if isinstance(raw, dict) else {f"index[{n}]": value for n, value in enumerate(values)}
        for key, value in keyed.items():
            if isinstance(value, dict):
                continue
            got = frame[labels[key]].iloc[place]
            assert same(got, value), (key, value, got)


class Recorded:
    """A sender that answers with one recorded body, and with nothing after it."""

    label, host, demo, sent = None, "http://127.0.0.1:1", False, 0

    def __init__(self, body: bytes) -> None:
        self.body = body

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        empty = b'{"code":"00000","data":[]}'
        body = empty if self.sent else self.body
        self.sent += 1
        return Reply(endpoint, unwrap(endpoint, 200, body), body, 1, 0)


@pytest.mark.parametrize("file", [file for file in FILES if file.stem not in OF_TWO], ids=lambda file: file.stem)
def test_a_recorded_answer_comes_through_the_client_as_a_call_and_as_the_page_of_a_walk(file: Path, tmp_path: Path):
    row, body = row_of(file), file.read_bytes()
    clock = ManualClock(NOW_MS)
    params = {param.name: (param.enum or ("1",))[0] for param in row.params if param.required}
    reported = next((one for one in rows_of(row, json.loads(body)["data"]) if isinstance(one, dict)), {})
    for (
        name
    ) in params:  # what the response is about; some name a part of what was asked for, as pos_profit of profit_loss
        if isinstance(reported.get(name), str) and reported[name] in (row.param(name).enum or (reported[name],)):
            params[name] = reported[name]
    times = {name: NOW_MS for name in ("startTime", "endTime") if row.param(name)}
    context = ApiContext(Recorded(body), Store(tmp_path, clock=clock), clock, progress=False)
    frame = ApiCall(context, row)(**params | times)
    pd.testing.assert_frame_equal(frame, decode(row, body))
    walked = {name: value for name, value in (params | times).items() if name not in turning(row)}
    if way_of(row, params).strict or row.paging.kind == "none":
        return  # recorded in another year than the one that is walked
    walked |= {"startTime": 0} if times and row.lookback_days is None else {}
    walked |= {"startTime": NOW_MS - DAY_MS} if times and row.lookback_days is not None else {}
    context = ApiContext(Recorded(body), Store(tmp_path, clock=clock), clock, progress=False)
    whole = ApiCall(context, row).all(**walked)
    reported, expected = (sorted(map(str, one.astype(str).to_dict("records"))) for one in (whole, frame))
    assert reported == expected


@pytest.mark.parametrize("file", [file for file in FILES if file.stem in OF_TWO], ids=lambda file: file.stem)
def test_an_answer_about_two_symbols_is_none_to_a_question_about_one(file: Path, tmp_path: Path):
    clock = ManualClock(NOW_MS)
    context = ApiContext(Recorded(file.read_bytes()), Store(tmp_path, clock=clock), clock, progress=False)
    with pytest.raises(BadResponse, match=f"the response is about {OF_TWO[file.stem]}"):
        ApiCall(context, row_of(file))(symbol="BTCUSDT")


def same(got: object, raw: object) -> bool:  # noqa: PLR0911 - one answer per kind
    if raw in (None, ""):
        return pd.isna(got)
    if isinstance(got, pd.Timestamp):
        return got.timestamp() * 1000 == float(raw) * (1000 if len(str(raw)) == 10 else 1)
    if pd.isna(got):
        return str(raw) in ("0", "-1")  # no time
    if isinstance(raw, list):
        return json.loads(got) == raw
    if str(raw).endswith("%"):
        return got == pytest.approx(float(raw[:-1]) / 100)
    if str(raw).lower() in ("yes", "no", "on", "off", "true", "false") and not isinstance(got, str):
        return bool(got) == (str(raw).lower() in ("yes", "on", "true"))
    if isinstance(got, str):
        return got == str(raw) or got == str(raw).lower()
    return float(got) == float(raw)
