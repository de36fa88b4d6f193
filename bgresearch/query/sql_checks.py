"""What a query reads, from DuckDB's own parse of it, and whether it would mix markets or prices. Pure.

A table of candles has one kind of price. A symbol may be stored in several markets, and figures over the rows of both
are wrong for either: a query that reads such a table has to use the column ``market`` somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bgresearch.errors import InvalidInput
from bgresearch.query.datasets import PRICES, Family

_POSITIVE = {"COMPARE_EQUAL", "COMPARE_IN", "COMPARE_NOT_DISTINCT_FROM"}


@dataclass
class Query:
    """What one SELECT names.

    Attributes
    ----------
    tables : set of str
        Names of tables and views, in lower case.
    columns : set of str
        Names of columns, in lower case, wherever they occur.
    all_columns : bool
        Whether every column is part of the result (``*`` in the outermost list).
    prices : set of str
        Kinds of price that a column ``price`` is compared with.
    """

    tables: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    all_columns: bool = False
    prices: set[str] = field(default_factory=set)

    def check_prices(self, families: Mapping[str, Family], root: Path) -> None:
        """Raise `InvalidInput` if the query wants a kind of price that is stored, but in another table."""
        read = [families[name] for name in sorted(self.tables & {*families}) if families[name].price]
        missing = self.prices - {family.price for family in read}
        kin = [
            one for one in families.values() if one.price in missing and one.folder in {each.folder for each in read}
        ]
        if others := [one for one in kin if any(one.series(root))]:
            asked = " and ".join(one.price for one in others)
            hint = f"Read {' and '.join(one.name for one in others)} for them."
            raise InvalidInput("query", f"{read[0].name} has {read[0].price} prices alone, not {asked}.", hint=hint)

    def apart(self, families: Mapping[str, Family]) -> Iterator[Family]:
        """Yield the families that are read without using the market of their rows."""
        if not self.all_columns and "market" not in self.columns:
            yield from (families[name] for name in sorted(self.tables & {*families}) if "market" in families[name].keys)


def parsed(statement: Mapping[str, Any]) -> Query:
    """Return what a statement names; it is one of those that ``json_serialize_sql`` gives."""
    query = Query()
    node = statement["node"]
    query.all_columns = any(one.get("class") == "STAR" for one in node.get("select_list", ()))
    _walk(node, query, negated=False)
    return query


def check_markets(name: str, kept: Iterable[Mapping[str, str]], hint: str) -> None:
    """Raise `InvalidInput` naming the choice if a symbol is kept in several markets.

    Parameters
    ----------
    name : str
        Of what is wrong: an argument or the query.
    kept : iterable of mappings
        Keys of series or files.
    hint : str
        How to say which one is meant.
    """
    markets: dict[str, set[str]] = {}
    for keys in kept:
        markets.setdefault(keys["symbol"], set()).add(keys["market"])
    mixed = sorted(symbol for symbol, found in markets.items() if len(found) > 1)
    if mixed:
        more = f" (and {len(mixed) - 1} more symbols)" if len(mixed) > 1 else ""
        kinds = " and ".join(sorted(markets[mixed[0]]))
        raise InvalidInput(name, f"{mixed[0]}{more} is kept in several markets, {kinds}, and none is named.", hint=hint)


def _walk(node: Any, query: Query, *, negated: bool) -> None:
    if isinstance(node, list):
        for each in node:
            _walk(each, query, negated=negated)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("type")
    if kind == "BASE_TABLE":
        query.tables.add(str(node["table_name"]).lower())
    elif kind == "COLUMN_REF":
        query.columns.add(node["column_names"][-1].lower())
    query.columns |= {str(name).lower() for name in node.get("using_columns") or ()}
    if str(kind).startswith("COMPARE_"):
        query.prices |= _asked(node, negated=negated != (kind not in _POSITIVE | {"COMPARE_BETWEEN"}))
    for each in node.values():
        _walk(each, query, negated=negated != (kind == "OPERATOR_NOT"))


def _asked(comparison: Mapping[str, Any], *, negated: bool) -> set[str]:
    """Return the kinds of price that a comparison of a column ``price`` with text lets through."""
    parts = [comparison.get("left"), comparison.get("right"), *(comparison.get("children") or [])]
    sides: list[dict[str, Any]] = [one for one in parts if isinstance(one, dict)]
    columns = [one["column_names"] for one in sides if one.get("type") == "COLUMN_REF"]
    if not any(names[-1].lower() == "price" and names[0].lower() not in ("coverage", "gaps") for names in columns):
        return set()
    named = {text for one in sides if one.get("class") == "CONSTANT" for text in _texts(one)} & {*PRICES}
    return {*PRICES} - named if negated and named else named


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _texts(each)
