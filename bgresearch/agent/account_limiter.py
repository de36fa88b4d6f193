"""Two keys of one account share a limit: requests are counted by user id as soon as an answer has named it."""

from __future__ import annotations

import threading
from typing import Any

from bgresearch.catalogue import Endpoint
from bgresearch.http.ratelimit.limiter import Limiter, Slot, Wait
from bgresearch.session.identity import USER_ID_FIELD


class ByAccount:
    """A limiter that counts keys of one account together, and counts the requests of each thread.

    Parameters
    ----------
    limiter : Limiter
        The limiter behind it; shared by every key of one host.
    """

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._uids: dict[str, str] = {}
        self._mine = threading.local()

    def acquire(self, endpoint: Endpoint, identity: str) -> Slot:
        """Wait until a request may leave, and count it."""
        slot = self._limiter.acquire(endpoint, self._account(identity))
        self._mine.count = self.count() + 1
        return slot

    def attempt(self, endpoint: Endpoint, identity: str) -> Slot | Wait:
        """Return the slot of a request that may leave now, else how long to wait."""
        found = self._limiter.attempt(endpoint, self._account(identity))
        self._mine.count = self.count() + isinstance(found, Slot)
        return found

    def answered(self, slot: Slot, heard: bool = True) -> None:
        """Record that a request was answered, or was given up."""
        self._limiter.answered(slot, heard)

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Record the exchange's own count."""
        self._limiter.observed(endpoint, self._account(identity), remaining)

    def rejected(self, endpoint: Endpoint, identity: str, *, address_wide: bool) -> int:
        """Record a 429."""
        return self._limiter.rejected(endpoint, self._account(identity), address_wide=address_wide)

    def learn(self, endpoint: Endpoint, identity: str, data: Any) -> None:
        """Learn the account of a key from a response: those of three endpoints name it."""
        field = USER_ID_FIELD.get(endpoint.id)
        if field and isinstance(data, dict) and data.get(field):
            self._uids[identity] = str(data[field])

    def count(self) -> int:
        """Return how many requests this thread has made."""
        return int(getattr(self._mine, "count", 0))

    def _account(self, identity: str) -> str:
        uid = self._uids.get(identity)
        return f"account {uid}" if uid else f"key {identity}"
