"""What a call is given, checked against its row before a request is spent. Pure.

Names, required ones, listed values, maxima, and times: readable, in order, no wider apart and no older than the
exchange answers. Every refusal names the parameter and what is allowed.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping

from bgresearch.catalogue import Endpoint, Param
from bgresearch.catalogue.endpoint import END, START
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import iso
from bgresearch.core.timestamps import Moment, moment_ms
from bgresearch.errors import InvalidInput

_TIMES = (START, END)
_TOLERANCE_MS = DAY_MS  # the exchange may count its look-back in whole days


def validated(endpoint: Endpoint, params: Mapping[str, object], *, now_ms: int | None = None) -> dict[str, object]:
    """Return the parameters without those that are None, times as epoch milliseconds.

    Parameters
    ----------
    endpoint : Endpoint
        The row that says what is right.
    params : mapping
        Parameters in the exchange's spelling; times in any form that `timestamps` accepts.
    now_ms : int, optional
        The present time; without it, the look-back is not checked.

    Raises
    ------
    InvalidInput
        If one is unknown, missing, too large, none of the values that the table allows, or if the times are in
        disorder, wider apart or further back than the exchange answers.
    """
    given = _all_checked(endpoint, endpoint.params, known(endpoint, params))
    check_times(endpoint, given, now_ms)
    return given


def validated_walk(
    endpoint: Endpoint, params: Mapping[str, object], turning: Collection[str], *, now_ms: int | None
) -> dict[str, object]:
    """Return the parameters of a walk: those of a call without the ones that turn pages, over any length of time.

    Raises
    ------
    InvalidInput
        As `validated`.
    """
    for name in turning:
        if params.get(name) is not None:
            raise InvalidInput(name, f"is what .all(...) and .pages(...) of {endpoint.id} set themselves.")
    start_alone = endpoint.param(START) is None and endpoint.param(END) is not None
    start = params.get(START) if start_alone else None
    given = known(endpoint, {name: value for name, value in params.items() if not (start_alone and name == START)})
    needed = [param for param in endpoint.params if param.name not in turning]
    given = _all_checked(endpoint, needed, given)
    if start is not None:
        given[START] = moment_ms(_as_moment(START, start), START)[0]
    check_times(endpoint, given, now_ms, split=True)
    return given


def known(endpoint: Endpoint, params: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters that are not None.

    Raises
    ------
    InvalidInput
        If the row has no parameter of such a name.
    """
    given = {name: value for name, value in params.items() if value is not None}
    names = [param.name for param in endpoint.params]
    for name in given:
        if name not in names:
            allowed = f"It takes {', '.join(names)}." if names else "It takes none."
            raise InvalidInput(name, f"is no parameter of {endpoint.id}.", hint=allowed)
    return given


def check_times(endpoint: Endpoint, given: Mapping[str, object], now_ms: int | None, *, split: bool = False) -> None:
    """Refuse times in disorder, or wider apart or further back than the exchange answers.

    Parameters
    ----------
    endpoint : Endpoint
        The row.
    given : mapping
        Checked parameters.
    now_ms : int, optional
        The present time.
    split : bool
        Whether a span that is too wide will be cut into several requests.
    """
    start, end = (given.get(name) for name in _TIMES)
    if not isinstance(start, int):
        return
    if isinstance(end, int):
        if end < start:
            raise InvalidInput(START, f"{iso(start)} is later than endTime {iso(end)}.")
        longest = endpoint.max_span_days
        if longest is not None and not split and end - start > longest * DAY_MS:
            raise InvalidInput(
                START, f"{iso(start)} to endTime {iso(end)} is more than the {longest} days that one request of "
                f"{endpoint.id} may span.", hint=".all(...) walks longer spans.",
            )  # fmt: skip
    check_age(endpoint, start, now_ms)


def check_age(endpoint: Endpoint, start: int, now_ms: int | None) -> None:
    """Refuse a start before the look-back of the endpoint."""
    if now_ms is None or endpoint.lookback_days is None:
        return
    oldest = now_ms - endpoint.lookback_days * DAY_MS
    if start < oldest - _TOLERANCE_MS:
        raise InvalidInput(
            START, f"{iso(start)} is too long ago: {endpoint.id} answers {endpoint.lookback_days} days back.",
            hint=f"Give {iso(oldest // 1000 * 1000)} or later.",
        )  # fmt: skip


def _all_checked(endpoint: Endpoint, params: Iterable[Param], given: Mapping[str, object]) -> dict[str, object]:
    checked = dict(given)
    for param in params:
        if param.name in given:
            checked[param.name] = _checked(endpoint, param, given[param.name])
        elif param.required:
            hint = f"Allowed are {', '.join(param.enum)}." if param.enum else ""
            raise InvalidInput(param.name, f"is required by {endpoint.id}.", hint=hint)
    return checked


def _checked(endpoint: Endpoint, param: Param, value: object) -> object:
    if param.name in _TIMES:
        return moment_ms(_as_moment(param.name, value), param.name)[0]
    text = str(value)
    if param.enum and text not in param.enum:
        raise InvalidInput(
            param.name, f"{text!r} is not allowed by {endpoint.id}.", hint=f"Allowed are {', '.join(param.enum)}."
        )
    if param.required and text == "":
        raise InvalidInput(param.name, f"is required by {endpoint.id} and was given empty.")
    if param.maximum is not None and not 1 <= _whole(value) <= param.maximum:
        raise InvalidInput(
            param.name, f"{text} is outside what {endpoint.id} allows.", hint=f"Give 1 to {param.maximum}."
        )
    return value


def _as_moment(name: str, value: object) -> Moment:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, float | bytes):
        raise InvalidInput(name, f"{value!r} is not a time.", hint="Give a date, a Timestamp or epoch milliseconds.")
    return value  # type: ignore[return-value]  # whatever is no moment is refused by name


def _whole(value: object) -> int:
    try:
        return int(value) if isinstance(value, str) else operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0
