from __future__ import annotations

import json
from pathlib import Path

import pytest

from vault import AuditTrail, Checked, StorageFailed, UnsafePath, Vault, new_code
from vault.trail import head_of, verified

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "vault_v1.json").read_text("utf-8"))
NEW = {"api_key": "bg_new", "secret_key": "new-secret-new", "passphrase": "new passphrase"}


@pytest.fixture
def used(vault: Vault, triple: dict[str, str], password: str) -> Vault:
    """A vault with a history."""
    vault.add("third", **triple)
    vault.record_check("third", "read-only", True)
    vault.record_use("third")
    vault.rotate("third", **NEW, check=lambda credential: Checked("read-only"))
    vault.rename("third", "fourth")
    vault.remove("fourth")
    vault.change_password(password, password + "!")
    return vault


def trail(vault: Vault) -> Path:
    return vault.path.with_name("vault.audit")


def test_the_trail_tells_what_happened_to_which_key(used: Vault) -> None:
    found = used.audit()
    assert found.problems == ()
    assert [(event.event, event.label) for event in found.events] == [
        ("vault made", ""),
        ("added", "research"),
        ("added", "demo"),
        ("added", "fourth"),
        ("checked", "fourth"),
        ("first use of the day", "fourth"),
        ("rotated", "fourth"),
        ("renamed", "fourth"),
        ("removed", "fourth"),
        ("password changed", ""),
    ]
    assert [event.number for event in found.events] == [*range(1, 11)]


@pytest.mark.slow
def test_opening_by_recovery_is_written_down(vault: Vault, password: str) -> None:
    code = new_code().value
    vault.set_recovery(password, code)
    events = Vault.open_with_recovery(vault.path, code).audit().events
    assert [event.event for event in events][-2:] == ["way to unlock added", "opened by recovery"]


def test_the_trail_holds_neither_values_nor_labels(used: Vault, triple: dict[str, str]) -> None:
    text = trail(used).read_text()
    for word in (*triple.values(), *NEW.values(), "third", "fourth", "read-only"):
        assert word not in text
    assert trail(used).stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_every_cut_of_the_trail_is_noticed(used: Vault) -> None:
    whole = trail(used).read_bytes()
    unnoticed = 0
    for length in range(len(whole)):
        trail(used).write_bytes(whole[:length])
        unnoticed += used.audit().problems == ()
    assert unnoticed == 0
    trail(used).unlink()
    assert "10 of 10 lines are missing" in used.audit().problems[0]


@pytest.mark.slow
def test_every_flipped_bit_of_the_trail_is_noticed(used: Vault) -> None:
    whole, head = trail(used).read_bytes(), head_of(used._state().body)
    assert verified(whole, head, {}).problems == ()
    unnoticed = 0
    for at in range(8 * len(whole)):
        changed = bytes([whole[at // 8] ^ 1 << at % 8])
        unnoticed += verified(whole[: at // 8] + changed + whole[at // 8 + 1 :], head, {}).problems == ()
    assert unnoticed == 0
    for at in range(0, len(whole), 97):
        trail(used).write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert used.audit().problems


def test_lines_taken_out_swapped_or_put_in_are_noticed(used: Vault) -> None:
    lines = trail(used).read_bytes().splitlines(keepends=True)
    for forged in (lines[1:], lines[:2] + lines[3:], [lines[1], lines[0], *lines[2:]], [*lines, lines[-1]]):
        trail(used).write_bytes(b"".join(forged))
        assert used.audit().problems


def test_a_trail_rewritten_from_the_start_is_noticed(used: Vault, triple: dict[str, str]) -> None:
    """The chain itself can be computed by anybody; the vault remembers how it ended."""
    from vault import trail as module  # noqa: PLC0415

    _, forged = module.extended(module.Head(), (module.Happening("added"),) * 10, "2026-01-01T00:00:00Z")
    trail(used).write_bytes(forged)
    assert used.audit().problems


def test_what_an_interrupted_save_wrote_is_replaced_by_the_next(used: Vault) -> None:
    with trail(used).open("ab") as file:
        file.write(b'{"half a')
    assert "interrupted" in used.audit().problems[0]
    used.record_check("demo", "read-only")
    assert used.audit().problems == ()
    assert used.audit().events[-1].label == "demo"


def test_a_trail_that_was_deleted_hinders_no_save_and_stays_missed(used: Vault) -> None:
    trail(used).unlink()
    used.record_check("demo", "read-only")
    assert used.audit().problems


def test_a_trail_that_is_a_link_is_not_written_through(used: Vault, tmp_path: Path) -> None:
    trail(used).unlink()
    trail(used).symlink_to(tmp_path / "elsewhere")
    before = used.path.read_bytes()
    with pytest.raises((StorageFailed, UnsafePath)):
        used.remove("demo")
    assert not (tmp_path / "elsewhere").exists()
    assert used.path.read_bytes() == before


def test_a_vault_from_before_the_trail_begins_one(folder: Path) -> None:
    path = folder / "vault"
    path.touch(mode=0o600)
    path.write_text(VECTOR["file"], "ascii")
    vault = Vault.open(path, VECTOR["password"])
    assert vault.audit() == AuditTrail((), ())
    name = vault.names()[0]
    vault.record_check(name, "read-only")
    assert [(event.number, event.event, event.label) for event in vault.audit().events] == [(1, "checked", name)]
    assert vault.audit().problems == ()
