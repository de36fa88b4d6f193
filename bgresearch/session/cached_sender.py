"""Cache of responses of snapshot-only endpoints, with their age. Never a secret, never a history.

A response is stored unchanged below ``snapshots``, one file per request, the newest only; responses about an account
are stored below ``account/<uid>/snapshots``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from numbers import Real
from typing import Any

from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.response import unwrap
from bgresearch.core.spans import iso
from bgresearch.errors import InvalidInput, OfflineError, StoreError
from bgresearch.http.confirming_sender import confirming
from bgresearch.http.sender import Reply, query_pairs
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session
from bgresearch.session.stored_identity import known_uid, remember_uid
from bgresearch.store.layout import NewerFormat, check_format

_FORMAT = 1


class CachedSender:
    """A sender that caches responses and returns them again while they are young enough.

    For one call of one verb: its requests are answered from the store or by the exchange, and ``words`` reports the
    age of the oldest response.

    Parameters
    ----------
    source : Session
        Exchange and store; offline, the store only, whatever the age.
    max_age : float, optional
        Seconds: a younger cached response is returned without a request. By default the exchange is always asked.
    again : str
        What a user types to fetch it, for the offline error.

    Raises
    ------
    InvalidInput
        A negative age.
    """

    confirms = True  # responses are confirmed before they are stored

    def __init__(self, source: Session, max_age: float | None = None, *, again: str = "") -> None:
        self._source, self._max_age, self._again = source, checked_age(max_age), again
        self._sender = confirming(source.sender)  # no unconfirmed empty response replaces a stored one
        self._new: set[str] = set()  # files written by this call: a repeated request goes to the exchange again
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
        """Return a cached response that is young enough, else the exchange's, which is stored.

        Raises
        ------
        OfflineError
            Offline, and no response is stored.
        """
        reply = self._young(endpoint, params)
        if reply is None:
            if self._source.offline:
                raise OfflineError(
                    f"no response of {endpoint.id}{_asked(params)} is stored.", hint=self._hint(endpoint)
                )
            reply = self._sender.send(endpoint, params)
            place = self._place(endpoint, params, ask=True)
            if place is not None:
                self._new.add(place)
                self._source.store.replace_file(place, _written(reply, params), private=endpoint.private)
        self._oldest_ms = min(self._oldest_ms or reply.received_ms, reply.received_ms)
        return reply

    def words(self) -> dict[str, Any]:
        """Return, for ``df.attrs``, when the oldest response was received and its age; empty without responses."""
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
        """Return the path of the response, None if it is about an account whose id is not known."""
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
        what = self._again or f"{endpoint.call}(..., max_age=0)"
        return f"Run {what} once on a client that is connected without offline=True."


def checked_age(max_age: float | None) -> float | None:
    """Return the age, or raise `InvalidInput` if it is not a number, or negative."""
    given: Any = max_age
    is_number = isinstance(given, Real) and not isinstance(given, bool)
    if given is None or (is_number and given >= 0):
        return max_age
    cause = "is negative" if is_number else "is not a number of seconds"
    raise InvalidInput("max_age", f"{max_age!r} {cause}.", hint="Give seconds, or None to always ask the exchange.")


def _written(reply: Reply, params: Mapping[str, object]) -> bytes:
    head = {
        "format": _FORMAT, "endpoint": reply.endpoint.id, "params": _spelled(params), "asked_ms": reply.asked_ms,
        "received_ms": reply.received_ms, "digest": _digest(reply.body),
    }  # fmt: skip
    return json.dumps(head).encode() + b"\n" + reply.body


def _read(endpoint: Endpoint, params: Mapping[str, object], text: bytes) -> Reply | None:
    """Return the response in a file, None if it is damaged or of another request: then it is fetched again."""
    first, _, body = text.partition(b"\n")
    try:
        head = json.loads(first)
        check_format(head["format"], _FORMAT)
        asked = (head["endpoint"], head["params"], head["digest"])
        times = int(head["asked_ms"]), int(head["received_ms"])
    except NewerFormat as newer:
        raise StoreError(f"the stored response of {endpoint.id} was written by a newer version: {newer}.") from None
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
