"""What a partition knows, merged: newer knowledge wins, nothing is forgotten, nothing is claimed twice."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.core.intervals import DAY_MS, HOUR_MS
from bgresearch.core.spans import Span, subtract
from bgresearch.store.coverage import NEVER_MS, Cause, Gap, Ledger
from bgresearch.store.layout import NewerFormat

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


@pytest.mark.parametrize(
    ("cause", "age", "days"),
    [
        ("exchange has none", 99, (1, 7, 30)),
        ("exchange has none", 0.5, (HOUR_MS / DAY_MS, 1, 7, 30)),
        ("unknown", 99, (1, 7, 30)),
        ("delisted", 99, (7, 30)),
        ("before listing", 0.5, ()),
    ],
)
def test_a_gap_is_looked_at_again_ever_more_seldom_and_then_never(
    cause: Cause, age: float, days: tuple[float, ...]
) -> None:
    noticed = 1_700_000_000_000
    span = Span(noticed - int(age * DAY_MS) - HOUR_MS, noticed - int(age * DAY_MS))
    gap = Gap(span, cause, noticed).looked_at(noticed)
    for after in days:
        assert gap.again_ms == noticed + after * DAY_MS
        ledger = Ledger().extended([], [gap], {})
        assert ledger.gaps == (gap,)
        look = Gap(span, cause, gap.again_ms).looked_at(gap.again_ms)  # nothing came again
        (gap,) = ledger.extended([span], [look], {}).gaps
        assert gap.noticed_ms == noticed
    assert gap.again_ms == NEVER_MS


def test_a_ledger_of_the_first_format_is_read_and_its_gaps_are_looked_at_again() -> None:
    text = (
        b'{"series":"candles","format":1,"covered":[[0,100]],"gaps":[[10,20,"exchange has none",864000000],'
        b'[-50,0,"before listing",5]],"sources":{},"rows":90,"checksum":"x","digest":"%s"}'
    )
    body = json.loads(text.replace(b"%s", b""))
    del body["digest"]
    digest = hashlib.blake2b(json.dumps(body, sort_keys=True, separators=(",", ":")).encode(), digest_size=16)
    ledger = Ledger.from_json(text.replace(b"%s", digest.hexdigest().encode()))
    assert ledger.gaps == (
        Gap(Span(10, 20), "exchange has none", 864000000, 864000000 + DAY_MS), Gap(Span(-50, 0), "before listing", 5)
    )  # fmt: skip
    assert Ledger.from_json(ledger.to_json()) == ledger


def test_a_changed_digit_is_noticed() -> None:
    text = Ledger((Span(100, 200),)).to_json()
    with pytest.raises(ValueError, match="digest"):
        Ledger.from_json(text.replace(b"200", b"300"))


def test_a_newer_format_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgresearch.store.coverage.FORMAT", 5)
    text = Ledger(checksum="columns:0").to_json()
    monkeypatch.undo()
    assert json.loads(text)["format"] == 5
    with pytest.raises(NewerFormat, match="format 5"):
        Ledger.from_json(text)


def test_fetch_times_of_a_route_are_its_first_and_last() -> None:
    ledger = Ledger().extended((), (), {"a.b": (5, 5)}).extended((), (), {"a.b": (9, 9), "c.d": (1, 1)})
    assert ledger.sources == {"a.b": (5, 9), "c.d": (1, 1)}
