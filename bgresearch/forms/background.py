"""Background work, in a thread, so that a cell can run and a button can be pressed meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

Work = Callable[[], None]
Runner = Callable[[Work], None]


def in_thread(work: Work) -> None:
    """Start the work and return at once; it sets its result in widgets, which may be done from any thread."""
    threading.Thread(target=work, name="bgresearch-form", daemon=True).start()


def at_once(work: Work) -> None:
    """Do the work before returning: for tests and scripts."""
    work()
