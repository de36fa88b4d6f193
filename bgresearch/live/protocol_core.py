"""One connection without its socket: texts in, events out, and which texts to send when. Pure.

The carrier (`link`) hands every text that arrives to `received` and sends what `due` returns; the time comes in as an
argument. So everything here can be tested without a socket, and behaves the same on recorded frames.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bgresearch.catalogue.assumptions import HEARTBEAT
from bgresearch.live.channels import Subscription, key_of
from bgresearch.live.decoding import Unreadable, parsed
from bgresearch.live.pacing import (
    ARGUMENTS_PER_MESSAGE,
    LONGEST_QUIET_S,
    MESSAGE_BYTES,
    USUAL,
    Budget,
    Failure,
    Heartbeat,
    Pace,
)

PING, PONG = HEARTBEAT.value
_SPACING_S = 1.0  # between two subscribe messages of the unified version


class PushedRows(NamedTuple):
    """Rows of a subscription."""

    subscription: Subscription
    action: str
    rows: list[Any]
    time_ms: int


class Refused(NamedTuple):
    """The exchange refuses a subscription; ``subscription`` is None if it does not say which one."""

    subscription: Subscription | None
    code: str
    message: str


class Silent(NamedTuple):
    """Nothing was received for a subscription for long although the connection lives; it is asked for again."""

    subscription: Subscription


class Acknowledged(NamedTuple):
    """The exchange accepts a subscription: from now on everything is pushed."""

    subscription: Subscription


class Garbage(NamedTuple):
    """A text that is not what the exchange documents."""

    why: str


Event = PushedRows | Acknowledged | Refused | Garbage | Silent


@dataclass
class _State:
    """What is known of one subscription: when it was sent, whether data came since, how long it may be silent."""

    sent_s: float | None = None
    heard_s: float = 0.0
    quiet_s: float = 0.0
    acknowledged: bool = False
    has_data: bool = False
    refused: bool = False


@dataclass
class ProtocolCore:
    """The state of one connection.

    Parameters
    ----------
    subscriptions : sequence of Subscription
        What this connection carries.
    now_s : float
        When it was opened.
    budget : Budget
        Counts what is sent.
    pace : Pace
        How patient it is.
    """

    subscriptions: Sequence[Subscription]
    now_s: float
    budget: Budget = field(default_factory=Budget)
    pace: Pace = USUAL

    def __post_init__(self) -> None:
        self.heartbeat = Heartbeat(self.now_s, self.pace)
        self.opened_s = self.now_s
        self.messages = 0
        self._by_key = {one.key: one for one in self.subscriptions}
        self._by_argument: dict[tuple[Any, ...], Subscription] = {}
        self._state = {one.key: _State(quiet_s=self.pace.quiet_s) for one in self.subscriptions}
        self._leaving: deque[Subscription] = deque()
        self._waiting = deque(self.subscriptions)
        self._next_subscribe_s = self.now_s

    @property
    def is_waiting(self) -> bool:
        """Whether a subscription is still to be sent."""
        return bool(self._waiting or self._leaving)

    @property
    def ready(self) -> bool:
        """Whether every subscription was acknowledged, and has data where data follows at once."""
        return not self._waiting and all(
            state.refused or (state.has_data if self._by_key[key].channel.pushes_first else state.acknowledged)
            for key, state in self._state.items()
        )

    def due(self, now_s: float) -> list[str]:
        """Return the texts to send now; they count as sent."""
        texts: list[str] = []
        if self.heartbeat.ping_is_due(now_s):
            self.heartbeat.pinged(now_s)
            self.budget.count(now_s, subscribes=False)
            texts.append(PING)
        while (text := self._next_message(now_s)) is not None:
            texts.append(text)
        return texts

    def resubscribe(self, subscription: Subscription) -> None:
        """Drop a subscription and ask for it again: a fresh snapshot follows."""
        if subscription not in self._waiting:
            self._leaving.append(subscription)
            self._waiting.append(subscription)
            self._state[subscription.key] = _State(quiet_s=self._state[subscription.key].quiet_s)

    def silent(self, now_s: float) -> list[Event]:
        """Ask again for subscriptions that have been silent for long, and return which ones.

        The exchange pushes nothing when nothing changes, so silence alone is no fault: after each fruitless question
        twice the silence is allowed, up to an hour.
        """
        found: list[Event] = []
        for key, state in self._state.items():
            one = self._by_key[key]
            if not one.channel.pushes_first or not state.has_data or now_s - state.heard_s <= state.quiet_s:
                continue
            self.resubscribe(one)
            self._state[key] = _State(quiet_s=min(2 * state.quiet_s, LONGEST_QUIET_S))
            found.append(Silent(one))
        return found

    def received(self, text: str | bytes, now_s: float) -> list[Event]:
        """Take in one text and return what it means."""
        self.heartbeat.heard_s = now_s
        if text in (PONG, b"pong"):
            self.heartbeat.ponged()
            return []
        self.messages += 1
        try:
            return self._meaning(parsed(text), now_s)
        except Unreadable as error:
            return [Garbage(str(error))]

    def failure(self, now_s: float) -> Failure | None:
        """Return why the connection has to be given up, None if it need not."""
        if (found := self.heartbeat.failure(now_s)) is not None:
            return found
        late = any(
            state.sent_s is not None and now_s - state.sent_s > self.pace.first_data_s
            and not (state.refused or state.has_data)
            and (self._by_key[key].channel.pushes_first or not state.acknowledged)
            for key, state in self._state.items()
        )  # fmt: skip
        return "no data" if late else None

    def _next_message(self, now_s: float) -> str | None:
        leaving = bool(self._leaving)
        queue = self._leaving or self._waiting
        if not queue or now_s < self._next_subscribe_s or not self.budget.admits(now_s, subscribes=True):
            return None
        batch = [queue.popleft() for _ in range(min(ARGUMENTS_PER_MESSAGE, len(queue)))]
        text = _message("unsubscribe" if leaving else "subscribe", batch)
        while len(text.encode()) > MESSAGE_BYTES and len(batch) > 1:
            queue.appendleft(batch.pop())
            text = _message("unsubscribe" if leaving else "subscribe", batch)
        self.budget.count(now_s, subscribes=True)
        if any(one.channel.version == "v3" for one in batch) and not leaving:
            self._next_subscribe_s = now_s + _SPACING_S
        if not leaving:
            for one in batch:
                self._state[one.key].sent_s = now_s
        return text

    def _meaning(self, frame: Any, now_s: float) -> list[Event]:
        if not isinstance(frame, dict):
            raise Unreadable("a frame is no object")
        if "event" in frame:
            return self._reply(frame)
        argument, rows = frame.get("arg"), frame.get("data")
        if not isinstance(argument, dict) or not isinstance(rows, list) or not isinstance(frame.get("action"), str):
            raise Unreadable("a frame is neither a reply nor a push")
        subscription = self._subscription_of(argument)
        if subscription is None:
            return []  # the rest of a subscription that was ended
        state = self._state[subscription.key]
        if state.has_data:
            state.quiet_s = self.pace.quiet_s  # it pushes by itself, not only after a subscription
        state.has_data, state.heard_s = True, now_s
        time = frame.get("ts")
        return [PushedRows(subscription, frame["action"], rows, time if isinstance(time, int) else 0)]

    def _subscription_of(self, argument: Mapping[str, Any]) -> Subscription | None:
        """Return the subscription that a push echoes; the spellings that were seen are remembered."""
        seen = tuple(argument.values())
        try:
            return self._by_argument[seen]
        except KeyError:
            found = self._by_key.get(key_of(argument))
            if found is not None:
                self._by_argument[seen] = found
            return found
        except TypeError:
            return None  # a value that is no text

    def _reply(self, frame: Mapping[str, Any]) -> list[Event]:
        event, code = frame["event"], str(frame.get("code", ""))
        if event == "error":
            return [self._refusal(frame, code)]
        subscription = self._by_key.get(key_of(_argument_of(frame)))
        if event == "subscribe" and subscription is not None:
            self._state[subscription.key].acknowledged = True
            return [Acknowledged(subscription)]
        return []

    def _refusal(self, frame: Mapping[str, Any], code: str) -> Refused:
        subscription = self._by_key.get(key_of(_argument_of(frame)))
        if subscription is not None:
            self._state[subscription.key].refused = True
        return Refused(subscription, code, _printed(frame.get("msg")))


def grouped(subscriptions: Iterable[Subscription], most: int) -> list[list[Subscription]]:
    """Return the subscriptions by the connection that carries them: one version and kind of access each."""
    found: list[list[Subscription]] = []

    def kind(one: Subscription) -> tuple[str, bool]:
        return one.channel.version, one.channel.private

    for _kind, group in itertools.groupby(sorted(subscriptions, key=kind), key=kind):
        members = list(group)
        found += [members[start : start + most] for start in range(0, len(members), most)]
    return found


def _message(op: str, batch: Sequence[Subscription]) -> str:
    return json.dumps({"op": op, "args": [one.argument for one in batch]}, separators=(",", ":"))


def _argument_of(frame: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the argument that a reply is about; errors of the unified version hold it as JSON inside their message."""
    argument = frame.get("arg")
    if isinstance(argument, dict):
        return argument
    text = frame.get("msg")
    if isinstance(text, str) and text.startswith("{") and "}" in text:
        try:
            inner = parsed(text[: text.rindex("}") + 1])
        except Unreadable:
            return {}
        return inner if isinstance(inner, dict) else {}
    return {}


def _printed(text: Any) -> str:
    return "".join(one for one in str(text)[:200] if one.isprintable())
