"""What a client works with: one exchange, one store, one clock."""

from __future__ import annotations

from dataclasses import dataclass

from bgresearch.core.clock import Clock
from bgresearch.http.file_host import FileHost
from bgresearch.http.sender import Sender
from bgresearch.store import Store


@dataclass(frozen=True)
class Session:
    """One exchange, one store and one clock; the source of all data of a client.

    Attributes
    ----------
    sender : Sender
        Sends requests to the exchange.
    store : Store
        Holds what was fetched before.
    clock : Clock
        Gives the time.
    offline : bool
        Whether requests to the exchange are forbidden.
    archive : FileHost or None
        Where the exchange's bulk history is; None where it has none.
    """

    sender: Sender
    store: Store
    clock: Clock
    offline: bool = False
    archive: FileHost | None = None
