"""The words for everything that can go wrong: one tree, caught by kind, read by attribute.

Nothing here may hold a request, a response object or a credential: an error travels into logs, tracebacks
and pickles. Messages say what failed, with which input, what the exchange said and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """Anything this package raises on purpose.

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
    """Make an error again in another process; every kind has its own arguments, so it is not called."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidInput(BgresearchError, ValueError):
    """An argument that cannot mean anything; no request was spent.

    Attributes
    ----------
    field : str
        The name of the argument.
    """

    def __init__(self, field: str, cause: str, *, hint: str = "") -> None:
        self.field = field
        super().__init__(f"{field}: {cause}", hint=hint)


class CatalogueError(BgresearchError):
    """A row of the endpoint table that is malformed, named by file and row."""


class ConfigurationError(BgresearchError):
    """The pieces do not fit together: a key for another host, a missing vault, a missing extra."""


class AgentError(BgresearchError):
    """The agent refused a message, or one of the two sides does not understand the other."""


class AgentUnavailable(AgentError):
    """No agent is running, or it went away or is locked: private requests wait for ``bgresearch vault unlock``."""


class OfflineError(BgresearchError):
    """The network was needed and ``offline=True`` forbids it.

    Attributes
    ----------
    missing : tuple of Span
        The spans that are not in the store, where that is what was missing.
    """

    def __init__(self, message: str, *, missing: Sequence[TimeSpan] = (), hint: str = "") -> None:
        self.missing = tuple(missing)
        super().__init__(message, hint=hint)


class NetworkError(BgresearchError):
    """The exchange could not be reached, or the connection broke, after the allowed attempts.

    Attributes
    ----------
    endpoint : str
        The id of the table row.
    """

    def __init__(self, endpoint: str, message: str, *, hint: str = "") -> None:
        self.endpoint = endpoint
        super().__init__(f"{endpoint}: {message}", hint=hint)


class BadResponse(NetworkError):
    """What came back is not what the exchange documents: not JSON, truncated, or of another shape."""


class AccessBlocked(NetworkError):
    """The host of the bulk archive refuses this client; nothing more is asked of it."""


class ExchangeError(BgresearchError):
    """The exchange answered with an error code.

    Attributes
    ----------
    endpoint, code : str
        The id of the table row; the exchange's code (text, leading zeros kept).
    http_status : int
        Status of the answer.
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
    """The request's timestamp was too far from the exchange's clock, even after learning it again."""


class PermissionDenied(ExchangeError):
    """The key or the account may not do this."""


class AddressRejected(ExchangeError):
    """The caller's network address is not allowed for this key or region."""


class RateLimited(ExchangeError):
    """Too many requests, even after waiting.

    Attributes
    ----------
    until_ms : int or None
        Epoch milliseconds when the exchange is expected to answer again, if known.
    """

    until_ms: int | None = None


class ParameterRejected(ExchangeError):
    """The exchange refused a parameter."""


class UnknownSymbol(ExchangeError):
    """The exchange does not know the symbol, or no longer trades it."""


class ExchangeUnavailable(ExchangeError):
    """Maintenance or a fault on the exchange's side, after the allowed attempts."""


class IncompleteData(BgresearchError):
    """Some of what was asked for could not be fetched; nothing was made up.

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
        The spans whose rows a damaged file held, where that is the reason.
    """

    def __init__(self, message: str, *, missing: Sequence[TimeSpan] = (), hint: str = "") -> None:
        self.missing = tuple(missing)
        super().__init__(message, hint=hint)


class UndocumentedData(UserWarning):
    """The exchange sent something the table does not describe; it was kept as text or, if unreadable, left out."""
