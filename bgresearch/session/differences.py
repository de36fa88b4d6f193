"""Where the exchange was seen to differ from what the code assumes: remembered in the store, used, or said.

``bgresearch doctor`` finds differences; the file belongs to the folder's exchange, as learned look-backs do.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from bgresearch.catalogue.assumptions import ASSUMPTIONS
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.once_a_day import OncePerDay
from bgresearch.errors import UndocumentedData
from bgresearch.session.session import Session
from bgresearch.store import Store

FILE = "differences.json"
FORGOTTEN_MS = 30 * DAY_MS  # the exchange may have changed again since
MOST_TEXT = 300

_log = logging.getLogger(__name__)
_said = OncePerDay()


class Differences:
    """What was seen of one exchange.

    Parameters
    ----------
    found : mapping
        By name of the assumption: ``seen_ms``, ``text`` (what was seen, in words) and ``values`` (numbers by subject).
    now_ms : int
        What was seen long ago is forgotten.
    """

    def __init__(self, found: Mapping[str, Any], now_ms: int) -> None:
        self._found = {name: one for name, one in found.items() if _is_entry(one) and _is_young(one, now_ms)}

    def text(self, name: str) -> str | None:
        """Return in words how an assumption was seen to differ, None if it was not."""
        one = self._found.get(name)
        return None if one is None else str(one["text"])

    def value(self, name: str, subject: str) -> int | None:
        """Return the number that was seen instead of the assumed one, None if none was."""
        value = self._found.get(name, {}).get("values", {}).get(subject)
        return value if type(value) is int and value > 0 else None


def differences(source: Session) -> Differences:
    """Return what was seen of the exchange whose data is in this store."""
    return Differences(_read(source.store.read_file(FILE)), source.clock.now_ms())


def remember(store: Store, differing: Mapping[str, Mapping[str, Any]], held: Iterable[str], now_ms: int) -> None:
    """Keep what differs, and forget what was seen to hold again; anything else stays as it was.

    Parameters
    ----------
    store : Store
        Where it is kept.
    differing : mapping
        By name of the assumption: ``text``, and ``values`` if numbers were seen.
    held : iterable of str
        Names of assumptions that hold.
    now_ms : int
        When it was seen.
    """
    gone, news = set(held), {name: {**one, "seen_ms": now_ms} for name, one in differing.items()}
    if not news and not gone & _read(store.read_file(FILE)).keys():
        return

    def changed(text: bytes | None) -> bytes:
        kept = {name: one for name, one in _read(text).items() if name not in gone}
        return json.dumps(kept | news, sort_keys=True).encode()

    store.edit_private(FILE, changed)


def say_differences(source: Session, verb: str) -> None:
    """Say, once a day and process, how the exchange was seen to differ from what a verb rests on."""
    seen = differences(source)
    for one in ASSUMPTIONS:
        text = seen.text(one.name) if verb in one.verbs else None
        if text is None or not _said.is_due(source.clock, str(source.store.data_dir), one.name):
            continue
        said = f"{one.name} does not hold at {source.sender.host}: {text} {one.otherwise}"
        if one.warns:
            warnings.warn(f"{said} `bgresearch doctor` asks again.", UndocumentedData, stacklevel=4)
        else:
            _log.info("%s", said)


def _read(text: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_entry(one: object) -> bool:
    if not isinstance(one, dict) or type(one.get("seen_ms")) is not int:
        return False
    text, values = one.get("text"), one.get("values", {})
    return isinstance(text, str) and len(text) <= MOST_TEXT and isinstance(values, dict)


def _is_young(one: Mapping[str, Any], now_ms: int) -> bool:
    return bool(now_ms - one["seen_ms"] <= FORGOTTEN_MS)
