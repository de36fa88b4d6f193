"""The key manager and the permission report on a terminal, through the agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.server import Server
from tests.cli.conftest import Converse, Kept, Run
from tests.cli.sandboxed import PASSWORD, as_json, clean, open_vault, texts

READONLY, TRADER, UNIFIED = (SANDBOX_KEYS[name] for name in ("readonly", "trader", "unified"))
SPOT_ONLY, WITHDRAWER, ELSEWHERE = (SANDBOX_KEYS[name] for name in ("spot_only", "withdrawer", "other_address"))
HELD = (READONLY, TRADER, SPOT_ONLY, WITHDRAWER, ELSEWHERE, UNIFIED)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def _held(environment: dict[str, str], agent_folder: str, server: Server) -> None:
    open_vault(Path(environment["BGRESEARCH_VAULT"]), agent_folder, *HELD, host=server.url)


def test_the_table_shows_every_key_and_no_secret(run: Run) -> None:
    ran = run("keys")
    assert ran.status == 0, ran.err
    assert [line.split()[0] for line in ran.out.splitlines()] == ["name", *sorted(key.name for key in HELD)]
    assert ran.out.count("never checked") == len(HELD)
    assert clean(ran, *HELD)


@pytest.mark.slow
def test_a_locked_vault_is_unlocked_on_the_way(run: Run, converse: Converse) -> None:
    assert run("vault", "lock").status == 0
    ran = converse(["keys", "list"], [("Master password:", PASSWORD)])
    assert ran.status == 0, ran.out
    assert "readonly" in ran.out
    assert clean(ran)


def test_a_check_through_the_agent_reports_stages_rights_and_areas_and_is_written_down(run: Run, kept: Kept) -> None:
    ran = run("check", "spot_only")
    assert ran.status == 0, ran.err
    assert ran.out.count("✓ OK") == 9
    assert "Green: this key only reads" in ran.out
    rights = {line.rsplit("  ", 2)[0].split("  ")[0]: line for line in ran.out.splitlines()}
    assert "✓ yes" in rights["spot trade"]
    assert "✓" not in rights["futures orders"]
    assert "13 of 21" in rights["spot"]
    assert "wallet transfer" in rights["spot"]
    assert (kept()["spot_only"].last_verdict, kept()["spot_only"].has_addresses) == ("read-only", True)
    assert clean(ran, SPOT_ONLY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "status", "colour"), [("trader", 3, "red"), ("withdrawer", 4, "red"), ("unified", 0, "green")]
)
def test_the_status_of_a_check_says_what_a_key_can_do(run: Run, key: str, status: int, colour: str) -> None:
    ran = run("keys", "check", key, "--json")
    assert (ran.status, ran.json()["colour"]) == (status, colour), ran.err
    assert [one["passed"] for one in ran.json()["findings"]] == [True] * 9
    writes = [right["words"] for right in ran.json()["rights"] if right["writes"]]
    assert bool(writes) is (status != 0)


def test_a_check_that_the_exchange_refuses_names_the_stage(run: Run) -> None:
    ran = run("check", "other_address")
    assert ran.status == 1
    assert "other network addresses only; this computer's is not in its list. (40018)" in ran.err


@pytest.mark.slow
def test_a_rotation_is_checked_before_the_old_key_goes(run: Run, kept: Kept) -> None:
    before = {label: key.fingerprint for label, key in kept().items()}
    refused = run(
        "keys", "rotate", "readonly", "--stdin", stdin=as_json(SANDBOX_KEYS["no_address_list"]).replace("sandbox", "s")
    )
    assert refused.status == 1
    withdrawing = run("keys", "rotate", "readonly", "--stdin", "--json", stdin=as_json(SANDBOX_KEYS["unified_trader"]))
    assert (withdrawing.status, withdrawing.json()["rotated"]) == (4, None), withdrawing.err
    assert {label: key.fingerprint for label, key in kept().items()} == before
    done = run("keys", "rotate", "readonly", "--stdin", stdin=as_json(SANDBOX_KEYS["no_address_list"]))
    assert done.status == 0, done.err
    assert "Delete the old one on the exchange" in done.out
    assert {label for label, key in kept().items() if before[label] != key.fingerprint} == {"readonly"}


@pytest.mark.slow
def test_a_rotation_can_be_typed(converse: Converse) -> None:
    new = SANDBOX_KEYS["no_address_list"]
    ran = converse(["keys", "rotate", "readonly"], texts(new))
    assert ran.status == 0, ran.out
    assert "'readonly' is bound to http://127.0.0.1" in ran.out, "not the exchange: said before anything is typed"
    assert "Amber: this key only reads, from anywhere." in ran.out
    assert clean(ran, new)


def test_a_key_is_renamed_and_removed_after_a_question(run: Run, kept: Kept, converse: Converse) -> None:
    assert run("keys", "rename", "readonly", "research").status == 0
    stays = converse(["keys", "remove", "research"], [("Remove 'research'? [y/N]", "")])
    assert (stays.status, "Nothing was removed" in stays.out) == (1, True)
    gone = converse(["keys", "remove", "research"], [("delete it on the exchange too", "y")])
    assert gone.status == 0, gone.out
    assert "Now delete it on the exchange too" in gone.out
    assert "research" not in kept()


def test_a_compromised_key_is_deleted_on_the_exchange_first(kept: Kept, converse: Converse) -> None:
    not_yet = converse(["keys", "compromised", "trader"], [("Is the key deleted on the exchange? [y/N]", "")])
    assert not_yet.status == 1
    assert not_yet.out.index("Delete the key on the exchange now") < not_yet.out.index("Is the key deleted")
    assert "trader" in kept()
    done = converse(
        ["keys", "compromised", "trader"], [("deleted on the exchange? [y/N]", "y"), ("here now? [Y/n]", "")]
    )
    assert done.status == 0, done.out
    assert "bgresearch scan" in done.out
    assert "trader" not in kept()


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("command", [["remove", "--yes"], ["compromised", "--yes"], ["rotate"], ["rename"], ["check"]])
def test_a_key_that_is_not_there_is_named_and_so_are_those_that_are(run: Run, command: list[str]) -> None:
    ran = run("keys", command[0], "nobody", *command[1:], *(["other"] if command[0] == "rename" else []))
    assert ran.status == 1
    assert "nobody" in ran.err
