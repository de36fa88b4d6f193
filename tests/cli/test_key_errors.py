"""What the system, its keyring or a library refuses on the way of a key is said in words of this package."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.socket_path import Place, default_place, default_vault
from bgresearch.connect import data_folder
from bgresearch.core.user_folders import expanded, user_folder
from bgresearch.errors import AgentUnavailable, ConfigurationError
from bgresearch.http.ratelimit.sqlite_file import default_folder
from bgresearch.keys import os_keyring as oskeyring
from tests.cli.conftest import Run
from vault import FLOOR, LaxMode, StorageFailed, Vault, new_code
from vault.hidden import Hidden

PASSWORD = "correct horse battery"


class KeyringLocked(Exception):
    """As keyring.errors has it."""


KeyringLocked.__module__ = "keyring.errors"
DBusError = type("DBusErrorResponse", (Exception,), {"__module__": "jeepney.wrappers"})


class Failing:
    """A backend whose service refuses."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error

    def delete_password(self, service: str, username: str) -> None:
        raise self.error


CALLS: dict[str, Callable[[Failing], object]] = {
    "fetch": lambda backend: oskeyring.fetch("id", backend),
    "keep": lambda backend: oskeyring.keep("id", new_code(), backend),
    "forget": lambda backend: oskeyring.forget("id", backend),
}


@pytest.mark.parametrize("error", [KeyringLocked("x"), DBusError("x"), OSError(5, "x"), RuntimeError("x")], ids=repr)
@pytest.mark.parametrize("call", CALLS)
def test_a_keyring_that_refuses_is_said(call: str, error: Exception) -> None:
    with pytest.raises(ConfigurationError, match="the system's keyring failed"):
        CALLS[call](Failing(error))


def test_a_mistake_of_our_own_is_not_called_the_keyrings() -> None:
    with pytest.raises(ZeroDivisionError):
        oskeyring.fetch("id", Failing(ZeroDivisionError()))


def test_an_unknown_home_folder_is_said() -> None:
    with pytest.raises(ConfigurationError, match=r"home folder is not known.*full path"):
        expanded("~nobody-of-this-name/x")
    with pytest.raises(StorageFailed, match="home folder"):
        Vault.open("~nobody-of-this-name/vault", PASSWORD)


HOMELESS = """
import os, sys, warnings
from pathlib import Path
from bgresearch.agent.socket_path import default_vault
from bgresearch.http.ratelimit.sqlite_file import default_folder
from bgresearch.cli.output import complain
from bgresearch.connect import connect
from bgresearch.errors import BgresearchError
from vault import FLOOR, Vault
folder = Path(sys.argv[1])
folder.chmod(0o777)
os.environ.clear()
os.setuid(61_234)
for ask in (default_vault, default_folder, lambda: connect(base_url="http://127.0.0.1:1")):
    try:
        ask()
    except BgresearchError as error:
        complain(error, as_json=False)
warnings.simplefilter("always")
Vault.create(folder / "keys" / "vault", "a password of the tests", profile=FLOOR).close()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without an entry")
def test_a_user_without_a_home_is_shown_what_to_set_and_a_vault_elsewhere_works(tmp_path: Path) -> None:
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)  # pytest's own folders let nobody else through
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", HOMELESS, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"Set HOME, or (BGRESEARCH_\w+)", done.stderr) == [
        "BGRESEARCH_VAULT", "BGRESEARCH_STATE_DIR", "BGRESEARCH_STATE_DIR",
    ]  # fmt: skip
    assert "could not be remembered" in done.stderr
    assert (tmp_path / "keys" / "vault").exists()


def test_the_folders_are_absolute_where_there_is_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert all(user_folder(kind, "X").is_absolute() for kind in ("cache", "config", "data", "state"))


PATHS: dict[str, Callable[[], Path]] = {
    "BGRESEARCH_VAULT": default_vault, "BGRESEARCH_AGENT_DIR": lambda: default_place().folder,
    "BGRESEARCH_STATE_DIR": lambda: default_folder().parent, "BGRESEARCH_DATA_DIR": data_folder,
}  # fmt: skip


@pytest.mark.parametrize("variable", PATHS)
def test_a_tilde_in_a_variable_is_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, "~/chosen")
    assert PATHS[variable]() == tmp_path / "chosen"


def test_commands_replace_the_tilde_of_variables_and_options(run: Run, tmp_path: Path) -> None:
    refused = run("keys", "list", BGRESEARCH_VAULT="~/mine/vault", HOME=str(tmp_path))
    assert f"no vault yet at {tmp_path / 'mine' / 'vault'}" in refused.err
    assert run("store", "list", "--data-dir=~/stored", HOME=str(tmp_path)).status == 0
    assert not (tmp_path / "~").exists()


def test_loosened_modes_are_one_message_with_one_command(tmp_path: Path) -> None:
    """As a mounted volume with fsGroup leaves them: folder, file and trail at once."""
    path = tmp_path / "key s" / "vault"
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault:
        vault.add("a", api_key="bg_1", secret_key="s", passphrase="p")
    for one in path.parent.iterdir():
        one.chmod(0o660)
    path.parent.chmod(0o2770)
    with pytest.raises(LaxMode) as refusal:
        Vault.open(path, PASSWORD)
    named = [name for name in ("key s has", "vault has", "vault.audit has") if name in str(refusal.value)]
    assert len(named) == 3
    for command in str(refusal.value).split("type: ")[1].split(" && "):
        subprocess.run(shlex.split(command), check=True)  # noqa: S603 - what our own message says
    with Vault.open(path, PASSWORD) as vault:
        vault.remove("a")


def interpreter(folder: Path, script: str) -> str:
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def test_what_the_loader_says_is_passed_on(tmp_path: Path, agent_folder: str) -> None:
    broken = interpreter(tmp_path, "echo 'python: error while loading shared libraries: libpython9.so' >&2; exit 127")
    with pytest.raises(AgentUnavailable, match=r"error while loading shared libraries: libpython9\.so"):
        start(tmp_path / "keys" / "vault", None, place=Place(Path(agent_folder)), interpreter=broken)


def test_an_interpreter_finds_its_own_libraries_and_no_others(
    tmp_path: Path, agent_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys" / "vault"
    Vault.create(path, PASSWORD, profile=FLOOR).close()
    own = Path(sys.base_prefix) / "lib"
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}:{own}")
    picky = interpreter(
        tmp_path, f'[ "$LD_LIBRARY_PATH" = "{own}" ] || {{ echo "libpython is not found" >&2; exit 127; }}\n'
        f'exec {sys.executable} "$@"',
    )  # fmt: skip
    assert start(path, Hidden(PASSWORD), place=Place(Path(agent_folder)), interpreter=picky).unlocked
    with Agent(Place(Path(agent_folder))) as agent:
        agent.lock()


@pytest.mark.usefixtures("vault")
def test_a_password_that_is_no_text_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    words = ["-X", "utf8", "-m", "bgresearch", "vault", "list", "--password-file", "-"]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, *words], input=b"\xff\xfe\n", capture_output=True, cwd=tmp_path, check=False,
        env={**environment, "PYTHONIOENCODING": "utf-8:strict"},
    )  # fmt: skip
    assert done.returncode == 1
    assert b"not UTF-8 text" in done.stderr


@pytest.mark.parametrize("file", ["@keyring", "~nobody-of-this-name/x", "."])
def test_a_password_file_that_is_none_is_said(file: str, run: Run) -> None:
    done = run("vault", "init", "--password-file", file)
    assert done.status in {1, 2}
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
