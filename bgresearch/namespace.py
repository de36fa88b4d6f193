"""Every row of the table as a callable: ``client.api.spot.tickers(symbol="BTCUSDT")``. Thin on purpose."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bgresearch.catalogue import Endpoint, Param, load
from bgresearch.errors import InvalidInput, OfflineError

if TYPE_CHECKING:
    import pandas as pd

    from bgresearch.wire import Sender


class Call:
    """One endpoint: call it for a DataFrame, ``.raw`` it for what the exchange sent.

    Parameters are those of the exchange, in its spelling; they are checked before a request is spent.
    """

    def __init__(self, sender: Sender, endpoint: Endpoint, *, offline: bool = False) -> None:
        self.endpoint = endpoint
        self._sender, self._offline = sender, offline
        self.__name__ = endpoint.name
        self.__qualname__ = endpoint.id
        self.__doc__ = describe(endpoint)
        self.__signature__ = inspect.Signature(
            [
                inspect.Parameter(param.name, inspect.Parameter.KEYWORD_ONLY, default=_default(param))
                for param in sorted(endpoint.params, key=lambda param: not param.required)
            ]
        )

    def __call__(self, **params: object) -> pd.DataFrame:
        """Return the answer as a typed frame; one request."""
        from bgresearch.frames import decode  # noqa: PLC0415 - pandas, only where a frame is wanted

        reply = self._send(params)
        frame = decode(self.endpoint, reply.body)
        frame.attrs["bgresearch"] = {
            **frame.attrs.get("bgresearch", {}), "endpoint": self.endpoint.id, "host": self._sender.host,
            "label": self._sender.label, "received_ms": reply.received_ms,
        }  # fmt: skip
        return frame

    def raw(self, **params: object) -> Any:
        """Return the value of ``data`` in the answer, as the exchange spelled it; one request."""
        return self._send(params).data

    def _send(self, params: dict[str, object]) -> Any:
        checked = validated(self.endpoint, params)
        if self._offline:
            raise OfflineError(f"{self.endpoint.id} needs the exchange and offline=True forbids it.")
        return self._sender.send(self.endpoint, checked)

    def __repr__(self) -> str:
        return f"<{self.endpoint.id}{self.__signature__}: {self.endpoint.title}>"


class Area:
    """The endpoints of one area, by name."""

    def __init__(self, name: str, calls: Iterable[Call]) -> None:
        self._name = name
        self._calls = {call.endpoint.name: call for call in calls}

    def __getattr__(self, name: str) -> Call:
        try:
            return self.__dict__["_calls"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(_unknown(f"endpoint {self.__dict__.get('_name')}.{name}", name, self)) from None

    def __dir__(self) -> list[str]:
        return sorted(self.__dict__.get("_calls", ()))

    def __repr__(self) -> str:
        return f"<{self._name}: {len(self._calls)} endpoints>"


class Api:
    """Every endpoint of the table, by area."""

    def __init__(self, sender: Sender, *, offline: bool = False) -> None:
        calls: dict[str, list[Call]] = {}
        for endpoint in load():
            calls.setdefault(endpoint.area, []).append(Call(sender, endpoint, offline=offline))
        self._areas = {name: Area(name, group) for name, group in calls.items()}

    def __getattr__(self, name: str) -> Area:
        try:
            return self.__dict__["_areas"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(_unknown(f"area {name}", name, self)) from None

    def __dir__(self) -> list[str]:
        return sorted(self.__dict__.get("_areas", ()))

    def __repr__(self) -> str:
        return f"<api: {', '.join(dir(self))}>"


def validated(endpoint: Endpoint, params: dict[str, object]) -> dict[str, object]:
    """Return the parameters without those that are None.

    Raises
    ------
    InvalidInput
        If one is unknown, missing, too large, or none of the values that the table allows.
    """
    given = {name: value for name, value in params.items() if value is not None}
    names = [param.name for param in endpoint.params]
    for name in given:
        if name not in names:
            allowed = f"It takes {', '.join(names)}." if names else "It takes none."
            raise InvalidInput(name, f"is no parameter of {endpoint.id}.", hint=allowed)
    for param in endpoint.params:
        if param.name in given:
            _check(endpoint, param, given[param.name])
        elif param.required:
            hint = f"Allowed are {', '.join(param.enum)}." if param.enum else ""
            raise InvalidInput(param.name, f"is required by {endpoint.id}.", hint=hint)
    return given


def _check(endpoint: Endpoint, param: Param, value: object) -> None:
    text = str(value)
    if param.enum and text not in param.enum:
        raise InvalidInput(
            param.name, f"{text!r} is not allowed by {endpoint.id}.", hint=f"Allowed are {', '.join(param.enum)}."
        )
    if param.maximum is None:
        return
    try:
        number = int(text) if isinstance(value, str) else operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= param.maximum:
        raise InvalidInput(
            param.name, f"{text} is outside what {endpoint.id} allows.", hint=f"Give 1 to {param.maximum}."
        )


def describe(endpoint: Endpoint) -> str:
    """Return what a person wants to know about a row, as a docstring."""
    limit = endpoint.limit
    lines = [
        f"{endpoint.title}.", "",
        f"GET {endpoint.path}",
        f"Permission: {endpoint.permission}. Limit: {limit.count} per {limit.seconds:g} s and {limit.scope}.", "",
    ]  # fmt: skip
    if endpoint.params:
        lines += ["Parameters", "----------"]
        for param in endpoint.params:
            words = [
                "required" if param.required else "optional",
                f"one of {', '.join(param.enum)}" if param.enum else "",
                f"at most {param.maximum}" if param.maximum is not None else "",
                f"default {param.default}" if param.default is not None else "",
            ]
            lines += [f"{param.name} : {'; '.join(word for word in words if word)}"]
        lines.append("")
    if endpoint.notes:
        lines += ["Notes", "-----", *endpoint.notes, ""]
    source = endpoint.page if endpoint.documented else "known from other clients only, not documented"
    return "\n".join([*lines, f"Source: {source}"])


def _default(param: Param) -> Any:
    return inspect.Parameter.empty if param.required else param.default


def _unknown(what: str, name: str, place: Area | Api) -> str:
    near = get_close_matches(name, dir(place), 3)
    return f"there is no {what}; " + (f"did you mean {' or '.join(near)}?" if near else "see dir() for what there is.")
