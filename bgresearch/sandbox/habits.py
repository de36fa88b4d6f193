"""Ways in which the sandbox can differ from what clients assume of the exchange, one switch per assumption.

A fault spoils an answer that would have been right; a habit is how this exchange answers for as long as it is on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bgresearch.catalogue.assumptions import (
    ASSUMPTIONS,
    CANDLE_ROUTES,
    LONGEST_SPAN_DAYS,
    RECENT_DAYS,
    TRADES_DAYS,
    UNIFIED_CANDLES,
    UNIFIED_HISTORY_DAYS,
)
from bgresearch.core.intervals import DAY_MS, MINUTE_MS
from bgresearch.sandbox.call import Call, Refusal
from bgresearch.sandbox.responders.candles import interval_of

HABITS = tuple(one.name for one in ASSUMPTIONS if one.asked)
"""The names of all switches: those of the assumptions."""

_RECENT = ("spot.candles", "futures.candles", "uta.candles")
_TRADES = ("spot.fills", "futures.fills", "spot.fills_history", "futures.fills_history")
_PAST = TRADES_DAYS.value
_LATE_MS = 3 * MINUTE_MS  # how long a candle still changes
_ID_SHIFT = 10**15


class Habits:
    """The switchboard of an exchange's habits.

    Examples
    --------
    >>> habits = Habits()
    >>> habits.change("candles.oldest_first")
    >>> habits.changed
    frozenset({'candles.oldest_first'})
    """

    def __init__(self) -> None:
        self.changed: frozenset[str] = frozenset()

    def change(self, name: str) -> None:
        """Let an assumption not hold.

        Raises
        ------
        ValueError
            There is none of that name that can be asked about.
        """
        if name not in HABITS:
            raise ValueError(f"{name!r} is no habit; there are {', '.join(HABITS)}")
        self.changed |= {name}

    def restore(self, name: str | None = None) -> None:
        """Let one assumption hold again, or all."""
        self.changed = frozenset() if name is None else self.changed - {name}


def asked(call: Call) -> Call:
    """Return a call as an exchange of these habits takes it."""
    params = dict(call.params)
    for name in sorted(call.habits & _QUESTIONS.keys()):
        params |= _QUESTIONS[name](call, params)
    return call._replace(params=params)


def answered(call: Call, data: Any) -> Any:
    """Return ``data`` as an exchange of these habits gives it.

    Raises
    ------
    Refusal
        It gives an error instead.
    """
    for name in sorted(call.habits & _ANSWERS.keys()):
        data = _ANSWERS[name](call, data)
    return data


def _rows_of(*rows: str) -> Callable[[Callable[[Call, list[Any]], list[Any]]], Callable[[Call, Any], Any]]:
    """Make a change of a list one of the answers of these rows alone."""

    def made(change: Callable[[Call, list[Any]], list[Any]]) -> Callable[[Call, Any], Any]:
        return lambda call, data: change(call, data) if call.endpoint.id in rows and isinstance(data, list) else data

    return made


def _half(call: Call, rows: list[Any]) -> list[Any]:
    """Return at most half a page: of candles the newest, of anything else the first."""
    most = (call.endpoint.paging.max_rows or 100) // 2
    return rows[-most:] if call.endpoint.response == "array-rows" else rows[:most]


def _younger_than(call: Call, rows: list[Any], age_ms: int) -> list[Any]:
    return [row for row in rows if int(row[0]) >= call.now_ms - age_ms]


def _recent_reach(call: Call, rows: list[Any]) -> list[Any]:
    days = RECENT_DAYS.value[interval_of(call)[0].name]
    return _younger_than(call, rows, days * DAY_MS // 2)


def _unified_reach(call: Call, rows: list[Any]) -> list[Any]:
    return _younger_than(call, rows, UNIFIED_CANDLES.value // 2 * interval_of(call)[0].nominal_ms)


def _refused_if_empty(call: Call, rows: list[Any]) -> list[Any]:
    if not rows:
        raise Refusal("40017", "Parameter verification failed: the time is out of range")
    return rows


def _without_start(call: Call, rows: list[Any]) -> list[Any]:
    return [row for row in rows if row[0] != call.params.get("startTime")]


def _without_forming(call: Call, rows: list[Any]) -> list[Any]:
    interval, anchor = interval_of(call)
    return [row for row in rows if int(row[0]) < interval.floor(call.now_ms, anchor)]


def _growing(call: Call, rows: list[Any]) -> list[Any]:
    """Return candles that closed a moment ago with a part of their volume."""
    interval, anchor = interval_of(call)
    shown = []
    for row in rows:
        age_ms = call.now_ms - interval.next_open(int(row[0]), anchor)
        late = 0 <= age_ms < _LATE_MS
        share = (age_ms // MINUTE_MS + 1) / (_LATE_MS // MINUTE_MS + 1)
        shown.append([*row[:5], f"{float(row[5]) * share:.6f}", *row[6:]] if late else row)
    return shown


def _short_spans(call: Call, rows: list[Any]) -> list[Any]:
    given = [int(call.params[name]) for name in ("startTime", "endTime") if name in call.params]
    too_long = len(given) == 2 and given[1] - given[0] > LONGEST_SPAN_DAYS.value * DAY_MS // 2
    return [] if too_long else rows


def _other_fields(call: Call, rows: list[Any]) -> list[Any]:
    """Return tickers with a new field, one less, and a number where a text was."""
    return [
        {name: float(value) if name == "quoteVolume" else value for name, value in row.items() if name != "usdtVolume"}
        | {"brandNew": "1"}
        for row in rows
    ]


def _shorter_past(call: Call, rows: list[Any]) -> list[Any]:
    days = (call.endpoint.lookback_days or 90) // 3
    return [row for row in rows if int(row["ts"]) >= call.now_ms - days * DAY_MS]


def _other_ids(call: Call, rows: list[Any]) -> list[Any]:
    return [row | {"tradeId": str(int(row["tradeId"]) + _ID_SHIFT)} for row in rows]


def _worst_first(call: Call, data: Any) -> Any:
    if call.endpoint.id not in ("spot.orderbook", "uta.orderbook", "futures.merge_depth"):
        return data
    return {name: side[::-1] if isinstance(side, list) else side for name, side in data.items()}


def _moved_cursor(by: int) -> Callable[[Call, Mapping[str, str]], dict[str, str]]:
    def moved(call: Call, params: Mapping[str, str]) -> dict[str, str]:
        if call.endpoint.id not in _PAST or "idLessThan" not in params:
            return {}
        return {"idLessThan": str(int(params["idLessThan"]) + by)}

    return moved


def _smaller_pages(call: Call, params: Mapping[str, str]) -> dict[str, str]:
    if call.endpoint.id != "futures.history_fund_rate":
        return {}
    return {"pageSize": str(min(int(params.get("pageSize", "20")), (call.endpoint.paging.max_rows or 100) // 2))}


_QUESTIONS: Mapping[str, Callable[[Call, Mapping[str, str]], dict[str, str]]] = {
    "funding.pages": lambda call, params: {"pageNo": "1"} if call.endpoint.id == "futures.history_fund_rate" else {},
    "funding.page_rows": _smaller_pages,
    "trades.id_cursor": _moved_cursor(1),
    "trades.id_clock": _moved_cursor(-_ID_SHIFT),
}
_ANSWERS: Mapping[str, Callable[[Call, Any], Any]] = {
    "candles.page_rows": _rows_of(*CANDLE_ROUTES.value)(_half),
    "candles.lookback_days": _rows_of("spot.candles", "futures.candles")(_recent_reach),
    "candles.unified_rows": _rows_of("uta.candles")(_unified_reach),
    "candles.unified_history_days": _rows_of("uta.history_candles")(
        lambda call, rows: _younger_than(call, rows, UNIFIED_HISTORY_DAYS.value * DAY_MS // 2)
    ),
    "candles.empty_beyond_lookback": _rows_of("spot.candles", "futures.candles")(_refused_if_empty),
    "candles.start_included": _rows_of(*_RECENT)(_without_start),
    "candles.oldest_first": _rows_of(*CANDLE_ROUTES.value)(lambda call, rows: rows[::-1]),
    "candles.recent_has_open_bar": _rows_of(*_RECENT)(_without_forming),
    "candles.final_after_ms": _rows_of(*CANDLE_ROUTES.value)(_growing),
    "candles.longest_span_days": _rows_of("futures.candles", "uta.candles")(_short_spans),
    "rows.fields": _rows_of("spot.tickers")(_other_fields),
    "symbols.whole_list": _rows_of("spot.symbols", "futures.contracts")(lambda call, rows: rows[: -(-len(rows) // 2)]),
    "trades.lookback_days": _rows_of(*_PAST)(_shorter_past),
    "trades.newest_first": _rows_of(*_TRADES)(lambda call, rows: rows[::-1]),
    "trades.page_rows": _rows_of(*_PAST)(_half),
    "trades.id_clock": _rows_of(*_TRADES)(_other_ids),
    "order_book.best_first": _worst_first,
}  # fmt: skip
