"""The exceptions of this package: one tree, caught by kind, read by attribute.

* BgresearchError
  x InvalidInput (also a ValueError)
    - WrongArguments (also a TypeError)
    - UnknownName (also an AttributeError)
  x CatalogueError
  x ConfigurationError
  x AgentError
    - AgentUnavailable
  x OfflineError
  x NetworkError
    - BadResponse
  x ExchangeError
    - AuthenticationError
    - TimestampError
    - PermissionDenied
    - AddressRejected
    - RateLimited
    - ParameterRejected
    - UnknownSymbol
    - ExchangeUnavailable
  x IncompleteData
  x StoreError

and one warning, UndocumentedData (a UserWarning).

No error holds a request, a response object or a credential, as errors end up in logs, tracebacks and pickles. Messages
say what failed, with which input, what the exchange said and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol


class TimeSpan(Protocol):
    """Half-open ``[start_ms, end_ms)`` in epoch milliseconds, UTC: `bgresearch.core.spans.Span` is one."""

    @property
    def start_ms(self) -> int:
        """First instant."""

    @property
    def end_ms(self) -> int:
        """First instant after it."""


class BgresearchError(Exception):
    """Base class of all errors of this package.

    Attributes
    ----------
    hint : str
        What to do next, in one sentence; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.hint = hint
        super().__init__(f"{message} {hint}".strip() if hint else message)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[BgresearchError], args: tuple[object, ...], state: dict[str, object]) -> BgresearchError:
    """Rebuild a pickled error; subclasses differ in their arguments, so the constructor is not called."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidInput(BgresearchError, ValueError):
    """An argument is not valid; no request was made.

    Attributes
    ----------
    field : str
        The name of the argument.
    """

    def __init__(self, field: str, cause: str, *, hint: str = "") -> None:
        self.field = field
        super().__init__(f"{field}: {cause}", hint=hint)

    @classmethod
    def unknown(cls, field: str, value: object, known: Iterable[str]) -> InvalidInput:
        """Return the error for a word that is none of the known ones, which the hint lists."""
        return InvalidInput(field, f"{value!r} is unknown.", hint=f"Use one of {', '.join(known)}.")


class WrongArguments(InvalidInput, TypeError):
    """A verb was called with an argument that it does not have, or without one that it needs."""


class UnknownName(InvalidInput, AttributeError):
    """There is no verb of that name.

    Parameters
    ----------
    name : str
        What was asked for.
    near : str
        The verb that was probably meant; may be empty.
    hint : str
        What to do where there is none.
    """

    def __init__(self, name: str, near: str = "", *, hint: str = "Press Tab behind the dot for what there is.") -> None:
        InvalidInput.__init__(self, name, "there is no such verb.", hint=f"It is called {near}." if near else hint)
        self.name, self.near = name, near


class CatalogueError(BgresearchError):
    """A row of the endpoint table is malformed; the message names file and row."""


class ConfigurationError(BgresearchError):
    """The configuration is not usable: a key for another host, a missing vault, a missing extra."""


class AgentError(BgresearchError):
    """The agent refused a message, or agent and client do not understand each other."""


class AgentUnavailable(AgentError):
    """No agent is running, or it has ended or is locked: private requests need ``bgresearch vault unlock``."""


class OfflineError(BgresearchError):
    """A request was needed and ``offline=True`` forbids it.

    Attributes
    ----------
    missing : tuple of Span
        The spans that are not in the store, if that is the reason.
    """

    def __init__(self, message: str, *, missing: Sequence[TimeSpan] = (), hint: str = "") -> None:
        self.missing = tuple(missing)
        super().__init__(message, hint=hint)


class NetworkError(BgresearchError):
    """The exchange is not reachable, or the connection broke, after all attempts.

    Attributes
    ----------
    endpoint : str
        The id of the table row.
    """

    def __init__(self, endpoint: str, message: str, *, hint: str = "") -> None:
        self.endpoint = endpoint
        super().__init__(f"{endpoint}: {message}", hint=hint)


class BadResponse(NetworkError):
    """The response is not as documented: not JSON, truncated, or of another shape."""


class ConnectionLimited(NetworkError):
    """Too many streams were opened from this address for now; one that waits is opened as soon as it may.

    Attributes
    ----------
    wait_s : int
        Seconds until it may, as far as is known.
    """

    wait_s: int = 0


class AccessBlocked(NetworkError):
    """The host of the bulk archive refuses this client; nothing more is asked of it."""


class ExchangeError(BgresearchError):
    """The exchange answered with an error code.

    Attributes
    ----------
    endpoint, code : str
        The id of the table row; the exchange's code (text, leading zeros kept).
    http_status : int
        HTTP status of the response.
    said : str
        The exchange's own message.
    """

    def __init__(self, endpoint: str, code: str, said: str, *, http_status: int = 0, hint: str = "") -> None:
        self.endpoint = endpoint
        self.code = code
        self.said = said
        self.http_status = http_status
        super().__init__(f"{endpoint}: the exchange answered {code} ({said or 'no message'}).", hint=hint)


class AuthenticationError(ExchangeError):
    """Key, secret, passphrase or signature were refused."""


class TimestampError(ExchangeError):
    """The request's timestamp was too far from the exchange's clock, even after reading that again."""


class PermissionDenied(ExchangeError):
    """The key or the account lacks a permission."""


class AddressRejected(ExchangeError):
    """The caller's network address is not allowed for this key or region."""


class RateLimited(ExchangeError):
    """Too many requests, even after waiting.

    Attributes
    ----------
    until_ms : int or None
        Epoch milliseconds when the exchange is expected to accept requests again, if known.
    """

    until_ms: int | None = None


class ParameterRejected(ExchangeError):
    """The exchange refused a parameter."""


class UnknownSymbol(ExchangeError):
    """The exchange does not know the symbol, or no longer trades it."""


class ExchangeUnavailable(ExchangeError):
    """Maintenance or a fault on the exchange's side, after all attempts."""


class IncompleteData(BgresearchError):
    """Part of the requested data could not be fetched; nothing was filled in.

    Attributes
    ----------
    missing : tuple of Span
        The spans that are missing.
    """

    def __init__(self, message: str, *, missing: Sequence[TimeSpan], hint: str = "") -> None:
        self.missing = tuple(missing)
        super().__init__(message, hint=hint)


class StoreError(BgresearchError):
    """The local store could not be read or written.

    Attributes
    ----------
    missing : tuple of Span
        The spans whose rows were in a damaged file, if that is the reason.
    """

    def __init__(self, message: str, *, missing: Sequence[TimeSpan] = (), hint: str = "") -> None:
        self.missing = tuple(missing)
        super().__init__(message, hint=hint)


class UndocumentedData(UserWarning):
    """The exchange sent values that cannot be read (they are missing), or differs from what a verb rests on."""
