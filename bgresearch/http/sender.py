"""Sending a request: take a slot, sign, GET, unwrap, retry where that can help. Knows only the clock's endpoint.

What is signed is what is sent: the query is built once, signed as plain text and sent percent-encoded. Every attempt
takes a new slot and signature. Errors that leave this module hold no request, no response and no header, and neither do
the frames of their tracebacks.
"""

from __future__ import annotations

import logging
import operator
import random
import threading
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import requests

from bgresearch.catalogue import Endpoint, load
from bgresearch.catalogue.response import MAX_BODY_BYTES, printable, retry_of, unwrap, without_secrets
from bgresearch.core.clock import Clock
from bgresearch.core.spans import iso
from bgresearch.core.version import release
from bgresearch.errors import (
    BadResponse,
    ConfigurationError,
    ExchangeError,
    InvalidInput,
    NetworkError,
    ParameterRejected,
    RateLimited,
)
from bgresearch.http.ratelimit.limiter import Limiter
from bgresearch.http.transport import Answer, Headers, Mishap, Stray, carry, harden, new_session, origin

ATTEMPTS = 5
BACKOFF_S, LONGEST_BACKOFF_S = 0.5, 20.0  # the first and the longest pause between attempts, before jitter
COOL_DOWN_BACKOFF_S = 2.0  # the same for errors that are known to last longer
DOUBTFUL_ATTEMPTS = 3  # for a parameter error that may be temporary (40808)
ADDRESS_WIDE_AFTER = 3  # consecutive refusals, each after a pause, without the endpoint's own count
_TIME = "common.time"
_LONGEST_TIME = 14  # digits of a time in milliseconds, until the year 5138
_UNSENDABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, lone surrogates, line and paragraph separators
_NOT_IN_DEMO = frozenset({_TIME, "uta.current_fund_rate"})  # they reject the demo header (seen in ccxt)

_log = logging.getLogger(__name__)


class Signer(Protocol):
    """Signs requests without revealing the key."""

    @property
    def name(self) -> str:
        """The key's label."""

    @property
    def host(self) -> str:
        """The only host the headers may be sent to."""

    @property
    def demo(self) -> bool:
        """Whether the key belongs to the demo environment."""

    def headers(self, method: str, target: str, body: str = "", timestamp_ms: int | None = None) -> dict[str, str]:
        """Return the signed headers of one request; ``target`` is the text before percent-encoding."""

    def login(self, timestamp_ms: int | None = None) -> SignedLogin:
        """Return the signed login of a private WebSocket."""


class SignedLogin(Protocol):
    """A login message whose repr does not show it."""

    @property
    def value(self) -> str:
        """The text to send."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of a request: the value of ``data``, the whole body, the number of attempts.

    ``asked_ms`` and ``received_ms`` are this machine's epoch milliseconds before and after the last attempt;
    ``remaining`` is how many calls are left by the exchange's own count, None where it does not say.
    """

    endpoint: Endpoint
    data: Any = field(repr=False)
    body: bytes = field(repr=False)
    attempts: int
    received_ms: int
    asked_ms: int = 0
    remaining: int | None = None


class Sender(Protocol):
    """The interface through which verbs send requests.

    ``label`` is that of the key, None without one; ``sent`` counts the requests sent so far.
    """

    @property
    def label(self) -> str | None: ...
    @property
    def host(self) -> str: ...
    @property
    def demo(self) -> bool: ...
    @property
    def sent(self) -> int: ...
    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply: ...


class _Failure(NamedTuple):
    """An error that is not raised yet: ``final`` if a retry is pointless, ``counted`` if it came with a call count."""

    error: NetworkError | ExchangeError
    final: bool = False
    counted: bool = False


class Wire:
    """The sender of this process: signs with an optional key and sends to one host. Safe to share between threads.

    Parameters
    ----------
    base_url : str
        The exchange: ``https://host``, or ``http`` to this machine.
    limiter : Limiter
        Asked before every request.
    clock : Clock
        Gives the time and sleeps.
    signer : Signer, optional
        Signs private requests; must be bound to the same host. Without one only public endpoints can be called.
    session : requests.Session, optional
        Sends the requests; it is made independent of the environment.
    rng : random.Random, optional
        Source of jitter.

    Raises
    ------
    ConfigurationError
        The host is not allowed, or the key is bound to another one. Nothing was sent.
    """

    def __init__(
        self,
        base_url: str,
        *,
        limiter: Limiter,
        clock: Clock,
        signer: Signer | None = None,
        session: requests.Session | None = None,
        rng: random.Random | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._host, self._release = origin(base_url), release()
        self._attempts = attempts
        if signer is not None:
            _refuse_foreign(signer, self._host)
        self._signer = signer
        self._limiter = limiter
        self._clock = clock
        self._session = session if session is not None else new_session()
        harden(self._session)
        self._rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter, not a secret
        self._lock = threading.Lock()
        self._learning = threading.Lock()
        self._sent = self._answers = 0
        self._offset_ms: int | None = None

    @property
    def host(self) -> str:
        """The exchange's host; it cannot be changed, as a key is bound to it."""
        return self._host

    @property
    def label(self) -> str | None:
        """The key's label, None without a key."""
        return self._signer.name if self._signer is not None else None

    @property
    def demo(self) -> bool:
        """Whether the key belongs to the demo environment."""
        return self._signer is not None and self._signer.demo

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, which distinguishes keys with the same label; "" if the signer has none."""
        return str(getattr(self._signer, "fingerprint", ""))

    @property
    def sent(self) -> int:
        """Requests sent so far, including retries and those for the exchange's clock."""
        return self._sent

    @property
    def clock_offset_ms(self) -> int | None:
        """The exchange's clock minus this machine's, as measured for private requests."""
        return self._offset_ms

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        """Return the exchange's response to one GET, with retries where they can help.

        Parameters
        ----------
        endpoint : Endpoint
            The row of the endpoint.
        params : mapping
            Parameters in the exchange's spelling; None is not sent.

        Raises
        ------
        InvalidInput
            A parameter that cannot be sent; nothing was sent.
        ConfigurationError
            A private row without a key, or a row that is not in the table; nothing was sent.
        NetworkError, BadResponse
            No connection or an invalid response, after all attempts.
        ExchangeError
            An error of the exchange, after all attempts where a retry can help.
        """
        _refuse_unlisted(endpoint)
        if endpoint.private and self._signer is None:
            raise ConfigurationError(
                f"{endpoint.id} is private and there is no key.", hint="Connect with key=, the label of a stored key."
            )
        pairs = query_pairs(params)
        attempt = refusals = answers = 0
        while True:
            attempt += 1
            outcome = self._attempt(endpoint, pairs, attempt)
            if isinstance(outcome, Reply):
                return outcome
            if not isinstance(outcome.error, RateLimited) or self._answers != answers:
                refusals, answers = 0, self._answers  # an address that gets responses meanwhile is not banned
            refusals += isinstance(outcome.error, RateLimited)
            if not self._try_again(endpoint, outcome, attempt, refusals):
                raise outcome.error

    def login(self, read_clock: bool = False) -> SignedLogin:
        """Return the signed login of a private WebSocket, dated by the exchange's clock.

        Parameters
        ----------
        read_clock : bool
            Whether to read the exchange's clock again first.

        Raises
        ------
        ConfigurationError
            There is no key, or it is bound to another host.
        NetworkError, ExchangeError
            The exchange's clock cannot be read.
        """
        if self._signer is None:
            raise ConfigurationError("a login needs a key.", hint="Connect with key=, the label of a stored key.")
        _refuse_foreign(self._signer, self._host)
        if read_clock or self._offset_ms is None:
            self._learn_clock(self._offset_ms)
        return self._signer.login(self._clock.now_ms() + (self._offset_ms or 0))

    def _attempt(self, endpoint: Endpoint, pairs: list[tuple[str, str]], attempt: int) -> Reply | _Failure:
        if endpoint.private and self._offset_ms is None:
            self._learn_clock(None)
        identity = self.label or ""
        slot, answer = self._limiter.acquire(endpoint, identity), None
        asked_ms, started_s = self._clock.now_ms(), self._clock.monotonic_s()
        try:
            answer = self._carry(endpoint, pairs)
        finally:
            self._limiter.answered(slot, isinstance(answer, Answer))
        received_ms, took_s = self._clock.now_ms(), self._clock.monotonic_s() - started_s
        if isinstance(answer, Stray):
            try:
                raise answer.error
            finally:
                del answer  # otherwise error and frame would reference each other
        if isinstance(answer, str):
            _log.debug("%s attempt %d: %s after %.3f s", endpoint.id, attempt, answer, took_s)
            return self._mishap(endpoint, answer)
        _log.debug("%s attempt %d: HTTP %d after %.3f s", endpoint.id, attempt, answer.status, took_s)
        if answer.remaining is not None:
            self._limiter.observed(endpoint, identity, answer.remaining)
        if 300 <= answer.status < 400:
            said = f"HTTP {answer.status}, a redirect to {printable(answer.location)!r} that is not followed."
            return _Failure(BadResponse(endpoint.id, said, hint="Check base_url."), final=True)
        body = without_secrets(answer.body) if endpoint.private else answer.body
        try:
            data = unwrap(endpoint, answer.status, body)
        except (NetworkError, ExchangeError) as error:
            self._answers += not isinstance(error, RateLimited)
            return _Failure(error, counted=answer.remaining is not None)
        self._answers += 1
        return Reply(endpoint, data, body, attempt, received_ms, asked_ms, answer.remaining)

    def _try_again(self, endpoint: Endpoint, failure: _Failure, attempt: int, refusals: int) -> bool:
        """Prepare another attempt, and return whether there should be one."""
        error, last = failure.error, attempt >= self._attempts
        if isinstance(error, RateLimited):
            address_wide = refusals >= ADDRESS_WIDE_AFTER and not failure.counted
            error.until_ms = self._limiter.rejected(endpoint, self.label or "", address_wide=address_wide)
            if address_wide:
                _log.warning("this address is refused; nothing is sent to %s until %s", self.host, iso(error.until_ms))
            elif not last:
                self._pause(BACKOFF_S, 1)
            return not address_wide and not last
        if last or failure.final:
            return False
        retry = retry_of(error) if isinstance(error, ExchangeError) else "yes"
        if retry == "no" or (isinstance(error, ParameterRejected) and attempt >= DOUBTFUL_ATTEMPTS):
            return False
        if retry == "resync":
            self._learn_clock(self._offset_ms)
        else:
            self._pause(COOL_DOWN_BACKOFF_S if retry == "cooldown" else BACKOFF_S, attempt)
        return True

    def _pause(self, first_s: float, attempt: int) -> None:
        """Wait a random part of a duration that doubles with every attempt."""
        with self._lock:
            share = self._rng.random()
        self._clock.sleep(share * min(LONGEST_BACKOFF_S, first_s * 2 ** (attempt - 1)))

    def _learn_clock(self, known_ms: int | None) -> None:
        """Read the exchange's clock, unless another thread just did; half the round trip is subtracted."""
        with self._learning:
            if self._offset_ms != known_ms:
                return
            endpoint = load()[_TIME]
            reply = self.send(endpoint, {})
            if not reply.data:  # responses are sometimes empty for no reason
                reply = self.send(endpoint, {})
            text = str(reply.data.get("serverTime")) if isinstance(reply.data, dict) else ""
            if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_TIME):
                raise BadResponse(endpoint.id, "no serverTime in the response.")
            self._offset_ms = int(text) - (reply.asked_ms + reply.received_ms) // 2

    def _carry(self, endpoint: Endpoint, pairs: list[tuple[str, str]]) -> Answer | Mishap | Stray:
        """Sign and send one request; no error that leaves has a frame with header values."""
        headers = Headers({
            "Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": self._release,
            "locale": "en-US",
        })  # fmt: skip
        if self.demo and endpoint.id not in _NOT_IN_DEMO:
            headers["paptrading"] = "1"
        if endpoint.private and self._signer is not None:
            _refuse_foreign(self._signer, self._host)
            timestamp_ms = self._clock.now_ms() + (self._offset_ms or 0)
            headers.update(self._signer.headers("GET", plain_target(endpoint.path, pairs), timestamp_ms=timestamp_ms))
        with self._lock:
            self._sent += 1
        return carry(self._session, self._host + wire_target(endpoint.path, pairs), headers, self._clock)

    def _mishap(self, endpoint: Endpoint, mishap: Mishap) -> _Failure:
        if mishap == "unsendable":
            hint = "Add the key again, without surrounding spaces or line breaks."
            return _Failure(NetworkError(endpoint.id, "the key cannot be sent in a header.", hint=hint), final=True)
        if mishap == "no trust":
            hint = "The connection may be intercepted; nothing was sent."
            return _Failure(
                NetworkError(endpoint.id, f"the certificate of {self.host} is not trusted.", hint=hint), final=True
            )
        if mishap == "too large":
            return _Failure(BadResponse(endpoint.id, f"the response is larger than {MAX_BODY_BYTES // 1024**2} MiB."))
        kind = BadResponse if mishap == "broken off" else NetworkError
        hint = f"Check the network and whether {self.host} is the right address."
        return _Failure(kind(endpoint.id, f"{mishap} ({self.host}).", hint=hint))


def _refuse_foreign(signer: Signer, host: str) -> None:
    """Refuse a key that is bound to another host; checked again before every signed request."""
    if origin(signer.host) != host:
        raise ConfigurationError(
            f"The key {signer.name!r} is bound to {signer.host} and is never sent to {host}.",
            hint="Use the key's own host, or add a key for this one.",
        )


def _refuse_unlisted(endpoint: Endpoint) -> None:
    """Refuse an endpoint that is not a row of the table: its path could lead to another host."""
    listed = load().at_path(endpoint.path)
    if listed is not endpoint and listed != endpoint:
        raise ConfigurationError(f"{endpoint.id} {endpoint.path[:80]!r} is not in the table, so it is not called.")


def query_pairs(params: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return names and values as text, names ascending, without the ones that are None.

    Booleans become ``true`` and ``false``; whole numbers lose a fraction of zero; an empty text is kept.

    Raises
    ------
    InvalidInput
        A value without a unique spelling (a float, a list) or with a character that cannot be sent.
    """
    return [(_sendable(name, name), _sendable(name, _text(name, params[name]))) for name in sorted(params)
            if params[name] is not None]  # fmt: skip


def plain_target(path: str, pairs: list[tuple[str, str]]) -> str:
    """Return ``path?query`` before percent-encoding: the text that is signed."""
    return _joined(path, [f"{name}={value}" for name, value in pairs])


def wire_target(path: str, pairs: list[tuple[str, str]]) -> str:
    """Return the same, percent-encoded; decoding it gives `plain_target` byte for byte."""
    return _joined(path, [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs])


def _joined(path: str, parts: list[str]) -> str:
    return f"{path}?{'&'.join(parts)}" if parts else path


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not value.is_integer():
            raise InvalidInput(name, f"{value!r} is a binary fraction.", hint="Pass it as text, written as intended.")
        return str(int(value))
    try:
        return str(operator.index(value))  # type: ignore[arg-type]  # every integer type, including numpy's
    except TypeError:
        kind = type(value).__name__
        raise InvalidInput(
            name, f"a value of type {kind} cannot be sent.", hint="Pass text or a whole number."
        ) from None


def _sendable(name: str, text: str) -> str:
    if any(unicodedata.category(character) in _UNSENDABLE for character in text):
        raise InvalidInput(name, "it contains a control character or a lone surrogate.", hint="Remove it.")
    return text
