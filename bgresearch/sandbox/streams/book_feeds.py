"""Order books as pushes: whole images, or one image and then what changed, numbered so that a loss shows."""

from __future__ import annotations

import zlib
from typing import Any

from bgresearch.sandbox.responders.books import level_texts
from bgresearch.sandbox.streams.feed import Push
from bgresearch.sandbox.world.markets import Market, utc_ms
from bgresearch.sandbox.world.order_books import BookMaker, Level, SandboxBook
from bgresearch.sandbox.world.world import World

CHECKSUM_ENDS_MS = utc_ms(2026, 5, 19)  # from then on pushes carry no checksum, and v2 pushes a pseq
BOOKS50_UPDATES_MS = utc_ms(2026, 11, 5)  # from then on books50 is one image and then updates

_LEVELS = {"v2": 500, "v3": 1000}
_LEVELS_SMALL = 200  # v2, contracts margined in USDC or the coin
_STEP_MS = {"v2": 100, "v3": 50}  # between updates
_IMAGE_STEP_MS = 100  # between whole images
_LATE_MS = 2_000  # further behind than this, changes are pushed together
_CHECKED = 25  # levels that the checksum covers
_SEQ_EPOCH_MS = 1_435_725_920_677
_SEQ_SHIFT = 22  # of coin futures, whose numbers are above 2**53


def depth_of(channel: str, version: str, market: Market) -> int:
    """Return how many levels of a side a channel has: ``books`` all that it has, ``books5`` five."""
    if channel != "books":
        return int(channel.removeprefix("books"))
    small = version == "v2" and market.kind in ("usdc-futures", "coin-futures")
    return _LEVELS_SMALL if small else _LEVELS[version]


def sequence_at(market: Market, now_ms: int) -> int:
    """Return the number of the book of this instant; it ascends with time."""
    elapsed = now_ms - _SEQ_EPOCH_MS
    return elapsed << _SEQ_SHIFT if market.kind == "coin-futures" else elapsed


def checksum(bids: list[list[str]], asks: list[list[str]]) -> int:
    """Return the signed CRC32 over 25 levels, bids and asks in turn, of the texts as they are sent."""
    parts = []
    for place in range(_CHECKED):
        parts += [":".join(side[place]) for side in (bids, asks) if place < len(side)]
    value = zlib.crc32(":".join(parts).encode())
    return value - (1 << 32) if value >= 1 << 31 else value


class BookFeed:
    """One book on one connection.

    The first push is an image with ``pseq`` 0. An update has what changed since the push before and carries that
    push's ``seq`` as its ``pseq``. A channel of fixed depth pushes images alone, each with ``pseq`` 0.
    """

    stream = "stream.order_book"

    def __init__(self, world: World, market: Market, channel: str, version: str) -> None:
        self._market, self._version = market, version
        self._channel, self._depth = channel, depth_of(channel, version, market)
        self._maker = BookMaker(world, market, levels=self._depth)
        self._pushed: SandboxBook | None = None
        self._seq = 0
        self.due_ms: int | None = None

    def first(self, now_ms: int) -> Push | None:
        self._pushed, self._seq = self._maker.at(now_ms), sequence_at(self._market, now_ms)
        self._plan(now_ms)
        return self._whole(self._pushed, now_ms)

    def push(self, now_ms: int) -> Push | None:
        moment = self.due_ms or now_ms
        if now_ms - moment > _LATE_MS or not self._incremental(moment):
            moment = max(now_ms - now_ms % self._step(moment), moment)
        self._plan(moment)
        if self._market.delisted_at(moment):
            self.due_ms = None
            return None
        before, now = self._pushed, self._maker.at(moment)
        bids = before.bid_side.changes(now.bid_side) if before else []
        asks = before.ask_side.changes(now.ask_side) if before else []
        if not bids and not asks:
            return None
        self._pushed, last, self._seq = now, self._seq, sequence_at(self._market, moment)
        if not self._incremental(moment):
            return self._whole(now, moment)
        sides = (_texts(self._market, bids[::-1]), _texts(self._market, asks))
        return Push("update", [self._row(*sides, pseq=last, ts_ms=moment)], moment)

    def _incremental(self, now_ms: int) -> bool:
        return self._channel == "books" or (self._channel == "books50" and now_ms >= BOOKS50_UPDATES_MS)

    def _step(self, now_ms: int) -> int:
        return _STEP_MS[self._version] if self._incremental(now_ms) else _IMAGE_STEP_MS

    def _plan(self, now_ms: int) -> None:
        step = self._step(now_ms)
        self.due_ms = (now_ms // step + 1) * step

    def _whole(self, image: SandboxBook, now_ms: int) -> Push:
        bids, asks = level_texts(self._market, image.bids()), level_texts(self._market, image.asks())
        return Push("snapshot", [self._row(bids, asks, pseq=0, ts_ms=now_ms)], now_ms)

    def _row(self, bids: list[list[str]], asks: list[list[str]], *, pseq: int, ts_ms: int) -> dict[str, Any]:
        if self._version == "v3":
            maximum = str(max(self._depth, 50))
            return {"a": asks, "b": bids, "seq": self._seq, "pseq": pseq, "ts": str(ts_ms), "maxdepth": maximum}
        row: dict[str, Any] = {"asks": asks, "bids": bids}
        if ts_ms < CHECKSUM_ENDS_MS:
            return {**row, "checksum": self._checksum(ts_ms), "seq": self._seq, "ts": str(ts_ms)}
        return {**row, "ts": str(ts_ms), "seq": self._seq, "pseq": pseq}

    def _checksum(self, now_ms: int) -> int:
        """Return the checksum of the whole book as the receiver has it after this push; 0 on whole images."""
        if self._pushed is None or not self._incremental(now_ms):
            return 0
        bids, asks = self._pushed.bids()[:_CHECKED], self._pushed.asks()[:_CHECKED]
        return checksum(level_texts(self._market, bids), level_texts(self._market, asks))


def _texts(market: Market, changes: list[Level]) -> list[list[str]]:
    """Return changed levels as they are written: what is gone has the size 0, without decimals."""
    shown = level_texts(market, changes)
    return [row if size else [row[0], "0"] for row, (_, size) in zip(shown, changes, strict=True)]
