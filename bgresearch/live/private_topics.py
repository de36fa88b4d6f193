"""The private channels that may be subscribed to, by version of the protocol; the agent sends no other message."""

from __future__ import annotations

import json
from collections.abc import Mapping

PRIVATE_TOPICS: Mapping[str, frozenset[str]] = {
    "v2": frozenset({"account", "positions", "orders", "fill"}),
    "v3": frozenset({"account", "position", "order", "fill"}),
}
PING = "ping"
_MOST_BYTES, _MOST_ARGUMENTS = 4096, 10
_NAMES: Mapping[str, frozenset[str]] = {
    "v2": frozenset({"instType", "channel", "instId", "coin"}),
    "v3": frozenset({"instType", "topic"}),
}


def is_read_only(version: str, text: str) -> bool:
    """Return whether a message can only read: a ping, or a (un)subscription of private channels of this version."""
    if text == PING:
        return True
    if len(text.encode()) > _MOST_BYTES:
        return False
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(message, dict) or set(message) != {"op", "args"}:
        return False
    arguments = message["args"]
    if message["op"] not in ("subscribe", "unsubscribe") or not isinstance(arguments, list):
        return False
    return 0 < len(arguments) <= _MOST_ARGUMENTS and all(_is_argument(version, one) for one in arguments)


def _is_argument(version: str, argument: object) -> bool:
    if not isinstance(argument, dict) or not set(argument) <= _NAMES.get(version, frozenset()):
        return False
    if not all(isinstance(value, str) for value in argument.values()):
        return False
    topic = argument.get("channel" if version == "v2" else "topic")
    return topic in PRIVATE_TOPICS[version]
