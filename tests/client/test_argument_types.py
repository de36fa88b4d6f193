"""An argument of a type that a verb does not take is refused by name: no error of Python leaves a verb."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput
from tests.conftest import Connect

GOOD = {
    "symbol": "BTCUSDT", "symbols": "BTCUSDT", "start": "2026-11-19", "end": "2026-11-19T01:00", "interval": "1h",
    "fields": ["close"], "coin": "USDT", "source": "BTC", "target": "USDT",
    "kind": "open-interest",
}  # fmt: skip
WRONG: dict[str, tuple[object, ...]] = {
    "symbol": (3, True, b"x", [], {}, ["BTCUSDT", None], object), "symbols": (3, True, [None], [3], float("nan")),
    "fields": (3, [None], [[]]), "coin": (3, True, b"x", ["USDT", None], {}), "source": (3, ["BTC"]),
    "target": (3, True), "max_age": ("9", "", [], {}, b"x", object, True, float("nan"), -1),
}  # fmt: skip
OTHER = {"plan", "publish", "stream", "record", "recorder", "recorder_of", "import_archive", "symbols"}


def cases() -> list[Any]:
    found = []
    for of, cls in (("client", Client), ("account", AccountVerbs)):
        for name, verb in inspect.getmembers(cls, inspect.isfunction):
            named = [] if name.startswith("_") or name in OTHER else [*inspect.signature(verb).parameters]
            known = [one for one in named if one in WRONG and (one != "source" or "target" in named)]
            found += [pytest.param(of, name, one, id=f"{of}.{name}-{one}") for one in known]
    return found


@pytest.mark.parametrize(("of", "name", "argument"), cases())
def test_a_wrong_type_is_refused_by_name(connect: Connect, of: str, name: str, argument: str) -> None:
    client = connect(key="readonly")
    verb = getattr(client if of == "client" else client.account, name)
    needed = {
        one.name: GOOD[one.name] for one in inspect.signature(verb).parameters.values()
        if one.default is one.empty and one.name in GOOD
    }  # fmt: skip
    if "start" in inspect.signature(verb).parameters:
        needed["start"] = GOOD["start"]
    if {"source", "target"} <= inspect.signature(verb).parameters.keys():
        needed |= {"source": "BTC", "target": "USDT"}
    for wrong in WRONG[argument]:
        with pytest.raises(InvalidInput, match=argument.removesuffix("s")):
            verb(**needed | {argument: wrong})


def test_every_kind_of_argument_is_there() -> None:
    assert {case.values[2] for case in cases()} == set(WRONG)
    assert len(cases()) > 60
