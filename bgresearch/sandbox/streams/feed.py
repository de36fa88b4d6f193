"""What one subscription receives, and when: a first push, then a push at every instant that the feed names itself."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol

Action = Literal["snapshot", "update"]


class Push(NamedTuple):
    """One message of a feed, before it is written as JSON."""

    action: Action
    rows: list[Any]
    ts_ms: int


class Feed(Protocol):
    """A source of pushes; knows the future of its world, so it is asked only when a push is due.

    Attributes
    ----------
    stream : str
        Id of the stream for faults: ``stream.trades``.
    due_ms : int or None
        When the next push may be due; None if nothing will ever come.
    """

    stream: str
    due_ms: int | None

    def first(self, now_ms: int) -> Push | None:
        """Return what is sent at once after the acknowledgement, and begin to count from this instant."""

    def push(self, now_ms: int) -> Push | None:
        """Return what is due at ``due_ms``, or None if nothing changed, and move ``due_ms``; ``now_ms`` is later."""


class Silence:
    """A feed without a push: what a wrong product, or a channel of things that never happen, gives."""

    stream = "stream.silence"
    due_ms: int | None = None

    def first(self, now_ms: int) -> Push | None:
        return None

    def push(self, now_ms: int) -> Push | None:
        return None
