"""What a client works with: one exchange, one store, one clock."""

from __future__ import annotations

from dataclasses import dataclass

from bgresearch.core.clock import Clock
from bgresearch.http.file_host import FileHost
from bgresearch.http.sender import Sender
from bgresearch.store import Store


@dataclass(frozen=True)
class Session:
    """Where candles come from: one exchange, one store.

    Attributes
    ----------
    sender : Sender
        Who talks to the exchange.
    store : Store
        What is already known.
    clock : Clock
        What time it is.
    offline : bool
        Whether asking the exchange is forbidden.
    archive : FileHost or None
        Where the exchange's bulk history is; None where it has none.
    """

    sender: Sender
    store: Store
    clock: Clock
    offline: bool = False
    archive: FileHost | None = None
