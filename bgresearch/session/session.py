"""What a client works with: one exchange, one store, one clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bgresearch.core.clock import Clock
from bgresearch.core.no_copies import NoCopies
from bgresearch.http.file_host import FileHost
from bgresearch.http.sender import Sender
from bgresearch.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from bgresearch.schemas import Shape


@dataclass(frozen=True)
class Session(NoCopies):
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

    def framed(self, shape: Shape, table: pa.Table, **words: Any) -> pd.DataFrame:
        """Return a table as a frame whose attrs name the exchange, the key's label and the environment."""
        sender = self.sender
        return shape.frame(table, host=sender.host, label=sender.label, demo=sender.demo, **words)
