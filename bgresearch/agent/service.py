"""What the agent does: holds the unlocked vault and answers one request at a time per caller. Knows no socket.

A request names a key, a row of the table and parameters. Method, path and address come from the table and the key.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bgresearch.agent.accounts import ByAccount
from bgresearch.agent.lifetime import BackOff, Lifetime
from bgresearch.agent.place import UNLOCK
from bgresearch.agent.protocol import Ask, Fetch, Status, Unlock, encode_answer, encode_error
from bgresearch.budget import limiter_for
from bgresearch.catalogue import load
from bgresearch.clock import Clock
from bgresearch.errors import AgentError, AgentUnavailable, BgresearchError, ConfigurationError, InvalidInput
from bgresearch.intervals import DAY_MS
from bgresearch.limits import Limiter
from bgresearch.transport import origin
from bgresearch.wire import Sender, Signer, Wire
from vault import StorageFailed, Vault, VaultBusy, VaultChanged, VaultError, WrongPassword
from vault.hidden import Hidden
from vault.intake import Intake

OFFER_S = 300  # time to type a password in
PASSWORD = "password"  # noqa: S105 - the name of a field
UNLOCK_LABEL = "unlock"

MakeSender = Callable[[str, Limiter, Clock, Signer], Sender]


def wire(host: str, limiter: Limiter, clock: Clock, signer: Signer) -> Sender:
    """Return the sender of one key: the same wire as in every other process."""
    return Wire(host, limiter=limiter, clock=clock, signer=signer)


class Service:
    """The unlocked vault behind five operations; safe to share between threads.

    Parameters
    ----------
    path : Path
        The vault's file.
    clock : Clock
        Time, and who waits.
    lifetime : Lifetime
        Told when a key is used.
    make_sender : callable
        Makes the sender of one key.
    weak : tuple of str
        What this platform could not forbid, in words.
    """

    def __init__(
        self, path: Path, *, clock: Clock, lifetime: Lifetime, make_sender: MakeSender = wire,
        weak: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self._path, self._weak = path, weak
        self._clock, self._lifetime, self._make_sender = clock, lifetime, make_sender
        self._intake = Intake()
        self._back_off = BackOff(clock)
        self._lock = threading.Lock()
        self._intake_lock = threading.Lock()
        self._notices: tuple[str, ...] = ()
        self._noted: dict[str, int] = {}
        self._vault: Vault | None = None
        self._seen: tuple[int, ...] = ()
        self._senders: dict[str, Sender] = {}
        self._limiters: dict[str, ByAccount] = {}

    def unlock(self, password: Hidden[str]) -> None:
        """Open the vault, or open it anew.

        Raises
        ------
        WrongPassword
            Not its password; the next one is heard only after a pause.
        AgentError
            Another password is being tried, or the pause is not over.
        VaultError
            The file cannot be read or believed.
        """
        if (wait_s := self._back_off.begin()) > 0:
            raise AgentError("a wrong password was typed before.", hint=f"Wait {wait_s:.1f} s, then type it again.")
        wrong = False
        try:
            seen = self._signature()
            with warnings.catch_warnings(record=True) as said:
                opened = Vault.open(self._path, password.value)
            with self._lock:
                self._vault, self._seen, self._senders = opened, seen, {}
            self._notices = tuple(str(one.message) for one in said)
        except WrongPassword:
            wrong = True
            raise
        finally:
            self._back_off.end(wrong=wrong)
        self._lifetime.used()

    def answer(self, request: Fetch | Status | Ask | Unlock) -> bytes:
        """Return the encoded answer, which may be an error."""
        try:
            if isinstance(request, Fetch):
                return self._fetch(request)
            if isinstance(request, Ask):
                return encode_answer(self._offer())
            if isinstance(request, Unlock):
                with self._intake_lock:
                    opened = self._intake.open(request.box)
                self.unlock(opened[PASSWORD])
            return encode_answer(self._status())
        except (BgresearchError, VaultError) as error:
            return encode_error(error)

    def _fetch(self, request: Fetch) -> bytes:
        if request.endpoint not in load():
            raise InvalidInput(
                "endpoint", f"{request.endpoint!r} is not in the table.", hint="Only its rows are asked."
            )
        endpoint = load()[request.endpoint]
        sender, limiter = self._sender(request)
        self._lifetime.used()
        before = limiter.count()
        try:
            reply = sender.send(endpoint, request.params)
        except BgresearchError as error:
            return encode_error(error, sent=limiter.count() - before)
        limiter.learn(endpoint, request.key, reply.data)
        told = {"attempts": reply.attempts, "asked_ms": reply.asked_ms, "received_ms": reply.received_ms}
        return encode_answer(told, reply.body, sent=limiter.count() - before)

    def _offer(self) -> dict[str, Any]:
        with self._intake_lock:
            offer = self._intake.offer(UNLOCK_LABEL, OFFER_S, fields=(PASSWORD,))
        return {"offer": offer, "fingerprint": self._intake.fingerprint}

    def _sender(self, request: Fetch) -> tuple[Sender, ByAccount]:
        with self._lock:
            vault = self._fresh()
            sender = self._senders.get(request.key)
            if sender is None:
                credential = vault.get(request.key)
                host = origin(credential.host)
                limiter = self._limiters.setdefault(host, ByAccount(limiter_for(host, self._clock)))
                sender = self._make_sender(credential.host, limiter, self._clock, credential)
                self._senders[request.key] = sender
            if request.host != sender.host:
                raise ConfigurationError(
                    f"The key {request.key!r} is bound to {sender.host} and is never sent to {request.host[:80]!r}.",
                    hint="Use the key's own host, or add a key for this one.",
                )
            self._note_use(vault, request.key)
            return sender, self._limiters[sender.host]

    def _note_use(self, vault: Vault, key: str) -> None:
        """Have the audit trail say that a key was used today; a vault that cannot be saved is no reason to refuse."""
        today = self._clock.now_ms() // DAY_MS
        if self._noted.get(key) != today:
            with contextlib.suppress(VaultBusy, StorageFailed):
                vault.record_use(key)
            self._noted[key] = today

    def _fresh(self) -> Vault:
        """Return the vault as its file is now: keys that were added or removed meanwhile count."""
        if self._vault is None:
            raise AgentUnavailable("the vault is locked.", hint=UNLOCK)
        seen = self._signature()
        if seen != self._seen:
            try:
                changed = self._vault.reload()
            except VaultChanged:
                self._vault, self._senders = None, {}
                self._lifetime.finish("the vault's password was changed")
                raise
            if changed:
                self._senders = {}
            self._seen = seen
        return self._vault

    def _signature(self) -> tuple[int, ...]:
        try:
            found = os.stat(self._path, follow_symlinks=False)  # noqa: PTH116 - half the time of Path.stat, per request
        except OSError:
            return ()  # reading it says what is wrong
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _status(self) -> dict[str, Any]:
        vault = self._vault
        if vault is not None and self._lock.acquire(blocking=False):  # the loop calls this and may not wait
            try:
                vault = self._fresh()
            finally:
                self._lock.release()
        keys = vault.describe() if vault is not None else []
        shown = [
            {"label": key.label, "host": origin(key.host), "demo": key.demo, "fingerprint": key.fingerprint}
            for key in keys
        ]
        return {
            "pid": os.getpid(), "vault": str(self._path), "unlocked": vault is not None, "keys": shown,
            "fingerprint": self._intake.fingerprint, "uptime_s": round(self._lifetime.uptime_s, 3),
            "locks_in_s": round(self._lifetime.left_s, 3), "weak": [*self._weak, *self._notices],
        }  # fmt: skip
