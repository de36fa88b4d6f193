"""The boxes for a purpose follow from the table: enough to do it, none to write, none too many."""

from __future__ import annotations

import pytest

from bgresearch.catalogue import load
from bgresearch.keys.onboarding.purposes import (
    DEMO_FIRST,
    NO_KEY,
    PURPOSES,
    Mode,
    Purpose,
    boxes,
    covers,
    instructions,
    lacking,
    matrix,
    needs_key,
    readable_areas,
    surplus,
)
from bgresearch.keys.permissions import Permissions, classify
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.authentication import permits
from tests.onboarding.conftest import Look

WITH_KEY = [(one, mode) for one in PURPOSES.values() for mode in one.modes]


def made(codes: list[str], mode: Mode) -> Permissions:
    """What a key has that was made as the boxes say."""
    return Permissions(
        classify(codes, unified=mode == "unified", key_type="read-only"), ("8.8.8.8",), mode, False, "1", "x"
    )


def test_market_data_needs_no_key_and_stops_kindly() -> None:
    assert not needs_key([PURPOSES["market"]])
    assert instructions([PURPOSES["market"]], "classic") == (NO_KEY,)
    assert boxes([PURPOSES["market"]], "classic") == ()


@pytest.mark.parametrize(("purpose", "mode"), WITH_KEY, ids=lambda one: getattr(one, "name", one))
def test_a_key_made_as_the_boxes_say_can_do_it_reads_only_and_has_nothing_to_spare(
    purpose: Purpose, mode: Mode
) -> None:
    found = made([box.code for box in boxes([purpose], mode)], mode)
    assert found.verdict == "read-only"
    assert lacking([purpose], found) == ()
    assert surplus([purpose], found) == ()
    for code in (box.code for box in boxes([purpose], mode)):
        less = made([box.code for box in boxes([purpose], mode) if box.code != code], mode)
        assert [box.code for box in lacking([purpose], less)] == [code]


def test_the_boxes_are_those_of_the_table() -> None:
    reported = {(one.name, mode): [box.code for box in boxes([one], mode)] for one, mode in WITH_KEY}
    assert reported["spot", "classic"] == ["stor", "wtor"]
    assert reported["futures", "classic"] == ["coor", "cpor"]
    assert reported["tax", "classic"] == ["taxr"]
    assert reported["unified", "unified"] == ["uta_mgt", "uta_trade"]
    assert reported["demo", "classic"] == ["coor", "cpor", "stor", "wtor"]


def test_a_demo_key_is_made_after_switching_to_demo_mode_and_no_other_is() -> None:
    assert [one.name for one in PURPOSES.values() if DEMO_FIRST in instructions([one], "classic")] == ["demo"]


def test_every_row_that_a_purpose_names_is_in_the_table_private_and_readable_with_a_reading_key() -> None:
    for purpose in PURPOSES.values():
        for row in (load()[row_id] for row_id in purpose.rows):
            assert row.version == "v3"
            assert row.permission.endswith(":read"), row.id
        assert set(purpose.areas) <= {row.id.split(".")[0] for row in load() if row.private}


def test_several_purposes_need_the_boxes_of_each_once() -> None:
    both = [box.code for box in boxes([PURPOSES["spot"], PURPOSES["tax"], PURPOSES["spot"]], "classic")]
    assert both == ["stor", "taxr", "wtor"]


def test_what_a_key_has_too_much_is_named(look: Look) -> None:
    found = look("trader")[1]
    assert found is not None
    assert {box.code for box in surplus([PURPOSES["spot"]], found)} == {"coow", "cpor", "smor", "taxr"}
    assert [box.code for box in lacking([PURPOSES["futures"]], found)] == []


@pytest.mark.parametrize("name", [name for name in SANDBOX_KEYS if name != "other_address"])
def test_what_a_key_covers_is_what_the_exchange_permits(look: Look, name: str) -> None:
    found = look(name)[1]
    assert found is not None
    version = "v3" if found.mode == "unified" else "v2"
    rows = [row for row in load() if row.private and row.version == version]
    assert [row.id for row in rows if covers(found, row) != permits(SANDBOX_KEYS[name], row.permission)] == []


def test_the_other_mode_s_rows_are_covered_by_no_key_and_public_ones_by_every_key() -> None:
    found = made(["stor"], "classic")
    assert not covers(found, load()["uta.account_info"])
    assert covers(found, load()["common.time"])


def test_areas_say_how_much_of_them_a_key_can_read_and_what_is_lacking(look: Look) -> None:
    found = look("spot_only")[1]
    assert found is not None
    areas = {area: (can, rows, [box.code for box in lacking]) for area, can, rows, lacking in readable_areas(found)}
    assert areas["spot"] == (13, 21, ["wtor"])
    assert areas["tax"] == (0, 4, ["taxr"])
    assert areas["earn"][0] == areas["earn"][1]


@pytest.mark.parametrize("name", ["readonly", "trader", "withdrawer", "unified", "unified_trader"])
def test_the_matrix_agrees_with_the_verdict(look: Look, name: str) -> None:
    found = look(name)[1]
    assert found is not None
    lines = matrix(found)
    assert len({line.words for line in lines}) == len(lines)
    assert any(line.writes for line in lines) is not found.read_only
    assert {line.words for line in lines if line.reads} == {one.words for one in found.authorities}


def test_an_unknown_code_has_a_line_of_its_own_and_counts_as_write() -> None:
    lines = matrix(made(["stor", "zzz"], "classic"))
    assert [(line.words, line.writes, line.known) for line in lines][-1] == ("zzz", True, False)
