"""Archive against a served sandbox: through the agent and in this process, what fails, what is reported."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server
from tests.cli.conftest import PASSWORD, Run
from tests.conftest import NOW_MS
from vault import FLOOR, Vault

LITTLE = ("--kind", "fills", "--kind", "deposits", "--since", str(NOW_MS - 12 * 3_600_000))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Exchange(limits=False)) as started:
        yield started


@pytest.fixture
def keys(server: Server, environment: dict[str, str], password_file: str) -> tuple[str, str]:
    """Options of the password; the vault lies where the commands look for it."""
    with Vault.create(Path(environment["BGRESEARCH_VAULT"]), PASSWORD, profile=FLOOR) as vault:
        for name in ("readonly", "spot_only"):
            key = SANDBOX_KEYS[name]
            triple = {"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}
            vault.add(name, **triple, host=server.url)
    return ("--password-file", password_file)


@pytest.mark.slow
def test_through_the_agent_and_again_only_what_is_new(run: Run, keys: tuple[str, str], tmp_path: Path) -> None:
    assert run("vault", "unlock", *keys).status == 0
    first = run("archive", "readonly", *LITTLE, "--json")
    assert (first.status, first.err) == (0, "")
    found = first.json()
    by = {(line["kind"], line["lot"]): line for line in found["lines"]}
    assert by["fills", "spot"]["new"] == by["fills", "spot"]["rows"]
    assert found["new"] > 0
    assert found["due"]
    assert Path(found["folder"]) == tmp_path / "data" / ".sandbox" / "account" / "4100200301"
    again = run("archive", "readonly", *LITTLE, "--json").json()
    assert again["new"] <= found["new"] / 2  # the sandbox's trader may have traded meanwhile
    assert all(line["rows"] >= by[line["kind"], line["lot"]]["rows"] for line in again["lines"])
    for path in (tmp_path / "data" / ".sandbox" / "account").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    key = SANDBOX_KEYS["readonly"]
    assert not any(secret in first.out for secret in (key.api_key, key.secret_key, key.passphrase, PASSWORD))


@pytest.mark.slow
def test_what_a_key_may_not_read_is_named_with_its_box_and_the_status_is_1(run: Run, keys: tuple[str, str]) -> None:
    shown = run("archive", "spot_only", *LITTLE, *keys)
    assert shown.status == 1
    heading, first = shown.out.splitlines()[:2]
    assert heading.split() == ["kind", "of", "records", "new", "complete", "from", "to", "run", "again", "before"]
    assert first.split()[:2] == ["fills", "spot"]
    assert "Not archived: fills (usdt-futures, usdc-futures, coin-futures)" in shown.out
    assert "tick the read box 'futures orders'" in shown.out
    assert "lists could not be archived; the others are kept." in shown.err
    assert "fills (spot): " in shown.err  # said as it goes


@pytest.mark.slow
def test_wrong_words_are_said_in_words(run: Run, keys: tuple[str, str]) -> None:
    refused = run("archive", "readonly", "--since", "2999-01-01", *keys)
    assert (refused.status, "--since: 2999-01-01T00:00:00Z is in the future" in refused.err) == (2, True)
    refused = run("archive", "readonly", "--kind", "moons", *keys)
    assert (refused.status, "--kind: 'moons' is unknown. Use some of fills, orders" in refused.err) == (2, True)
    refused = run("archive", "nobody", *keys, "--json")
    assert refused.status == 1
    assert "'nobody'" in json.loads(refused.err)["error"]["message"]
