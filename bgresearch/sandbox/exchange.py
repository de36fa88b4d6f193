"""The sandbox exchange: one call from raw request to raw response, as strict as the real one.

It reads the same table as the client and shares nothing else with it. A lenient sandbox would make the client's tests
worthless, so it refuses everything that the real exchange refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from bgresearch.catalogue import Endpoint, load
from bgresearch.core.clock import Clock, SandboxClock
from bgresearch.sandbox import habits, validate
from bgresearch.sandbox.archive.served_archive import PREFIX, ServedArchive
from bgresearch.sandbox.authentication import KeyRing, admit
from bgresearch.sandbox.call import Call, Refusal
from bgresearch.sandbox.fast_clock import FastClock
from bgresearch.sandbox.faults import FaultName, Faults, Mishaps
from bgresearch.sandbox.generic_responder import invent
from bgresearch.sandbox.habits import Habits
from bgresearch.sandbox.messages import Request, Response, envelope
from bgresearch.sandbox.quotas import Quotas
from bgresearch.sandbox.responders import RESPONDERS
from bgresearch.sandbox.responders.books import level_texts
from bgresearch.sandbox.streams.connection_limits import AddressLimits
from bgresearch.sandbox.streams.served_connection import PATHS, ServedConnection, StreamContext
from bgresearch.sandbox.traders.accounts import make_accounts
from bgresearch.sandbox.traders.keys import SANDBOX_KEYS, SandboxKey
from bgresearch.sandbox.world.markets import Kind, find
from bgresearch.sandbox.world.order_books import DEEPEST, order_book
from bgresearch.sandbox.world.world import World

REMAINING_HEADER = "x-mbx-used-remain-limit"  # calls left, although the name says used (common/faq Q11)

_JSON = {"Content-Type": "application/json"}
_REFUSED: dict[FaultName, tuple[int, str, str]] = {
    "maintenance": (400, "45001", "Unknown error"),
    "rate429": (429, "429", "Too Many Requests"),
    "unknown_code": (400, "99999", "Something new"),
}
_HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser.</body></html>"
_UNKNOWN = ("40034", "40309", "25100")
_TOO_MANY = Refusal("429", "Too Many Requests", status=429)


class Exchange:
    """A whole exchange in memory: markets, accounts, keys, limits and faults.

    Parameters
    ----------
    seed : int
        Of the markets and accounts; the same seed gives the same exchange.
    clock : Clock, optional
        The exchange's own clock; the machine's if not given, moved by ``BGRESEARCH_SANDBOX_AHEAD_S`` seconds.
    faults : Faults, optional
        Its mishaps; none if not given.
    limits : bool
        Whether requests are counted; switch off only where a test is not about limits.
    keys : iterable of SandboxKey
        Who may sign.
    speed : float
        Seconds that pass in the markets in a second of the machine. What is counted on the wire (messages a second,
        pings, connections) stays in the machine's seconds, so that any client can keep the rules at any speed.

    Attributes
    ----------
    clock, faults, world, accounts
        As built; accounts by name: ``classic``, ``unified``, ``demo``.
    archive : ServedArchive
        Its downloadable history, below ``/online/``.
    habits : Habits
        In what it differs from what clients assume.

    Examples
    --------
    >>> answer = Exchange().handle(Request("GET", "/api/v2/public/time", {}, "127.0.0.1"))
    >>> answer.status
    200
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        clock: Clock | None = None,
        faults: Faults | None = None,
        limits: bool = True,
        keys: Iterable[SandboxKey] = tuple(SANDBOX_KEYS.values()),
        speed: float = 1.0,
    ) -> None:
        self.clock: Clock = clock if clock is not None else SandboxClock()
        if speed != 1:
            self.clock = FastClock(self.clock, speed)
        self.faults = faults if faults is not None else Faults(seed)
        self.world = World(seed)
        self.accounts = make_accounts(self.world)
        self.habits = Habits()
        self.archive = ServedArchive(self.world, self.faults, self.habits)
        self._keys = KeyRing(keys)
        self._quotas = Quotas() if limits else None
        self._restricted: dict[str, str] = {}
        self._catalogue = load()
        self._connections = count(1)
        self._addresses = AddressLimits() if limits else None

    def restrict(self, account: str, code: str = "40023") -> None:
        """Restrict an account, as the exchange does for a while: its keys are refused with this code; "" ends it."""
        self._restricted[account] = code

    def handle(self, request: Request) -> Response:
        """Return the answer to one request; never raises for anything a caller can send."""
        counted_ms = self.clock.now_ms()
        now_ms = counted_ms + self.faults.skew_ms
        if request.target.startswith(PREFIX):
            return self.archive.answer(request, now_ms)
        headers = dict(_JSON)
        try:
            if self._quotas is not None and not self._quotas.admits_address(request.address, counted_ms):
                raise _TOO_MANY
            endpoint = self._find(request)
            mishaps = self.faults.draw(endpoint.id)
            if mishaps.amounts and (spoilt := _instead(mishaps, now_ms)) is not None:
                return spoilt
            data = self._answer(endpoint, request, now_ms, counted_ms, headers)
        except Refusal as refusal:
            return Response(refusal.status, headers, envelope(refusal.code, refusal.message, None, now_ms))
        body = envelope("00000", "success", mishaps.spoil(endpoint, data), now_ms)
        if endpoint.version == "v3":
            headers["X-BG-REQUEST-ACCEPT-TIME"] = headers["X-BG-RESPONSE-COMPLETE-TIME"] = str(now_ms)
        return Response(200, headers, body, "truncate" if "truncation" in mishaps else "", mishaps.delay_s)

    def connect(self, path: str, headers: Mapping[str, str], address: str) -> ServedConnection | int:
        """Return one connection to a socket of the exchange, or the HTTP status with which it is refused.

        Parameters
        ----------
        path : str
            ``/v2/ws/public``, ``/v2/ws/private``, ``/v3/ws/public`` or ``/v3/ws/private``.
        headers : mapping of str to str
            Of the handshake. The exchange's demo environment has a host of its own, ``wspap...``; here the header
            ``paptrading: 1`` selects it as well, as all hosts are this machine.
        address : str
            The address of the peer.
        """
        if path not in PATHS:
            return 404
        if self._addresses is not None and not self._addresses.admits(address, self.clock.monotonic_s()):
            return 429
        lowered = {name.lower(): value for name, value in headers.items()}
        demo = lowered.get("paptrading") == "1" or lowered.get("host", "").startswith("wspap")
        context = StreamContext(
            self.clock, self.faults, self.world, self.accounts, self._keys, self._restricted, self._addresses,
            self.habits,
        )  # fmt: skip
        return ServedConnection(context, path, address=address, demo=demo, serial=next(self._connections))

    def order_book(self, symbol: str, *, kind: Kind = "spot", now_ms: int, levels: int = DEEPEST) -> dict[str, Any]:
        """Return the true book of a market at an instant: ``bids`` and ``asks``, best first, as they are written.

        Raises
        ------
        LookupError
            If there is no such market, or it does not trade then.
        """
        market = find(kind, symbol)
        if market is None:
            raise LookupError(symbol)
        image = order_book(self.world, market, now_ms, levels=levels)
        return {"bids": level_texts(market, image.bids()), "asks": level_texts(market, image.asks())}

    def _find(self, request: Request) -> Endpoint:
        if not request.target.isascii():
            raise Refusal("400172", "Parameter verification failed: the target is not percent-encoded")
        endpoint = self._catalogue.at_path(request.target.partition("?")[0])
        if endpoint is None:
            raise Refusal("40404", "Request URL NOT FOUND", status=404)
        if request.method != endpoint.method:
            raise Refusal("40805", f"The method {request.method} is not supported", status=405)
        return endpoint

    def _answer(
        self, endpoint: Endpoint, request: Request, now_ms: int, counted_ms: int, headers: dict[str, str]
    ) -> Any:
        """Return ``data``; writes the count of calls left into ``headers`` as soon as it is known."""
        key, account = None, None
        if endpoint.private:
            lowered = {name.lower(): value for name, value in request.headers.items()}
            key = self._keys.authenticate(request, lowered, now_ms)
            account = self.accounts[key.account]
            if code := self._restricted.get(key.account):
                raise Refusal(code, "The account is restricted")
            self._count(endpoint, account.uid, request.address, counted_ms, headers)
            demo_header = lowered.get("paptrading")
            admit(endpoint, key, account.mode, address=request.address, demo_header=demo_header)
        else:
            self._count(endpoint, "", request.address, counted_ms, headers)
        given = validate.decode(request.target.partition("?")[2], endpoint)
        params = validate.check(endpoint, given, now_ms)
        if params.get("productType") in validate.WITHDRAWN_PRODUCTS:
            return _nothing(endpoint)
        call = Call(endpoint, params, account, now_ms, self.world, key, self.habits.changed)
        try:
            return habits.answered(call, RESPONDERS.get(endpoint.id, invent)(habits.asked(call)))
        except Refusal as refusal:
            if refusal.code in _UNKNOWN and "symbols.unknown_refused" in call.habits:
                return _nothing(endpoint)
            raise

    def _count(self, endpoint: Endpoint, uid: str, address: str, counted_ms: int, headers: dict[str, str]) -> None:
        if self._quotas is None:
            return
        identity = uid if endpoint.limit.scope == "uid" else address
        left = self._quotas.take(endpoint, identity, counted_ms)
        if "limits.remaining_header" not in self.habits.changed:
            headers[REMAINING_HEADER] = str(left or 0)
        if left is None:
            raise _TOO_MANY


def _nothing(endpoint: Endpoint) -> Any:
    """Return an answer without rows in this row's shape."""
    if endpoint.response != "object":
        return []
    return {endpoint.rows_at: []} if endpoint.rows_at else {}


def _instead(mishaps: Mishaps, now_ms: int) -> Response | None:
    """Return the answer of a fault that replaces the real one, or None."""
    delay_s = mishaps.delay_s
    if "reset" in mishaps:
        return Response(0, {}, b"", "reset", delay_s)
    if "http500" in mishaps:
        return Response(500, {"Content-Type": "text/plain"}, b"Internal Server Error", delay_s=delay_s)
    if "html" in mishaps:
        return Response(200, {"Content-Type": "text/html"}, _HTML, delay_s=delay_s)
    for name, (status, code, message) in _REFUSED.items():
        if name in mishaps:
            return Response(status, dict(_JSON), envelope(code, message, None, now_ms), delay_s=delay_s)
    return None
