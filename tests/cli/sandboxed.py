"""What tests of commands share that bring keys of the served sandbox into the vault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

from bgresearch.agent.launcher import start
from bgresearch.agent.socket_path import Place
from bgresearch.cli import app
from bgresearch.sandbox.traders.keys import SandboxKey
from tests.cli.conftest import Ran
from vault import FLOOR, Vault
from vault.hidden import Hidden

PASSWORD = "four words which nobody guesses together"
Dialogue = list[tuple[str, str]]


def texts(key: SandboxKey) -> Dialogue:
    """The questions about a key and the answers."""
    return [("API key:", key.api_key), ("Secret key:", key.secret_key), ("Passphrase:", key.passphrase)]


def as_json(key: SandboxKey) -> str:
    return json.dumps(triple(key))


def triple(key: SandboxKey) -> dict[str, str]:
    return {name: getattr(key, name) for name in ("api_key", "secret_key", "passphrase")}


def clean(ran: Ran, *keys: SandboxKey) -> bool:
    """Whether nothing secret was shown."""
    secrets = {PASSWORD, *(text for key in keys for text in triple(key).values())}
    return not any(secret in ran.out + ran.err for secret in secrets)


def open_vault(path: Path, agent_folder: str, *keys: SandboxKey, host: str = "") -> None:
    """Make a vault with these keys under their own names, and an agent that has it open."""
    with Vault.create(path, PASSWORD, profile=FLOOR) as made:
        for key in keys:
            made.add(key.name, **triple(key), host=host, demo=key.demo)
    start(path, Hidden(PASSWORD), place=Place(Path(agent_folder)))


def with_password(path: Path, home: Path, agent_folder: str) -> Callable[..., Ran]:
    """What runs a command in this process on a vault, with its password and results as JSON; ``err`` is the error."""
    password = home / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    variables = {"BGRESEARCH_VAULT": str(path), "BGRESEARCH_AGENT_DIR": agent_folder, "HOME": str(home)}

    def run(*words: str, stdin: str = "") -> Ran:
        done = CliRunner().invoke(
            app, [*words, "--password-file", str(password), "--json"], input=stdin, env=variables
        )  # fmt: skip
        return Ran(done.exit_code, done.stdout, str(done.exception or ""))

    return run
