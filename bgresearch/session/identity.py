"""Whose key this is: classic or unified account, and its user id. Asks the exchange once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal

from bgresearch.catalogue import load
from bgresearch.catalogue.response import rows_of
from bgresearch.errors import (
    AddressRejected,
    AuthenticationError,
    BadResponse,
    ExchangeError,
    ExchangeUnavailable,
    RateLimited,
    TimestampError,
)
from bgresearch.http.confirming_sender import confirming
from bgresearch.http.sender import Sender

Mode = Literal["classic", "unified"]

USER_ID_FIELD = {"spot.account_info": "userId", "uta.account_info": "userId", "uta.account_settings": "uid"}

_CLASSIC = frozenset({"40084", "25245"})  # a classic account called v3
_UNIFIED = frozenset({"40085"})  # a unified account called v2
ABSENT = frozenset({"404", "405", "40404"})  # this exchange has no such path
NO_PERMISSION = frozenset({"40014", "25620"})  # the key lacks a permission: of v2, of v3; no other code says so
_NO_ANSWER = (AddressRejected, AuthenticationError, ExchangeUnavailable, RateLimited, TimestampError)


@dataclass(frozen=True)
class Identity:
    """Whose key it is.

    Attributes
    ----------
    mode : str
        ``classic`` accounts answer on v2, ``unified`` ones on v3; accounts opened since 2026 are unified only.
    uid : str
        The exchange's user id.
    """

    mode: Mode
    uid: str


class AccountIdentity:
    """Learns the identity behind a sender, once."""

    def __init__(self, sender: Sender) -> None:
        self._sender = confirming(sender)
        self._lock = threading.Lock()
        self._known: Identity | None = None

    def identity(self) -> Identity:
        """Return it; one or two requests the first time.

        Raises
        ------
        ExchangeError
            If neither family of endpoints knows the key.
        """
        with self._lock:
            if self._known is None:
                self._known = self._learn()
            return self._known

    def key_info(self) -> dict[str, Any]:
        """Return what the exchange says about the key itself: authorities, addresses, user id."""
        return self._object("spot.account_info" if self.identity().mode == "classic" else "uta.account_info")

    def _learn(self) -> Identity:
        """Ask for the settings first; a key that may not read them may still read about itself."""
        try:
            return Identity("unified", self._uid("uta.account_settings"))
        except ExchangeError as refusal:
            if isinstance(refusal, _NO_ANSWER):
                raise
            classic = refusal.code in _CLASSIC
        try:
            return Identity("classic", self._uid("spot.account_info"))
        except ExchangeError as refusal:
            if classic or refusal.code not in _UNIFIED | ABSENT:
                raise
        return Identity("unified", self._uid("uta.account_info"))

    def _uid(self, row_id: str) -> str:
        field = USER_ID_FIELD[row_id]
        uid = str(self._object(row_id).get(field) or "")
        if not (uid.isascii() and uid.isalnum()):
            raise BadResponse(row_id, f"no {field} in the answer.")
        return uid

    def _object(self, row_id: str) -> dict[str, Any]:
        endpoint = load()[row_id]
        rows = rows_of(endpoint, self._sender.send(endpoint, {}).data)
        if len(rows) != 1 or not isinstance(rows[0], dict):
            raise BadResponse(row_id, "not one object.")
        return rows[0]
