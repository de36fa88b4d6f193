"""What a verb is to call is checked before it does anything: no error of Python, and no option silently ignored."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput
from tests.conftest import Connect

NOT_CALLABLE = [[], {}, set(), 2, "yes", "", b"auto", float("nan"), pd.DataFrame({"a": [1]}), object()]
OF_ONE = [lambda: None, lambda _a, _b: None, lambda *, a: a]
OF_TWO = [lambda: None, lambda _a: None, lambda _a, _b, _c: None]
ARGUMENTS = {
    "symbol": "BTCUSDT", "symbols": "BTCUSDT", "interval": "1h", "paths": [], "url": "s3://bucket/prefix",
    "kind": "open_interest", "every": "1m", "start": "2026-11-19",
}  # fmt: skip


def entries() -> list[Any]:
    found = []
    for of, cls in (("client", Client), ("account", AccountVerbs)):
        for name, verb in inspect.getmembers(cls, inspect.isfunction):
            named = [] if name.startswith("_") else [*inspect.signature(verb).parameters]
            found += [
                pytest.param(of, name, one, id=f"{of}.{name}-{one}") for one in ("progress", "say") if one in named
            ]
    return found


@pytest.mark.parametrize(("of", "name", "argument"), entries())
def test_what_a_verb_cannot_call_is_refused_before_it_asks(connect: Connect, of: str, name: str, argument: str) -> None:
    client = connect(key="readonly")
    verb = getattr(client if of == "client" else client.account, name)
    needed = {one: ARGUMENTS[one] for one in inspect.signature(verb).parameters if one in ARGUMENTS}
    for wrong in (*NOT_CALLABLE, *(OF_TWO if argument == "progress" else OF_ONE)):
        with pytest.raises(InvalidInput, match=argument):
            verb(**needed | {argument: wrong})
    assert client._source.sender.sent == 0


def test_every_entry_is_there() -> None:
    assert len(entries()) >= 7


@pytest.mark.parametrize("wrong", [*NOT_CALLABLE, *OF_TWO])
def test_connecting_and_the_raw_namespace_refuse_it_too(connect: Connect, wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="progress"):
        connect(progress=wrong)
    client = connect()
    for method in (client.api.spot.tickers, client.api.spot.fills_history):
        with pytest.raises(InvalidInput, match="progress"):
            method.all(symbol="BTCUSDT", progress=wrong)


@pytest.mark.parametrize("good", ["auto", True, False, lambda _done, _total: None, lambda *_all: None, print])
def test_what_can_be_called_is_called(connect: Connect, good: bool | str | Callable[..., object]) -> None:
    assert len(connect().candles("BTCUSDT", "1h", "2026-11-18", "2026-11-19", progress=good)) == 24
