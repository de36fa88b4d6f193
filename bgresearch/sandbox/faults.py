"""Everything that can go wrong on the way, by name, on demand: seeded, counted or by chance, per row or for all.

A fault never lets a call through that the gate would refuse: it only spoils what is answered.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bgresearch.catalogue import Endpoint

RestFault = Literal[
    "http500", "maintenance", "rate429", "unknown_code", "html", "reset", "truncation", "latency", "clock_skew",
    "duplicates", "shuffle", "false_empty", "empty_string", "wrong_type",
]  # fmt: skip
StreamFault = Literal["drop", "stall", "gap", "duplicate", "reorder", "garbage", "half_snapshot", "cut_24h"]
ArchiveFault = Literal[
    "absent", "block", "http503", "swapped_instrument", "truncated", "bad_crc", "unsorted", "reuploaded"
]
FaultName = RestFault | StreamFault | ArchiveFault

REST_FAULTS: frozenset[FaultName] = frozenset(get_args(RestFault))
STREAM_FAULTS: frozenset[FaultName] = frozenset(get_args(StreamFault))
ARCHIVE_FAULTS: frozenset[FaultName] = frozenset(get_args(ArchiveFault))
FAULT_NAMES = (*get_args(RestFault), *get_args(StreamFault), *get_args(ArchiveFault))


@dataclass(slots=True)
class Fault:
    """One fault that is switched on.

    Attributes
    ----------
    name : str
        Which one.
    endpoint : str or None
        Id of the only row, stream or archive that it hits, or None for all.
    probability : float
        Chance per request, or per push of a stream.
    times : int or None
        Requests or pushes it will still hit, or None for as long as it stays on.
    amount : float
        Seconds for ``latency`` and ``stall``, milliseconds for ``clock_skew``.
    """

    name: FaultName
    endpoint: str | None = None
    probability: float = 1.0
    times: int | None = None
    amount: float = 0.0


class Faults:
    """The switchboard of an exchange's faults; thread-safe.

    Parameters
    ----------
    seed : int
        For the chances and the shuffles: the same calls meet the same faults.

    Examples
    --------
    >>> faults = Faults()
    >>> faults.inject("rate429", endpoint="spot.candles", times=2)
    >>> faults.inject("latency", probability=0.1, amount=0.5)
    """

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible mishaps, not secrets
        self._lock = threading.Lock()
        self._on: list[Fault] = []

    def inject(
        self,
        name: FaultName,
        *,
        endpoint: str | None = None,
        probability: float = 1.0,
        times: int | None = None,
        amount: float = 0.0,
    ) -> None:
        """Switch a fault on.

        Parameters
        ----------
        name : str
            REST: ``http500``, ``maintenance`` (45001), ``rate429``, ``unknown_code``, ``html``, ``reset`` (connection
            closed without an answer), ``truncation`` (closed in the middle), ``latency``, ``clock_skew`` (for as long
            as it is on; not per row), ``duplicates``, ``shuffle``, ``false_empty``, ``empty_string`` (instead of the
            rows), ``wrong_type`` (rows that are no rows).
            Pushes of a stream: ``drop`` (connection cut without a goodbye), ``stall`` (nothing comes any more, pongs
            included; with ``endpoint`` that stream alone is silent), ``gap`` (the push is lost), ``duplicate``,
            ``reorder`` (it comes after the next one), ``garbage`` instead of it, ``half_snapshot`` (half of the first
            push, then cut), ``cut_24h`` (closed as after a day).
            Files of the archive: ``absent``, ``block`` (403 that is no absence), ``http503``,
            ``swapped_instrument``, ``truncated`` (half of the file is stored), ``bad_crc``, ``unsorted``,
            ``reuploaded`` (other content, tag and time from then on); and of REST ``rate429``, ``http500`` (as 503),
            ``reset``, ``truncation``, ``latency``.
        endpoint : str, optional
            Id of the only row it hits; ``stream.trades``, ``stream.candles``, ``stream.tickers``,
            ``stream.order_book``, ``stream.liquidations``, ``stream.account``, ``stream.positions``,
            ``stream.orders`` or ``stream.fills`` for a stream; ``archive.trades``, ``archive.candles``,
            ``archive.quotes``, ``archive.books`` or a file's key below ``/online/`` for files.
        probability : float
            Chance per request, or per push.
        times : int, optional
            How many requests or pushes it hits before it goes off by itself.
        amount : float
            Seconds of ``latency`` and ``stall`` (0: for good), milliseconds of ``clock_skew``.

        Raises
        ------
        ValueError
            For an unknown name, a probability outside 0 to 1, or a countdown for ``clock_skew``.
        """
        if name not in FAULT_NAMES:
            raise ValueError(f"{name!r} is no fault; there are {', '.join(FAULT_NAMES)}")
        if not 0 <= probability <= 1:
            raise ValueError(f"a probability is between 0 and 1, not {probability}")
        if name == "clock_skew" and (endpoint is not None or times is not None or probability != 1):
            raise ValueError("clock_skew holds for the whole exchange until it is cleared")
        with self._lock:
            self._on.append(Fault(name, endpoint, probability, times, amount))

    def clear(self, name: FaultName | None = None) -> None:
        """Switch one fault off, or all of them."""
        with self._lock:
            self._on = [fault for fault in self._on if name is not None and fault.name != name]

    @property
    def skew_ms(self) -> int:
        """How far the exchange's clock is off."""
        return int(sum(fault.amount for fault in self._on if fault.name == "clock_skew")) if self._on else 0

    def draw(self, endpoint_id: str, among: Collection[FaultName] = REST_FAULTS, *names: str) -> Mishaps:
        """Return which of these faults befall this request or push, counting it; ``names`` are other ids of it."""
        if not self._on:
            return _NOTHING
        with self._lock:
            hits = [fault for fault in self._on if fault.name in among and self._hits(fault, (endpoint_id, *names))]
            for fault in hits:
                if fault.times is not None:
                    fault.times -= 1
            self._on = [fault for fault in self._on if fault.times is None or fault.times > 0]
            aimed = frozenset(fault.name for fault in hits if fault.endpoint is not None)
            return Mishaps({fault.name: fault.amount for fault in hits}, self._random.getrandbits(32), aimed)

    def _hits(self, fault: Fault, ids: tuple[str, ...]) -> bool:
        if fault.endpoint not in (None, *ids) or fault.name == "clock_skew":
            return False
        return fault.probability >= 1 or self._random.random() < fault.probability


@dataclass(frozen=True, slots=True)
class Mishaps:
    """What befalls one request or push.

    Attributes
    ----------
    aimed : frozenset of str
        Those that were switched on for this row or stream alone.
    """

    amounts: dict[FaultName, float]
    seed: int = 0
    aimed: frozenset[FaultName] = frozenset()

    def __contains__(self, name: object) -> bool:
        return name in self.amounts

    @property
    def delay_s(self) -> float:
        return self.amounts.get("latency", 0.0)

    def spoil(self, endpoint: Endpoint, data: Any) -> Any:
        """Return ``data`` with its rows duplicated, shuffled, emptied or of another type."""
        if not self.amounts:
            return data
        for name, change in _CHANGES.items():
            if name in self.amounts:
                data = _with_rows(endpoint, data, change, self.seed)
        return data


_NOTHING = Mishaps({})


def _with_rows(endpoint: Endpoint, data: Any, change: Callable[[list[Any], random.Random], Any], seed: int) -> Any:
    """Return ``data`` with its list of rows replaced; an object without rows counts as one row."""
    chance = random.Random(seed)  # noqa: S311 - reproducible mishaps, not secrets
    if isinstance(data, dict) and endpoint.rows_at:
        rows = data.get(endpoint.rows_at)
        return {**data, endpoint.rows_at: change(rows, chance) if isinstance(rows, list) else rows}
    if isinstance(data, list):
        return change(data, chance)
    changed = change([data], chance)
    return changed[0] if isinstance(changed, list) and changed else changed


def _duplicated(rows: list[Any], chance: random.Random) -> list[Any]:
    """Repeat about every third row, at least one, right after itself."""
    lucky = chance.randrange(len(rows)) if rows else 0
    return [row for at, row in enumerate(rows) for _ in range(2 if at == lucky or chance.random() < 1 / 3 else 1)]


def _shuffled(rows: list[Any], chance: random.Random) -> list[Any]:
    """Return the rows in another order, for certain when there are two or more."""
    shuffled = chance.sample(rows, len(rows))
    return shuffled if shuffled != rows or len(rows) < 2 else rows[1:] + rows[:1]


_CHANGES: dict[FaultName, Callable[[list[Any], random.Random], Any]] = {
    "duplicates": _duplicated,
    "shuffle": _shuffled,
    "false_empty": lambda rows, chance: [],
    "empty_string": lambda rows, chance: "",
    "wrong_type": lambda rows, chance: [17, "not a row", None],
}
