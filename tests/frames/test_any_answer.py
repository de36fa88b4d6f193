"""Whatever an exchange makes of a row's answer, it becomes a frame of the row's types, and nothing readable is lost."""

from __future__ import annotations

import copy
import json
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from bgresearch import frames
from bgresearch.catalogue import Endpoint, load
from bgresearch.core.once_a_day import OncePerDay
from bgresearch.errors import BadResponse, UndocumentedData
from bgresearch.frames import decode
from bgresearch.sandbox.call import Call
from bgresearch.sandbox.generic_responder import invent
from bgresearch.sandbox.world.world import World

NOW_MS = 1_795_165_230_000
ROWS = list(load())
WORLD = World(7)
TEXT = str(pd.Series(["text"]).dtype)
DTYPES = {
    "decimal": "float64", "percent": "float64", "ms": "datetime64[ms, UTC]", "int": "Int64", "flag": "boolean",
    "bool": "boolean", "enum": "category",
}  # fmt: skip
ODD = (None, "", "-", "0", "-1", 0, 1.5, True, [], {}, [None], {"a": {"b": [1]}}, "NaN", "1e400", "\ud800", 2**70, "nö")
ROUNDS = 1

Change = Callable[[Any, random.Random], Any]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(frames, "_said", OncePerDay())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndocumentedData)
        yield


def answer(row: Endpoint) -> Any:
    return invent(Call(row, {}, None, NOW_MS, WORLD))


def rows_in(data: Any, row: Endpoint) -> list[Any]:
    if isinstance(data, list):
        return data
    inside = data.get(row.rows_at) if row.rows_at else None
    return inside if isinstance(inside, list) else [data]


def extra(rows: list[Any], rng: random.Random) -> None:
    for one in rows:
        if isinstance(one, dict):
            one["brandNew"] = rng.choice(ODD)
            one["brand"] = {"new": {"deep": "1"}, "list": [{"x": 1}]}
        elif isinstance(one, list):
            one += [rng.choice(ODD), "9"]


def missing(rows: list[Any], rng: random.Random) -> None:
    for one in rows:
        if isinstance(one, dict):
            for key in rng.sample(sorted(one), len(one) // 2):
                del one[key]
        elif isinstance(one, list):
            del one[rng.randrange(len(one) + 1) :]


def odd(rows: list[Any], rng: random.Random) -> None:
    for one in rows:
        for key in list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ():
            if rng.random() < 0.5:
                one[key] = copy.deepcopy(rng.choice(ODD))


def numbers(rows: list[Any], rng: random.Random) -> None:
    """Numbers lose their quotes, or get some."""
    for one in rows:
        for key in list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ():
            value = one[key]
            if isinstance(value, str) and value.replace(".", "", 1).isdecimal():
                one[key] = json.loads(value.lstrip("0") or "0") if not value.startswith(("0", ".")) else value
            elif isinstance(value, int | float) and not isinstance(value, bool):
                one[key] = str(value)


def swapped(rows: list[Any], rng: random.Random) -> None:
    """Lists become objects, objects lists, and either a text."""
    for one in rows:
        for key in list(one) if isinstance(one, dict) else ():
            if isinstance(one[key], list):
                one[key] = rng.choice([{str(at): item for at, item in enumerate(one[key])}, json.dumps(one[key])])
            elif isinstance(one[key], dict):
                one[key] = rng.choice([[one[key]], json.dumps(one[key]), [one[key], one[key]]])


def mixed(rows: list[Any], rng: random.Random) -> None:
    rows += [None, "word", 7, {"other": 1}, [1, 2], []]
    rng.shuffle(rows)


CHANGES: dict[str, Callable[[list[Any], random.Random], None]] = {
    "extra fields": extra, "missing fields": missing, "odd values": odd, "numbers": numbers, "swapped": swapped,
    "rows of other kinds": mixed,
}  # fmt: skip


def labels(row: Endpoint) -> dict[str, str]:
    prefix = f"{row.rows_at}." if row.rows_at else ""
    lists = tuple(f"{column.path}." for column in row.columns if column.kind == "list" and column.path != row.rows_at)
    return {
        column.alias or column.path.removeprefix(prefix): DTYPES.get(column.kind, TEXT)
        for column in row.columns
        if column.path.startswith(prefix) and not column.path.startswith(lists) and column.kind != "object"
        and column.path != row.rows_at
    }  # fmt: skip


def body(data: Any) -> bytes:
    return json.dumps({"code": "00000", "msg": "success", "data": data}).encode()


@pytest.mark.quick_cases(50)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_changed_answers_keep_the_row_s_types(row: Endpoint) -> None:
    made, expected = answer(row), labels(row)
    for name, change in CHANGES.items():
        for seed in range(ROUNDS):
            rng = random.Random(f"{row.id} {name} {seed}")  # noqa: S311 - reproducible
            data = copy.deepcopy(made)
            rows = rows_in(data, row)
            change(rows, rng)
            frame = decode(row, body(data))
            if row.response == "array-rows":
                assert len(frame) == sum(isinstance(one, list) for one in rows), (name, seed)
            for label, dtype in expected.items():
                assert str(frame[label].dtype) == dtype, (name, seed, label)


@pytest.mark.quick_cases(17)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_answers_of_another_shape_become_frames_or_say_that_they_make_no_sense(row: Endpoint) -> None:
    made, expected = answer(row), labels(row)
    rows = rows_in(made, row)
    shapes = [
        [], {}, None, "", rows, rows[:1], {"list": rows}, {"data": rows, "total": "3"}, {"nested": {"list": rows}},
        [rows], {row.rows_at or "rows": None}, {row.rows_at or "rows": ""}, {row.rows_at or "rows": {}},
        {row.rows_at or "rows": rows[:1] and rows[0]}, *rows[:1], {"endId": None, "list": []},
    ]  # fmt: skip
    for data in shapes:
        try:
            frame = decode(row, body(data))
        except BadResponse:
            assert row.response == "array-rows"
            continue
        for label, dtype in expected.items():
            assert str(frame[label].dtype) == dtype, (data, label)
    for data in ([], None, ""):
        assert len(decode(row, body(data))) == 0


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_values_that_are_readable_as_their_kind_are_read_with_or_without_quotes(row: Endpoint) -> None:
    made = answer(row)
    frame = decode(row, body(made))
    data = copy.deepcopy(made)
    numbers(rows_in(data, row), random.Random(0))  # noqa: S311
    again = decode(row, body(data))
    for label, dtype in labels(row).items():
        if dtype in ("float64", "Int64", "datetime64[ms, UTC]"):
            pd.testing.assert_series_equal(frame[label], again[label])


def test_values_that_no_list_names_stay_as_they_are() -> None:
    named = 0
    for row in ROWS:
        for column in row.columns:
            if column.kind != "enum" or "." in column.path.removeprefix(f"{row.rows_at}."):
                continue
            one = {column.name: "brand_new_value"}
            data = {row.rows_at: [one]} if row.rows_at and column.path.startswith(f"{row.rows_at}.") else [one]
            if row.rows_at and not column.path.startswith(f"{row.rows_at}."):
                continue
            frame = decode(row, body(data))
            assert frame[column.alias or column.name].tolist() == ["brand_new_value"], (row.id, column.name)
            named += 1
    print(f"\n{named} columns with listed values take others")
    assert named > 280


def decoded(row_id: str, data: Any) -> pd.DataFrame:
    return decode(load()[row_id], json.dumps({"code": "00000", "data": data}).encode())


def test_a_secret_in_an_answer_does_not_become_a_column() -> None:
    frame = decoded("broker.manage_subaccount_apikey_list", [{"subUid": "1", "secretKey": "do-not-show"}])
    assert "do-not-show" not in frame.to_json() + json.dumps(frame.attrs)
