"""What is assumed of streams: a minute of trades and of an order book, on an ordinary connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bgresearch.catalogue.assumptions import BOOK_CHECKSUM, BOOK_SEQUENCE, HEARTBEAT, SNAPSHOT_FIRST
from bgresearch.client.doctor.about_candles import SYMBOL
from bgresearch.client.doctor.findings import Observation, judged
from bgresearch.client.doctor.prober import CouldNotAsk
from bgresearch.core.clock import Clock
from bgresearch.core.intervals import MINUTE_MS
from bgresearch.core.symbols import Named
from bgresearch.live.channels import Subscription, chosen_channel
from bgresearch.live.depth_book import BookBroken, DepthBook
from bgresearch.live.hosts import LiveAccess
from bgresearch.live.link import Connection
from bgresearch.live.protocol_core import PING, PONG, Event, Garbage, ProtocolCore, PushedRows, Refused
from bgresearch.live.websocket import Gone, Socket

_PING_S = 1.0  # so that a short minute, of a sandbox whose markets live faster, has one too
_PONG_S = 5.0  # longest wait for an answer; 0.1 s was measured
_POLL_S = 0.05


class _Heard:
    """A socket that counts pings and pongs."""

    def __init__(self, inner: Socket) -> None:
        self._inner = inner
        self.pings = self.pongs = 0

    def send(self, text: str) -> None:
        self.pings += text == PING
        self._inner.send(text)

    def receive(self, wait_s: float) -> str | bytes | None:
        message = self._inner.receive(wait_s)
        self.pongs += message in (PONG, PONG.encode())
        return message

    def close(self) -> None:
        self._inner.close()


@dataclass
class _Minute:
    """What was heard."""

    first: dict[str, str] = field(default_factory=dict)  # action of the first push, by channel
    pushes: int = 0
    updates: int = 0
    broken: str = ""  # why the book could not be continued
    ended: str = ""
    book: DepthBook = field(default_factory=DepthBook)

    def take(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, Refused | Garbage):
            self.ended = event.message if isinstance(event, Refused) else event.why
        if not isinstance(event, PushedRows):
            return
        name = event.subscription.channel.name
        self.first.setdefault(name, event.action)
        self.pushes += 1
        if name == "order_book" and not self.broken:
            self._follow(event)

    def _follow(self, push: PushedRows) -> None:
        try:
            for row in push.rows:
                self.updates += self.book.push(push.action, row, push.time_ms) and push.action == "update"
        except BookBroken as broken:
            self.broken = broken.cause


def streams(access: LiveAccess, clock: Clock, tick: Callable[[], None] = lambda: None) -> Iterator[Observation]:
    """Listen for a minute of the exchange's time; ``tick`` is called now and then."""
    wanted = [Subscription(chosen_channel(name, "spot"), Named(SYMBOL, "spot")) for name in ("trades", "order_book")]
    socket = _Heard(access.open("v2", private=False))
    heard, start_ms, start_s = _Minute(), clock.now_ms(), clock.monotonic_s()
    core = ProtocolCore(wanted, start_s, pace=access.pace._replace(ping_s=_PING_S, pong_s=_PONG_S * 2))
    connection = Connection(socket, core, clock)
    try:
        while not heard.ended and (
            clock.now_ms() - start_ms < MINUTE_MS
            or not (socket.pongs or (socket.pings and clock.monotonic_s() - start_s > _PONG_S))
        ):
            for event in connection.pump(_POLL_S):
                heard.take(event)
            tick()
    except Gone as gone:
        heard.ended = str(gone) or "the connection was closed"
    finally:
        socket.close()
    yield from _judged(heard, socket)


def _judged(heard: _Minute, socket: _Heard) -> Iterator[Observation]:
    if not heard.pushes and heard.ended:
        raise CouldNotAsk(f"nothing came: {heard.ended}.")
    silent = [] if socket.pongs else [f"{socket.pings} pings had no answer in {_PONG_S:.0f} s"]
    yield judged(HEARTBEAT.name, silent, f"{socket.pongs} of {socket.pings} pings were answered.")
    late = [f"the first push of {name} is {action!r}" for name, action in heard.first.items() if action != "snapshot"]
    late += [f"nothing came of {name}" for name in ("trades", "order_book") if name not in heard.first]
    yield judged(SNAPSHOT_FIRST.name, late, "Trades and order book began with a snapshot.")
    other = heard.broken not in ("", "checksum")
    if heard.updates or other:
        wrong = [f"after {heard.updates} updates: {heard.broken}"] if other else []
        yield judged(BOOK_SEQUENCE.name, wrong, f"{heard.updates} updates followed each other.")
    if heard.updates or heard.broken == "checksum":
        wrong = ["a checksum came that is not that of the book"] if heard.broken == "checksum" else []
        yield judged(BOOK_CHECKSUM.name, wrong, "None came that is wrong.")
