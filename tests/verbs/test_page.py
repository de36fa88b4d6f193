"""The page of the verbs says what they are, and names every one."""

from __future__ import annotations

from pathlib import Path

import pytest
from verbs_page import page

from bgresearch.catalogue import load
from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.schemas import Shape, documented, fields
from tests.verbs.rows import answer_row

PAGE = Path(__file__).parents[2] / "docs" / "verbs.md"


def test_the_page_is_what_the_verbs_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python docs/hooks/verbs_page.py > docs/verbs.md"


def test_every_verb_stands_on_it() -> None:
    text = page()
    for cls, prefix in ((Client, "client"), (AccountVerbs, "client.account")):
        for name in dir(cls):
            if hasattr(getattr(cls, name), "shape"):
                assert f"### `{prefix}.{name}(" in text


def test_every_source_of_a_verb_is_a_row_of_the_table() -> None:
    for cls in (Client, AccountVerbs):
        shapes = [verb.shape for verb in (getattr(cls, name) for name in dir(cls)) if hasattr(verb, "shape")]
        assert len(shapes) > 18
        for shape in shapes:
            assert shape.sources
            for source in shape.sources:
                assert load()[source].id == source


def test_a_column_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="price: money is not a kind of column"):
        fields("price money what it costs")


def test_a_verb_without_a_docstring_is_given_one() -> None:
    shape = Shape("tell", fields("price number quote coin"), ("spot.tickers",))

    @documented(shape)
    def tell() -> None:
        pass

    assert tell.__doc__ is not None
    assert "price (float64): quote coin." in tell.__doc__


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1695715200654", 1695715200654),
        ("1622697148", 1622697148000),
        ("0", None),
        ("-1", None),
        ("", None),
        (None, None),
    ],
)
def test_times_come_in_milliseconds_whatever_was_sent(value: object, expected: int | None) -> None:
    assert answer_row({"at": value}).time("at") == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("YES", True), ("no", False), (True, True), ("", None), ("maybe", None)]
)
def test_flags_are_read_in_every_spelling(value: object, expected: bool | None) -> None:
    assert answer_row({"yes": value}).flag("yes") is expected
