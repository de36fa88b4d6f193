"""What is missing, as a plan of requests with their cost. Pure: decides which route fetches which page, sends nothing.

How far back routes answer, and how much of it at a time, are assumptions (`catalogue.assumptions`) that answers and
``bgresearch doctor`` correct.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from bgresearch.archives.wanted import NO_FILES, WantedFiles
from bgresearch.catalogue import load
from bgresearch.catalogue.assumptions import RECENT_DAYS, UNIFIED_CANDLES, UNIFIED_HISTORY_DAYS
from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, Anchor, Family, Grid, Interval, interval
from bgresearch.core.spans import Span, iso, subtract
from bgresearch.errors import InvalidInput
from bgresearch.market.candles.lookback import Lookbacks
from bgresearch.store import Series
from bgresearch.store.coverage import ARCHIVE

STORED = "Everything is in the local store already: no request is needed."


Market = Literal["spot", "usdt-futures", "usdc-futures", "coin-futures"]
Price = Literal["last", "mark", "index"]

_EDGE_MS = HOUR_MS  # pages this close to the end of a look-back take a route that goes further
_ROW_BYTES = 96  # of a candle in a response, as in the documentation's examples


@dataclass(frozen=True)
class CandleSeries:
    """Which candles: everything but when.

    Attributes
    ----------
    market, symbol, price, interval, anchor
        As the verb ``candles`` takes them, already checked.
    grid : Grid
        Where they open.
    base : CandleSeries
        The series to fetch: the exchange has no 2h candles for spot, so they are made of 1h ones.
    stored : Series
        The series of the store; candles that open on UTC+8 boundaries are a series of their own.
    archivable : bool
        Whether the bulk archive has these candles with the same columns: its turnover is in USDT only.
    """

    market: Market
    symbol: str
    price: Price
    interval: Interval
    anchor: Anchor
    grid: Grid = field(init=False, repr=False, compare=False)
    base: CandleSeries = field(init=False, repr=False, compare=False)
    stored: Series = field(init=False, repr=False, compare=False)
    archivable: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        made = self.market == "spot" and self.interval.name == "2h"
        object.__setattr__(self, "grid", Grid(self.interval, self.anchor))
        object.__setattr__(self, "base", replace(self, interval=INTERVALS["1h"]) if made else self)
        object.__setattr__(self, "stored", self._series())
        quoted = self.market != "spot" or self.symbol.endswith("USDT")
        archivable = self.interval.name == "1m" and self.price == "last" and quoted
        object.__setattr__(self, "archivable", archivable)

    def _series(self) -> Series:
        moved = self.anchor == "exchange" and self.interval.anchored
        keys = (
            ("market", self.market), ("price", self.price), ("symbol", self.symbol), ("interval", self.interval.name)
        )  # fmt: skip
        return Series("candles-utc8" if moved else "candles", keys, "open_time")


@dataclass(frozen=True)
class Route:
    """An endpoint that serves these candles, with its limits.

    Attributes
    ----------
    endpoint : str
        Id of the table row.
    rows : int
        Candles that one page holds.
    lookback_ms : int or None
        How far back it serves candles; None without a limit.
    fixed : mapping
        Parameters that are the same for every page.
    starts : bool
        Whether a start goes with the request (spot history has none, futures history does not obey it).
    spare : int
        Further candles that one request may span: neighbours on both sides, and what spans hold in excess that are
        not cut where candles open.
    most : int
        Candles that one response may hold.
    documented_ms : int or None
        The documented look-back. Beyond it, rows that come are valid, but missing rows prove nothing.
    """

    endpoint: str
    rows: int
    lookback_ms: int | None
    fixed: Mapping[str, str]
    starts: bool
    spare: int
    most: int
    documented_ms: int | None = None

    def shows_absence(self, span: Span, now_ms: int) -> bool:
        """Return whether a response without rows is evidence that a span has none."""
        return self.documented_ms is None or span.start_ms >= now_ms - self.documented_ms

    def covers(self, start_ms: int, now_ms: int) -> bool:
        """Return whether a page that begins there is within the look-back."""
        return self.lookback_ms is None or start_ms >= now_ms - self.lookback_ms + _EDGE_MS

    def is_documented_to_cover(self, start_ms: int, now_ms: int) -> bool:
        """Return whether the documented look-back covers a page, even if the learned one does not.

        Such a route is asked last instead of being left out.
        """
        return self.documented_ms is not None and start_ms >= now_ms - self.documented_ms + _EDGE_MS

    def params(self, span: Span, rows: int) -> dict[str, str]:
        """Return the parameters for these candles and no wider span: the exchange answers a too wide one with nothing.

        The limit allows for two more rows than the span holds, so that nothing is cut off if its end is included.
        """
        asked = dict(self.fixed)
        if self.starts:
            asked["startTime"] = str(span.start_ms)
        return asked | {"endTime": str(span.end_ms), "limit": str(min(rows + 2, self.most))}


@dataclass(frozen=True)
class Page:
    """One request, with the other routes to the same candles.

    Attributes
    ----------
    span : Span
        Candles that open in here.
    rows : int
        How many that are.
    routes : tuple of Route
        The route to take first, then the others, asked when its response is doubtful.
    """

    span: Span
    rows: int
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class Plan:
    """Requests with their cost; a download sends exactly these.

    Attributes
    ----------
    asked : Span
        The requested span, cut to closed candles.
    missing : tuple of Span
        The parts of it that are not in the store.
    pages : tuple of Page
        One request each, oldest first.
    rows_kept : int
        Candles of the span that are in the store.
    archive : WantedFiles
        Files of the bulk archive to fetch, where that is cheaper.
    archived_rows : int
        Candles in these files.
    rest_seconds : float
        How long the download would take over REST alone.
    """

    asked: Span
    missing: tuple[Span, ...] = ()
    pages: tuple[Page, ...] = field(default=(), repr=False)
    rows_kept: int = 0
    archive: WantedFiles = NO_FILES
    archived_rows: int = 0
    rest_seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Candles to fetch, if the exchange has them all."""
        return sum(page.rows for page in self.pages) + self.archived_rows

    @property
    def requests(self) -> dict[str, int]:
        """Number of requests per endpoint, if no page has to be requested twice."""
        counts: dict[str, int] = {}
        for page in self.pages:
            counts[page.routes[0].endpoint] = counts.get(page.routes[0].endpoint, 0) + 1
        return counts | ({ARCHIVE: len(self.archive.files)} if self.archive.files else {})

    @property
    def bytes(self) -> int:
        """Approximate size of the responses, before compression."""
        return (self.rows - self.archived_rows) * _ROW_BYTES + (self.archive.bytes if self.archive.files else 0)

    @property
    def seconds(self) -> float:
        """Time the exchange's own limits need; endpoints have independent limits."""
        asked = {row: count for row, count in self.requests.items() if row != ARCHIVE}
        limits = {row: load()[row].limit for row in asked}
        rest = max((n * limits[row].seconds / limits[row].count for row, n in asked.items()), default=0.0)
        return rest + self.archive.seconds if self.archive.files else rest

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain values; ``rows_kept`` and ``missing`` say what the store has and what it lacks."""
        missing = [[iso(span.start_ms), iso(span.end_ms)] for span in self.missing]
        return {
            "asked": [iso(self.asked.start_ms), iso(self.asked.end_ms)], "missing": missing, "rows": self.rows,
            "rows_kept": self.rows_kept, "requests": self.requests, "bytes": self.bytes, "seconds": self.seconds,
            **({"rest_seconds": self.rest_seconds} if self.archive.files else {}),
        }  # fmt: skip

    def __str__(self) -> str:
        kept = f"{self.rows_kept:,} candles are stored, {self.rows:,} are to be fetched"
        if not self.requests:
            return f"{self.asked}: {kept}."
        by = ", ".join(f"{count} requests of {row}" for row, count in self.requests.items())
        return f"{self.asked}: {kept}: {by}; about {self.bytes / 1e6:.1f} MB, at least {self.seconds:.1f} s."


def subject(symbol: str, interval_name: str, market: str, price: str, anchor: str) -> CandleSeries:
    """Return the series that these arguments of ``candles`` name.

    Raises
    ------
    InvalidInput
        If one of them is unknown; the message lists those that are known.
    """
    length = interval(interval_name)
    chosen: list[str] = []
    for name, value, words in (("market", market, Market), ("price", price, Price), ("anchor", anchor, Anchor)):
        if value not in get_args(words):
            raise InvalidInput.unknown(name, value, get_args(words))
        chosen.append(value)
    if not isinstance(symbol, str) or not symbol or symbol != symbol.strip():
        raise InvalidInput("symbol", f"{symbol!r} is no symbol.", hint="Write it as the exchange does, like BTCUSDT.")
    if market == "spot" and price != "last":
        raise InvalidInput("price", f"the spot market has no {price} price.", hint="Only futures markets have one.")
    return CandleSeries(market, symbol.upper(), price, length, anchor)  # type: ignore[arg-type]  # checked against the words above


def routes(what: CandleSeries, lookbacks: Lookbacks | None = None) -> tuple[Route, ...]:
    """Return every route to these candles, with the learned look-back where there is one, else the documented one."""
    seen = lookbacks or Lookbacks()
    return (*_classic(what, seen), *_unified(what, seen))


def plan(
    what: CandleSeries, asked: Span, missing: Iterable[Span], now_ms: int, lookbacks: Lookbacks | None = None
) -> Plan:  # fmt: skip
    """Return the requests that fetch what is missing.

    Parameters
    ----------
    what : CandleSeries
        Which candles.
    asked : Span
        The whole requested span, cut where candles open.
    missing : iterable of Span
        The parts of it to fetch, already cut at the borders of partitions.
    now_ms : int
        Epoch milliseconds; decides which routes cover a page.
    lookbacks : Lookbacks, optional
        Learned look-backs.
    """
    spans, pages, grid, all_routes = tuple(missing), [], what.grid, routes(what, lookbacks)
    taken = Counter[str]()
    for span in spans:
        at = span.start_ms
        while at < span.end_ms:
            open_routes = _freest_first([route for route in all_routes if route.covers(at, now_ms)], taken)
            others = (route for route in all_routes if route not in open_routes)
            doubted = [route for route in others if route.is_documented_to_cover(at, now_ms)]
            piece = next(grid.cut(Span(at, span.end_ms), open_routes[0].rows))
            pages.append(Page(piece, grid.count(piece), (*open_routes, *doubted)))
            taken[open_routes[0].endpoint] += 1
            at = piece.end_ms
    return Plan(asked, spans, tuple(pages), grid.count(asked) - sum(page.rows for page in pages))


def with_archive(todo: Plan, what: CandleSeries, share: WantedFiles, choice: str, now_ms: int) -> Plan:
    """Return a plan that fetches the archive's share as files, and the rest page by page."""
    if not share.files and choice != "archive":
        return todo
    rest = () if choice == "archive" else subtract(todo.missing, share.spans)
    pages = plan(what, todo.asked, rest, now_ms)
    rows = sum(map(what.grid.count, subtract(todo.missing, subtract(todo.missing, share.spans))))
    return replace(
        pages, missing=todo.missing, rows_kept=todo.rows_kept, archive=share, archived_rows=rows,
        rest_seconds=todo.seconds,
    )  # fmt: skip


def _freest_first(candidates: list[Route], taken: Counter[str]) -> tuple[Route, ...]:
    """Return the routes by when their rate limit allows the next request; of equals the one with the largest pages.

    Routes have independent limits, each a burst of requests per window: one burst of pages goes to the route with the
    largest pages, the next burst to the second route, and so on, until the first one is free again.
    """

    def free_s(route: Route) -> float:
        limit = load()[route.endpoint].limit
        return taken[route.endpoint] // limit.count * limit.seconds

    return tuple(sorted(candidates, key=lambda route: (free_s(route), -route.rows)))


def _classic(what: CandleSeries, seen: Lookbacks) -> list[Route]:
    family: Family = "spot" if what.market == "spot" else "futures"
    word = what.interval.spelling(family, what.anchor)
    if word is None:
        return []
    lookback = RECENT_DAYS.value[what.interval.name] * DAY_MS
    fixed = {"symbol": what.symbol, "granularity": word}
    if family == "spot":
        return [
            _route("spot.candles", what, lookback, fixed, seen, starts=True),
            _route("spot.history_candles", what, None, fixed, seen, starts=False),
        ]
    fixed["productType"] = what.market.upper()
    kind = {} if what.price == "last" else {"kLineType": what.price.upper()}
    history = {"last": "history_candles", "mark": "history_mark_candles", "index": "history_index_candles"}
    return [
        _route("futures.candles", what, lookback, fixed | kind, seen, starts=True),
        _route(f"futures.{history[what.price]}", what, None, fixed, seen, starts=False),
    ]


def _unified(what: CandleSeries, seen: Lookbacks) -> list[Route]:
    word = what.interval.spelling("uta", what.anchor)
    if word is None:
        return []
    fixed = {"category": what.market.upper(), "symbol": what.symbol, "interval": word}
    if what.price != "last":
        fixed["type"] = what.price
    recent = UNIFIED_CANDLES.value * what.interval.nominal_ms
    return [
        _route("uta.candles", what, recent, fixed, seen, starts=True),
        _route("uta.history_candles", what, UNIFIED_HISTORY_DAYS.value * DAY_MS, fixed, seen, starts=True),
    ]


def _route(
    row_id: str, what: CandleSeries, lookback: int | None, fixed: dict[str, str], seen: Lookbacks, *, starts: bool
) -> Route:  # fmt: skip
    endpoint, length = load()[row_id], what.interval.nominal_ms
    most = rows = seen.page_rows(row_id, endpoint.paging.max_rows or 100)
    if endpoint.max_span_days is not None or what.market != "spot":
        rows = max(1, min(rows, seen.longest_ms(row_id) // length))
    spare = min(4 if what.grid.unaligned else 2, rows - 1)
    documented_ms = lookback and lookback - length
    lookback_ms = None if documented_ms is None else seen.lookback_ms(row_id, what.interval.name, documented_ms)
    return Route(row_id, rows - spare, lookback_ms, fixed, starts, spare, most, documented_ms)


def priced(plan: Plan) -> tuple[str, ...]:
    """Return the cost of a plan in words: missing candles, requests by route, seconds by the exchange's limits."""
    if not plan.requests:
        return (STORED,)
    requests = sum(plan.requests.values())
    by_route = ", ".join(f"{count:,} to {row}" for row, count in plan.requests.items())
    seconds = "less than a second" if plan.seconds < 1 else f"about {plan.seconds:,.0f} s"
    return (
        f"{plan.rows:,} candles are missing in the local store.",
        f"{requests:,} request{'s' if requests != 1 else ''} ({by_route}): {seconds} by the exchange's limits.",
    )
