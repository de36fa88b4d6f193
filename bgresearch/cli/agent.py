"""``bgresearch vault unlock``, ``lock`` and ``status``: the agent that holds the keys for notebooks."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgresearch.agent.socket_path import MAKE_VAULT, default_vault, unlock_hint
from bgresearch.cli.options import excludes, needs
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.cli.prompts import KEYRING, PasswordFile, VaultPath, existing_vault, from_stdin, master_password, secret
from bgresearch.errors import AgentUnavailable

if TYPE_CHECKING:
    from bgresearch.agent.client import AgentStatus


_CODE = "recovery_code"


def unlock(
    recovery: Annotated[
        bool, typer.Option("--recovery", help="With the recovery code, if the master password is lost.")
    ] = False,
    keyring: Annotated[bool, typer.Option("--keyring", help="With the code in the system's keyring.")] = False,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='With --recovery: read {"recovery_code"} as JSON from standard input.')
    ] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Start the agent: it holds the keys and makes the private requests until it locks."""
    from bgresearch.agent.launcher import check_vault, start

    if stdin:
        needs("--stdin", "--recovery", recovery)
    if recovery:
        excludes("--recovery", ("--keyring", keyring), ("--password-file", password_file))
    if keyring:
        excludes("--keyring", ("--password-file", password_file))
    place = path or default_vault()
    status = running()
    if status is not None:
        check_vault(status, place)
    if status is None or not status.unlocked:
        existing_vault(path)
        if recovery or keyring or password_file == KEYRING:
            status = _otherwise(path, stdin=stdin, recovery=recovery)
        else:
            status = start(place, master_password(password_file))
    shown = status
    print_result(asdict(shown), as_json, lambda: _text(shown))


def lock(as_json: AsJson = False) -> None:
    """End the agent; its keys leave memory with its process."""
    from bgresearch.agent.client import Agent

    was_running = running() is not None
    if was_running:
        with Agent() as agent:
            agent.lock()
    text = "Locked: the agent has ended." if was_running else "No agent was running."
    print_result({"was_running": was_running}, as_json, lambda: text)


def status(as_json: AsJson = False) -> None:
    """Show whether the agent is running, which keys it holds, and when it locks."""
    found = running()
    if found is None:
        print_result({"running": False}, as_json, lambda: f"No agent is running. {unlock_hint()}")
    else:
        print_result({"running": True, **asdict(found)}, as_json, lambda: _text(found))


def running() -> AgentStatus | None:
    """Return the status of the agent, None if there is none; one that cannot be trusted is an error."""
    from bgresearch.agent.client import Agent

    try:
        with Agent() as agent:
            return agent.status()
    except AgentUnavailable:
        return None


def _otherwise(path: Path | None, *, stdin: bool, recovery: bool) -> AgentStatus:
    """Return the status after unlocking with recovery code or keyring, sealed to an agent that starts locked."""
    from bgresearch.agent.client import Agent
    from bgresearch.cli import agent_unlock as sealed

    with Agent() as agent:
        sealed.ready(agent, path)
        if recovery:
            code = from_stdin(_CODE) if stdin else {_CODE: secret("Recovery code", hint="Use --stdin.")}
            sealed.send(agent, "recover", code)
        else:
            sealed.unlock_with_keyring(agent, path)
        return agent.status()


def holds(vault: Path | None) -> bool:
    """Return whether an unlocked agent with this vault is running."""
    found = running()
    return found is not None and found.unlocked and Path(found.vault) == (vault or default_vault()).absolute()


def _text(found: AgentStatus) -> str:
    if found.unlocked:
        state = f"{found.vault}: unlocked, locks in {_span(found.locks_in_s)}"
    elif os.path.lexists(found.vault):
        state = f"{found.vault}: locked"
    else:
        state = f"There is no vault yet at {found.vault}. {MAKE_VAULT}"
    lines = [
        state,
        f"agent {found.fingerprint}, process {found.pid}, up for {_span(found.uptime_s)}",
        *(f"note: {sentence}" for sentence in found.weak),
    ]
    keys = [_row(asdict(key)) for key in found.keys]
    return "\n".join([*lines, *(["", table(keys)] if keys else [])])


def _row(key: dict[str, Any]) -> dict[str, str]:
    environment = "demo" if key["demo"] else "live"
    return {"name": key["label"], "environment": environment, "host": key["host"], "fingerprint": key["fingerprint"]}


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
