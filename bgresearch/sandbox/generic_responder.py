"""Plausible typed answers for rows that no responder covers, made from the row's columns alone.

The made-up history is a fixed population: one row every six hours, each with an id that grows with its time. Windows,
cursors and pages only select from it, so the same call gets the same rows and every way of paging ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple
from zlib import crc32

from bgresearch.catalogue import Column, Endpoint, load
from bgresearch.catalogue.endpoint import Kind
from bgresearch.sandbox.call import Call, Refusal

STEP_MS = 6 * 3_600_000
DEFAULT_WINDOW_MS = 2 * 86_400_000
DEFAULT_PAGE = 100
STATIC_ROWS = 3  # of a list that has no history
_FIRST_ID = 10**18  # ids have 19 digits
_ID_STRIDE = 1000
_IDENTIFIER = re.compile(r"[0-9]{1,25}")

_COINS = ("BTC", "ETH", "SOL", "USDT")
_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
_WORDS = ("alpha", "beta", "gamma", "delta")
_OWNERS = frozenset({"userId", "uid", "subUid", "traderId", "masterUserId", "parentId", "fromUserId"})
_LAST_IDS = frozenset({"endId", "minId", "cursor", "idLessThan", "minAdvId", "minMerchantId", "minOrderId"})
_MORE_FLAGS = frozenset({"nextFlag", "hasNextPage", "hasNext"})
_NOT_ECHOED = frozenset(
    {"startTime", "endTime", "limit", "pageSize", "pageNo", "pageNum", "cursor", "idLessThan", "idGreaterThan"}
)
# JSON numbers, unlike nearly all else: as in the documentation's examples; stockplus and p2p as a client's types say.
JSON_NUMBERS = {
    "spot.account_subaccount_assets": ("id", "userId"),
    "futures.account_sub_account_assets": ("userId",),
    "broker.account_subaccount_list": ("idLessThan",),
    "uta.stockplus_depth": ("position", "orderNum"),
    "uta.stockplus_trade_today_orders": ("limitDepthLevel", "triggerCount"),
    "uta.stockplus_trade_history_orders": ("limitDepthLevel", "triggerCount"),
    "uta.stockplus_trade_order_detail": ("limitDepthLevel", "triggerCount"),
    "uta.p2p_currencies": ("payTimeLimit",),
}


class _Node(NamedTuple):
    column: Column
    inside: tuple[_Node, ...]


class _Row(NamedTuple):
    """One invented row: its place in the population and the parameters of the call."""

    call: Call
    place: int
    echo: Mapping[str, str]

    @property
    def time_ms(self) -> int:
        return self.place * STEP_MS

    def number(self, path: str) -> int:
        seed = f"{self.call.endpoint.id}|{self.place}|{path}|{sorted(self.echo.items())}"
        return crc32(seed.encode())


class _Page(NamedTuple):
    rows: list[_Row]
    more: bool


def invent(call: Call) -> Any:
    """Return ``data`` for this call in the row's shape.

    Raises
    ------
    Refusal
        40700 for a cursor that is no id.
    """
    endpoint = call.endpoint
    tree = _tree(endpoint)
    page = _page(call)
    if endpoint.response != "object":
        made: Callable[[_Row, tuple[_Node, ...]], Any] = _plain if _is_plain(tree) else _fields
        made = _cells if endpoint.response == "array-rows" else made
        return [made(row, tree) for row in page.rows]
    top = page.rows[0] if page.rows else _Row(call, call.now_ms // STEP_MS, _echo(call))
    data: dict[str, Any] = {}
    for node in tree:
        name = node.column.name
        if name == endpoint.rows_at:
            data[name] = [_fields(row, node.inside) for row in page.rows] if node.inside else _leaf(top, node.column)
        elif endpoint.paging.kind != "none" and name in _LAST_IDS:
            last = _identifier(page.rows[-1].place) if page.rows else ""
            data[name] = int(last) if last and _is_number(endpoint, node.column) else last
        elif name in _MORE_FLAGS:
            data[name] = page.more if node.column.kind == "bool" else str(page.more).lower()
        else:
            data[name] = _value(top, node)
    if endpoint.rows_at:
        data.setdefault(endpoint.rows_at, [])
    return data


@cache
def _tree(endpoint: Endpoint) -> tuple[_Node, ...]:
    """Return the row's columns as a tree."""
    inside: dict[str, list[Column]] = {}
    for column in endpoint.columns:
        inside.setdefault(column.path.rpartition(".")[0], []).append(column)

    def below(path: str) -> tuple[_Node, ...]:
        return tuple(_Node(column, below(column.path)) for column in inside.get(path, ()))

    return below("")


def _page(call: Call) -> _Page:
    """Return the rows within the window of this call, newest first."""
    endpoint, params = call.endpoint, call.params
    echo = _echo(call)
    newest, oldest = _window(call)
    if "cursor" in params and endpoint.paging.kind != "page":
        newest = min(newest, _place(params["cursor"]) - 1)
    if "idLessThan" in params:
        newest = min(newest, _place(params["idLessThan"]) - 1)
    if "idGreaterThan" in params:
        oldest = max(oldest, _place(params["idGreaterThan"]) + 1)
    places = range(newest, oldest - 1, -1)
    if any(column.kind == "id" and column.name in echo for column in endpoint.columns):
        places = places[:1]  # requested by its id
    size = _size(call)
    first = _page_number(call) * size
    return _Page([_Row(call, place, echo) for place in places[first : first + size]], more=len(places) > first + size)


def _window(call: Call) -> tuple[int, int]:
    """Return the newest and the oldest place inside the asked time window."""
    endpoint, params = call.endpoint, call.params
    end = min(int(params.get("endTime", call.now_ms)), call.now_ms)
    default = DEFAULT_WINDOW_MS if endpoint.paging.kind != "none" else STATIC_ROWS * STEP_MS
    start = int(params.get("startTime", end - default + 1))
    if endpoint.lookback_days is not None:
        start = max(start, call.now_ms - endpoint.lookback_days * 86_400_000)
    return end // STEP_MS, -(-start // STEP_MS)


def _size(call: Call) -> int:
    asked = call.params.get("limit") or call.params.get("pageSize") or ""
    return int(asked) if asked.isdecimal() else call.endpoint.paging.default_rows or DEFAULT_PAGE  # "max" is a limit


def _page_number(call: Call) -> int:
    if call.endpoint.paging.kind != "page":
        return 0
    asked = next((call.params[name] for name in ("pageNo", "pageNum", "cursor") if name in call.params), "1")
    return int(asked) - 1


def _place(identifier: str) -> int:
    if not _IDENTIFIER.fullmatch(identifier):
        raise Refusal("40700", "The cursor is wrong")
    return (int(identifier) - _FIRST_ID) // _ID_STRIDE


def _identifier(place: int, offset: int = 0) -> str:
    return str(_FIRST_ID + place * _ID_STRIDE + offset)


def _echo(call: Call) -> dict[str, str]:
    return {name: value for name, value in call.params.items() if name not in _NOT_ECHOED}


def _fields(row: _Row, nodes: tuple[_Node, ...]) -> dict[str, Any]:
    return {node.column.name: _value(row, node) for node in nodes}


def _is_plain(nodes: tuple[_Node, ...]) -> bool:
    """Return whether rows have one value and no name for it: a list of texts."""
    return len(nodes) == 1 and nodes[0].column.name == "index[0]"


def _plain(row: _Row, nodes: tuple[_Node, ...]) -> Any:
    return _value(row, nodes[0])


def _cells(row: _Row, nodes: tuple[_Node, ...]) -> list[Any]:
    return [_value(row, node) for node in nodes]


def _value(row: _Row, node: _Node) -> Any:
    if not node.inside:
        return _leaf(row, node.column)
    if node.inside[0].column.name == "index[0]":
        return [_plain(row, node.inside) if _is_plain(node.inside) else _cells(row, node.inside)]
    fields = _fields(row, node.inside)
    return fields if node.column.kind == "object" else [fields]


def _leaf(row: _Row, column: Column) -> Any:
    """Return one value; a column that the caller filtered by repeats the parameter."""
    number = row.number(column.path)
    as_number = _is_number(row.call.endpoint, column)
    if column.name in row.echo and column.kind not in ("list", "object", "bool"):
        made = row.echo[column.name]
    elif as_number and column.kind != "id":
        made = str(number % 9 + 1)
    else:
        made = _MADE[column.kind](row, column, number)
    if not as_number:
        return made
    return [int(made)] if column.kind == "list" else int(made)


def _is_number(endpoint: Endpoint, column: Column) -> bool:
    return column.name in JSON_NUMBERS.get(endpoint.id, ())


def _time(row: _Row, column: Column, number: int) -> str:
    """Return the row's own time for the ordering column; others (updated, settled) come up to a minute later."""
    return str(row.time_ms if column.name == row.call.endpoint.time else row.time_ms + number % 60_000)


def _id(row: _Row, column: Column, number: int) -> str:
    if column.name in _OWNERS:
        account = row.call.account
        return account.uid if account is not None else str(10**9 + crc32(column.name.encode()) % 10**9)
    is_cursor = row.call.endpoint.paging.cursor_from.endswith((f" {column.name}", f"{column.name} of the page"))
    return _identifier(row.place, 0 if is_cursor else crc32(column.name.encode()) % (_ID_STRIDE - 1) + 1)


def _decimal(row: _Row, column: Column, number: int) -> str:
    if column.unit.startswith("ratio"):
        return f"{number % 10_000 / 100_000:.5f}"
    if column.name.lower().endswith(("leverage", "lever")):
        return str(number % 20 + 1)
    return f"{number % 10_000_000 / 1000:.3f}"


def _bare_list(row: _Row, column: Column, number: int) -> list[Any]:
    """Return a list whose rows the table does not describe: book sides are pairs, anything else is words."""
    name = column.name
    if column.enum:
        return [column.enum[number % len(column.enum)]]
    if name in ("asks", "bids", "a", "b"):
        side = 1 if name.startswith("a") else -1
        return [[str(1000 + side * step), f"{number % 1000 / 100 + step:.2f}"] for step in range(1, 4)]
    return [_COINS[number % len(_COINS)]] if "coin" in name.lower() else [_SYMBOLS[number % len(_SYMBOLS)]]


def _word(row: _Row, column: Column, number: int) -> str:
    words = column.enum or _listed_values().get(column.name, ("normal",))
    return words[number % len(words)]


def _text(row: _Row, column: Column, number: int) -> str:
    name = column.name.lower()
    if name.endswith("coin") or name in ("coinname", "token"):
        return row.echo.get("coin", _COINS[row.place % len(_COINS)])
    if name.endswith("symbol"):
        return row.echo.get("symbol", _SYMBOLS[row.place % len(_SYMBOLS)])
    if column.enum:
        return column.enum[number % len(column.enum)]
    return _WORDS[number % len(_WORDS)]


@cache
def _listed_values() -> dict[str, tuple[str, ...]]:
    """Return what the table says about names anywhere: the first list of values of that name."""
    found: dict[str, tuple[str, ...]] = {}
    for endpoint in load():
        for column in endpoint.columns:
            if column.enum:
                found.setdefault(column.name, column.enum)
        for param in endpoint.params:
            if param.enum:
                found.setdefault(param.name, param.enum)
    return found


_MADE: dict[Kind, Callable[[_Row, Column, int], Any]] = {
    "string": _text,
    "enum": _word,
    "id": _id,
    "decimal": _decimal,
    "percent": lambda row, column, number: f"{number % 200}%",
    "int": lambda row, column, number: str(number % 9 + 1),
    "ms": _time,
    "flag": lambda row, column, number: (column.enum or ("yes", "no"))[number % 2],
    "bool": lambda row, column, number: number % 2 == 0,
    "list": _bare_list,
    "object": lambda row, column, number: {},
    "json": lambda row, column, number: json.dumps({"value": _decimal(row, column, number)}),
}
