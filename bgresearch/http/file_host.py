"""Files of a public host: paced, retried, checked against what the headers say. Sends no credential and no cookie.

The host is an object store behind a content network. It answers 403 for a key that does not exist, with a short XML
text that names ``AccessDenied``; any other 403 is a block, after which nothing more is sent. 429 and 503 mean slower.
"""

from __future__ import annotations

import hashlib
import logging
import random
import re
import threading
from collections.abc import Callable
from typing import BinaryIO, NamedTuple, cast

import requests

from bgresearch.catalogue.assumptions import ARCHIVE_ABSENT
from bgresearch.catalogue.endpoint import Endpoint, Limit, Paging
from bgresearch.catalogue.response import printable
from bgresearch.core.clock import Clock
from bgresearch.core.version import release
from bgresearch.errors import AccessBlocked, BadResponse, NetworkError
from bgresearch.http.ratelimit.limiter import Limiter
from bgresearch.http.transport import FileAnswer, Headers, Mishap, Stray, base_address, carry_file, harden, new_session

PER_SECOND = 10
AT_ONCE = 4
ATTEMPTS = 5
_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 20.0
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SLOWER = (429, 503)
_NAME = "archive"
_ROW = Endpoint(
    _NAME, "GET", "", "files of the archive", "", "public", Limit(PER_SECOND, 1.0, "ip"), (), Paging(), None, None,
    "list", "", "", (), (), documented=False,
)  # fmt: skip

_log = logging.getLogger(__name__)


class FileInfo(NamedTuple):
    """A file as the host describes it.

    Attributes
    ----------
    key : str
        Its path below the base address.
    length : int or None
        Bytes; None where the host does not say.
    etag : str
        The MD5 of its bytes, where it was uploaded in one piece.
    modified : str
        ``Last-Modified`` as the host writes it.
    sha256 : str
        Of the bytes that came; empty if only the headers were asked for.
    """

    key: str
    length: int | None
    etag: str
    modified: str
    sha256: str = ""


class FileHost:
    """One host of public files. Safe to share between threads.

    Parameters
    ----------
    base_url : str
        What comes before a key: ``https://host/path``, or http to this very machine.
    limiter : Limiter
        Asked before every request.
    clock : Clock
        Time, and who waits.
    session : requests.Session, optional
        Carries the requests; it is made deaf to the environment.
    rng : random.Random, optional
        Where jitter comes from.

    Raises
    ------
    ConfigurationError
        The address is not allowed.
    """

    def __init__(
        self, base_url: str, *, limiter: Limiter, clock: Clock, session: requests.Session | None = None,
        rng: random.Random | None = None,
    ) -> None:  # fmt: skip
        self.base_url = base_address(base_url, "archive_url")
        self._limiter, self._clock = limiter, clock
        self._session = session if session is not None else new_session()
        harden(self._session)
        self._rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter, not a secret
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._sent = 0
        self._blocked: str | None = None

    @property
    def sent(self) -> int:
        """Requests that left so far."""
        return self._sent

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def fetch(self, key: str, sink: BinaryIO, most_bytes: int) -> FileInfo | None:
        """Write a file into ``sink`` and return what is known of it, or None if the host has none of that key.

        Raises
        ------
        AccessBlocked
            The host refuses this client.
        NetworkError, BadResponse
            No connection, or not the file, after all attempts.
        """
        hashed = _Hashing(sink)

        def ask() -> FileAnswer | str | Stray:
            hashed.restart()
            return self._carry(key, cast("BinaryIO", hashed), most_bytes)

        def broken(answer: FileAnswer) -> str:
            whole = not _MD5.fullmatch(answer.etag) or answer.etag == hashed.md5.hexdigest()
            return "" if whole else "what came is not what the host describes (its MD5 differs)."

        answer = self._answer(key, ask, broken)
        if answer is None:
            return None
        return FileInfo(key, answer.received, answer.etag, answer.modified, hashed.sha256.hexdigest())

    def look(self, key: str) -> FileInfo | None:
        """Return what the host says of a file without fetching it, or None if it has none of that key.

        Raises
        ------
        AccessBlocked, NetworkError, BadResponse
            As `fetch`.
        """
        answer = self._answer(key, lambda: self._carry(key, None, 0), lambda _answer: "")
        return None if answer is None else FileInfo(key, answer.length, answer.etag, answer.modified)

    def _answer(
        self, key: str, ask: Callable[[], FileAnswer | str | Stray], broken: Callable[[FileAnswer], str]
    ) -> FileAnswer | None:
        error: NetworkError = NetworkError(_NAME, "nothing was asked.")
        for attempt in range(1, ATTEMPTS + 1):
            answer = self._paced(ask)
            if isinstance(answer, Stray):
                raise answer.error
            if isinstance(answer, str):
                error = self._mishap(key, answer)
                if answer in ("too large", "no trust"):
                    raise error
            elif answer.status == 200:
                if not (said := broken(answer)):
                    return answer
                error = BadResponse(_NAME, f"{key}: {said}")
            else:
                if answer.status == 403 and self._is_absence(key, answer):
                    return None
                error = self._refusal(key, answer)
            if attempt < ATTEMPTS:
                self._pause(attempt)
        raise error

    def _paced(self, ask: Callable[[], FileAnswer | str | Stray]) -> FileAnswer | str | Stray:
        """Ask when there is a place and the pace allows; nothing is asked of a host that has blocked this client."""
        with self._places:
            self._refuse_blocked()
            slot, heard = self._limiter.acquire(_ROW, ""), False
            with self._lock:
                self._sent += 1
            try:
                answer = ask()
                heard = isinstance(answer, FileAnswer)
            finally:
                self._limiter.answered(slot, heard)
        if isinstance(answer, FileAnswer) and answer.status in _SLOWER:
            self._limiter.rejected(_ROW, "", address_wide=False)
        return answer

    def _carry(self, key: str, sink: BinaryIO | None, most_bytes: int) -> FileAnswer | Mishap | Stray:
        headers = Headers({"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": release()})
        url = f"{self.base_url}/{key}"
        return carry_file(self._session, url, headers, self._clock, sink=sink, most_bytes=most_bytes)

    def _is_absence(self, key: str, answer: FileAnswer) -> bool:
        """Return whether a 403 says that there is no such key; an answer without a body is asked for with one.

        Raises
        ------
        AccessBlocked
            It says something else.
        """
        body = answer.body
        if not body:
            again = self._paced(lambda: self._carry(key, cast("BinaryIO", _Nowhere()), 0))
            body = again.body if isinstance(again, FileAnswer) and again.status == 403 else b""
        if ARCHIVE_ABSENT.value.encode() in body:
            return True
        self._blocked = printable(body[:80].decode("utf-8", "replace"))
        _log.warning("%s refuses this client; nothing more is asked of it", self.base_url)
        self._refuse_blocked()
        return False

    def _refuse_blocked(self) -> None:
        if self._blocked is not None:
            raise AccessBlocked(
                _NAME, f"{self.base_url} refuses this client (HTTP 403, {self._blocked!r}).",
                hint='Wait some hours, or go on with source="rest"; do not try from other addresses.',
            )  # fmt: skip

    def _refusal(self, key: str, answer: FileAnswer) -> NetworkError:
        """Return the error for a status that is neither the file nor its absence; raise it if asking again is vain."""
        if answer.status in _SLOWER:
            return NetworkError(_NAME, f"{self.base_url} asks for fewer requests (HTTP {answer.status}).")
        error = BadResponse(
            _NAME, f"{self.base_url} answers HTTP {answer.status} for {key}.", hint="Check archive_url."
        )  # fmt: skip
        if answer.status < 500:
            raise error
        return error

    def _mishap(self, key: str, mishap: str) -> NetworkError:
        kind = BadResponse if mishap in ("broken off", "too large") else NetworkError
        return kind(_NAME, f"{key}: {mishap} ({self.base_url}).", hint="Check the network and archive_url.")

    def _pause(self, attempt: int) -> None:
        with self._lock:
            share = self._rng.random()
        self._clock.sleep(share * min(_LONGEST_BACKOFF_S, _BACKOFF_S * 2 ** (attempt - 1)))


class _Hashing:
    """A file that knows the digests of what was written to it."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.restart()

    def restart(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self.md5, self.sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.md5.update(data)
        self.sha256.update(data)
        return self._sink.write(data)


class _Nowhere:
    """Takes no bytes: where only an error's text is wanted."""

    def write(self, _data: bytes) -> int:
        return 0
