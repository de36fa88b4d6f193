"""The opened vault while the agent runs, in step with its file, with a sender for every key in use."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bgresearch.agent.account_limiter import ByAccount
from bgresearch.agent.lifetime import Lifetime
from bgresearch.agent.socket_path import not_unlocked
from bgresearch.core.clock import Clock
from bgresearch.core.intervals import DAY_MS
from bgresearch.errors import AgentError, AgentUnavailable, ConfigurationError
from bgresearch.http.ratelimit import limiter_for
from bgresearch.http.ratelimit.limiter import Limiter
from bgresearch.http.sender import Signer, Wire
from bgresearch.http.transport import origin
from vault import (
    Credential,
    KeyInfo,
    Searcher,
    StorageFailed,
    TooManyKeys,
    Vault,
    VaultBusy,
    VaultChanged,
    VaultError,
)

MOST_HOSTS = 32  # each has a budget of its own for as long as the agent lives
CHECK_PAUSE_S = 60.0  # between two checks whether a verdict is to be saved

MakeSender = Callable[[str, Limiter, Clock, Signer], Wire]


def wire(host: str, limiter: Limiter, clock: Clock, signer: Signer) -> Wire:
    """Return the sender of one key: the same `Wire` as in every other process."""
    return Wire(host, limiter=limiter, clock=clock, signer=signer)


class Sending(NamedTuple):
    """The sender of one key, its limiter and the key's fingerprint."""

    sender: Wire
    limiter: ByAccount
    fingerprint: str


class VaultSession:
    """The opened vault and its senders; safe to share between threads.

    Parameters
    ----------
    path : Path
        The vault's file, which need not be there.
    clock : Clock
        Time, and who waits.
    lifetime : Lifetime
        Ended when the vault's password was changed.
    make_sender : callable
        Makes the sender of one key.
    """

    def __init__(self, path: Path, *, clock: Clock, lifetime: Lifetime, make_sender: MakeSender) -> None:
        self.path = path
        self._clock, self._lifetime, self._make_sender = clock, lifetime, make_sender
        self._lock = threading.Lock()
        self._vault: Vault | None = None
        self._seen: tuple[int, ...] = ()
        self._senders: dict[str, Sending] = {}
        self._hosts = threading.Lock()
        self._limiters: dict[str, ByAccount] = {}
        self._searcher: Searcher | None = None
        self._noted: dict[str, int] = {}
        self._looked: dict[str, float] = {}

    @property
    def is_open(self) -> bool:
        """Whether the vault is open."""
        return self._vault is not None

    def signature(self) -> tuple[int, ...]:
        """Return a tuple that changes when the vault's file does; empty if there is no file."""
        try:
            found = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 - half the time of Path.stat, per request
        except OSError:
            return ()  # reading it reports what is wrong
        return found.st_ino, found.st_mtime_ns, found.st_size

    def adopt(self, opened: Vault, seen: tuple[int, ...]) -> None:
        """Use this vault from now on; ``seen`` is the signature of its file from before it was read."""
        with self._lock:
            self._vault, self._seen = opened, seen
            self._forget()

    def look(self) -> Vault | None:
        """Return the vault, None if it is locked; never blocks, so it is reloaded only if no thread uses it."""
        vault = self._vault
        if vault is not None and self._lock.acquire(blocking=False):
            try:
                vault = self._fresh()
            finally:
                self._lock.release()
        return vault

    @contextmanager
    def vault(self) -> Iterator[Vault]:
        """Give the vault as its file is now, to this thread alone.

        Raises
        ------
        AgentUnavailable
            It is locked.
        VaultError
            Its file cannot be read or trusted.
        """
        with self._lock:
            yield self._fresh()

    @contextmanager
    def changing(self) -> Iterator[Vault]:
        """Give the vault as its file is now, to be changed; drops the senders that were made of its keys."""
        with self.vault() as vault:
            try:
                yield vault
            finally:
                self._forget()

    def sender(self, key: str, host: str | None = None) -> Sending:
        """Return the sender of a key; ``host`` is the one that the client expects for the key."""
        with self.vault() as vault:
            sending = self._senders.get(key)
            if sending is None:
                sending = self._senders[key] = self.sender_of(vault.get(key))
            sender = sending.sender
            if host is not None and host != sender.host:
                raise ConfigurationError(
                    f"The key {key!r} is bound to {sender.host} and is never sent to {host[:80]!r}.",
                    hint="Use the key's own host, or add a key for this one.",
                )
            self._note_use(vault, key)
            return sending

    def sender_of(self, key: Credential) -> Sending:
        """Return the sender of a key, which need not be in the vault.

        Raises
        ------
        AgentError
            It is bound to a further host, and the agent serves no more hosts.
        """
        host = origin(key.host)
        with self._hosts:
            if host not in self._limiters and len(self._limiters) >= MOST_HOSTS:
                raise AgentError(
                    f"this agent has asked {MOST_HOSTS} addresses already.",
                    hint="Type: bgresearch vault lock, then again.",
                )
            limiter = self._limiters.setdefault(host, ByAccount(limiter_for(host, self._clock)))
        return Sending(self._make_sender(key.host, limiter, self._clock, key), limiter, key.fingerprint)

    def searcher(self) -> Searcher:
        """Return the searcher that finds the secrets of the vault's keys."""
        with self.vault() as vault:
            if self._searcher is None:
                from bgresearch.agent.constant_time_search import ConstantTimeSieve  # noqa: PLC0415 - numpy, loaded by the first search

                self._searcher = vault.searcher(ConstantTimeSieve)
            return self._searcher

    def record_check(self, key: str, fingerprint: str, verdict: str, *, has_addresses: bool) -> None:
        """Save what the exchange reported about a key, unless another one has its name by now."""
        with self.vault() as vault:
            if any((info.label, info.fingerprint) == (key, fingerprint) for info in vault.describe()):
                vault.record_check(key, verdict, has_addresses)

    def note_check(self, key: str, fingerprint: str, verdict: str, *, has_addresses: bool) -> None:
        """Do the same if the verdict is new or a day old.

        Checked once a minute for each key; a vault that cannot be saved is no reason to refuse an answer.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._looked.get(key, -CHECK_PAUSE_S) < CHECK_PAUSE_S:
            return
        self._looked[key] = now_s
        with contextlib.suppress(VaultError, AgentUnavailable), self.vault() as vault:
            known = [info for info in vault.describe() if (info.label, info.fingerprint) == (key, fingerprint)]
            if known and not _is_known(known[0], verdict, has_addresses, self._clock.now_ms()):
                vault.record_check(key, verdict, has_addresses)

    def _note_use(self, vault: Vault, key: str) -> None:
        """Record in the audit trail that a key was used today; a vault that cannot be saved is no reason to refuse."""
        today = self._clock.now_ms() // DAY_MS
        if self._noted.get(key) != today:
            with contextlib.suppress(VaultBusy, StorageFailed, TooManyKeys):
                vault.record_use(key)
            self._noted[key] = today

    def _fresh(self) -> Vault:
        """Return the vault as its file is now: keys that were added or removed meanwhile count."""
        if self._vault is None:
            raise not_unlocked(self.path)
        seen = self.signature()
        if seen != self._seen:
            try:
                changed = self._vault.reload()
            except VaultChanged:
                self._vault = None
                self._forget()
                self._lifetime.finish("the vault's password was changed")
                raise
            if changed:
                self._forget()
            self._seen = seen
        return self._vault

    def _forget(self) -> None:
        self._senders, self._searcher = {}, None


def _is_known(info: KeyInfo, verdict: str, has_addresses: bool, now_ms: int) -> bool:
    if (info.verdict, info.has_addresses) != (verdict, has_addresses):
        return False
    return info.checked[:10] == _utc_date(now_ms)


def _utc_date(now_ms: int) -> str:
    return dt.datetime.fromtimestamp(now_ms // 1000, dt.UTC).date().isoformat()
