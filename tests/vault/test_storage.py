from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import BaseFileLock, FileLock, SoftFileLock

from tests.conftest import PATIENCE_S, child
from vault import (
    FLOOR,
    DamagedVault,
    FileSystem,
    Forgetful,
    LaxMode,
    ReducedProtection,
    StorageFailed,
    Surroundings,
    UnsafePath,
    Vault,
    VaultBusy,
    VaultError,
    VaultExists,
    VaultMissing,
)
from vault.envelope import MAX_FILE_BYTES, parse
from vault.memory import Memory

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes, owners and symbolic links are POSIX matters")
CODES = [errno.ENOSPC, errno.EIO, errno.EACCES]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def generations(folder: Path) -> list[int]:
    return sorted(int(kept.name.split(".")[1]) for kept in folder.glob("vault.*.kept"))


def test_a_shared_folder_is_refused_without_advice_to_close_it_to_the_others(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(LaxMode, match="a folder of its own") as refusal:
        Vault.create(shared / "vault", "a long password", profile=FLOOR)
    assert "chmod" not in str(refusal.value)


def test_folder_file_lock_and_kept_files_are_the_owners_alone(
    tmp_path: Path, password: str, triple: dict[str, str]
) -> None:
    path = tmp_path / "deep" / "er" / "vault"
    before = os.umask(0)
    try:
        Vault.create(path, password, profile=FLOOR).add("research", **triple)
    finally:
        os.umask(before)
    assert mode_of(path.parent) == 0o700
    modes = {file.name: mode_of(file) for file in path.parent.iterdir()}
    assert modes == {"vault": 0o600, "vault.1.kept": 0o600, "vault.audit": 0o600, ".vault.lock": 0o600}


@pytest.mark.quick_cases(5)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o606, 0o610, 0o601, 0o666, 0o700, 0o777])
def test_a_file_that_others_could_touch_is_refused_with_the_command_to_type(
    path: Path, password: str, vault: Vault, mode: int
) -> None:
    path.chmod(mode)
    with pytest.raises(LaxMode) as refusal:
        Vault.open(path, password)
    with pytest.raises(LaxMode):
        vault.remove("research")
    command = str(refusal.value).split("type: ")[1]
    assert command == f"chmod 600 {shlex.quote(str(path))}"
    subprocess.run(shlex.split(command), check=True)  # noqa: S603 -- the command that our own message gives
    assert Vault.open(path, password).names() == ["demo", "research"]


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o710, 0o701, 0o720, 0o755, 0o777])
def test_a_folder_that_others_could_enter_is_refused(
    folder: Path, path: Path, password: str, vault: Vault, mode: int
) -> None:
    folder.chmod(mode)
    with pytest.raises(LaxMode, match=f"chmod 700 {folder}"):
        Vault.open(path, password)
    with pytest.raises(LaxMode):
        vault.remove("research")
    with pytest.raises(LaxMode):
        Vault.create(folder / "new", password, profile=FLOOR)
    assert mode_of(folder) == mode


def test_a_symbolic_link_to_a_vault_is_refused(folder: Path, path: Path, password: str) -> None:
    link = folder / "link"
    link.symlink_to(path)
    with pytest.raises(UnsafePath, match="symbolic link"):
        Vault.open(link, password)
    with pytest.raises(VaultExists):
        Vault.create(link, password, profile=FLOOR)


def test_a_dangling_link_is_not_followed_when_a_vault_is_made(folder: Path, password: str) -> None:
    (folder / "vault").symlink_to(folder / "elsewhere")
    with pytest.raises(VaultExists):
        Vault.create(folder / "vault", password, profile=FLOOR)
    assert not (folder / "elsewhere").exists()


def test_a_vault_replaced_by_a_link_is_not_written(folder: Path, path: Path, vault: Vault) -> None:
    path.rename(folder / "moved")
    path.symlink_to(folder / "moved")
    with pytest.raises(UnsafePath):
        vault.remove("research")


def test_a_folder_that_is_a_symbolic_link_is_refused(tmp_path: Path, folder: Path, path: Path, password: str) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UnsafePath, match="symbolic link"):
        Vault.open(tmp_path / "link" / path.name, password)
    with pytest.raises(UnsafePath):
        Vault.create(tmp_path / "link" / "new", password, profile=FLOOR)


def test_a_temporary_name_that_is_a_link_is_not_written_through(folder: Path, vault: Vault) -> None:
    victim = folder / "victim"
    victim.write_text("untouched")
    (folder / ".vault.new").symlink_to(victim)
    vault.remove("research")
    assert victim.read_text() == "untouched"
    assert not (folder / "vault").is_symlink()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_regular_file_is_refused_without_hanging(folder: Path, password: str, kind: str) -> None:
    odd = folder / "odd"
    odd.mkdir() if kind == "folder" else os.mkfifo(odd, 0o600)
    with pytest.raises(UnsafePath, match="not a regular file"):
        Vault.open(odd, password)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given", ["file", "folder"])
def test_a_file_or_folder_of_somebody_else_is_refused(
    folder: Path, path: Path, password: str, vault: Vault, given: str
) -> None:
    os.chown(path if given == "file" else folder, 12345, -1)
    with pytest.raises(UnsafePath, match="belongs to user 12345"):
        Vault.open(path, password)
    with pytest.raises(UnsafePath):
        vault.remove("research")


def test_the_owner_is_checked_against_the_user_who_runs(path: Path, password: str) -> None:
    class SomebodyElse(FileSystem):
        def user_id(self) -> int:
            return super().user_id() + 1

    with pytest.raises(UnsafePath, match="chown"):
        Vault.open(path, password, surroundings=Surroundings(filesystem=SomebodyElse()))


def test_a_platform_without_modes_says_so_in_words(folder: Path, path: Path, password: str) -> None:
    class WithoutModes(FileSystem):
        has_modes = False

        def user_id(self) -> int:
            raise AssertionError("there are no owners to ask for")

    path.chmod(0o666)
    folder.chmod(0o777)
    with pytest.warns(ReducedProtection, match="reduced protection") as caught:
        vault = Vault.open(path, password, surroundings=Surroundings(filesystem=WithoutModes()))
    assert [Path(warning.filename) for warning in caught] == [Path(__file__)]
    vault.remove("demo")
    assert vault.names() == ["research"]


def test_a_missing_vault_or_folder_is_said(folder: Path, password: str) -> None:
    with pytest.raises(VaultMissing, match=r"make one with Vault\.create"):
        Vault.open(folder / "vault", password)
    with pytest.raises(VaultMissing, match="no folder"):
        Vault.open(folder / "none" / "vault", password)


def test_a_missing_vault_with_kept_generations_tells_how_to_bring_one_back(
    path: Path, vault: Vault, password: str
) -> None:
    vault.remove("demo")
    path.unlink()
    with pytest.raises(VaultMissing, match="bgresearch vault restore 3"):
        Vault.open(path, password)


def test_the_last_five_generations_are_kept(
    folder: Path, vault: Vault, another_triple: Callable[[int], dict[str, str]]
) -> None:
    for number in range(8):
        vault.add(f"key {number}", **another_triple(300 + number))
    assert parse((folder / "vault").read_bytes()).header.generation == 11
    assert generations(folder) == [6, 7, 8, 9, 10]
    assert [parse((folder / f"vault.{number}.kept").read_bytes()).header.generation for number in range(6, 11)] == [
        *range(6, 11)
    ]


def test_a_damaged_vault_is_never_overwritten_and_says_how_to_bring_it_back(
    folder: Path, path: Path, vault: Vault, password: str, triple: dict[str, str]
) -> None:
    vault.add("third", **triple)
    damaged = path.read_bytes()[:-100]
    path.write_bytes(damaged)
    with pytest.raises(DamagedVault) as refusal:
        vault.remove("third")
    with pytest.raises(DamagedVault, match="is damaged"):
        Vault.open(path, password)
    with pytest.raises(VaultExists):
        Vault.create(path, password, profile=FLOOR)
    assert path.read_bytes() == damaged
    command = re.search(r"bgresearch vault restore (\d+) --vault (\S+)", str(refusal.value))
    assert command is not None
    restored = Vault.restore(command[2], int(command[1]), password)
    assert restored.names() == ["demo", "research"]
    restored.add("third", **triple)
    assert parse(path.read_bytes()).header.generation == 6
    assert generations(folder) == [3, 5]
    assert (folder / "vault.damaged").read_bytes() == damaged


def test_a_restored_vault_numbers_on_from_the_highest_kept_generation(
    folder: Path, path: Path, vault: Vault, opened: Callable[..., Vault], another_triple: Callable[[int], Any]
) -> None:
    for number in range(3):
        vault.add(f"key {number}", **another_triple(400 + number))
    path.write_bytes((folder / "vault.3.kept").read_bytes())
    later = (folder / "vault.5.kept").read_bytes()
    opened(path).remove("demo")
    assert parse(path.read_bytes()).header.generation == 7  # 6 was seen on this machine
    assert (folder / "vault.5.kept").read_bytes() == later


def test_the_newest_whole_generation_is_advised_not_a_damaged_one(
    folder: Path, path: Path, vault: Vault, password: str, another_triple: Callable[[int], dict[str, str]]
) -> None:
    for number in range(2):
        vault.add(f"key {number}", **another_triple(500 + number))
    path.write_bytes(b"")
    (folder / "vault.4.kept").write_bytes(b"damaged too")
    with pytest.raises(DamagedVault, match=r"bgresearch vault restore 3 --vault"):
        Vault.open(path, password)
    (folder / "vault.3.kept").unlink()
    with pytest.raises(DamagedVault, match="from a backup"):
        Vault.open(path, password)


def test_a_file_larger_than_any_vault_is_read_no_further_than_the_cap(
    path: Path, password: str, recorder: Callable[..., Any]
) -> None:
    asked: list[int] = []

    class Measured(FileSystem):
        def read(self, descriptor: int, length: int) -> bytes:
            asked.append(length)
            return super().read(descriptor, length)

    with path.open("wb") as file:
        file.truncate(2**40)  # a sparse terabyte
    with pytest.raises(DamagedVault, match="larger than any vault"):
        Vault.open(path, password, surroundings=Surroundings(filesystem=Measured()))
    assert max(asked) == MAX_FILE_BYTES + 1


def test_what_a_killed_process_left_is_cleared_away(folder: Path, vault: Vault) -> None:
    (folder / ".vault.new").write_bytes(b"half of a")
    vault.remove("demo")
    assert sorted(file.name for file in folder.iterdir()) == [".vault.lock", "vault", "vault.3.kept", "vault.audit"]


def test_a_vault_that_another_process_is_saving_is_busy(folder: Path, path: Path, opened: Callable[..., Vault]) -> None:
    vault = opened(path, Surroundings(lock_timeout_s=0.05))
    with FileLock(folder / ".vault.lock"), pytest.raises(VaultBusy, match="another process"):
        vault.remove("demo")
    vault.remove("demo")


def test_a_stale_lock_file_hinders_nobody(folder: Path, vault: Vault) -> None:
    (folder / ".vault.lock").write_text("4194304\n")
    vault.remove("demo")
    assert vault.names() == ["research"]


def calls_of_a_save(path: Path, opened: Callable[..., Vault], recorder: Callable[..., Any]) -> list[str]:
    before = path.read_bytes()
    disk = recorder()
    opened(path, Surroundings(filesystem=disk, memory=Forgetful())).remove("demo")
    path.write_bytes(before)
    for kept in path.parent.glob("*.kept"):
        kept.unlink()
    return list(disk.calls)


def test_every_file_is_flushed_before_it_is_put_in_place_and_the_folder_after(
    path: Path, opened: Callable[..., Vault], recorder: Callable[..., Any]
) -> None:
    calls = " ".join(calls_of_a_save(path, opened, recorder))
    placed = r"open (write )+fsync close replace"
    assert re.search(rf"{placed} names {placed} open fsync close$", calls), calls
    assert calls.count("replace") == 2


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_a_fault_at_any_call_of_a_save_leaves_a_whole_vault_and_a_clear_error(
    path: Path, opened: Callable[..., Vault], recorder: Callable[..., Any], code: int
) -> None:
    calls = calls_of_a_save(path, opened, recorder)
    kinds = {"lstat", "open", "fstat", "read", "write", "fsync", "close", "replace", "unlink", "names", "truncate"}
    assert kinds == set(calls)
    commit = len(calls) - 1 - calls[::-1].index("replace")
    before = path.read_bytes()
    for at, call in enumerate(calls):
        vault = opened(path, Surroundings(filesystem=recorder(at, code), memory=Forgetful()))
        with pytest.raises(StorageFailed) as failure:
            vault.remove("demo")
        text = str(failure.value)
        assert os.strerror(code) in text, call
        if at <= commit:
            assert "as it was" in text
            assert path.read_bytes() == before, (at, call)
            assert vault.names() == ["demo", "research"]
        else:
            assert "new file is in place" in text
            assert opened(path).names() == ["research"]
            path.write_bytes(before)
        assert not (path.parent / ".vault.new").exists(), (at, call)
        for kept in path.parent.glob("*.kept"):
            assert parse(kept.read_bytes()).header.generation == 3
            kept.unlink()
    assert len(calls) > 25


@pytest.mark.slow
def test_a_fault_at_any_call_of_making_a_vault_leaves_none_or_a_whole_one(
    folder: Path, password: str, recorder: Callable[..., Any]
) -> None:
    path = folder / "vault"
    disk = recorder()
    Vault.create(path, password, profile=FLOOR, surroundings=Surroundings(filesystem=disk))
    for at in range(len(disk.calls)):
        path.unlink(missing_ok=True)
        around = Surroundings(filesystem=recorder(at, CODES[at % 3]))
        with pytest.raises(StorageFailed):
            Vault.create(path, password, profile=FLOOR, surroundings=around)
        if path.exists():
            assert parse(path.read_bytes()).header.generation == 1
            assert at > disk.calls.index("replace")
    assert len(disk.calls) > 8


def test_a_fault_while_opening_is_a_clear_error(path: Path, password: str, recorder: Callable[..., Any]) -> None:
    disk = recorder()
    Vault.open(path, password, surroundings=Surroundings(filesystem=disk))
    for at in range(len(disk.calls)):
        with pytest.raises((VaultError, ReducedProtection), match=os.strerror(errno.EIO)):  # warnings are errors here
            Vault.open(path, password, surroundings=Surroundings(filesystem=recorder(at)))


def test_a_lock_that_cannot_be_made_is_a_clear_error(folder: Path, vault: Vault) -> None:
    (folder / ".vault.lock").mkdir()
    with pytest.raises(StorageFailed, match="could not lock"):
        vault.remove("demo")


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path, password: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailed, match="could not make the folder"):
        Vault.create(tmp_path / "file" / "folder" / "vault", password, profile=FLOOR)


@pytest.mark.slow
def test_eight_processes_adding_ten_keys_each_lose_none(path: Path, password: str) -> None:
    code = (
        "import sys; from vault import Vault\n"
        "path, worker = sys.argv[1], int(sys.argv[2])\n"
        "vault = Vault.open(path, sys.stdin.readline())\n"
        "for number in range(10):\n"
        "    vault.add(f'{worker} {number}', api_key=f'key-{worker}-{number}', secret_key='made-up',\n"
        "              passphrase='made-up', account=f'account {worker}')\n"
    )
    root = Path(__file__).parents[2]
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(child(sys.executable, "-c", code, str(path), str(one), stdin=subprocess.PIPE, cwd=root))
            for one in range(8)
        ]
        for worker in workers:
            worker.communicate(password, timeout=PATIENCE_S)
    assert [worker.returncode for worker in workers] == [0] * 8
    names = Vault.open(path, password).names()
    assert set(names) == {"demo", "research", *(f"{worker} {number}" for worker in range(8) for number in range(10))}
    assert parse(path.read_bytes()).header.generation == 83


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP])
def test_a_file_system_without_locks_is_said_once_and_a_file_takes_their_place(
    folder: Path, password: str, triple: dict[str, str], code: int
) -> None:
    class Lockless(FileSystem):
        def native_lock(self, path: Path, timeout_s: float) -> BaseFileLock:
            raise OSError(code, os.strerror(code))

    path, around = folder / "vault", Surroundings(filesystem=Lockless(), lock_timeout_s=0.05)
    with pytest.warns(ReducedProtection, match="has no locks"):
        vault = Vault.create(path, password, profile=FLOOR, surroundings=around)
    vault.add("research", **triple)  # not said again: warnings are errors here
    with SoftFileLock(f"{path.with_name('.vault.lock')}.held"), pytest.raises(VaultBusy):
        vault.remove("research")
    vault.remove("research")


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o277, 0o777])
def test_folders_above_are_for_the_owner_alone_whatever_the_umask(tmp_path: Path, password: str, mask: int) -> None:
    before = os.umask(mask)
    try:
        Vault.create(
            tmp_path / "a" / "b" / "vault",
            password,
            profile=FLOOR,
            surroundings=Surroundings(memory=Memory(tmp_path / "c" / "d")),
        )
    finally:
        os.umask(before)
    made = [tmp_path / one for one in ("a", "a/b", "c", "c/d")]
    assert [mode_of(path) for path in made] == [0o700] * 4
