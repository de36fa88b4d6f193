"""Searches another process's bytes for the vault's own secrets, without revealing one.

An answer says whether a guess was right, so the number of bytes searched in a minute is limited.
"""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Any

from bgresearch.agent.vault_session import VaultSession
from bgresearch.core.clock import Clock
from bgresearch.errors import AgentError

BUDGET_BYTES = 64 * 1024 * 1024  # at first, and then in each minute
BUDGET_S = 60.0


class Searching:
    """Answers searches within the budget; safe to share between threads.

    Parameters
    ----------
    session : VaultSession
        The vault whose secrets are searched for.
    clock : Clock
        For the budget.
    """

    def __init__(self, session: VaultSession, *, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._lock = threading.Lock()
        self._left, self._at_s = float(BUDGET_BYTES), clock.monotonic_s()

    def find(self, data: bytes) -> dict[str, Any]:
        """Return which secrets are in the data, and where.

        Raises
        ------
        AgentError
            The budget is used up; the message says how long to wait.
        AgentUnavailable
            The vault is locked.
        """
        searcher = self._session.searcher()
        self._spend(len(data))
        return {"leaks": [asdict(leak) for leak in searcher.find(data)]}

    def _spend(self, size: int) -> None:
        with self._lock:
            now_s = self._clock.monotonic_s()
            gained = (now_s - self._at_s) * BUDGET_BYTES / BUDGET_S
            self._left, self._at_s = min(self._left + gained, float(BUDGET_BYTES)), now_s
            if size > self._left:
                wait_s = (size - self._left) * BUDGET_S / BUDGET_BYTES
                raise AgentError(
                    f"more than {BUDGET_BYTES // 1024 // 1024} MiB were searched within a minute.",
                    hint=f"Wait {wait_s:.1f} s, or search with bgresearch scan.",
                )
            self._left -= size
