"""What the exchange says only of now, kept with its age: answers to single questions. Never a secret, never a history.

An answer lies below ``snapshots`` as it came, one file per question, the newest only; answers about an account lie
below ``account/<uid>/snapshots``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.response import unwrap
from bgresearch.core.spans import iso
from bgresearch.errors import InvalidInput, OfflineError, StoreError
from bgresearch.http.confirming_sender import confirming
from bgresearch.http.query import query_pairs
from bgresearch.http.sender import Reply
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.known_accounts import known_uid, remember_uid
from bgresearch.session.session import Session
from bgresearch.store.versions import NewerFormat, check_format

_FORMAT = 1


class CachedSender:
    """A sender that keeps what it is answered, and gives that out again while it is young enough.

    For one call of one verb: what it sends through this is answered from the store or by the exchange, and ``words``
    says how old the oldest answer was.

    Parameters
    ----------
    source : Source
        Exchange and store; offline, only the store is asked, whatever the age.
    max_age : float, optional
        Seconds: a kept answer that is younger is given instead of asking. By default the exchange is always asked.
    again : str
        What a person types to have it asked, for the error offline.

    Raises
    ------
    InvalidInput
        A negative age.
    """

    confirms = True  # what the exchange answers is confirmed before it is kept

    def __init__(self, source: Session, max_age: float | None = None, *, again: str = "") -> None:
        self._source, self._max_age, self._again = source, checked_age(max_age), again
        self._sender = confirming(source.sender)  # no unconfirmed empty answer replaces a kept one
        self._new: set[str] = set()  # files written by this call: asked again, the exchange is asked again
        self._oldest_ms: int | None = None

    @property
    def label(self) -> str | None:
        return self._source.sender.label

    @property
    def host(self) -> str:
        return self._source.sender.host

    @property
    def demo(self) -> bool:
        return self._source.sender.demo

    @property
    def sent(self) -> int:
        return self._source.sender.sent

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        """Return a kept answer that is young enough, else the exchange's, which is kept.

        Raises
        ------
        OfflineError
            Offline, and no answer is kept.
        """
        reply = self._young(endpoint, params)
        if reply is None:
            if self._source.offline:
                raise OfflineError(f"no answer of {endpoint.id}{_asked(params)} is kept.", hint=self._hint(endpoint))
            reply = self._sender.send(endpoint, params)
            place = self._place(endpoint, params, ask=True)
            if place is not None:
                self._new.add(place)
                self._source.store.replace_file(place, _written(reply, params), private=endpoint.private)
        self._oldest_ms = min(self._oldest_ms or reply.received_ms, reply.received_ms)
        return reply

    def words(self) -> dict[str, Any]:
        """Return for ``df.attrs`` when the oldest answer came and how many seconds ago; empty if none came."""
        if self._oldest_ms is None:
            return {}
        age_ms = self._source.clock.now_ms() - self._oldest_ms
        return {"asked": iso(self._oldest_ms), "age_s": max(0, age_ms) / 1000}

    def _young(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply | None:
        if self._max_age is None and not self._source.offline:
            return None
        place = self._place(endpoint, params, ask=False)
        text = None if place is None or place in self._new else self._source.store.read_file(place)
        reply = None if text is None else _read(endpoint, params, text)
        if reply is None or self._source.offline:
            return reply
        age_ms = abs(self._source.clock.now_ms() - reply.received_ms)  # the machine's clock may have been set back
        return reply if age_ms <= (self._max_age or 0) * 1000 else None

    def _place(self, endpoint: Endpoint, params: Mapping[str, object], *, ask: bool) -> str | None:
        """Return where the answer lies, None if it is about an account whose id is not known."""
        name = f"{endpoint.id}/{hashlib.sha256(_spelled(params).encode()).hexdigest()[:24]}.answer"
        sender = self._source.sender
        if not endpoint.private:
            return f"snapshots/{name}"
        uid = known_uid(self._source.store, sender)
        if uid is None and ask:
            uid = AccountIdentity(sender).identity().uid
            remember_uid(self._source.store, sender, uid)
        return None if uid is None else f"account/{uid}/snapshots/{name}"

    def _hint(self, endpoint: Endpoint) -> str:
        what = self._again or f"client.api.{endpoint.id}(..., max_age=0)"
        return f"Run {what} once on a client that is connected without offline=True."


def checked_age(max_age: float | None) -> float | None:
    """Return it, or raise `InvalidInput` if it is no age."""
    if max_age is not None and not max_age >= 0:
        raise InvalidInput("max_age", f"{max_age!r} is negative.", hint="Give seconds, or None to ask always.")
    return max_age


def _written(reply: Reply, params: Mapping[str, object]) -> bytes:
    head = {
        "format": _FORMAT, "endpoint": reply.endpoint.id, "params": _spelled(params), "asked_ms": reply.asked_ms,
        "received_ms": reply.received_ms, "digest": _digest(reply.body),
    }  # fmt: skip
    return json.dumps(head).encode() + b"\n" + reply.body


def _read(endpoint: Endpoint, params: Mapping[str, object], text: bytes) -> Reply | None:
    """Return the answer in a file, None if it is damaged or answers something else: then it is asked for again."""
    first, _, body = text.partition(b"\n")
    try:
        head = json.loads(first)
        check_format(head["format"], _FORMAT)
        asked = (head["endpoint"], head["params"], head["digest"])
        times = int(head["asked_ms"]), int(head["received_ms"])
    except NewerFormat as newer:
        raise StoreError(f"the kept answer of {endpoint.id} was written by a newer version: {newer}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if asked != (endpoint.id, _spelled(params), _digest(body)):
        return None
    return Reply(endpoint, unwrap(endpoint, 200, body), body, attempts=0, received_ms=times[1], asked_ms=times[0])


def _spelled(params: Mapping[str, object]) -> str:
    return json.dumps(query_pairs(params))


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _asked(params: Mapping[str, object]) -> str:
    pairs = query_pairs(params)
    return f" ({', '.join(f'{name}={value}' for name, value in pairs)})" if pairs else ""
