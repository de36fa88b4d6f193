"""Responses to typed tables: ``data`` and the columns of the row → Arrow → DataFrame. No requests, no files.

Every documented column is present, null if the response lacks it, so that frames of one endpoint are compatible.
Times are ``datetime64[ms, UTC]``, decimals and percentages (as fractions) float64, whole numbers Int64, flags boolean,
enums categories, everything else text. Objects inside a row become ``feeDetail.totalFee``; lists inside a row stay
JSON text. Fields that the table does not know are kept as text, and named in the log, once a day. Values that are not
of their column's kind are missing, and a warning names them with their rows.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.catalogue import Column, Endpoint
from bgresearch.catalogue.answer_row import AnswerRow, Problems, shown
from bgresearch.catalogue.response import printable, rows_key, rows_of, unwrap, without_secrets
from bgresearch.catalogue.value_types import TIME, as_text, to_array
from bgresearch.core import exact_json
from bgresearch.core.clock import Clock, SystemClock
from bgresearch.core.once_a_day import OncePerDay
from bgresearch.errors import BadResponse

_CANDLE_NUMBERS = ("open", "high", "low", "close", "volume", "quote_volume")
CANDLE_SCHEMA = pa.schema([("open_time", TIME), *((name, pa.float64()) for name in _CANDLE_NUMBERS)])
_CANDLE_ALIASES = ("open_time", "open", "high", "low", "close", "volume_base", "volume_quote")
_ANSWER = b"bgresearch.answer"  # schema metadata: the endpoint, and the fields next to the rows
_FRACTION = "ratio (1=100%)"
NO_CATEGORIES = pd.CategoricalDtype(pd.Index([], dtype="str"))  # pandas names no type for none, and Parquet loses it
_NO_NUMBERS = (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError)

_log = logging.getLogger(__name__)
_said = OncePerDay()  # by endpoint and field
_MACHINE = SystemClock()

_Tree = dict[str, "Leaf | _Tree"]


class Leaf(NamedTuple):
    """A column of the table: its label, and its documentation."""

    label: str
    column: Column


def decode(endpoint: Endpoint, body: bytes, clock: Clock = _MACHINE) -> pd.DataFrame:
    """Return the rows of a response body as a typed frame, columns in the exchange's spelling and documented order.

    Parameters
    ----------
    endpoint : Endpoint
        The row of the endpoint.
    body : bytes
        The whole response body.
    clock : Clock
        Fields that are not in the table are named in the log once on each of its days.

    Returns
    -------
    DataFrame
        One row per row of the response; one row for a single object. The fields next to the rows are in
        ``df.attrs["bgresearch"]["beside"]``, units are in ``["units"]``.

    Raises
    ------
    ExchangeError, BadResponse
        The body is an error or not as documented.

    Examples
    --------
    >>> from bgresearch.catalogue import load
    >>> body = b'{"code":"00000","data":[{"symbol":"BTCUSDT","fundingRate":"0.0005"}]}'
    >>> decode(load()["futures.current_fund_rate"], body)[["symbol", "fundingRate"]]
        symbol  fundingRate
    0  BTCUSDT       0.0005
    """
    body = without_secrets(body) if endpoint.private else body  # whatever its source, as the sender does
    return to_frame(to_table(endpoint, unwrap(endpoint, 200, body), clock), source=endpoint.page or "other clients")


def to_table(endpoint: Endpoint, data: Any, clock: Clock = _MACHINE) -> pa.Table:
    """Return the rows inside ``data`` as an Arrow table with every documented column, and unknown ones as text."""
    tree = _tree(endpoint)
    leaves = {leaf.label: leaf for leaf in _leaves(tree)}
    rows = [_flat(row, tree, leaves) for row in _lists_of(endpoint, rows_of(endpoint, data))]
    common = _envelope_fields(endpoint, data)
    time = _common_time(endpoint, leaves, common)
    if time is not None:
        leaves[time.label] = time
        for row in rows:
            row[time.label] = common[time.label]
    for label in dict.fromkeys(label for row in rows for label in row if label not in leaves):
        leaves[label] = Leaf(label, Column(label, "string"))
        if _said.is_due(clock, endpoint.id, label):
            _log.warning("%s: %s is not in the table; it is returned as text", endpoint.id, printable(label))
    return _table(endpoint, list(leaves.values()), rows, common)


def _lists_of(endpoint: Endpoint, rows: list[Any]) -> list[Any]:
    """Return the rows; for an endpoint whose rows are lists, other rows are skipped with a warning."""
    if endpoint.response != "array-rows":
        return rows
    problems = Problems(endpoint.id)
    for place, row in enumerate(rows, start=1):
        if not isinstance(row, list):
            problems.add(f"row {place} is not a list: {shown(row)}, and the row is skipped")
    problems.warn()
    return [row for row in rows if isinstance(row, list)]


def to_frame(table: pa.Table, **provenance: object) -> pd.DataFrame:
    """Return an Arrow table as a frame with nullable integers and booleans.

    Parameters
    ----------
    table : pyarrow.Table
        From `to_table`, `candle_table` or the store.
    **provenance
        Stored in ``df.attrs["bgresearch"]``; never a secret.
    """
    metadata = table.schema.metadata or {}
    types = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    # one chunk and one block per column: Arrow's memory is used directly instead of being copied
    plain = table.replace_schema_metadata(None).combine_chunks()
    frame: pd.DataFrame = plain.to_pandas(types_mapper=types.get, split_blocks=True)
    for field in plain.schema:
        if pa.types.is_dictionary(field.type) and frame[field.name].dtype.categories.empty:
            frame[field.name] = frame[field.name].astype(NO_CATEGORIES)
    units = {field.name: field.metadata[b"unit"].decode() for field in table.schema if field.metadata}
    answer = json.loads(metadata[_ANSWER]) | {"units": units} if _ANSWER in metadata else {}
    frame.attrs["bgresearch"] = answer | provenance
    return frame


def candle_table(endpoint: Endpoint, rows: list[Any]) -> pa.Table:
    """Return candles with open_time (UTC) and open, high, low, close, volume, quote_volume as float64.

    Volume is in the base coin, quote volume in the quote coin; the row of the table has the position of each. Order
    and duplicates are unchanged. In a row that is truncated or has values that are not plain numbers, unreadable values
    are missing: NaN, or no time.

    Raises
    ------
    BadResponse
        No row has a time.
    """
    places = [_place(endpoint, alias) for alias in _CANDLE_ALIASES]
    if not rows:
        return CANDLE_SCHEMA.empty_table()
    columns = _columns(rows, places)
    try:
        arrays = _numbers(columns)
    except _NO_NUMBERS:
        kinds = (pa.int64(), *[pa.float64()] * len(_CANDLE_NUMBERS))
        arrays = _numbers([[cell if _is_number(cell, kind) else None for cell in column]
                           for column, kind in zip(columns, kinds, strict=True)])  # fmt: skip
    if arrays[0].null_count == len(rows):
        raise BadResponse(endpoint.id, "no candle has a time.")
    return pa.Table.from_arrays(arrays, schema=CANDLE_SCHEMA)


def _columns(rows: list[Any], places: Sequence[int]) -> list[Sequence[Any]]:
    """Return the given positions of all rows, column by column; None if a row is not a list or is too short."""
    if set(map(type, rows)) == {list} and min(map(len, rows)) > max(places):
        columns = list(zip(*rows, strict=False))
        return [columns[place] for place in places]
    return [[row[place] if type(row) is list and place < len(row) else None for row in rows] for place in places]


def _numbers(columns: Sequence[Sequence[Any]]) -> list[pa.Array]:
    """Return the columns of candles; missing numbers are NaN."""
    times = _texts(columns[0]).cast(pa.int64()).cast(TIME)
    return [times, *(pc.fill_null(_texts(column).cast(pa.float64()), math.nan) for column in columns[1:])]


def _is_number(cell: Any, kind: pa.DataType) -> bool:
    try:
        _texts([cell]).cast(kind)
    except _NO_NUMBERS:
        return False
    return True


def _texts(values: Sequence[Any]) -> pa.Array:
    """Return numbers as text; unquoted numbers are converted, everything else is refused."""
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:
        return pa.array([str(v) if type(v) in (int, float, Decimal) else v for v in values], pa.string())


def _place(endpoint: Endpoint, alias: str) -> int:
    for place, column in enumerate(endpoint.columns):
        if column.alias == alias:
            return place
    raise ValueError(f"{endpoint.id} has no candles: no column has the alias {alias}")


def _tree(endpoint: Endpoint) -> _Tree:
    """Return the documented columns by key: leaves, and trees for objects with documented fields."""
    prefix = f"{endpoint.rows_at}." if endpoint.rows_at else ""
    tree: _Tree = {}
    paths = {column.path for column in endpoint.columns}
    inside: dict[str, _Tree] = {prefix.rstrip("."): tree}
    for column in endpoint.columns:
        parent = column.path.rpartition(".")[0]
        if parent not in inside:
            continue
        if column.kind == "object" and any(path.startswith(f"{column.path}.") for path in paths):
            inside[column.path] = inside[parent][column.name] = {}
        else:
            label = column.alias or column.path.removeprefix(prefix)
            inside[parent][column.name] = Leaf(label, column)
    return tree


def _leaves(tree: _Tree) -> list[Leaf]:
    found: list[Leaf] = []
    for node in tree.values():
        found += [node] if isinstance(node, Leaf) else _leaves(node)
    return found


def _flat(row: Any, tree: _Tree, leaves: Mapping[str, Leaf]) -> dict[str, Any]:
    """Return one row as label → value, whatever it is: an object, a list without keys, or a bare value."""
    if isinstance(row, dict):
        flat: dict[str, Any] = {}
        _flatten(row, tree, "", flat)
        return flat
    values = row if isinstance(row, list) else [row]
    flat = {}
    for place, value in enumerate(values):
        node = tree.get(f"index[{place}]")
        alone = "value" if not isinstance(row, list) else f"index[{place}]"
        flat[node.label if isinstance(node, Leaf) else alone] = value
    return flat


def _flatten(row: Mapping[str, Any], tree: _Tree, inside: str, flat: dict[str, Any]) -> None:
    for key, value in row.items():
        node = tree.get(key)
        if isinstance(node, dict):
            inner = _unquoted(value)
            if isinstance(inner, dict):
                _flatten(inner, node, f"{inside}{key}.", flat)
            elif value not in (None, "", []):
                flat[f"{inside}{key}"] = value
        else:
            flat[node.label if node is not None else f"{inside}{as_text(key)}"] = value


def _unquoted(value: Any) -> Any:
    """Return the object in a JSON text, anything else unchanged."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return exact_json.loads(value)
    except (ValueError, RecursionError):
        return value


def _envelope_fields(endpoint: Endpoint, data: Any) -> dict[str, Any]:
    key = rows_key(endpoint, data) if isinstance(data, dict) else None
    if key is None and not (endpoint.rows_at and isinstance(data, dict) and not rows_of(endpoint, data)):
        return {}
    return {name: value for name, value in data.items() if name != key}


def _common_time(endpoint: Endpoint, leaves: Mapping[str, Leaf], common: Mapping[str, Any]) -> Leaf | None:
    """Return the column of a time that is given once for all rows."""
    if not endpoint.time or endpoint.time in leaves or endpoint.time not in common:
        return None
    column = next((column for column in endpoint.columns if column.path == endpoint.time), None)
    return None if column is None else Leaf(column.name, column)


def _table(endpoint: Endpoint, leaves: list[Leaf], rows: list[dict[str, Any]], common: dict[str, Any]) -> pa.Table:
    fields, arrays, problems = [], [], Problems(endpoint.id)
    for label, column in leaves:
        array, unreadable = to_array(column, [row.get(label) for row in rows])
        for place in unreadable:
            name = AnswerRow(rows[place], problems, f"row {place + 1}").name
            problems.add(f"{name}: {label} is not of kind {column.kind}: {shown(rows[place][label])}")
        unit = _FRACTION if column.kind == "percent" else column.unit
        fields.append(pa.field(label, array.type, metadata={"unit": unit} if unit and column.kind != "ms" else None))
        arrays.append(array)
    problems.warn()
    answer = exact_json.dumps({"endpoint": endpoint.id, "beside": common})
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={_ANSWER: answer.encode()}))
