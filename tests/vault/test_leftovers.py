"""Nothing next to the vault opens with a former password or code, wherever a process was killed."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from vault import (
    FLOOR,
    DamagedVault,
    FileSystem,
    Forgetful,
    RollbackWarning,
    Surroundings,
    Vault,
    VaultError,
    WrongPassword,
    encryption,
    new_code,
)
from vault.hidden import Hidden
from vault.recovery import code_bytes

OLD, NEW = "a former good password", "the present good password"
CODE, NEW_CODE = new_code().value, new_code().value


class Deadly(FileSystem):
    """Ends the process with SIGKILL instead of a call to the disk that changes something."""

    def __init__(self) -> None:
        self.kill_at: int | None = None
        self.calls = 0
        self.only_at_unlink_of = ""

    def _step(self, name: str = "") -> None:
        if self.kill_at == self.calls or (self.only_at_unlink_of and name.endswith(self.only_at_unlink_of)):
            os.kill(os.getpid(), signal.SIGKILL)
        self.calls += 1

    def write(self, descriptor: int, data: bytes) -> int:
        self._step()
        return super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._step()
        super().fsync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def unlink(self, path: Path) -> None:
        self._step(path.name)
        super().unlink(path)


def killed(work: Callable[[], None]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def opened_by(path: Path, kind: str, secret: bytes) -> list[str]:
    """Return the names of the files next to the vault whose wrapped key this secret opens, whatever their body."""
    found = []
    for file in path.parent.iterdir():
        try:
            encryption.decrypt_file(
                file.read_bytes(), lambda wrap: encryption.key_from_password(Hidden(secret), wrap), kind
            )
        except (WrongPassword, DamagedVault, VaultError):
            continue
        found.append(file.name)
    return found


def kept(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.glob("vault.*") if not file.name.endswith(".audit"))


VERBS: dict[str, tuple[Callable[[Vault], None], str, str]] = {  # the change; what opened before; the new password
    "change_password": (lambda vault: vault.change_password(OLD, NEW), "password", NEW),
    "reset_password": (lambda vault: vault.reset_password(CODE, NEW), "password", NEW),
    "rotate_data_key": (lambda vault: vault.rotate_data_key(OLD), "recovery", OLD),
    "remove_unlock": (lambda vault: vault.remove_unlock("recovery"), "recovery", OLD),
    "set_recovery": (lambda vault: vault.set_recovery(OLD, NEW_CODE), "recovery", OLD),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with a recovery code and two kept generations."""
    path = tmp_path_factory.mktemp("made") / "keys" / "vault"
    vault = Vault.create(path, OLD, profile=FLOOR, surroundings=Surroundings(memory=Forgetful()))
    vault.set_recovery(OLD, CODE)
    for name in ("one", "two"):
        vault.add(name, api_key=f"bg_{name}", secret_key="s" * 64, passphrase="a passphrase")
    vault.remove("two")
    return path


def interrupted(made: Path, folder: Path, verb: str, disk: Deadly) -> tuple[Path, bool, bool]:
    """Let a verb run on a copy; return where, whether it was killed, and whether the change is in the present file."""
    shutil.copytree(made.parent, folder)
    path = folder / "vault"
    vault = Vault.open(path, OLD, surroundings=Surroundings(filesystem=disk, memory=Forgetful()))
    before = path.read_bytes()
    change = VERBS[verb][0]
    disk.calls, is_killed = 0, killed(lambda: change(vault))
    return path, is_killed, path.read_bytes() != before


def assert_nothing_former(path: Path, verb: str, after: str) -> None:
    _change, kind, password = VERBS[verb]
    around = Surroundings(memory=Forgetful())
    if after == "opening":
        Vault.open(path, password, surroundings=around)
    else:
        with Vault.open(path, password, surroundings=around) as vault:
            vault.add("next", api_key="bg_next", secret_key="s" * 64, passphrase="a passphrase")
    former = OLD.encode() if kind == "password" else code_bytes(Hidden(CODE)).value
    assert opened_by(path, kind, former) == []


@pytest.mark.slow
@pytest.mark.parametrize("after", ["opening", "saving"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_before_the_former_generations_are_deleted_is_made_good(
    verb: str, after: str, made: Path, tmp_path: Path
) -> None:
    disk = Deadly()
    disk.only_at_unlink_of = ".kept"
    path, is_killed, is_changed = interrupted(made, tmp_path / "keys", verb, disk)
    assert is_killed
    assert is_changed
    assert kept(path)
    assert_nothing_former(path, verb, after)


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_at_any_step_leaves_nothing_that_a_former_secret_opens(verb: str, made: Path, tmp_path: Path) -> None:
    steps, is_killed, changed = 0, True, 0
    while is_killed:
        disk = Deadly()
        disk.kill_at = steps
        path, is_killed, is_changed = interrupted(made, tmp_path / str(steps), verb, disk)
        if is_changed:
            changed += 1
            assert_nothing_former(path, verb, "opening")
        steps += 1
    assert steps > 10
    assert changed > 3


@pytest.mark.slow
@pytest.mark.parametrize("place", [40, 400, -200])
def test_a_damaged_file_that_was_set_aside_goes_with_the_password_that_opens_it(
    place: int, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made.parent, tmp_path / "keys")
    path, around = tmp_path / "keys" / "vault", Surroundings(memory=Forgetful())
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)
    vault = Vault.restore(path, Vault.kept(path)[0].number, OLD, surroundings=around)
    assert "vault.damaged" in kept(path)
    vault.remove("one")
    assert "vault.damaged" in kept(path), "it opens with nothing else than the present file does"
    aside = path.with_name("vault.damaged").read_bytes()
    vault.change_password(OLD, NEW)
    assert kept(path) == []
    path.with_name("vault.damaged").write_bytes(aside)
    Vault.open(path, NEW, surroundings=around)
    if place != 40:  # there it no longer says whose it is
        assert kept(path) == []


@pytest.mark.slow
def test_an_older_file_in_its_place_does_not_delete_the_newer_generations(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made.parent, tmp_path / "keys")
    path = tmp_path / "keys" / "vault"
    older = path.read_bytes()
    with Vault.open(path, OLD) as vault:
        vault.change_password(OLD, NEW)
        vault.add("third", api_key="bg_3", secret_key="s" * 64, passphrase="a passphrase")
    newer = kept(path)
    path.write_bytes(older)
    with pytest.warns(RollbackWarning):
        vault = Vault.open(path, OLD)
    assert kept(path) == newer
    vault.remove("one")
    assert set(newer) < set(kept(path))


@pytest.mark.slow
def test_generations_of_another_vault_are_left_alone(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made.parent, tmp_path / "keys")
    path = tmp_path / "keys" / "vault"
    other = Vault.create(tmp_path / "other" / "vault", NEW, profile=FLOOR)
    before = kept(path)
    path.write_bytes((tmp_path / "other" / "vault").read_bytes())
    other.close()
    with warnings.catch_warnings(action="ignore"):
        Vault.open(path, NEW)
    assert kept(path) == before
