"""An exchange whose answers are altered on their way out, and every place in an answer where that can be done."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from bgresearch.catalogue import load
from bgresearch.core.clock import Clock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.messages import Request, Response

Path = tuple[str | int, ...]
Alter = Callable[[str, Any], Any]


class _Dropped:
    def __repr__(self) -> str:
        return "dropped"


DROPPED = _Dropped()
_HUGE = "<a number above every float>"

WRONG: dict[str, Any] = {
    "dropped": DROPPED, "null": None, "empty text": "", "word": "abc", "list": [], "list of a list": [[1]],
    "list of null": [None], "object": {}, "object of an object": {"a": {"b": 1}}, "truth": True, "not a number": "NaN",
    "infinite": "Infinity", "exponent": "1e400", "many digits": "9" * 5_000, "exponent of a number": _HUGE,
    "digits of a number": 10**30, "fraction of a number": 1.5, "negative": "-1", "half a character": "\ud800",
}  # fmt: skip
"""What stands in the place of a value, by name."""
SHAPELESS = ("list of a list", "object of an object")
"""What no column can hold: whoever reads it has to say so."""


class Altering(Exchange):
    """The sandbox with one change to what it answers; remembers the last answer of every endpoint.

    What was asked before is answered as before, so that a sweep does not make up the same history again and again.
    """

    alter: Alter | None = None

    def __init__(self, model: Exchange, clock: Clock) -> None:
        super().__init__(clock=clock, limits=False)
        self.world, self.accounts = model.world, dict(model.accounts)
        self.answers: dict[str, Any] = {}
        self._known: dict[str, Response] = {}

    def handle(self, request: Request) -> Response:
        response = self._known.get(request.target) or super().handle(request)
        if response.status == 200:
            self._known[request.target] = response
        endpoint = load().at_path(request.target.partition("?")[0])
        whole = json.loads(response.body) if response.status == 200 else {}
        if endpoint is None or "data" not in whole:
            return response
        if whole["data"] or endpoint.id not in self.answers:
            self.answers[endpoint.id] = whole["data"]
        if self.alter is None:
            return response
        whole["data"] = self.alter(endpoint.id, whole["data"])
        body = json.dumps({key: value for key, value in whole.items() if value is not DROPPED})
        return response._replace(body=body.replace(json.dumps(_HUGE), "1e400").encode())


def places(data: Any, at: Path = ()) -> Iterator[Path]:
    """Yield every place in the first row of everything: fields, objects, lists, JSON inside a text, ``data`` itself."""
    yield at
    data = _opened(data)
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*at, key))
    elif isinstance(data, list):
        scalars = not any(isinstance(one, dict | list) for one in data)
        for place, value in enumerate(data if scalars else data[:1]):
            yield from places(value, (*at, place))


def altered(data: Any, at: Path, wrong: Any) -> Any:
    """Return a copy with something else at one place; unchanged if there is no such place."""
    if not at:
        return copy.deepcopy(wrong) if wrong is not DROPPED else DROPPED
    inner = _opened(data)
    key, rest = at[0], at[1:]
    if not (
        (isinstance(inner, dict) and key in inner)
        or (isinstance(inner, list) and isinstance(key, int) and key < len(inner))
    ):
        return data
    changed = copy.copy(inner)
    if wrong is DROPPED and not rest:
        del changed[key]  # type: ignore[arg-type]
    else:
        changed[key] = altered(inner[key], rest, wrong)  # type: ignore[index]
    return json.dumps(changed) if isinstance(data, str) else changed


def is_scalar(data: Any, at: Path) -> bool:
    """Return whether a field holds a single value there, and not a list or an object."""
    for key in at:
        data = _opened(data)[key]
    return bool(at) and isinstance(at[-1], str) and not isinstance(_opened(data), dict | list)


def _opened(data: Any) -> Any:
    """Return what is inside a text that is JSON of an object."""
    return json.loads(data) if isinstance(data, str) and data.startswith("{") else data
