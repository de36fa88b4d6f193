from __future__ import annotations

import base64
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vault import FLOOR, FileSystem, Forgetful, Surroundings, Vault
from vault.contents import State, believed_slots
from vault.encryption import decrypt_file, key_from_password
from vault.envelope import Wrap
from vault.hidden import Hidden
from vault.storage import VaultFile

PASSWORD = "correct horse battery"
TRIPLE = {
    "api_key": "bg_0123456789abcdef0123456789abcdef",
    "secret_key": "5e0c7a11d4b3f29866aa01cc23de45f7",
    "passphrase": "OrchardLane42",
}


class Recorder(FileSystem):
    """Counts the calls that reach the disk, and fails the chosen one."""

    def __init__(self, fail_at: int | None = None, code: int = errno.EIO) -> None:
        self.calls: list[str] = []
        self.fail_at = fail_at
        self.code = code

    def _pass(self, call: str) -> None:
        self.calls.append(call)
        if self.fail_at == len(self.calls) - 1:
            raise OSError(self.code, os.strerror(self.code))

    def lstat(self, path: Path) -> os.stat_result:
        self._pass("lstat")
        return super().lstat(path)

    def open(self, path: Path, flags: int, mode: int = 0) -> int:
        self._pass("open")
        return super().open(path, flags, mode)

    def fstat(self, descriptor: int) -> os.stat_result:
        self._pass("fstat")
        return super().fstat(descriptor)

    def read(self, descriptor: int, length: int) -> bytes:
        self._pass("read")
        return super().read(descriptor, length)

    def write(self, descriptor: int, data: bytes) -> int:
        self._pass("write")
        return super().write(descriptor, data[: max(1, len(data) // 2)])  # short writes are legal

    def truncate(self, descriptor: int, size: int) -> None:
        self._pass("truncate")
        super().truncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        self._pass("fsync")
        super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)
        self._pass("close")

    def replace(self, source: Path, target: Path) -> None:
        self._pass("replace")
        super().replace(source, target)

    def unlink(self, path: Path) -> None:
        self._pass("unlink")
        super().unlink(path)

    def names(self, folder: Path) -> list[str]:
        self._pass("names")
        return super().names(folder)


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vaults of one id are put back to older generations by many tests; none may remember another's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="session")
def password() -> str:
    return PASSWORD


@pytest.fixture(scope="session")
def triple() -> dict[str, str]:
    return dict(TRIPLE)


@pytest.fixture(scope="session")
def another_triple() -> Callable[[int], dict[str, str]]:
    return lambda number: {**TRIPLE, "api_key": f"bg_{number:032x}"}


@pytest.fixture(scope="session")
def recorder() -> type[Recorder]:
    return Recorder


@pytest.fixture(scope="session")
def key_source() -> Callable[[Wrap], Hidden[bytes]]:
    """The real key derivation for PASSWORD, computed once for each salt and cost."""
    known: dict[tuple[str, Any], Hidden[bytes]] = {}

    def derive(wrap: Wrap) -> Hidden[bytes]:
        place = (wrap.salt, wrap.profile)
        if place not in known:
            known[place] = key_from_password(Hidden(PASSWORD.encode()), wrap)
        return known[place]

    return derive


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], bytes]:
    """The bytes of three generations of one vault and of the audit trail next to the last."""
    path = tmp_path_factory.mktemp("history") / "folder" / "vault"
    vault = Vault.create(path, PASSWORD, profile=FLOOR, surroundings=Surroundings(memory=Forgetful()))
    generations = [path.read_bytes()]
    for number, name in enumerate(("research", "demo")):
        triple = {**TRIPLE, "api_key": f"bg_{number:032x}"}
        vault.add(name, **triple, demo=name == "demo", host="http://127.0.0.1:9000")
        generations.append(path.read_bytes())
    return generations, path.with_name("vault.audit").read_bytes()


@pytest.fixture(scope="session")
def history(made: tuple[list[bytes], bytes]) -> list[bytes]:
    """The bytes of generations 1, 2 and 3 of one vault: empty, one key, two keys."""
    return made[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "private"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def path(folder: Path, made: tuple[list[bytes], bytes]) -> Path:
    """A vault file with two keys."""
    for name, content in (("vault.audit", made[1]), ("vault", made[0][-1])):
        file = folder / name
        file.touch(mode=0o600)
        file.write_bytes(content)
    return file


@pytest.fixture(scope="session")
def opened(key_source: Callable[[Wrap], Hidden[bytes]]) -> Callable[..., Vault]:
    """Open a vault file of PASSWORD as Vault.open does, with the key derivation remembered."""

    def open_quickly(path: Path, surroundings: Surroundings | None = None) -> Vault:
        around = surroundings or Surroundings()
        found = decrypt_file(path.read_bytes(), key_source)
        state = State(found.envelope, found.data_key, found.body, believed_slots(found.body))
        return Vault(VaultFile(path, around.filesystem, around.lock_timeout_s), around, state)

    return open_quickly


@pytest.fixture
def vault(path: Path, opened: Callable[..., Vault]) -> Vault:
    return opened(path)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Short, printable names for awkward parameters."""
    if isinstance(val, str) and not val.isascii():
        return base64.b16encode(val.encode("utf-8", "surrogatepass")).decode()[:24]
    return None
