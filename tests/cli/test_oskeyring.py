"""The system's keyring as a way to unlock, with a stand-in for the system."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.socket_path import Place
from bgresearch.cli.agent_unlock import unlock_with_keyring
from bgresearch.errors import ConfigurationError
from bgresearch.keys import os_keyring as oskeyring
from vault import FLOOR, Vault, new_code

PASSWORD = "correct horse battery"


class Kept:
    """Keeps what it is given; its module says where it claims to come from."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class Forgetting(Kept):
    def set_password(self, service: str, username: str, password: str) -> None:
        pass


def installed(monkeypatch: pytest.MonkeyPatch, backend: object) -> None:
    module = ModuleType("keyring")
    module.get_keyring = lambda: backend  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)


def of_module(name: str) -> object:
    return type("Keyring", (Kept,), {"__module__": name})()


def test_the_keyring_opens_the_vault_with_a_code_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "private" / "vault"
    vault = Vault.create(path, PASSWORD, profile=FLOOR)
    backend, code = Kept(), new_code()
    oskeyring.keep(vault.vault_id, code, backend)
    vault.set_keyring(PASSWORD, code.value)
    assert PASSWORD not in repr(backend.kept)
    found = oskeyring.fetch(Vault.id_of(path), backend)
    assert Vault.open_with_keyring(path, found.value).names() == []
    oskeyring.forget(vault.vault_id, backend)
    oskeyring.forget(vault.vault_id, backend)
    with pytest.raises(ConfigurationError, match="has no entry for this vault"):
        oskeyring.fetch(vault.vault_id, backend)


@pytest.mark.parametrize(
    "module",
    [
        *("keyring.backends.fail", "keyring.backends.null", "keyring.backends.chainer", "keyrings.alt.file"),
        *("keyrings.cryptfile.cryptfile", "my.own", "keyring.backends.macOS.evil"),
    ],
)
def test_a_backend_that_is_not_the_systems_own_is_refused(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    installed(monkeypatch, of_module(module))
    with pytest.raises(ConfigurationError, match=f"refused: {module}"):
        oskeyring.system_backend()


def test_a_chain_is_as_good_as_its_worst_link(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = of_module("keyring.backends.chainer")
    chain.backends = [of_module("keyring.backends.SecretService"), of_module("keyrings.alt.file")]  # type: ignore[attr-defined]
    installed(monkeypatch, chain)
    with pytest.raises(ConfigurationError, match=r"refused: keyrings\.alt"):
        oskeyring.system_backend()
    chain.backends.pop()  # type: ignore[attr-defined]
    assert oskeyring.system_backend() is chain


def test_without_the_package_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigurationError, match=r"bgresearch\[keyring\]"):
        oskeyring.system_backend()


def test_a_keyring_that_keeps_nothing_is_noticed() -> None:
    with pytest.raises(ConfigurationError, match="has no entry for this vault"):
        oskeyring.keep("id", new_code(), Forgetting())


@pytest.mark.slow
def test_the_keyring_unlocks_a_locked_agent_by_a_sealed_box(tmp_path: Path, agent_folder: str) -> None:
    path, place = tmp_path / "keys" / "vault", Place(Path(agent_folder))
    backend, code = Kept(), new_code()
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault:
        vault.set_keyring(PASSWORD, code.value)
        oskeyring.keep(vault.vault_id, code, backend)
    assert not start(path, None, place=place).unlocked
    with Agent(place) as agent:
        unlock_with_keyring(agent, path, backend)
        assert agent.status().unlocked
        agent.lock()
