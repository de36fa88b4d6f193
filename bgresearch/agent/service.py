"""Answers the agent's requests, one at a time per caller. Knows no socket; the work is done in the other modules.

A fetch names a key, a row of the table and parameters. Method, path and address come from the table and the key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bgresearch.agent import requests as ask
from bgresearch.agent.leak_search import Searching
from bgresearch.agent.lifetime import Lifetime
from bgresearch.agent.live_sockets import LiveSockets
from bgresearch.agent.password_strength import strength
from bgresearch.agent.pending_keys import Staging
from bgresearch.agent.protocol import encode_answer, encode_error
from bgresearch.agent.sealed_offers import Offers
from bgresearch.agent.unlocking import Opening
from bgresearch.agent.vault_session import MakeSender, VaultSession, wire
from bgresearch.catalogue import load
from bgresearch.core.clock import Clock
from bgresearch.errors import BadResponse, BgresearchError, InvalidInput
from bgresearch.http.sender import Reply
from bgresearch.http.transport import origin
from bgresearch.keys.permissions import ACCOUNT_INFO, of_key_info
from vault import KeyInfo, Profile, Vault, VaultError, calibrated
from vault.hidden import Hidden

MOST_EVENTS = 20_000  # of the audit trail, the newest; some 2 MiB of an answer's 8


class Service:
    """The unlocked vault behind the operations of the protocol; safe to share between threads.

    Parameters
    ----------
    path : Path
        The vault's file, which need not be there yet.
    clock : Clock
        Time, and who waits.
    lifetime : Lifetime
        Extended when a key is used.
    make_sender : callable
        Makes the sender of one key.
    weak : tuple of str
        Protections that this platform lacks, one sentence each.
    profile : callable
        Gives the costs of a new vault's key derivation.
    """

    def __init__(
        self, path: Path, *, clock: Clock, lifetime: Lifetime, make_sender: MakeSender = wire,
        weak: tuple[str, ...] = (), profile: Callable[[], Profile] = calibrated,
    ) -> None:  # fmt: skip
        self._weak, self._clock, self._lifetime = weak, clock, lifetime
        self._session = VaultSession(path, clock=clock, lifetime=lifetime, make_sender=make_sender)
        self._sockets = LiveSockets(self._session, clock=clock, lifetime=lifetime)
        self._offers = Offers()
        self._opening = Opening(self._session, clock=clock, lifetime=lifetime, profile=profile)
        self._staging = Staging(self._session, clock=clock)
        self._searching = Searching(self._session, clock=clock)
        self._answers: dict[type[ask.Request], Callable[[Any], bytes]] = {
            ask.Fetch: self._fetch, ask.Status: self._answer_status, ask.Lock: self._answer_status,
            ask.Offer: self._offer, ask.Open: self._open,
            ask.Examine: self._examine, ask.Keep: self._keep, ask.Discard: self._discard, ask.Check: self._check,
            ask.Rename: self._rename, ask.Edit: self._edit, ask.Remove: self._remove, ask.Audit: self._audit,
            ask.Search: self._search, ask.OpenSocket: self._sockets.open, ask.UseSocket: self._sockets.use,
            ask.CloseSocket: self._sockets.close,
        }  # fmt: skip

    def unlock(self, password: Hidden[str]) -> None:
        """Open the vault, or open it again; raises as `Opening.unlock`."""
        self._opening.unlock(password)

    def adopt(self, make: Callable[[], Vault]) -> Vault:
        """Open the vault with ``make``, use it from now on and return it; raises what ``make`` raises."""
        seen = self._session.signature()
        opened = make()
        self._session.adopt(opened, seen)
        return opened

    def close_unused_sockets(self) -> None:
        """Close the private streams that nothing has used for a minute."""
        self._sockets.close_unused()

    def answer(self, request: ask.Request) -> bytes:
        """Return the encoded answer, which may be an error."""
        try:
            return self._answers[type(request)](request)
        except (BgresearchError, VaultError) as error:
            return encode_error(error)

    def _fetch(self, request: ask.Fetch) -> bytes:
        if request.endpoint not in load():
            raise InvalidInput(
                "endpoint", f"{request.endpoint!r} is not in the table.", hint="Only its rows are asked."
            )
        endpoint = load()[request.endpoint]
        sender, limiter, fingerprint = self._session.sender(request.key, request.host)
        self._lifetime.used()
        before = limiter.count()
        try:
            reply = sender.send(endpoint, request.params)
        except BgresearchError as error:
            return encode_error(error, sent=limiter.count() - before)
        limiter.learn(endpoint, request.key, reply.data)
        if endpoint.id in ACCOUNT_INFO.values():
            self._note_check(request.key, fingerprint, reply)
        result = {"attempts": reply.attempts, "asked_ms": reply.asked_ms, "received_ms": reply.received_ms}
        return encode_answer(result, reply.body, sent=limiter.count() - before)

    def _note_check(self, key: str, fingerprint: str, reply: Reply) -> None:
        mode = next(mode for mode, row in ACCOUNT_INFO.items() if row == reply.endpoint.id)
        try:
            found = of_key_info(reply.data, mode=mode, uid="", demo=False, label=key)
        except BadResponse:
            return
        self._session.note_check(key, fingerprint, found.verdict, has_addresses=bool(found.addresses))

    def _offer(self, request: ask.Offer) -> bytes:
        asked = {"asked": self._opening.asked()} if request.purpose == "confirm" else {}
        return encode_answer({**self._offers.offer(request), **asked})

    def _open(self, request: ask.Open) -> bytes:
        promise, texts, reply = self._offers.open(request.box)
        self._lifetime.used()
        if promise.purpose == "strength":
            return encode_answer(strength(texts["password"]))
        if promise.purpose == "recovery":
            return encode_answer(self._opening.new_recovery(texts["password"], reply))
        if promise.purpose == "confirm":
            return encode_answer(self._opening.confirm(texts))
        if promise.purpose in {"key", "rotate"}:
            return encode_answer(self._staging.stage(promise, texts))
        (text,) = texts.values()
        verbs = {"unlock": self._opening.unlock, "recover": self._opening.recover}
        verbs |= {"keyring": self._opening.keyring, "create": self._opening.create}
        verbs[promise.purpose](text)
        return encode_answer(self._status())

    def _examine(self, request: ask.Examine) -> bytes:
        self._lifetime.used()
        return encode_answer(self._staging.examine(request.staged, request.stage))

    def _keep(self, request: ask.Keep) -> bytes:
        self._lifetime.used()
        label = self._staging.keep(request)
        with self._session.vault() as vault:
            (kept,) = (info for info in vault.describe() if info.label == label)
        return encode_answer({"key": self._key(kept)})

    def _discard(self, request: ask.Discard) -> bytes:
        self._staging.discard(request.staged)
        return encode_answer({"discarded": True})

    def _check(self, request: ask.Check) -> bytes:
        self._lifetime.used()
        return encode_answer(self._staging.check(request.key))

    def _rename(self, request: ask.Rename) -> bytes:
        self._lifetime.used()
        with self._session.changing() as vault:
            vault.rename(request.key, request.new)
        return encode_answer(self._status())

    def _edit(self, request: ask.Edit) -> bytes:
        self._lifetime.used()
        with self._session.changing() as vault:
            vault.edit(request.key, note=request.note, account=request.account, rotate_by=request.rotate_by)
        return encode_answer(self._status())

    def _remove(self, request: ask.Remove) -> bytes:
        self._lifetime.used()
        with self._session.changing() as vault:
            vault.remove(request.key)
        return encode_answer(self._status())

    def _audit(self, _: ask.Audit) -> bytes:
        with self._session.vault() as vault:
            trail = vault.audit()
        events = json.dumps([asdict(event) for event in trail.events[-MOST_EVENTS:]]).encode("ascii")
        return encode_answer({"problems": list(trail.problems)}, events)

    def _search(self, request: ask.Search) -> bytes:
        return encode_answer(self._searching.find(request.data))

    def _answer_status(self, _: ask.Status | ask.Lock) -> bytes:
        return encode_answer(self._status())

    def _status(self) -> dict[str, Any]:
        vault = self._session.look()
        return {
            "pid": os.getpid(), "vault": str(self._session.path), "exists": bool(self._session.signature()),
            "unlocked": vault is not None, "unlocks": vault.unlocks() if vault is not None else [],
            "keys": [self._key(info) for info in vault.describe()] if vault is not None else [],
            "fingerprint": self._offers.fingerprint, "uptime_s": round(self._lifetime.uptime_s, 3),
            "locks_in_s": round(self._lifetime.left_s, 3), "weak": [*self._weak, *self._opening.notices],
        }  # fmt: skip

    def _key(self, info: KeyInfo) -> dict[str, Any]:
        return {
            "label": info.label, "host": origin(info.host), "demo": info.demo, "fingerprint": info.fingerprint,
            "note": info.note, "account": info.account, "created": info.created, "last_checked": info.checked,
            "last_verdict": info.verdict, "has_addresses": info.has_addresses, "last_used": info.used,
            "rotate_by": info.rotate_by, "reminder": info.reminder(self._clock.now_ms()),
        }  # fmt: skip
