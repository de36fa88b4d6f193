"""A finding crosses as JSON and comes back as it was; what is none is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.keys.onboarding.finding import STAGES, Finding

texts = st.text(max_size=200)
findings = st.builds(
    Finding, st.sampled_from(STAGES), st.sampled_from([True, False, None]), texts, texts,
    st.from_regex(r"[0-9]{0,9}", fullmatch=True),
)  # fmt: skip
GOOD = Finding("key", True, "words", "hint", "40037").to_json()


@given(findings)
def test_a_finding_comes_back_as_it_was(one: Finding) -> None:
    assert Finding.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize(
    "said",
    [
        [], {}, {**GOOD, "more": 1}, {**GOOD, "stage": "withdraw"}, {**GOOD, "stage": ["key"]}, {**GOOD, "passed": 1},
        {**GOOD, "words": None}, {**GOOD, "hint": "x" * 1001}, {**GOOD, "code": "40a"}, {**GOOD, "code": "4" * 10},
    ],
)  # fmt: skip
def test_what_is_no_finding_is_refused(said: Any) -> None:
    with pytest.raises(InvalidInput):
        Finding.from_json(said)
