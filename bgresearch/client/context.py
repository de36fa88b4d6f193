"""What the parts of a client share: exchange, store, account and streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgresearch.core.progress import Wish
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session

if TYPE_CHECKING:
    from weakref import WeakSet

    from bgresearch.live.hosts import LiveAccess
    from bgresearch.live.stream import Stream


@dataclass(frozen=True)
class ClientContext:
    """What the parts of a client share.

    Attributes
    ----------
    source : Session
        Exchange and store.
    progress : "auto", bool or callable
        As on `connect`.
    identity : AccountIdentity
        Learns the account's mode and user id.
    live : LiveAccess or None
        How streams connect; None where there are none.
    streams : WeakSet of Stream
        Those to stop when the client is closed.
    """

    source: Session
    progress: Wish
    identity: AccountIdentity
    live: LiveAccess | None
    streams: WeakSet[Stream]
