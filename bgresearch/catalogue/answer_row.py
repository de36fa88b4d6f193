"""One row of a response, parsed field by field: unreadable values are reported with their row and field.

Two rules, chosen by the caller:

* Current data and public lists: the value is missing (numbers are NaN, so that sums with it are NaN as well), the rest
  of the row and all other rows are returned, and one `UndocumentedData` warning per response names rows and fields. A
  row without its identifying field (its symbol, its coin, its id) is skipped, and reported as well.
* Records of an account (``money=True``): an unreadable amount, id or time raises `BadResponse`, as a missing
  fee would count as zero. Other fields are missing and reported, and the record is fetched again next time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from bgresearch.catalogue.response import printable
from bgresearch.catalogue.value_types import as_text, is_blank, read_value
from bgresearch.core import exact_json
from bgresearch.errors import BadResponse, UndocumentedData

_NAMES = frozenset({
    "symbol", "coin", "marginCoin", "productCoin", "feeCoin", "fromCoin", "chain", "level", "tier", "accountType", "id",
})  # fmt: skip
_TIMES = ("ts", "cTime", "createdTime", "fundingTime", "date")
_MOST_NAMES, _MOST_SHOWN, _LONGEST = 3, 5, 40
_LONGEST_KEY = 200
_MOST_PLACES = 400  # below every float

_KINDS = {"number": "a number", "count": "a whole number", "time": "a time", "flag": "yes or no", "text": "a text"}
_OF_TABLE = {"number": "decimal", "count": "int", "time": "ms", "flag": "flag"}
UNREADABLE = "unreadable"
"""Marks a row with an unreadable field: it is returned, but not stored as final."""


Row = dict[str, Any]
Make = Callable[["AnswerRow"], "Row | list[Row]"]


class KeyMissing(Exception):
    """A row lacks its identifying field."""


class Problems:
    """The unreadable values of one response.

    Parameters
    ----------
    endpoint : str
        Id of the table row.
    money : bool
        Whether amounts, ids and times must be readable.
    whole : bool
        Whether no row may be skipped, as the list is stored as complete.
    """

    def __init__(self, endpoint: str, *, money: bool = False, whole: bool = False) -> None:
        self.endpoint, self.money, self.whole = endpoint, money, whole
        self.found: list[str] = []
        self.notes: list[str] = []

    def note(self, what: str) -> None:
        """Note something that is reported, and leaves the row as readable as it was."""
        self.notes.append(what)

    def add(self, what: str, *, fatal: bool = False) -> None:
        """Note a problem; for account records, raise if it concerns money."""
        if fatal and self.money:
            hint = f"client.api.{self.endpoint}.raw(...) shows the raw response."
            raise BadResponse(self.endpoint, f"{what}.", hint=hint)
        self.found.append(what)

    def warn(self) -> None:
        """Report everything in one warning."""
        said = [*self.found, *self.notes]
        if not said:
            return
        more = len(said) - _MOST_SHOWN
        shown = "; ".join(said[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        warnings.warn(f"{self.endpoint}: {shown}.", UndocumentedData, stacklevel=4)


class AnswerRow:
    """An object of a response.

    Every method takes the exchange's names of a value; the first one that is not empty counts. With ``needed`` an
    absent or empty value is a problem, too; without, it is just missing.
    """

    def __init__(self, values: Mapping[str, Any], problems: Problems, place: str = "row 1") -> None:
        self._values, self.problems, self._place = values, problems, place

    def __contains__(self, name: str) -> bool:
        return name in self._values

    @property
    def name(self) -> str:
        """The row for messages: its place in the response and its identifying fields."""
        said = [
            f"{name} {shown(value)}"
            for name, value in self._values.items()
            if (name in _NAMES or name.endswith("Id")) and _is_scalar(value) and not is_blank(value)
        ][:_MOST_NAMES]
        said = said or [f"{name} {shown(self._values[name])}" for name in _TIMES if name in self._values][:1]
        return f"{self._place} ({', '.join(said)})" if said else self._place

    def number(self, *names: str, needed: bool = False) -> float | None:
        """Return a number, NaN if it cannot be read."""
        found = self._read("number", names, needed=needed, fatal=True)
        return float("nan") if found is _UNREADABLE else cast("float | None", found)

    def decimal(self, *names: str) -> Decimal | None:
        """Return a number with all its digits."""
        found = self._read("number", names, needed=False, fatal=True)
        if found is _UNREADABLE or found is None:
            return None
        name, value = self._given(names)
        exact = Decimal(str(value).strip())
        if exact.adjusted() >= -_MOST_PLACES:
            return exact
        self.problems.add(f"{self.name}: {name} {shown(value)} has too many decimals", fatal=True)
        return None

    def count(self, *names: str, needed: bool = False) -> int | None:
        """Return a whole number."""
        return cast("int | None", self._known("count", names, needed=needed, fatal=needed))

    def time(self, *names: str, needed: bool = False) -> int | None:
        """Return epoch milliseconds; ten digits are seconds, 0 and -1 mean none."""
        return cast("int | None", self._known("time", names, needed=needed, fatal=needed))

    def flag(self, *names: str, fatal: bool = False) -> bool | None:
        """Return yes or no, in any of the exchange's spellings."""
        return cast("bool | None", self._known("flag", names, needed=False, fatal=fatal))

    def text(self, *names: str, needed: bool = False) -> str | None:
        """Return a text as it is."""
        return cast("str | None", self._known("text", names, needed=needed, fatal=needed))

    def word(self, *names: str, needed: bool = False) -> str | None:
        """Return a text in lower case."""
        found = self.text(*names, needed=needed)
        return None if found is None else found.lower()

    def one_of(self, known: Sequence[str], *names: str, needed: bool = False) -> str | None:
        """Return a text in lower case that is one of a closed list; another one is returned, and reported."""
        found = self.word(*names, needed=needed)
        if found is not None and found not in known:
            self.problems.note(f"{self.name}: {self._unknown(known, names)}")
        return found

    def must_be(self, known: Sequence[str], *names: str) -> str:
        """Return a text in lower case that is one of a closed list; a row with another one is skipped, as by `key`."""
        found = self.key(*names).lower()
        if found not in known:
            self.problems.add(f"{self.name}: {self._unknown(known, names)}", fatal=True)
            raise KeyMissing
        return found

    def _unknown(self, known: Sequence[str], names: tuple[str, ...]) -> str:
        name, value = self._given(names)
        return f"{name} {shown(value)} is none of {', '.join(known)}"

    def code(self, *names: str, needed: bool = False) -> str | None:
        """Return a coin or symbol in the exchange's spelling."""
        found = self.text(*names, needed=needed)
        return None if found is None else spelled(found)

    def key(self, *names: str) -> str:
        """Return the identifying text of the row; a row without it is skipped."""
        found = self.text(*names, needed=True)
        if found is not None and len(found) > _LONGEST_KEY:
            self.problems.add(f"{self.name}: {names[0]} {shown(found)} is too long", fatal=True)
            found = None
        if found is None:
            raise KeyMissing
        return found

    def nested(self, name: str, *, needed: bool = False) -> list[AnswerRow]:
        """Return the objects in a field: a list of them, a single one, or either as JSON text."""
        value = self._opened(name)
        given = value if isinstance(value, list) else [] if value is None or value == {} else [value]
        parts = [part for part in given if part is not None]
        if needed and not given and name not in self._values:
            self.problems.add(f"{self.name}: {name} is missing")
        if len(parts) < len(given) and (parts or not self.problems.money):  # a record's [null] is no list at all
            nulls = len(given) - len(parts)
            self.problems.add(f"{self.name}: {nulls} of {len(given)} places of {name} are null", fatal=True)
        if not all(isinstance(part, dict) for part in parts):
            self.problems.add(f"{self.name}: {name} {shown(self._values[name])} is not a list of objects", fatal=True)
            parts = [part for part in parts if isinstance(part, dict)]
        return [
            AnswerRow(part, self.problems, f"{self.name}, {name} {place}") for place, part in enumerate(parts, start=1)
        ]

    def lists(self, name: str, *columns: str) -> list[AnswerRow]:
        """Return the lists in a field as rows with values by index.

        Raises
        ------
        BadResponse
            There is no list; an empty list is valid.
        """
        value = self._values.get(name)
        if not isinstance(value, list):
            raise BadResponse(self.problems.endpoint, f"{self.name}: {name} {shown(value)} is not a list.")
        return [
            AnswerRow(
                dict(zip(columns, one, strict=False)) if isinstance(one, list) else {}, self.problems,
                f"{name} {place}",
            )
            for place, one in enumerate(value, start=1)
        ]  # fmt: skip

    def fields(self, name: str) -> dict[str, AnswerRow]:
        """Return the objects in an object by name."""
        (row, *_) = self.nested(name) or [AnswerRow({}, self.problems)]
        for key, part in row._values.items():
            if not isinstance(part, dict) and not is_blank(part):
                self.problems.add(f"{self.name}: {name} {key} {shown(part)} is not an object")
        return {key: AnswerRow(part, self.problems, f"{self.name}, {name} {key}")
                for key, part in row._values.items() if isinstance(part, dict)}  # fmt: skip

    def _opened(self, name: str) -> Any:
        value = self._values.get(name)
        if is_blank(value) or not isinstance(value, str):
            return None if is_blank(value) else value
        try:
            return exact_json.loads(value)
        except (ValueError, RecursionError):
            return value

    def _known(self, kind: str, names: tuple[str, ...], *, needed: bool, fatal: bool) -> Any:
        found = self._read(kind, names, needed=needed, fatal=fatal)
        return None if found is _UNREADABLE else found

    def _read(self, kind: str, names: tuple[str, ...], *, needed: bool, fatal: bool) -> Any:
        """Return the value, None if it is absent, or `_UNREADABLE` if a problem was noted."""
        name, value = self._given(names)
        if is_blank(value) or (kind == "time" and str(value).strip() in ("0", "-1")):
            if needed:
                self.problems.add(f"{self.name}: {name} is missing", fatal=fatal)
            return None
        found = _plain(value) if kind == "text" else read_value(_OF_TABLE[kind], value)
        if found is None:
            self.problems.add(f"{self.name}: {name} {shown(value)} is not {_KINDS[kind]}", fatal=fatal)
            return _UNREADABLE
        return found

    def _given(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            if not is_blank(value := self._values.get(name)):
                return name, value
        return names[0], None


def read_rows(make: Make, rows: Iterable[Any], problems: Problems) -> list[Row]:
    """Return the parsed rows, and warn of unreadable ones; `UNREADABLE` marks rows with unreadable fields.

    Duplicate rows are dropped: exchanges repeat some, and sums would count them twice.

    Raises
    ------
    BadResponse
        There are rows, and none of them can be read.
    """
    made: list[Row] = []
    left_out, once = 0, _once(rows)
    for place, row in once:
        if not isinstance(row, dict | AnswerRow):
            problems.add(f"row {place} is not an object: {shown(row)}", fatal=True)
            if problems.whole:
                raise BadResponse(problems.endpoint, f"{problems.found[-1]}.")
            left_out += 1
            continue
        one = row if isinstance(row, AnswerRow) else AnswerRow(row, problems, f"row {place}")
        before = len(problems.found)
        try:
            parts = make(one)
        except KeyMissing:
            if problems.whole:
                raise BadResponse(problems.endpoint, f"{problems.found[-1]}.") from None
            problems.found[-1] += ", and the row is skipped"
            left_out += 1
            continue
        mark = {UNREADABLE: True} if len(problems.found) > before else {}
        made += [part | mark for part in (parts if isinstance(parts, list) else [parts])]
    if left_out and left_out == len(once):
        raise BadResponse(problems.endpoint, f"no row can be read: {problems.found[0]}.")
    problems.warn()
    return made


def _once(rows: Iterable[Any]) -> list[tuple[int, Any]]:
    """Return the rows with their places, without duplicates."""
    first: dict[str, tuple[int, Any]] = {}
    for place, row in enumerate(rows, start=1):
        plain = row._values if isinstance(row, AnswerRow) else row
        first.setdefault(exact_json.dumps(plain, sort_keys=True), (place, row))
    return list(first.values())


def spelled(code: str) -> str:
    """Return a coin or symbol in the exchange's spelling: ``rAAPL`` stays, ``usdt`` of some v2 rows is ``USDT``."""
    return code.upper() if code.islower() else code


def _plain(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    return as_text(value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """Return an untrusted value for a message, short and printable."""
    text = printable(value if isinstance(value, str) else as_text(value))
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return repr(text) if isinstance(value, str) and not text.isalnum() else text


_UNREADABLE: Any = object()
