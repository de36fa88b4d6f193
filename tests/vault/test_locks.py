from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vault import (
    FLOOR,
    DamagedVault,
    Forgetful,
    InvalidField,
    NoRecovery,
    ReducedProtection,
    RollbackWarning,
    Surroundings,
    Vault,
    VaultChanged,
    VaultMissing,
    WrongPassword,
    WrongRecoveryCode,
    new_code,
)
from vault.envelope import parse
from vault.hidden import Hidden
from vault.memory import Memory
from vault.recovery import code_bytes

NEW_PASSWORD = "quite another password"


@pytest.fixture
def code() -> str:
    return new_code(lambda length: bytes(range(length))).value


def kept(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.kept"))


@pytest.mark.slow
def test_nothing_kept_opens_with_the_old_password(vault: Vault, path: Path, password: str) -> None:
    vault.remove("demo")
    assert kept(path)
    vault.change_password(password, NEW_PASSWORD)
    assert kept(path) == []
    assert Vault.open(path, NEW_PASSWORD).names() == ["research"]


@pytest.mark.slow
def test_a_new_data_key_opens_with_the_same_password_and_nothing_old_stays(
    vault: Vault, path: Path, password: str, opened: Callable[..., Vault], triple: dict[str, str]
) -> None:
    other = opened(path)
    before = vault._OpenVault__state.data_key.value  # type: ignore[attr-defined]
    vault.set_recovery(password, new_code().value)
    vault.rotate_data_key(password)
    assert vault._OpenVault__state.data_key.value != before  # type: ignore[attr-defined]
    assert (vault.unlocks(), kept(path)) == (["password"], [])
    vault.add("third", **triple)
    assert Vault.open(path, password).names() == ["demo", "research", "third"]
    with pytest.raises(VaultChanged, match="data key"):
        other.remove("demo")


def test_a_new_data_key_needs_the_password(vault: Vault, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(WrongPassword):
        vault.rotate_data_key("not the password")
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_recovery_code_opens_and_sets_a_new_password(vault: Vault, path: Path, password: str, code: str) -> None:
    vault.set_recovery(password, code)
    assert vault.unlocks() == ["password", "recovery"]
    found = Vault.open_with_recovery(path, code.lower().replace("-", " "))
    assert found.names() == ["demo", "research"]
    found.reset_password(code, NEW_PASSWORD)
    assert Vault.open(path, NEW_PASSWORD).names() == ["demo", "research"]
    with pytest.raises(WrongPassword):
        Vault.open(path, password)
    assert Vault.open_with_recovery(path, code).unlocks() == ["password", "recovery"]


@pytest.mark.slow
def test_the_recovery_code_outlives_a_change_of_password(vault: Vault, path: Path, password: str, code: str) -> None:
    vault.set_recovery(password, code)
    vault.change_password(password, NEW_PASSWORD)
    assert Vault.open_with_recovery(path, code).names() == ["demo", "research"]


@pytest.mark.slow
def test_another_code_or_none_does_not_open(vault: Vault, path: Path, password: str, code: str) -> None:
    with pytest.raises(NoRecovery, match="no recovery"):
        Vault.open_with_recovery(path, code)
    vault.set_recovery(password, code)
    with pytest.raises(WrongRecoveryCode, match="does not open"):
        Vault.open_with_recovery(path, new_code().value)
    with pytest.raises(WrongPassword):
        vault.set_recovery("not the password", code)
    with pytest.raises(WrongRecoveryCode):
        vault.reset_password(new_code().value, NEW_PASSWORD)
    vault.set_recovery(password, new_code().value)
    with pytest.raises(WrongRecoveryCode):
        Vault.open_with_recovery(path, code)


def test_a_way_to_unlock_can_be_taken_away_but_the_password(vault: Vault, path: Path, password: str, code: str) -> None:
    vault.set_keyring(password, code)
    assert Vault.open_with_keyring(path, code).names() == ["demo", "research"]
    vault.remove_unlock("keyring")
    assert (vault.unlocks(), kept(path)) == (["password"], [])
    for kind in ("keyring", "password", "nothing"):
        with pytest.raises(NoRecovery):
            vault.remove_unlock(kind)


def test_the_wrap_of_one_code_is_not_believed_as_another(vault: Vault, path: Path, password: str, code: str) -> None:
    """A code kept by the keyring must not become a recovery code by renaming it in the file."""
    vault.set_keyring(password, code)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b'"keyring"', b'"recovery"'))
    with pytest.raises(DamagedVault):
        Vault.open_with_recovery(path, code)


def test_a_code_says_so_when_it_is_mistyped() -> None:
    code = new_code().value
    accepted = 0
    for at, letter in enumerate(code):
        for other in "0123456789ABCDEFGHJKMNPQRSTVWXYZ":
            if letter not in {"-", other}:
                try:
                    code_bytes(Hidden(code[:at] + other + code[at + 1 :]))
                    accepted += 1
                except InvalidField as refusal:
                    text = str(refusal)
    assert "mistyped" in text
    assert accepted == 0


@pytest.mark.parametrize("odd", ["", "short", "A" * 31, "A" * 33, "U" * 32, None, 7, "é" * 32])
def test_what_is_no_code_is_refused(odd: Any) -> None:
    with pytest.raises(InvalidField, match="not a recovery code"):
        code_bytes(Hidden(odd))


def test_codes_are_read_as_people_write_them() -> None:
    code = "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ"
    drawn = new_code(lambda length: b"\x00" * length).value
    assert code_bytes(Hidden(drawn.replace("0", "o"))).value == b"\x00" * 17
    assert len(drawn) == len(code)
    assert len({new_code().value for _ in range(50)}) == 50


def test_a_kept_generation_comes_back_as_the_newest(vault: Vault, path: Path, password: str) -> None:
    vault.remove("demo")
    vault.remove("research")
    assert [one.number for one in Vault.kept(path)] == [4, 3]
    assert all(one.saved.startswith("20") for one in Vault.kept(path))
    found = Vault.restore(path, 3, password)
    assert (found.names(), found.generation) == (["demo", "research"], 6)
    assert [one.number for one in Vault.kept(path)] == [5, 4, 3]
    assert Vault.open(path, password).names() == ["demo", "research"]
    assert found.audit().problems == ()
    assert found.audit().events[-1].event == "restored from generation 3"


def test_a_generation_that_is_not_kept_is_said(vault: Vault, path: Path, password: str) -> None:
    vault.remove("demo")
    before = path.read_bytes()
    with pytest.raises(VaultMissing, match=r"generation 77 is not kept .* kept are: 3"):
        Vault.restore(path, 77, password)
    with pytest.raises(WrongPassword):
        Vault.restore(path, 3, "not the password")
    assert path.read_bytes() == before


def test_a_vault_whose_file_is_gone_comes_back(vault: Vault, path: Path, password: str) -> None:
    vault.remove("demo")
    path.unlink()
    assert Vault.restore(path, 3, password).names() == ["demo", "research"]


def test_an_older_file_is_noticed_until_it_is_accepted(
    vault: Vault, path: Path, password: str, history: list[bytes]
) -> None:
    vault.remove("demo")
    path.write_bytes(history[1])
    for _ in range(2):
        with pytest.warns(RollbackWarning, match="is generation 2, but generation 4 of it was seen"):
            Vault.open(path, password)
    assert Vault.restore(path, 2, password).generation == 5
    Vault.open(path, password)  # warnings are errors here


def test_every_older_generation_is_flagged(folder: Path, password: str, another_triple: Callable[..., Any]) -> None:
    path = folder / "vault"
    vault = Vault.create(path, password, profile=FLOOR)
    files = [path.read_bytes()]
    for number in range(6):
        vault.add(f"key {number}", **another_triple(number))
        files.append(path.read_bytes())
    flagged = 0
    for older in files[:-1]:
        path.write_bytes(older)
        with pytest.warns(RollbackWarning):
            Vault.open(path, password)
        flagged += 1
    assert flagged == 6


def test_what_was_seen_is_kept_outside_for_the_owner_alone(vault: Vault, tmp_path: Path) -> None:
    vault.remove("demo")
    (file,) = (tmp_path / "state").rglob(vault.vault_id)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("4\n", 0o600)
    assert file.parent.stat().st_mode & 0o077 == 0
    Memory().remember(vault.vault_id, 2)
    assert Memory().highest(vault.vault_id) == 4


def test_where_nothing_can_be_remembered_the_vault_works_and_says_so(
    path: Path, opened: Callable[..., Vault], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    vault = opened(path, Surroundings(memory=Memory(tmp_path / "file")))
    with pytest.warns(ReducedProtection, match="could not be remembered") as caught:
        vault.remove("demo")
    assert Path(caught[0].filename) == Path(__file__)
    assert vault.names() == ["research"]


@pytest.mark.parametrize("text", [b"", b"many", b"-7", b"99999999999999999999999", b"\xff"])
def test_a_memory_that_cannot_be_read_counts_as_none(tmp_path: Path, text: bytes) -> None:
    memory = Memory(tmp_path)
    (tmp_path / "id").write_bytes(text)
    assert memory.highest("id") == 0
    memory.remember("id", 3)
    assert memory.highest("id") == 3


def test_a_forgetful_vault_writes_nothing_elsewhere(folder: Path, password: str, tmp_path: Path) -> None:
    with warnings.catch_warnings(action="error"):
        Vault.create(folder / "v", password, profile=FLOOR, surroundings=Surroundings(memory=Forgetful()))
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
def test_a_restored_generation_keeps_its_ways_to_unlock(vault: Vault, path: Path, password: str, code: str) -> None:
    vault.set_recovery(password, code)
    vault.remove("demo")
    Vault.restore(path, parse(path.read_bytes()).header.generation - 1, password)
    assert Vault.open_with_recovery(path, code).names() == ["demo", "research"]
