"""Unlock, status, lock: an agent of its own, and ``check`` through it."""

from __future__ import annotations

import json
import os

import pytest

from bgresearch.sandbox import SANDBOX_KEYS
from tests.cli.conftest import PASSWORD, Converse, Run

KEY = SANDBOX_KEYS["readonly"]
SECRETS = (PASSWORD, KEY.api_key, KEY.secret_key, KEY.passphrase)


@pytest.fixture
def stored(run: Run, password_file: str, url: str) -> str:
    """A vault with a key of the sandbox; returns the password file's path."""
    triple = {"api_key": KEY.api_key, "secret_key": KEY.secret_key, "passphrase": KEY.passphrase}
    assert run("vault", "init", "--password-file", password_file).status == 0
    added = run(
        "vault", "add", "research", "--stdin", "--host", url, "--password-file", password_file, stdin=json.dumps(triple)
    )
    assert added.status == 0, added.err
    return password_file


def test_unlock_status_check_and_lock(run: Run, stored: str) -> None:
    unlocked = run("vault", "unlock", "--password-file", stored)
    assert (unlocked.status, unlocked.err) == (0, "")
    assert "unlocked, locks in 14 min" in unlocked.out or "unlocked, locks in 15 min" in unlocked.out
    status = run("vault", "status", "--json").json()
    assert status["running"] is status["unlocked"] is True
    assert [key["label"] for key in status["keys"]] == ["research"]
    again = run("vault", "unlock", "--json").json()
    assert again["pid"] == status["pid"], "a second unlock asks no password and starts no second agent"
    checked = run("check", "research", "--json")
    assert (checked.status, checked.json()["verdict"]) == (0, "read-only"), checked.err
    assert run("vault", "lock").out == "Locked: the agent has ended.\n"
    assert run("vault", "status", "--json").json() == {"running": False}
    assert run("vault", "lock", "--json").json() == {"was_running": False}
    assert not any(secret in unlocked.out + json.dumps(status) + checked.out for secret in SECRETS)


@pytest.mark.slow
def test_without_an_agent_a_check_asks_for_the_password(run: Run, stored: str) -> None:
    refused = run("check", "research")
    assert refused.status == 1
    assert "no terminal to ask on" in refused.err
    assert run("check", "research", "--password-file", stored).status == 0


@pytest.mark.slow
def test_a_wrong_password_starts_no_agent(run: Run, stored: str) -> None:
    refused = run("vault", "unlock", "--password-file", "-", stdin="not the password\n")
    assert refused.status == 1
    assert "the password does not open it" in refused.err
    assert "not the password" not in refused.out + refused.err
    assert run("vault", "status").out == "No agent is running. Type: bgresearch vault unlock.\n"


@pytest.mark.slow
def test_the_password_can_be_typed(converse: Converse, run: Run, stored: str) -> None:
    typed = converse(["vault", "unlock"], [("Master password:", PASSWORD)])
    assert typed.status == 0, typed.out
    assert PASSWORD not in typed.out
    pid = run("vault", "status", "--json").json()["pid"]
    assert os.getsid(pid) not in {os.getsid(0), pid}, "the agent belongs to no terminal and leads no session"


@pytest.mark.slow
def test_another_vault_is_not_mixed_up(run: Run, stored: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert run("vault", "unlock", "--password-file", stored).status == 0
    refused = run("vault", "unlock", BGRESEARCH_VAULT=str(tmp_path_factory.mktemp("other") / "vault"))
    assert refused.status == 1
    assert "an agent with another vault is running" in refused.err
