"""Rate limits shared by all processes: the decisions of `bgresearch.http.ratelimit.limiter`, over shared logs.

All processes of the user on this machine count in one file; machines behind one address can share a Redis server.
If that is unusable, one warning says so, and the machine or the process counts alone.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from bgresearch.core.clock import Clock, SystemClock
from bgresearch.errors import ConfigurationError
from bgresearch.http.ratelimit.fallback import FallbackLogStore
from bgresearch.http.ratelimit.limiter import Limiter, LocalLimiter, LogLimiter, LogStore, MemoryLogStore
from bgresearch.http.ratelimit.sqlite_file import default_folder
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore

_limiters: dict[tuple[str, str, Path], Limiter] = {}
_lock = threading.Lock()


def limiter_for(host: str, clock: Clock) -> Limiter:
    """Return the limiter shared by all requests of this machine to this host; nothing is opened yet.

    ``BGRESEARCH_BUDGET_URL`` names a Redis server (``redis://`` or ``rediss://``) for several machines behind one
    address; without it this machine's file is used.

    Parameters
    ----------
    host : str
        The exchange; each host has its own logs.
    clock : Clock
        Any clock other than the system's gets its own limiter, as its time is not shared.

    Raises
    ------
    ConfigurationError
        The address is of an unknown kind, or the package for it is not installed.
    """
    if not isinstance(clock, SystemClock):
        return LocalLimiter(clock)
    folder = default_folder()
    url = os.environ.get("BGRESEARCH_BUDGET_URL", "")
    with _lock:
        found = _limiters.get((host, url, folder))
        if found is None:
            found = _limiters[host, url, folder] = LogLimiter(clock, _store(host, clock, url, folder))
        return found


def _store(host: str, clock: Clock, url: str, folder: Path) -> LogStore:
    alone = MemoryLogStore(clock)
    file = FallbackLogStore(
        SqliteLogStore(folder, host, clock), alone, clock, meanwhile="this process counts its requests alone"
    )
    if not url:
        return file
    if not url.startswith(("redis://", "rediss://")):
        raise ConfigurationError(
            "the address of the request budget is neither redis:// nor rediss://.",
            hint="Set BGRESEARCH_BUDGET_URL to redis://HOST:PORT/0, or unset it.",
        )
    from bgresearch.http.ratelimit.redis_log import RedisLogStore  # noqa: PLC0415 - an extra

    shared = RedisLogStore(url, host, clock)
    return FallbackLogStore(shared, file, clock, meanwhile="this machine counts its requests alone")
