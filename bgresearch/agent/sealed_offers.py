"""Offers and the purpose of each: a box made for one purpose is never used for another."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgresearch.agent.requests import Offer
from vault import EXCHANGE_HOST, BoxRefused, normalise_host
from vault.entries import SECRET_FIELDS
from vault.hidden import Hidden
from vault.intake import Intake, Reply

OFFER_S = 300  # time to type
OPEN_OF_ONE_PURPOSE = 7  # more replace the oldest; nine purposes stay below an intake's limit of open offers

FIELDS: dict[str, tuple[str, ...]] = {
    "unlock": ("password",), "recover": ("recovery_code",), "keyring": ("code",), "create": ("password",),
    "strength": ("password",), "recovery": ("password",), "confirm": ("first", "second"),
    "key": SECRET_FIELDS, "rotate": SECRET_FIELDS,
}  # fmt: skip
_LABELLED = ("key", "rotate")


@dataclass(frozen=True, slots=True)
class Promise:
    """What a box will be used for."""

    purpose: str
    label: str
    host: str
    demo: bool


class Offers:
    """The intake with the purposes of its offers; safe to share between threads."""

    def __init__(self) -> None:
        self._intake = Intake()
        self._lock = threading.Lock()
        self._promises: dict[str, Promise] = {}  # by nonce, oldest first

    @property
    def fingerprint(self) -> str:
        """Of the key that everything is sealed to."""
        return self._intake.fingerprint

    def offer(self, request: Offer) -> dict[str, Any]:
        """Return the offer that a sealer needs.

        The label of an offer that names no key is its purpose, so that the box is bound to that as well.
        """
        named = request.purpose in _LABELLED
        host = normalise_host(request.host or EXCHANGE_HOST)
        with self._lock:
            self._withdraw_oldest(request.purpose)
            offer = self._intake.offer(
                request.label if named else request.purpose, OFFER_S, fields=FIELDS[request.purpose]
            )
            promise = Promise(request.purpose, offer["label"], host, request.demo)
            self._promises[offer["nonce"]] = promise
        return {"offer": offer, "fingerprint": self.fingerprint}

    def open(self, box: Mapping[str, Any]) -> tuple[Promise, dict[str, Hidden[str]], Reply]:
        """Return the purpose of a box, the texts in it, and the sealer of a reply.

        Raises
        ------
        BoxRefused
            It is not a fresh one for this agent.
        """
        with self._lock:
            nonce = box.get("nonce")
            promise = self._promises.pop(nonce, None) if isinstance(nonce, str) else None
            texts, reply = self._intake.open_to_reply(box)
        if promise is None:
            raise BoxRefused("this box answers no open offer; ask for a new one and type the texts again")
        return promise, texts, reply

    def _withdraw_oldest(self, purpose: str) -> None:
        """Withdraw the oldest offers of a purpose, so that other purposes keep theirs: a form asks while one types."""
        mine = [nonce for nonce, promise in self._promises.items() if promise.purpose == purpose]
        for nonce in mine[: len(mine) - OPEN_OF_ONE_PURPOSE + 1]:
            self._intake.withdraw(nonce)
            del self._promises[nonce]
