"""A client, its account and the accessor of a frame are composed of parts, and nobody who calls a verb notices."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from bgresearch.accessor import Accessor
from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client, MarketData
from bgresearch.core.verbs import PartVerb
from tests.conftest import Connect

WHOLES = (Client, MarketData, AccountVerbs, Accessor)


def parts_of(whole: type) -> dict[type, set[str]]:
    """Return the parts of a class, and the verbs that it takes of each."""
    found: dict[type, set[str]] = {}
    for name, one in vars(whole).items():
        if isinstance(one, PartVerb):
            found.setdefault(one.kind(), set()).add(name)
    return found


@pytest.mark.parametrize("whole", WHOLES)
def test_every_verb_of_a_part_is_a_verb_of_the_whole(whole: type) -> None:
    parts = parts_of(whole)
    assert parts
    for part, named in parts.items():
        assert named == {name for name, _ in inspect.getmembers(part, inspect.isfunction) if not name.startswith("_")}
        for name in named:
            assert getattr(whole, name) is getattr(part, name), "signature and words are those of the part"


@pytest.mark.parametrize("whole", WHOLES)
def test_type_checkers_see_the_same_parts(whole: type) -> None:
    tree = ast.parse(Path(inspect.getfile(whole)).read_text(encoding="utf-8"))
    classes = {node.name: [ast.unparse(base) for base in node.bases] for node in ast.walk(tree)
               if isinstance(node, ast.ClassDef)}  # fmt: skip
    renamed = {name.asname: name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
               for name in node.names if name.asname}  # fmt: skip

    def seen(name: str) -> set[str]:
        return set().union(*map(seen, classes[name])) if name in classes else {renamed.get(name, name)}

    assert seen(whole.__name__) - {"NoCopies"} == {part.__name__ for part in parts_of(whole)}


@pytest.mark.parametrize("whole", WHOLES)
def test_no_part_is_inherited_by_a_whole_or_by_another_part(whole: type) -> None:
    parts = {*parts_of(whole)}
    assert not parts & {*whole.__mro__}
    assert all({*part.__mro__} & parts == {part} for part in parts)


def test_a_part_is_made_once_and_shared_by_its_verbs(connect: Connect) -> None:
    client = connect(key="readonly")
    assert client.candles.__self__ is client.plan.__self__  # type: ignore[attr-defined]
    assert client.account.fills.__self__ is client.account.bills.__self__  # type: ignore[attr-defined]
    assert client.market.tickers("BTCUSDT").equals(client.tickers("BTCUSDT", max_age=60))
