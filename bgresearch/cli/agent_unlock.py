"""How commands pass secrets to the agent: typed and sealed here, opened there. This process hardens itself first."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgresearch.agent.hardening import harden
from bgresearch.agent.socket_path import default_vault
from bgresearch.cli.prompts import KEYRING, Fields, existing_vault, master_password
from bgresearch.errors import AgentUnavailable
from vault import Vault, open_reply, seal_box
from vault.hidden import Hidden

if TYPE_CHECKING:
    from bgresearch.agent.client import Agent, AgentStatus, AgentVerbs
    from bgresearch.agent.requests import Purpose
    from bgresearch.keys.os_keyring import Backend

_ONE_TIME_BYTES = 32  # an X25519 private key


def ready(agent: Agent, path: Path | None) -> AgentStatus:
    """Return the status of the agent that has this vault; a locked one is started if there is none.

    Raises
    ------
    AgentError
        One with another vault is running, or it does not start.
    """
    from bgresearch.agent.launcher import check_vault, start

    harden()
    place = path or default_vault()
    try:
        status = agent.status()
    except AgentUnavailable:
        return start(place, None, place=agent.place)
    check_vault(status, place)
    return status


def send(
    agent: AgentVerbs, purpose: Purpose, texts: Fields, *, label: str = "unlock", host: str = "", demo: bool = False
) -> dict[str, Any]:
    """Seal these texts for the agent and this purpose; return its answer."""
    offer = agent.offer(purpose, label, host=host, demo=demo)["offer"]
    return agent.open(seal_box(offer, {name: text.value for name, text in texts.items()}))


def unlock(agent: Agent, path: Path | None, password_file: str) -> None:
    """Unlock the vault with its master password, or with the code in the system's keyring (``@keyring``)."""
    existing_vault(path)
    if password_file == KEYRING:
        unlock_with_keyring(agent, path)
    else:
        send(agent, "unlock", {"password": master_password(password_file)})


def unlock_with_keyring(agent: Agent, path: Path | None, backend: Backend | None = None) -> None:
    """Unlock the vault with the code that a keyring holds: the operating system's by default."""
    from bgresearch.keys import os_keyring as oskeyring

    code = oskeyring.fetch(Vault.id_of(path or default_vault()), backend or oskeyring.system_backend())
    send(agent, "keyring", {"code": code})


def new_recovery_code(agent: Agent, password: Hidden[str]) -> Hidden[str]:
    """Return a new recovery code, which is valid once two of its groups were confirmed."""
    one_time = Hidden(secrets.token_bytes(_ONE_TIME_BYTES))
    offer = agent.offer("recovery")["offer"]
    box = seal_box(offer, {"password": password.value}, private_key=one_time.value)
    return open_reply(offer, agent.open(box)["reply"], private_key=one_time)["recovery_code"]
