"""What a key can do, in words: every code of the table, and unknown ones at their worst."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from bgresearch.client.client import Client
from bgresearch.errors import OfflineError
from bgresearch.keys.permissions import Authority, Permissions, classify

Connect = Callable[..., Client]
FACTS = Path(__file__).parents[3] / "shared" / "bitget" / "permissions.csv"


def made(authorities: tuple[Authority, ...], *addresses: str) -> Permissions:
    return Permissions(authorities, addresses, mode="classic", demo=False, uid="1", label="k")


@pytest.mark.skipif(not FACTS.exists(), reason="the fact base is not here")
def test_every_code_of_the_fact_base_is_known_and_no_write_is_called_read() -> None:
    with FACTS.open() as file:
        rows = [row for row in csv.DictReader(file) if row["family"] in {"v2", "v3"}]
    rows = [row for row in rows if row["code"] not in {"read_only", "read_write"}]  # types of keys, not authorities
    for row in rows:
        for key_type in ("read-only", "read-and-write"):
            (found,) = classify([row["code"]], unified=row["family"] == "v3", key_type=key_type)
            assert found.known
            if row["family"] == "v2":
                assert found.access == row["access"]
            else:
                assert found.access == ("read" if key_type == "read-only" else "write")
    assert len(rows) >= 28


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        (["coor", "stor", "wtor"], "read-only"), (["readonly"], "read-only"), (["stor", "coow"], "can trade"),
        (["trade"], "can trade"), (["stow", "wtow"], "can transfer"), (["chow"], "can transfer"),
        (["stor", "wwow"], "can withdraw"), (["STOW"], "can trade"), (["zzzw"], "can trade"),
        (["brandnew"], "can trade"), ([""], "can trade"),
    ],
    ids=str,
)  # fmt: skip
def test_the_verdict_is_the_worst_it_can_do(codes: list[str], verdict: str) -> None:
    assert made(classify(codes, unified=False)).verdict == verdict


@pytest.mark.parametrize(
    ("codes", "key_type", "verdict"),
    [
        (["uta_mgt", "uta_trade"], "read-only", "read-only"), (["uta_trade"], "read-and-write", "can trade"),
        (["uta_mgt"], "read-and-write", "can withdraw"), (["withdraw"], "read_write", "can withdraw"),
        (["uta_trade"], "", "can trade"), (["uta_trade"], "something new", "can trade"),
        (["brandnew"], "read-only", "can trade"),
    ],
    ids=str,
)  # fmt: skip
def test_a_unified_key_reads_only_if_its_type_says_so(codes: list[str], key_type: str, verdict: str) -> None:
    assert made(classify(codes, unified=True, key_type=key_type)).verdict == verdict


@pytest.mark.parametrize(
    ("key", "verdict", "mode"),
    [
        ("readonly", "read-only", "classic"), ("trader", "can trade", "classic"),
        ("withdrawer", "can withdraw", "classic"), ("no_address_list", "read-only", "classic"),
        ("spot_only", "read-only", "classic"), ("unified", "read-only", "unified"),
        ("unified_trader", "can withdraw", "unified"), ("demo", "read-only", "classic"),
    ],
)  # fmt: skip
def test_every_key_of_the_sandbox_is_judged_right(connect: Connect, key: str, verdict: str, mode: str) -> None:
    found = connect(key=key).permissions()
    assert (found.verdict, found.mode) == (verdict, mode)
    assert found.addresses == (() if key == "no_address_list" else ("127.0.0.1",))
    assert found.demo == (key == "demo")
    assert found.label == key
    assert found.uid.isdigit()
    assert found.can_withdraw == (verdict == "can withdraw")
    assert found.read_only == (verdict == "read-only")


def test_the_report_reads_well_and_advises(connect: Connect) -> None:
    risky = connect(key="withdrawer").permissions()
    assert "Key 'withdrawer': can withdraw" in str(risky)
    assert "wwow  write  wallet withdrawal" in str(risky)
    assert any("delete it on the exchange" in sentence for sentence in risky.advice)
    assert risky.can_transfer
    open_ = connect(key="no_address_list").permissions()
    assert any("any address" in sentence for sentence in open_.advice)
    assert connect().permissions().advice == ()


def test_a_hostile_code_is_text_in_the_page_too() -> None:
    page = made(classify(["<script>alert(1)</script>"], unified=False), "<b>")._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_unknown_code_is_named_in_the_advice() -> None:
    advice = made(classify(["qqqq"], unified=False), "1.2.3.4").advice
    assert any("count as write until they are documented: qqqq" in sentence for sentence in advice)
    assert "no authority at all" in made((), "1.2.3.4").advice[0]


def test_offline_nobody_knows(connect: Connect) -> None:
    with pytest.raises(OfflineError, match="known to the exchange alone"):
        connect(offline=True).permissions()
