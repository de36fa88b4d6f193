"""What is assumed of candles, asked about one large market."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from bgresearch.catalogue import load
from bgresearch.catalogue.assumptions import (
    CANDLE_ROUTES,
    EMPTY_BEYOND,
    END_EXCLUDED,
    FINAL_AFTER_MS,
    FORMING_IN_RECENT,
    LONGEST_SPAN_DAYS,
    NO_FORMING_IN_HISTORY,
    OLDEST_FIRST,
    PLAIN_WORDS,
    RECENT_DAYS,
    SPLITS_AS_TRADED,
    START_INCLUDED,
    UNIFIED_CANDLES,
    UNIFIED_HISTORY_DAYS,
    UTC_WORDS,
)
from bgresearch.catalogue.value_types import read_value
from bgresearch.client.doctor.findings import Observation, judged
from bgresearch.client.doctor.prober import CouldNotAsk, Prober, numbers_of, opens_of
from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS, Anchor, Family
from bgresearch.core.spans import iso
from bgresearch.errors import ExchangeError, ExchangeUnavailable, RateLimited
from bgresearch.market.candles.lookback import Lookbacks

SYMBOL = "BTCUSDT"
_FEW = 10
_EDGE_ROWS = 2  # of a full page, which may be missing at the ends of a look-back
_DOUBTED = ("1m", "30m", "1h", "4h")  # clients disagree about some of these
_ROUTES = ("spot", "futures", "uta")
_HISTORY = {"spot": "spot.history_candles", "futures": "futures.history_candles", "uta": "uta.history_candles"}
_SPLITS = "uta.split_records"
_DAY_BACK = (1, 2, 4, 8)  # of a look-back, what to try one after the other: all of it, half of it ...


def fixed(row_id: str, interval: str, anchor: Anchor = "utc") -> dict[str, str]:
    """Return the parameters that name market and interval on a route."""
    family: Family = "uta" if row_id.startswith("uta.") else "spot" if row_id.startswith("spot.") else "futures"
    word = str(INTERVALS[interval].spelling(family, anchor))
    if family == "uta":
        return {"category": "USDT-FUTURES", "symbol": SYMBOL, "interval": word}
    product = {} if family == "spot" else {"productType": "USDT-FUTURES"}
    return {"symbol": SYMBOL, "granularity": word, **product}


def page_rows(prober: Prober) -> Iterator[Observation]:
    """Ask every route for its largest page."""
    end_ms, wrong, values, full = _minute(prober), [], {}, 0
    for row_id in CANDLE_ROUTES.value:
        most = load()[row_id].paging.max_rows or 100
        found = len(prober.opens(row_id, **fixed(row_id, "1m"), endTime=str(end_ms), limit=str(most)))
        if 0 < found < most - _EDGE_ROWS:
            wrong.append(f"{row_id} gave {found} rows of {most}")
            values[row_id] = found
        full += found >= most - _EDGE_ROWS
    if not wrong and not full:
        raise CouldNotAsk("no route gave a full page.")
    yield judged(CANDLE_ROUTES.name, wrong, f"{full} routes gave full pages.", values)


def ends(prober: Prober) -> Iterator[Observation]:
    """Ask for a few minutes an hour ago, and look at the ends and the order of what comes."""
    start_ms = _minute(prober) - HOUR_MS
    end_ms = start_ms + _FEW * MINUTE_MS
    without_start, with_end, disorder, seen = [], [], [], 0
    for family in _ROUTES:
        for row_id in (f"{family}.candles", _HISTORY[family]):
            asked = {"endTime": str(end_ms), "limit": str(_FEW + _EDGE_ROWS)}
            if row_id != "spot.history_candles":
                asked["startTime"] = str(start_ms)
            opens = prober.opens(row_id, **fixed(row_id, "1m"), **asked)
            if not opens:
                continue
            seen += 1
            if row_id.endswith(".candles") and min(opens) > start_ms:
                without_start.append(row_id)
            with_end += [row_id] if end_ms in opens else []
            disorder += [row_id] if opens != sorted(opens) else []
    _need(seen)
    yield judged(START_INCLUDED.name, _each(without_start, "leaves it out"), "The first candle is there.")
    yield judged(END_EXCLUDED.name, _each(with_end, "has it"), "The candle at endTime is not there.")
    yield judged(OLDEST_FIRST.name, _each(disorder, "gives another order"), "All routes give the oldest first.")


def _need(seen: int) -> None:
    if not seen:
        raise CouldNotAsk("no candles came.")


def _each(rows: list[str], what: str) -> list[str]:
    return [f"{row} {what}" for row in rows]


def anchors(prober: Prober) -> Iterator[Observation]:
    """Look at where days and weeks open."""
    asked: tuple[tuple[str, str, Anchor], ...] = (
        ("spot.candles", "1d", "utc"), ("spot.candles", "1w", "utc"), ("futures.candles", "1d", "utc"),
        ("spot.candles", "1d", "exchange"), ("futures.candles", "1d", "exchange"), ("uta.candles", "1d", "exchange"),
    )  # fmt: skip
    wrong: dict[Anchor, list[str]] = {"utc": [], "exchange": []}
    seen: Counter[str] = Counter()
    for row_id, name, anchor in asked:
        for opened in prober.opens(row_id, **fixed(row_id, name, anchor), limit="3")[-1:]:
            seen[anchor] += 1
            if INTERVALS[name].floor(opened, anchor) != opened:
                wrong[anchor].append(f"{row_id} {name} opens at {iso(opened)}")
    _need(min(seen["utc"], seen["exchange"]))
    yield judged(UTC_WORDS.name, wrong["utc"], "Days and weeks open at 00:00 UTC.")
    yield judged(PLAIN_WORDS.name, wrong["exchange"], "Days open at 16:00 UTC.")


def forming(prober: Prober) -> Iterator[Observation]:
    """Look at whether the newest candle of a route is closed."""
    closed, still_open, seen = [], [], 0
    for row_id in ("spot.candles", "futures.candles", "spot.history_candles", "futures.history_candles"):
        history = "history" in row_id
        before_ms = prober.clock.now_ms()
        end = {"endTime": str(before_ms + HOUR_MS)} if history else {}
        opens = prober.opens(row_id, **fixed(row_id, "1h"), limit="3", **end)
        hours = {INTERVALS["1h"].floor(at) for at in (before_ms, prober.clock.now_ms())}
        if not opens:
            continue
        seen += 1
        shows = max(opens) in hours
        closed += [row_id] if not history and not shows else []
        still_open += [row_id] if history and shows else []
    _need(seen)
    yield judged(FORMING_IN_RECENT.name, _each(closed, "ends with a closed one"), "Recent ones end with an open one.")
    yield judged(NO_FORMING_IN_HISTORY.name, _each(still_open, "has an open one"), "History has closed ones alone.")


class _Probe(NamedTuple):
    """Some candles at an age: rows came, or none did, or the route refused (``code``)."""

    rows: int
    code: str = ""


def _at_age(prober: Prober, row_id: str, name: str, age_ms: int) -> _Probe:
    length = INTERVALS[name].nominal_ms
    start_ms = (prober.clock.now_ms() - age_ms) // length * length
    asked = {"endTime": str(start_ms + _FEW * length), "limit": str(_FEW + _EDGE_ROWS)}
    if row_id != "spot.history_candles":
        asked["startTime"] = str(start_ms)
    anchor: Anchor = "exchange" if row_id.startswith("uta.") else "utc"
    try:
        opens = prober.opens(row_id, **fixed(row_id, name, anchor), **asked)
    except (RateLimited, ExchangeUnavailable):
        raise
    except ExchangeError as error:
        return _Probe(0, error.code)
    return _Probe(sum(start_ms <= opened < start_ms + _FEW * length for opened in opens))


def lookbacks(prober: Prober, learned: Lookbacks) -> Iterator[Observation]:
    """Ask near the end of each look-back; what is not there, and is elsewhere, is remembered as a shorter one."""
    shorter, refused = [], []
    for name in _DOUBTED:
        for family in ("spot", "futures"):
            row_id, age_ms = f"{family}.candles", (RECENT_DAYS.value[name] - 1) * DAY_MS
            if _lacks(prober, row_id, name, age_ms):
                shorter.append(f"{row_id} {name} lacks what is {age_ms // DAY_MS} days old")
                learned.measured(row_id, name, age_ms, prober.clock.now_ms())
    for family in ("spot", "futures"):
        row_id = f"{family}.candles"
        beyond = _at_age(prober, row_id, "1m", (RECENT_DAYS.value["1m"] + 3) * DAY_MS)
        if beyond.code:
            refused.append(f"{row_id} refuses with {beyond.code}")
    yield judged(RECENT_DAYS.name, shorter, f"{', '.join(_DOUBTED)} reach as far back as assumed.")
    yield judged(EMPTY_BEYOND.name, refused, "Nothing comes, and no error.")


def _lacks(prober: Prober, row_id: str, name: str, age_ms: int) -> bool:
    """Return whether a route has nothing of an age that history has something of."""
    if _at_age(prober, row_id, name, age_ms).rows:
        return False
    history = "futures.history_candles" if row_id.startswith("uta.") else _HISTORY[row_id.partition(".")[0]]
    if not _at_age(prober, history, name, age_ms).rows:
        raise CouldNotAsk(f"no route has candles of {SYMBOL} {name} that are {age_ms // DAY_MS} days old.")
    return True


def unified_lookbacks(prober: Prober, learned: Lookbacks) -> Iterator[Observation]:
    """The same of the routes of v3."""
    for one, row_id, name, age_ms in (
        (UNIFIED_CANDLES, "uta.candles", "1m", (UNIFIED_CANDLES.value - 3 * _FEW) * MINUTE_MS),
        (UNIFIED_HISTORY_DAYS, "uta.history_candles", "1h", (UNIFIED_HISTORY_DAYS.value - 2) * DAY_MS),
    ):
        lacks = _lacks(prober, row_id, name, age_ms)
        if lacks:
            learned.measured(row_id, name, age_ms, prober.clock.now_ms())
        wrong = [f"{row_id} {name} lacks what is {age_ms // HOUR_MS} hours old"] if lacks else []
        yield judged(one.name, wrong, f"{row_id} {name} has what is {age_ms // HOUR_MS} hours old.")


def longest_span(prober: Prober) -> Iterator[Observation]:
    """Ask for a whole span of days at once, and for less until something comes."""
    now_ms, tried = prober.clock.now_ms() // DAY_MS * DAY_MS, list[int]()
    for share in _DAY_BACK:
        days = LONGEST_SPAN_DAYS.value // share
        window = {"startTime": str(now_ms - days * DAY_MS), "endTime": str(now_ms), "limit": str(days + _EDGE_ROWS)}
        try:
            found = prober.opens("futures.candles", **fixed("futures.candles", "1d"), **window)
        except (RateLimited, ExchangeUnavailable):
            raise
        except ExchangeError:
            found = []
        if found:
            wrong = [f"nothing comes of {tried[-1]} days, and of {days} it does"] if tried else []
            values = {"futures.candles": days} if tried else {}
            yield judged(LONGEST_SPAN_DAYS.name, wrong, f"{days} days came at once.", values)
            return
        tried.append(days)
    raise CouldNotAsk("nothing came of any span of days.")


def splits(prober: Prober) -> Iterator[Observation]:
    """Compare the prices on both sides of the newest split of a contract's stock."""
    rows = [row for row in prober.rows(_SPLITS) if isinstance(row, dict) and row.get("status") == "completed"]
    if not rows:
        raise CouldNotAsk("no contract had a split.")
    resumed = numbers_of(rows, "tradingHaltEndTime", _SPLITS)
    resumed_ms, row = max(zip(resumed, rows, strict=True), key=lambda one: one[0])
    halted_ms = min(resumed_ms, *numbers_of([row], "tradingHaltStartTime", _SPLITS))
    ratio = read_value("decimal", row.get("adjustmentRatio"))
    asked = {"symbol": str(row.get("symbol")), "productType": "USDT-FUTURES", "granularity": "1H", "limit": str(_FEW)}
    before = _hours(prober, **asked, endTime=str(halted_ms))
    after = [one for one in _hours(prober, **asked, endTime=str(resumed_ms + _FEW * HOUR_MS)) if one[0] >= resumed_ms]
    if not (before and after and ratio and ratio > 0):
        raise CouldNotAsk("there are no candles on both sides of the newest split.")
    moved = before[-1][2] / after[0][1]
    said = (
        f"at the split of {iso(resumed_ms)}, ratio {ratio:g}, prices of {asked['symbol']} went down {moved:.2f} times"
    )
    wrong = [said] if abs(math.log(moved)) < abs(math.log(moved / ratio)) else []
    yield judged(SPLITS_AS_TRADED.name, wrong, f"{said[0].upper()}{said[1:]}.")


def _hours(prober: Prober, **params: str) -> list[tuple[int, float, float]]:
    """Return when hours of a contract open, with their first and last price, oldest first."""
    found = _by_open(prober.candles("futures.history_candles", **params))
    prices = [(at, values[0], values[3]) for at, values in found.items()]
    return sorted((at, first, last) for at, first, last in prices if first and last and min(first, last) > 0)


class FirstLook(NamedTuple):
    """Candles that are closed for some seconds or minutes, as they were at one instant."""

    at_ms: int
    candles: pa.Table


def first_look(prober: Prober) -> FirstLook:
    """Return the newest minutes as they are now."""
    return FirstLook(prober.clock.now_ms(), prober.candles("spot.candles", **fixed("spot.candles", "1m"), limit="10"))


def final(prober: Prober, before: FirstLook) -> Iterator[Observation]:
    """Look again a minute later: what was closed then may not have changed."""
    prober.clock.sleep(max(0.0, (before.at_ms + MINUTE_MS - prober.clock.now_ms()) / 1000))
    now_ms, margin_ms = prober.clock.now_ms(), FINAL_AFTER_MS.value["last"]
    again = _by_open(prober.candles("spot.candles", **fixed("spot.candles", "1m"), limit="20"))
    changed = [
        opened for opened, row in _by_open(before.candles).items()
        if opened + MINUTE_MS + margin_ms <= before.at_ms and again.get(opened, row) != row
    ]  # fmt: skip
    compared = sum(opened + MINUTE_MS + margin_ms <= before.at_ms for opened in again.keys() & set(_opens(before)))
    if not compared:
        raise CouldNotAsk("no candle was closed at both looks.")
    values, wrong = {}, []
    if changed:
        oldest_ms = now_ms - min(changed) - MINUTE_MS
        values = {"last": -(-oldest_ms // MINUTE_MS) * MINUTE_MS + MINUTE_MS}
        wrong = [f"a candle still changed {(oldest_ms) // 1000} s after its close"]
    yield judged(FINAL_AFTER_MS.name, wrong, f"{compared} closed minutes did not change within a minute.", values)


def _opens(look: FirstLook) -> list[int]:
    return opens_of(look.candles)


def _by_open(candles: pa.Table) -> dict[int, tuple[Any, ...]]:
    rows = zip(*(candles.column(name).to_pylist() for name in candles.column_names[1:]), strict=True)
    times = candles.column("open_time").cast(pa.int64()).to_pylist()
    return {time: row for time, row in zip(times, rows, strict=True) if time is not None}


def _minute(prober: Prober) -> int:
    return prober.clock.now_ms() // MINUTE_MS * MINUTE_MS


Check = Callable[[Prober], Iterator[Observation]]
