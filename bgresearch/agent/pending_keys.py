"""Staged keys, not saved yet: examined here, saved only if they passed here, discarded after 15 minutes."""

from __future__ import annotations

import secrets
import threading
from typing import Any

from bgresearch.agent.models import permissions_json
from bgresearch.agent.requests import Keep
from bgresearch.agent.sealed_offers import Promise
from bgresearch.agent.vault_session import VaultSession
from bgresearch.core.clock import Clock
from bgresearch.errors import AgentError
from bgresearch.http.sender import Sender
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.onboarding.key_check import examine_connection, examine_key, passed
from bgresearch.keys.onboarding.paste_checks import hints
from bgresearch.keys.onboarding.verdicts import judge
from bgresearch.keys.permissions import Permissions
from bgresearch.session.identity import AccountIdentity
from vault import Checked, Credential, InvalidField, Staged
from vault.hidden import Hidden, without_frames

STAGED_S = 900.0
MOST_STAGED = 8
STAGES = ("reach", "key")


class _Waiting:
    """One staged key; what it may do is known once it was examined here and the exchange accepted it."""

    __slots__ = ("key", "permissions", "purpose", "replaces", "sender", "until_s")

    def __init__(self, key: Staged, sender: Sender, purpose: str, replaces: str, until_s: float) -> None:
        self.key, self.sender, self.purpose, self.until_s = key, sender, purpose, until_s
        self.replaces = replaces  # fingerprint of the key that it replaces
        self.permissions: Permissions | None = None


class Staging:
    """The staged keys; safe to share between threads.

    Parameters
    ----------
    session : VaultSession
        Makes senders, and saves.
    clock : Clock
        For how long a key waits.
    """

    def __init__(self, session: VaultSession, *, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}

    def stage(self, promise: Promise, texts: dict[str, Hidden[str]]) -> dict[str, Any]:
        """Return the id of a typed key and what looks wrong with it; no id if a field cannot be accepted at all."""
        host, demo, replaces = promise.host, promise.demo, ""
        with self._session.vault() as vault:
            if promise.purpose == "rotate":
                old = vault.get(promise.label)
                host, demo, replaces = old.host, old.demo, old.fingerprint
        findings = _hints(texts)
        try:
            key = Staged(promise.label, texts, host=host, demo=demo)
        except InvalidField as error:
            if error.field not in texts:
                raise
            if error.field not in {one["field"] for one in findings}:
                findings.append({"field": error.field, "words": str(error).removeprefix(f"{error.field} ")})
            return {"staged": None, "label": promise.label, "findings": findings}
        return {"staged": self._added(key, promise.purpose, replaces), "label": promise.label, "findings": findings}

    def examine(self, staged: str, stage: str) -> dict[str, Any]:
        """Return the findings of one stage, and after ``key`` what the key may do."""
        waiting = self._found(staged)
        if stage not in STAGES:
            raise AgentError("no such stage.", hint=f"There is {', '.join(STAGES)}.")
        waiting.permissions = None
        if stage == "reach":
            return _answer(examine_connection(waiting.sender, self._clock), None)
        findings, waiting.permissions = examine_key(waiting.sender, AccountIdentity(waiting.sender))
        return _answer(findings, waiting.permissions)

    def keep(self, request: Keep) -> str:
        """Save a staged key and return its label; this enforces which keys may be saved.

        Raises
        ------
        AgentError
            It was not examined and accepted here, it can withdraw, or it can write and that was not agreed to.
        """
        waiting = self._found(request.staged)
        found = _allowed(waiting.permissions, accept_trade=request.accept_trade)
        checked = Checked(found.verdict, bool(found.addresses))
        texts = {"note": request.note, "account": request.account, "rotate_by": request.rotate_by}
        with self._session.changing() as vault:
            if waiting.purpose == "rotate":
                _check_same(vault.get(waiting.key.label), waiting)
                waiting.key.replace(vault, checked=checked)
                if given := {field: text for field, text in texts.items() if text}:
                    vault.edit(waiting.key.label, **given)
            else:
                waiting.key.save(vault, checked=checked, **texts)
        self.discard(request.staged)
        return waiting.key.label

    def check(self, key: str) -> dict[str, Any]:
        """Return the findings about a stored key and what it may do, and save the verdict."""
        sender, _, fingerprint = self._session.sender(key)
        findings, found = examine_connection(sender, self._clock), None
        if passed(findings):
            rest, found = examine_key(sender, AccountIdentity(sender))
            findings = (*findings, *rest)
        if found is not None:
            self._session.record_check(key, fingerprint, found.verdict, has_addresses=bool(found.addresses))
        return _answer(findings, found)

    def discard(self, staged: str) -> None:
        """Discard a staged key."""
        with self._lock:
            self._waiting.pop(staged, None)

    def _added(self, key: Staged, purpose: str, replaces: str) -> str:
        """Return the id of a new staged key; it replaces one for the same purpose and label."""
        sender = self._session.sender_of(key.credential()).sender
        waiting = _Waiting(key, sender, purpose, replaces, self._clock.monotonic_s() + STAGED_S)
        with self._lock:
            self._forget_late()
            same = [name for name, one in self._waiting.items() if (one.purpose, one.key.label) == (purpose, key.label)]
            for name in same:
                del self._waiting[name]
            if len(self._waiting) >= MOST_STAGED:
                raise AgentError(
                    f"{MOST_STAGED} keys wait to be examined and kept.", hint="Keep or discard one of them first."
                )
            name = secrets.token_urlsafe(16)
            self._waiting[name] = waiting
        return name

    def _found(self, staged: str) -> _Waiting:
        with self._lock:
            self._forget_late()
            waiting = self._waiting.get(staged)
        if waiting is None:
            raise AgentError(
                "this key is not waiting: it was kept, discarded, typed again, or expired after 15 minutes.",
                hint="Type it in again.",
            )
        return waiting

    def _forget_late(self) -> None:
        now_s = self._clock.monotonic_s()
        self._waiting = {name: one for name, one in self._waiting.items() if one.until_s > now_s}


def _check_same(old: Credential, waiting: _Waiting) -> None:
    if old.fingerprint != waiting.replaces:
        raise AgentError(
            f"the name {old.name!r} belongs to another key now than when its replacement was typed.",
            hint="Look at your keys, then start the rotation again.",
        )


def _allowed(found: Permissions | None, *, accept_trade: bool) -> Permissions:
    if found is None:
        raise AgentError("this key was not examined, or the exchange refused it.", hint="Have it examined first.")
    keep = judge(found).keep
    if keep == "never":
        raise AgentError(
            f"this key {found.verdict}, and such a key is never kept.",
            hint="Delete it on the exchange's API page and make a read-only one.",
        )
    if keep == "on purpose" and not accept_trade:
        raise AgentError(
            f"this key {found.verdict}, and research needs a read-only one.",
            hint="Untick its write permissions on the exchange's API page, or confirm that it is to be kept anyway.",
        )
    return found


def _answer(findings: tuple[Finding, ...], found: Permissions | None) -> dict[str, Any]:
    return {"findings": [one.to_json() for one in findings], "permissions": permissions_json(found)}


@without_frames
def _hints(texts: dict[str, Hidden[str]]) -> list[dict[str, str]]:
    return [one._asdict() for one in hints({field: text.value for field, text in texts.items()})]
