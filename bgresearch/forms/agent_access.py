"""The forms' access to the agent, which is started if there is none. No secret is here; only choices are stored."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from bgresearch.agent.client import Agent, AgentKey, AgentStatus
from bgresearch.agent.launcher import start
from bgresearch.agent.requests import Purpose
from bgresearch.agent.socket_path import default_vault
from bgresearch.core.clock import LOOPBACK
from bgresearch.core.user_folders import make_private, user_folder
from bgresearch.errors import AgentUnavailable, ConfigurationError
from bgresearch.forms.background import Runner, in_thread
from bgresearch.forms.wizard_state import AgentState, Progress, from_text, to_text


class AgentAccess:
    """The agent and the settings that every form works with.

    Parameters
    ----------
    agent : Agent, optional
        The user's own by default.
    vault : Path, optional
        The vault's file; the user's own by default.
    host : str, optional
        The host of new keys: the exchange's own, unless ``BGRESEARCH_BASE_URL`` is set.
    run : callable, optional
        Runs work in the background.
    memory : Path, optional
        Where the wizard's progress is stored.
    """

    def __init__(
        self, *, agent: Agent | None = None, vault: Path | None = None, host: str | None = None,
        run: Runner = in_thread, memory: Path | None = None,
    ) -> None:  # fmt: skip
        self.agent = agent or Agent()
        self.vault = vault or default_vault()
        self.host = os.environ.get("BGRESEARCH_BASE_URL", "") if host is None else host
        self.run = run
        self._memory = memory or user_folder("state", "XDG_STATE_HOME") / "setup.json"

    @property
    def is_sandbox(self) -> bool:
        """Whether new keys are for a server on this machine."""
        return self.host.startswith(LOOPBACK)

    def status(self) -> AgentStatus:
        """Return the agent's status; a locked agent is started if there is none.

        Raises
        ------
        AgentError
            It does not start, or what is there cannot be trusted.
        """
        try:
            return self.agent.status()
        except AgentUnavailable:
            return start(self.vault, None, place=self.agent.place)

    def agent_state(self) -> AgentState:
        """Return the state of vault and agent, which decides about the next step."""
        status = self.status()
        return AgentState(status.exists, status.unlocked, status.fingerprint)

    def key(self, label: str) -> AgentKey:
        """Return one key of the agent by its label.

        Raises
        ------
        ConfigurationError
            There is none of this name, or the vault is locked.
        """
        status = self.status()
        if not status.unlocked:
            raise ConfigurationError("The vault is locked.", hint="Unlock it first: bg.unlock().")
        for key in status.keys:
            if key.label == label:
                return key
        known = ", ".join(repr(key.label) for key in status.keys) or "none at all"
        raise ConfigurationError(f"There is no key {label!r}.", hint=f"There is {known}; bg.setup() makes one.")

    def offer(self, purpose: Purpose, label: str = "unlock", *, demo: bool = False) -> dict[str, Any]:
        """Return the agent's offer; a new key's is for the host of this object."""
        host = self.host if purpose == "key" else ""
        return self.agent.offer(purpose, label, host=host, demo=demo)

    def recall(self) -> Progress:
        """Return the stored progress of the wizard."""
        try:
            return from_text(self._memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return Progress()

    def remember(self, progress: Progress) -> None:
        """Store the wizard's progress, for this user alone; where that is not possible it is not stored."""
        with contextlib.suppress(OSError):
            make_private(self._memory.parent)
            descriptor, name = tempfile.mkstemp(dir=self._memory.parent, prefix=".setup-")  # 0600
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(to_text(progress))
            Path(name).replace(self._memory)
