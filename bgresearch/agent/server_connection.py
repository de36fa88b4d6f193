"""The server's end of one connection."""

from __future__ import annotations

import selectors
import socket
from concurrent.futures import Future


class Caller:
    """One connection: bytes received, bytes still to send, and whether a thread works for it."""

    __slots__ = ("ends", "incoming", "outgoing", "progress_s", "socket", "work")

    def __init__(self, connection: socket.socket, now_s: float) -> None:
        self.socket = connection
        self.incoming = bytearray()
        self.outgoing = memoryview(b"")
        self.work: Future[bytes] | None = None
        self.ends = False
        self.progress_s = now_s

    @property
    def works(self) -> bool:
        """Whether a thread works for it."""
        return self.work is not None

    @property
    def interest(self) -> int:
        """What the loop waits for: to write, to read, or for the thread."""
        if self.outgoing:
            return selectors.EVENT_WRITE
        return 0 if self.works else selectors.EVENT_READ

    @property
    def stalls(self) -> bool:
        """Whether the other side has to send or read something."""
        return bool(self.outgoing) or (bool(self.incoming) and not self.works)
