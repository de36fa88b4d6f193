"""One WebSocket connection without its socket: texts and the time in, texts and closings out.

It is as strict as the exchange: what is refused there is refused here, with its code and in its shape, and what ends a
connection there ends it here. It never waits.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from bgresearch.core.clock import Clock
from bgresearch.sandbox.authentication import KeyRing
from bgresearch.sandbox.call import Refusal
from bgresearch.sandbox.faults import STREAM_FAULTS, FaultName, Faults, Mishaps
from bgresearch.sandbox.habits import Habits
from bgresearch.sandbox.streams import connection_limits as limits
from bgresearch.sandbox.streams.account_feeds import private_feed
from bgresearch.sandbox.streams.feed import Feed, Push
from bgresearch.sandbox.streams.subscriptions import (
    StreamRefusal,
    Wanted,
    error_event,
    is_book,
    public_feed,
    read,
)
from bgresearch.sandbox.traders.accounts import Account
from bgresearch.sandbox.traders.keys import SandboxKey
from bgresearch.sandbox.world.hash_random import bits_at, key_of
from bgresearch.sandbox.world.world import World

PATHS = {f"/{version}/ws/{access}": (version, access) for version in ("v2", "v3") for access in ("public", "private")}
ILLEGAL_REQUEST, UNKNOWN_OP, LOGIN_NEEDED, LOGIN_FAILED, OVER_LIMIT = 30002, 30003, 30004, 30005, 30007
_MOST_AT_ONCE = 100  # feeds served in one step, so that a far jump of the clock does not delay other connections
_GARBAGE = ('{"action":"upd', "<html><body>502 Bad Gateway</body></html>", '{"action":"update","data":17}', "\u0000")

Ending = Literal["", "abort", "expired", "refused", "over_limit"]


class Outgoing(NamedTuple):
    """One thing to do on the wire.

    Attributes
    ----------
    text : str
        A message to send, or empty.
    ending : {"", "abort", "expired", "refused", "over_limit"}
        Why the connection ends. ``abort``: it is gone without a closing handshake; all others with one.
    """

    text: str = ""
    ending: Ending = ""


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What the connections of one exchange share."""

    clock: Clock
    faults: Faults
    world: World
    accounts: Mapping[str, Account]
    keys: KeyRing
    restricted: Mapping[str, str]
    addresses: limits.AddressLimits | None
    habits: Habits


@dataclass(slots=True, eq=False)
class _Subscribed:
    wanted: Wanted
    feed: Feed
    silent_until_s: float = -math.inf
    held: str = ""


@dataclass(slots=True)
class _Counts:
    """What a connection has used up."""

    messages: limits.SlidingWindow = field(
        default_factory=lambda: limits.SlidingWindow(limits.MESSAGES_PER_S, 1.0),
    )
    subscribes: limits.SlidingWindow = field(
        default_factory=lambda: limits.SlidingWindow(limits.SUBSCRIBES_PER_H, 3600.0),
    )


class ServedConnection:
    """One connection to the sandbox's sockets, from the handshake to the end.

    Parameters
    ----------
    context : StreamContext
        Of the exchange.
    path : str
        One of `PATHS`.
    address : str
        Where it came from.
    demo : bool
        Whether it came in through the demo environment's host.
    serial : int
        Which connection of the exchange it is.
    """

    def __init__(self, context: StreamContext, path: str, *, address: str, demo: bool = False, serial: int = 0) -> None:
        self.version, self.access = PATHS[path]
        self.ended = False
        self._context, self._address, self._demo = context, address, demo
        self._id = _connection_id(serial)
        self._opened_s = self._pinged_s = context.clock.monotonic_s()
        self._counts = _Counts() if context.addresses is not None else None
        self._key: SandboxKey | None = None
        self._subscribed: dict[str, _Subscribed] = {}
        self._agenda: list[tuple[int, int, _Subscribed]] = []
        self._planned = 0
        self._silent_until_s = -math.inf

    def receive(self, message: str | bytes) -> list[Outgoing]:
        """Return the replies to one message."""
        if self.ended:
            return []
        now_s = self._context.clock.monotonic_s()
        if self._counts is not None and not self._counts.messages.admits(now_s):
            return self._over_limit("too many messages")
        if message == "ping":
            self._pinged_s = now_s
            quiet = "stream.heartbeat" in self._context.habits.changed
            return self._sent([] if quiet else [Outgoing("pong")], now_s)
        try:
            asked = json.loads(message)
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or not isinstance(asked.get("op"), str):
            return self._sent([self._error(ILLEGAL_REQUEST, "Illegal request")], now_s)
        return self._sent(self._do(asked, len(message.encode() if isinstance(message, str) else message)), now_s)

    def due(self) -> list[Outgoing]:
        """Return what has become due since the last step: pushes, or the end of the connection."""
        if self.ended:
            return []
        now_s = self._context.clock.monotonic_s()
        if now_s - self._pinged_s > limits.PING_WITHIN_S:
            return self._end(Outgoing(ending="abort"))
        if now_s - self._opened_s >= limits.LONGEST_S:
            return self._end(Outgoing(ending="expired"))
        now_ms = self._now_ms()
        out: list[Outgoing] = []
        for _ in range(_MOST_AT_ONCE):
            if not self.behind(now_ms):
                break
            _, _, one = heapq.heappop(self._agenda)
            if self._subscribed.get(one.wanted.key) is not one:
                continue
            push = one.feed.push(now_ms)
            self._plan(one)
            if push is not None:
                out += self._pushed(one, push, now_s, first=False)
        return out

    def behind(self, now_ms: int | None = None) -> bool:
        """Return whether something is due that was not pushed yet."""
        return bool(self._agenda) and self._agenda[0][0] <= (self._now_ms() if now_ms is None else now_ms)

    def close(self) -> None:
        """Note that the connection is gone."""
        self._end(Outgoing())

    # requests

    def _do(self, asked: dict[str, Any], size: int) -> list[Outgoing]:
        op, arguments = asked["op"], asked.get("args")
        if op not in ("login", "subscribe", "unsubscribe"):
            return [self._error(UNKNOWN_OP, f"Invalid op: {op}")]
        if not isinstance(arguments, list) or not arguments:
            return [self._error(ILLEGAL_REQUEST, "Illegal request")]
        if op == "login":
            return self._login(arguments)
        if op == "unsubscribe":
            return [self._unsubscribe(argument) for argument in arguments]
        return self._subscribe(arguments, size)

    def _subscribe(self, arguments: list[Any], size: int) -> list[Outgoing]:
        if size > limits.LARGEST_SUBSCRIBE:
            return self._over_limit("the message is longer than 4096 bytes")
        if self._counts is not None and not self._counts.subscribes.admits(self._context.clock.monotonic_s()):
            return self._over_limit("too many subscriptions")
        if self.version == "v3" and sum(map(is_book, arguments)) > limits.MOST_BOOK_ARGUMENTS:
            return self._end(Outgoing(ending="abort"))
        now_ms, replies, fresh = self._now_ms(), [], []
        for argument in arguments:
            try:
                wanted = read(self.version, argument)
                feed = self._feed(wanted, now_ms)
            except StreamRefusal as refusal:
                replies.append(Outgoing(_text(error_event(self.version, refusal, argument, self._id))))
                continue
            replies.append(self._acknowledged("subscribe", wanted.arg))
            if wanted.key not in self._subscribed:
                one = self._subscribed[wanted.key] = _Subscribed(wanted, feed)
                fresh.append(one)
        if len(self._subscribed) > limits.CHANNELS:
            return self._over_limit("too many channels")
        return replies + self._begun(fresh, now_ms)

    def _begun(self, fresh: list[_Subscribed], now_ms: int) -> list[Outgoing]:
        out: list[Outgoing] = []
        for one in fresh:
            push = one.feed.first(now_ms)
            self._plan(one)
            late = "stream.snapshot_first" in self._context.habits.changed
            if push is not None and not self.ended and not late:
                out += self._pushed(one, push, self._context.clock.monotonic_s(), first=True)
        return out

    def _feed(self, wanted: Wanted, now_ms: int) -> Feed:
        if self.access == "public":
            return public_feed(self._context.world, wanted, now_ms)
        if self._key is None:
            raise StreamRefusal(LOGIN_NEEDED, "User needs to log in")
        account = self._context.accounts[self._key.account]
        if code := self._context.restricted.get(self._key.account):
            raise StreamRefusal(int(code), "The account is restricted")
        return private_feed(self._context.world, wanted, self._key, account)

    def _unsubscribe(self, argument: Any) -> Outgoing:
        try:
            wanted = read(self.version, argument)
        except StreamRefusal as refusal:
            return Outgoing(_text(error_event(self.version, refusal, argument, self._id)))
        self._subscribed.pop(wanted.key, None)
        return self._acknowledged("unsubscribe", wanted.arg)

    def _login(self, arguments: list[Any]) -> list[Outgoing]:
        if self.access != "private":
            return [self._error(ILLEGAL_REQUEST, "Illegal request")]
        given = arguments[0] if isinstance(arguments[0], Mapping) else {}
        try:
            self._key = self._context.keys.log_in(given, self._now_ms(), address=self._address, demo=self._demo)
        except Refusal as refusal:
            return self._end(self._error(int(refusal.code), refusal.message), Outgoing(ending="refused"))
        # documented as the text "0"; both versions send the number, and clients of others wait for that
        return [Outgoing(_text({"event": "login", "code": 0, "connId": self._id}))]

    # replies

    def _acknowledged(self, event: str, arg: dict[str, str]) -> Outgoing:
        reply: dict[str, Any] = {"event": event, "arg": arg}
        return Outgoing(_text({**reply, "connId": self._id} if self.version == "v3" else reply))

    def _error(self, code: int, message: str) -> Outgoing:
        event: dict[str, Any] = {"event": "error", "code": code, "msg": message}
        return Outgoing(_text({**event, "connId": self._id} if self.version == "v3" else event))

    def _over_limit(self, what: str) -> list[Outgoing]:
        error = self._error(OVER_LIMIT, f"Request over limit, connection close: {what}")
        return self._end(error, Outgoing(ending="over_limit"))

    def _end(self, *last: Outgoing) -> list[Outgoing]:
        if not self.ended:
            self.ended = True
            self._subscribed.clear()
            self._agenda.clear()
            if self._context.addresses is not None:
                self._context.addresses.release(self._address)
        return list(last)

    # pushes

    def _now_ms(self) -> int:
        return self._context.clock.now_ms() + self._context.faults.skew_ms

    def _plan(self, one: _Subscribed) -> None:
        if one.feed.due_ms is not None:
            self._planned += 1
            heapq.heappush(self._agenda, (one.feed.due_ms, self._planned, one))

    def _sent(self, out: list[Outgoing], now_s: float) -> list[Outgoing]:
        """Return what leaves: nothing while the whole connection is stalled, not even a pong."""
        return [one for one in out if one.ending] if now_s < self._silent_until_s else out

    def _pushed(self, one: _Subscribed, push: Push, now_s: float, *, first: bool) -> list[Outgoing]:
        """Return a push as it leaves, after the faults that apply to it."""
        if now_s < max(self._silent_until_s, one.silent_until_s):
            return []
        rows = (
            [_otherwise(row, self._context.habits.changed) for row in push.rows]
            if is_book(one.wanted.arg)
            else push.rows
        )
        whole = {"action": push.action, "arg": one.wanted.arg, "data": rows, "ts": push.ts_ms}
        text = _text(whole)
        faults = self._context.faults.draw(one.feed.stream, _FIRST_FAULTS if first else _LATER_FAULTS)
        if faults.amounts:
            return self._after_faults(one, text, faults, now_s)
        held, one.held = one.held, ""
        return [Outgoing(text), Outgoing(held)] if held else [Outgoing(text)]

    def _after_faults(self, one: _Subscribed, text: str, faults: Mishaps, now_s: float) -> list[Outgoing]:
        for name, ending in _ENDINGS.items():
            if name in faults:
                last = [Outgoing(text[: len(text) // 2])] if name == "half_snapshot" else []
                return self._end(*last, Outgoing(ending=ending))
        if "stall" in faults:
            until_s = now_s + (faults.amounts["stall"] or math.inf)
            if "stall" in faults.aimed:
                one.silent_until_s = until_s
            else:
                self._silent_until_s = until_s
        if "stall" in faults or "gap" in faults:
            return []
        if "garbage" in faults:
            return [Outgoing(_GARBAGE[faults.seed % len(_GARBAGE)])]
        if "reorder" in faults and not one.held:
            one.held = text
            return []
        held, one.held = one.held, ""
        return [Outgoing(each) for each in (text, text if "duplicate" in faults else "", held) if each]


def _otherwise(row: dict[str, Any], habits: frozenset[str]) -> dict[str, Any]:
    """Return a book as an exchange with these habits sends it."""
    if "stream.book_sequence" in habits and row.get("pseq"):
        row = row | {"pseq": row["pseq"] + 1}
    return row | {"checksum": 1} if "stream.book_checksum" in habits else row


_ENDINGS: dict[FaultName, Ending] = {"drop": "abort", "cut_24h": "expired", "half_snapshot": "abort"}
_FIRST_FAULTS = STREAM_FAULTS - {"gap", "duplicate", "reorder"}
_LATER_FAULTS = STREAM_FAULTS - {"half_snapshot"}


def _text(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _connection_id(serial: int) -> str:
    key = key_of("connection", serial)
    words = [f"{bits_at(key, place):016x}" for place in range(4)]
    return f"{words[0]}-{words[1][:8]}-{words[1][8:]}-{words[2]}-{words[3][:8]}"
