"""Before there is a vault, and where others can open it, a command says so before it asks for any secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

import bgresearch
from bgresearch.agent.agent_sender import find_key
from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.socket_path import Place
from bgresearch.errors import AgentUnavailable
from tests.cli.conftest import Converse, Run

NEXT = "Make one: bgresearch setup, or bg.setup() in a notebook."
NEED_A_VAULT = [
    ("vault", "unlock"), ("vault", "unlock", "--recovery"), ("vault", "unlock", "--keyring"), ("vault", "passwd"),
    ("vault", "rotate", "--data-key"), ("vault", "audit"), ("vault", "recovery"), ("vault", "recovery", "--open"),
    ("vault", "restore", "1"), ("keys", "list"), ("keys", "add", "new"), ("keys", "rotate", "old"),
    ("keys", "rename", "old", "new"), ("keys", "edit", "old", "--note", "x"), ("keys", "remove", "old"),
    ("keys", "compromised", "old"), ("check", "old"), ("archive", "old"), ("scan",),
    ("export", "account", "old", "fills", "--since", "1d", "--to", "f.csv"),
    ("export", "ledger", "old", "--since", "1d", "--to", "f.csv"),
]  # fmt: skip


QUICK = {("vault", "unlock"), ("keys", "list"), ("check", "old")}
COMMANDS = [
    pytest.param(one, id=" ".join(one), marks=[] if one in QUICK else [pytest.mark.slow]) for one in NEED_A_VAULT
]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_vault_the_next_step_is_named_before_any_question(run: Run, command: tuple[str, ...]) -> None:
    refused = run(*command)
    assert refused.status == 1, refused
    assert "there is no vault yet" in refused.err.lower()
    assert NEXT in refused.err
    assert "terminal" not in refused.err + refused.out


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", ["vault", "folder"])
def test_a_vault_that_others_can_open_is_reported_before_any_question(
    run: Run, vault: str, environment: dict[str, str], command: tuple[str, ...], what: str
) -> None:
    place = Path(environment["BGRESEARCH_VAULT"])
    lax = place if what == "vault" else place.parent
    lax.chmod(stat.S_IMODE(lax.stat().st_mode) | 0o044)
    refused = run(*command)
    assert refused.status == 1, refused
    assert "chmod" in refused.err
    assert "terminal" not in refused.err + refused.out


def test_an_agent_that_waits_for_a_vault_is_not_called_locked(
    run: Run, environment: dict[str, str], agent_folder: str
) -> None:
    """As the wizard starts one, before there is a vault."""
    place = Path(environment["BGRESEARCH_VAULT"])
    start(place, None, place=Place(Path(agent_folder)))
    shown = run("vault", "status")
    assert shown.out.startswith(f"There is no vault yet at {place}. {NEXT}")
    assert "locked" not in shown.out
    with Agent(Place(Path(agent_folder))) as agent, pytest.raises(AgentUnavailable, match="there is no vault yet"):
        find_key(agent, "research")


def test_a_vault_that_is_there_is_not_made_again(run: Run, vault: str) -> None:
    refused = run("vault", "init")
    assert refused.status == 1
    assert "there already is a file" in refused.err


def test_on_a_terminal_nothing_is_asked(converse: Converse) -> None:
    refused = converse(("vault", "unlock"), [])
    assert refused.status == 1
    assert NEXT in refused.out
    assert "password" not in refused.out.lower()


def test_connecting_with_a_key_names_the_next_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, agent_folder: str
) -> None:
    monkeypatch.setenv("BGRESEARCH_VAULT", str(tmp_path / "none" / "vault"))
    monkeypatch.setenv("BGRESEARCH_AGENT_DIR", agent_folder)
    with pytest.raises(AgentUnavailable, match=r"There is no vault yet\. Make one: bgresearch setup, or bg\.setup\(\)"):
        bgresearch.connect(key="research")
