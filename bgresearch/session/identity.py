"""The account of a key: classic or unified, and its user id. Asks the exchange once."""

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

_CLASSIC = frozenset({"40084", "25245"})  # a classic account used v3
_UNIFIED = frozenset({"40085"})  # a unified account used v2
ABSENT = frozenset({"404", "405", "40404"})  # this exchange has no such path
NO_PERMISSION = frozenset({"40014", "25620"})  # the key lacks a permission, in v2 and in v3; no other code means this
_NO_ANSWER = (AddressRejected, AuthenticationError, ExchangeUnavailable, RateLimited, TimestampError)


@dataclass(frozen=True)
class Identity:
    """The account of a key.

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
    """Determines the account of a sender's key, once."""

    def __init__(self, sender: Sender) -> None:
        self._sender = confirming(sender)
        self._lock = threading.Lock()
        self._known: Identity | None = None

    def identity(self) -> Identity:
        """Return the identity; one or two requests the first time.

        Raises
        ------
        ExchangeError
            If neither endpoint family knows the key.
        """
        with self._lock:
            if self._known is None:
                self._known = self._learn()
            return self._known

    def key_info(self) -> dict[str, Any]:
        """Return the exchange's information on the key: authorities, addresses, user id."""
        return self._object("spot.account_info" if self.identity().mode == "classic" else "uta.account_info")

    def _learn(self) -> Identity:
        """Ask for the settings first; a key that may not read them may still read its own information."""
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
            raise BadResponse(row_id, "it is not a single object.")
        return rows[0]
