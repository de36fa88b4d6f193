"""The page of doctor is made of the assumptions."""

from __future__ import annotations

import doctor_page

from bgresearch.catalogue.assumptions import ASSUMPTIONS
from tests.house.blocks import ROOT


def test_the_page_is_what_the_assumptions_say() -> None:
    assert (ROOT / "docs/doctor.md").read_text(encoding="utf-8") == doctor_page.page()


def test_every_assumption_has_a_section_with_its_source() -> None:
    text = doctor_page.page()
    for one in ASSUMPTIONS:
        assert f"### `{one.name}`" in text
        assert one.source in text
