"""What a partition knows, merged: newer knowledge wins, nothing is forgotten, nothing is claimed twice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.spans import Span, subtract
from bgresearch.store.ledger import Gap, Ledger, NewerFormat

spans = st.builds(lambda start, length: Span(start, start + length), st.integers(0, 60), st.integers(1, 15))
gaps = st.builds(Gap, spans, st.sampled_from(["delisted", "exchange has none"]), st.integers(0, 9))
knowledge = st.tuples(st.lists(spans, max_size=4), st.lists(gaps, max_size=2))


def instants(*parts: Span) -> set[int]:
    return {at for part in parts for at in range(part.start_ms, part.end_ms)}


@given(st.lists(knowledge, max_size=5))
def test_everything_ever_learned_is_known_and_nothing_else(steps: list[tuple[list[Span], list[Gap]]]) -> None:
    ledger, learned = Ledger(), set[int]()
    for covered, holes in steps:
        ledger = ledger.extended(covered, holes, {})
        learned |= instants(*covered, *(gap.span for gap in holes))
    assert instants(*ledger.known()) == learned
    assert subtract([Span(0, 100)], ledger.known()) == subtract([Span(0, 100)], [Span(at, at + 1) for at in learned])


@given(knowledge, knowledge)
def test_rows_that_came_end_the_gap_they_lie_in(
    before: tuple[list[Span], list[Gap]], after: tuple[list[Span], list[Gap]]
) -> None:
    ledger = Ledger().extended(*before, {}).extended(after[0], (), {})
    assert not instants(*(gap.span for gap in ledger.gaps)) & instants(*after[0])


@given(knowledge, st.dictionaries(st.sampled_from(["a.b", "c.d"]), st.tuples(st.integers(0, 9), st.integers(10, 19))))
def test_a_ledger_survives_its_json(known: tuple[list[Span], list[Gap]], sources: dict[str, tuple[int, int]]) -> None:
    ledger = Ledger().extended(*known, sources)
    assert Ledger.from_json(ledger.to_json(series="candles")) == ledger


def test_a_changed_digit_is_noticed() -> None:
    text = Ledger((Span(100, 200),)).to_json()
    with pytest.raises(ValueError, match="digest"):
        Ledger.from_json(text.replace(b"200", b"300"))


def test_a_newer_format_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgresearch.store.ledger.FORMAT", 3)
    text = Ledger().to_json()
    monkeypatch.undo()
    assert json.loads(text)["format"] == 3
    with pytest.raises(NewerFormat, match="format 3"):
        Ledger.from_json(text)


def test_fetch_times_of_a_route_are_its_first_and_last() -> None:
    ledger = Ledger().extended((), (), {"a.b": (5, 5)}).extended((), (), {"a.b": (9, 9), "c.d": (1, 1)})
    assert ledger.sources == {"a.b": (5, 9), "c.d": (1, 1)}
