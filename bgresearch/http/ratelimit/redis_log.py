"""The store of several machines behind one address: on a Redis server, whose clock they all use.

Optimistic: changes are written in one step if the logs are unchanged since they were read; otherwise the decision is
made again. So the decision is the same code as everywhere, no lock can be left behind, and one writer always succeeds.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bgresearch.core.clock import Clock
from bgresearch.errors import ConfigurationError
from bgresearch.http.ratelimit.codec import VERSION, DamagedLog, decode, encode
from bgresearch.http.ratelimit.fallback import StoreUnusable
from bgresearch.http.ratelimit.limiter import ADDRESS, ADDRESS_WINDOW_S, COOL_DOWN_S, Log

ATTEMPTS = 200  # each failure means that another writer succeeded
FORGET_MS = 3_600_000  # after which an unused log is dropped
SOCKET_S = 2.0  # longest wait for the server
_LONGEST_PAUSE_S = 0.004
# KEYS: the logs. ARGV: how long they are kept; then for each the old value ("" for none) and the new value ("" for
# unchanged). Returns whether it was written, the time, and the current values.
_SCRIPT = """
local done = 1
for place, key in ipairs(KEYS) do
    if (redis.call('GET', key) or '') ~= ARGV[2 * place] then done = 0 end
end
for place, key in ipairs(KEYS) do
    if done == 1 and ARGV[2 * place + 1] ~= '' then redis.call('SET', key, ARGV[2 * place + 1], 'PX', ARGV[1]) end
end
local now, found = redis.call('TIME'), {}
if done == 0 then
    for place, key in ipairs(KEYS) do found[place] = redis.call('GET', key) or '' end
end
return {done, now[1], now[2], found}
"""
_READ = """
local now, found = redis.call('TIME'), {}
for place, key in ipairs(KEYS) do found[place] = redis.call('GET', key) or '' end
return {0, now[1], now[2], found}
"""

T = TypeVar("T")


class RedisLogStore:
    """A store on a Redis server; safe to share between threads, processes and machines.

    Parameters
    ----------
    url : str
        ``redis://[user:password@]HOST:PORT[/DB]``, or ``rediss://`` for TLS; never shown.
    host : str
        The host of the logs.
    clock : Clock
        Sleeps between two attempts. Stored times are the server's.

    Raises
    ------
    ConfigurationError
        The package is not installed, or the address cannot be parsed.
    """

    def __init__(self, url: str, host: str, clock: Clock) -> None:
        try:
            redis: Any = import_module("redis")  # an extra
        except ImportError:
            raise ConfigurationError(
                "a request budget on Redis needs the redis package.",
                hint="Install it: pip install 'bgresearch[redis]'.",
            ) from None
        self._host, self._clock = host, clock
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        try:
            self._redis = redis.Redis.from_url(url, socket_timeout=SOCKET_S, socket_connect_timeout=SOCKET_S)
            parts = urlsplit(url)
            self._place = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
        except ValueError:
            raise ConfigurationError(
                "the address of the request budget cannot be parsed.", hint="Write it like redis://HOST:PORT/0."
            ) from None
        self._read, self._write = self._redis.register_script(_READ), self._redis.register_script(_SCRIPT)
        self._rng = random.Random(os.urandom(8))  # noqa: S311 - jitter, not a secret

    def change(self, names: tuple[str, ...], decide: Callable[[float, list[Log]], T]) -> T:
        """Return the result of ``decide`` on the logs; it may be called more than once.

        Raises
        ------
        StoreUnusable
            The server is not reachable, refuses, or has too many concurrent writers.
        """
        # braces: a cluster stores all keys of one host on one node
        keys = [f"bgresearch:budget:{VERSION}:{{{self._host}}} {name}" for name in names]
        try:
            answer = self._read(keys=keys)
            for attempt in range(ATTEMPTS):
                now_s = int(answer[1]) + int(answer[2]) / 1e6
                logs = [_log(name, data, now_s) for name, data in zip(names, answer[3], strict=True)]
                decided = decide(now_s, logs)
                if not any(log.changed for log in logs):
                    return decided
                answer = self._write(keys=keys, args=_arguments(answer[3], logs, now_s))
                if answer[0]:
                    return decided
                self._clock.sleep(self._rng.random() * min(_LONGEST_PAUSE_S, 0.0005 * attempt))
        except self._errors as error:
            raise self._unusable(type(error).__name__) from None  # its message may contain the address with a password
        raise self._unusable("there are too many concurrent writers")

    def close(self) -> None:
        """Close the connections; the next change opens a new one."""
        self._redis.close()

    def _unusable(self, cause: str) -> StoreUnusable:
        return StoreUnusable(
            f"The request budget on the Redis server {self._place} cannot be used ({cause}). Check that it runs and "
            "what BGRESEARCH_BUDGET_URL says."
        )


def _arguments(read: list[bytes], logs: list[Log], now_s: float) -> list[Any]:
    arguments: list[Any] = [FORGET_MS]
    for data, log in zip(read, logs, strict=True):
        arguments += [data, encode(log, now_s) if log.changed else b""]
    return arguments


def _log(name: str, data: bytes, now_s: float) -> Log:
    """Return the log that was read; a damaged one starts over, as if its window had just been used up."""
    if not data:
        return Log()
    try:
        return decode(data, now_s)
    except DamagedLog:
        rest = Log()
        rest.pause(now_s + (ADDRESS_WINDOW_S if name == ADDRESS else COOL_DOWN_S))
        return rest
