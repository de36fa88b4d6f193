"""No wrapped key is written with lower costs than promised, and a weaker one of an older release is raised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vault import FLOOR, STANDARD, Profile, Vault, calibrated, new_code
from vault.envelope import parse

NEW_PASSWORD = "quite another password"
OLD_CODE, CODE = new_code().value, new_code().value


def profiles(path: Path) -> dict[str, Profile]:
    return {wrap.kind: wrap.profile for wrap in parse(path.read_bytes()).header.wraps}


SAVES: dict[str, Callable[[Vault, str], None]] = {
    "change_password": lambda vault, password: vault.change_password(password, NEW_PASSWORD),
    "reset_password": lambda vault, password: vault.reset_password(OLD_CODE, NEW_PASSWORD),
    "rotate_data_key": lambda vault, password: vault.rotate_data_key(password),
    "set_recovery": lambda vault, password: vault.set_recovery(password, CODE),
    "set_keyring": lambda vault, password: vault.set_keyring(password, CODE),
}


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("verb", SAVES)
def test_whatever_asks_for_the_password_writes_what_is_promised(verb: str, folder: Path, password: str) -> None:
    path = folder / "vault"
    vault = Vault.create(path, password, profile=FLOOR)
    if verb == "reset_password":
        vault.set_recovery(password, OLD_CODE)
    SAVES[verb](vault, password)
    found = profiles(path)
    assert all(profile.memory_kib >= 128 * 1024 and profile.passes >= 3 for profile in found.values()), found
    Vault.open(path, NEW_PASSWORD if verb.endswith("_password") else password).close()


def test_costs_above_the_promised_ones_are_kept(folder: Path, password: str) -> None:
    path, costly = folder / "vault", Profile(128 * 1024, 4, 4)
    Vault.create(path, password, profile=costly).change_password(password, NEW_PASSWORD)
    assert profiles(path) == {"password": costly}


def test_a_new_vault_and_a_copy_have_what_is_promised(folder: Path, password: str) -> None:
    vault = Vault.create(folder / "vault", password, profile=calibrated(lambda _profile: 60.0))
    vault.set_recovery(password, CODE)
    assert profiles(folder / "vault") == {"password": STANDARD, "recovery": STANDARD}
