"""Parses body bytes to the value of ``data``, or raises a typed error that says what to do next. No secrets.

Every response is treated as hostile: the size is capped, garbage becomes `BadResponse`, and the exchange's own messages
are shortened and stripped of control characters before they are used in an error message.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bgresearch.catalogue import Endpoint, ErrorCode, error_code
from bgresearch.catalogue.error_codes import Group, Retry
from bgresearch.core import exact_json
from bgresearch.errors import (
    AddressRejected,
    AuthenticationError,
    BadResponse,
    ExchangeError,
    ExchangeUnavailable,
    ParameterRejected,
    PermissionDenied,
    RateLimited,
    TimestampError,
    UnknownSymbol,
)

__all__ = ["MAX_BODY_BYTES", "ErrorCode", "error_code", "printable", "retry_of", "rows_of", "unwrap", "without_secrets"]

MAX_BODY_BYTES = 8 * 1024 * 1024  # the largest documented answers, all tickers and all contracts, stay below 2 MB
_FRAMES_IN_RESERVE = 50
_MAX_SAID_CHARACTERS = 200
_SUCCESS = "00000"
_SECRET_VALUE = re.compile(rb'("(?:secret_?key|passphrase)"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
_ABSENT = (404, 405, 410)  # unknown path
_NOTHING: tuple[object, ...] = (None, "", [], {})

_ERRORS: Mapping[Group, type[ExchangeError]] = {
    "auth": AuthenticationError,
    "timestamp": TimestampError,
    "permission": PermissionDenied,
    "ip": AddressRejected,
    "rate": RateLimited,
    "param": ParameterRejected,
    "symbol": UnknownSymbol,
    "maintenance": ExchangeUnavailable,
    "other": ExchangeError,
}

_BOXES = {
    "coor": "futures orders", "cpor": "futures holdings", "stor": "spot trade", "smor": "spot margin trade",
    "ttor": "copy trading", "wtor": "wallet transfer", "taxr": "tax", "chor": "sub-accounts", "p2pr": "p2p",
    "pllr": "pledge loan", "uta_mgt:read": "unified account management", "uta_trade:read": "unified account trade",
    "uta_trade:read_write": "unified account trade (with write, although the call only reads)",
}  # fmt: skip

_AGAIN = "if it was changed recently, connect again."
_ASK_V2 = f"The account is a classic one and this is a unified-account (v3) call: use the v2 counterpart; {_AGAIN}"
_ASK_V3 = f"The account is a unified one and this is a classic-account (v2) call: use the v3 counterpart; {_AGAIN}"
_HINTS = {
    "403": "The exchange's edge refused this network address before reading the request: try from another network  "
    "or region, and check VPN and proxy.",
    "22010": "Add an address list to the key on the exchange's API page.",
    "40006": "Check the API key for missing characters; the exchange says the same when no key is sent at all.",
    "40009": "Check the SecretKey: the signature does not fit the key.",
    "40012": "Either the API key is unknown or the passphrase is wrong, the exchange does not say which: check both, "
    "and that the key was not deleted.",
    "40018": "Add this machine's public address to the key's address list on the exchange's API page.",
    "40036": "The passphrase is the one chosen when the key was made; it cannot be recovered, only a new key helps.",
    "40037": "The API key is unknown: check it, and that it was not deleted.",
    "40038": "Add this machine's public address to the key's address list on the exchange's API page.",
    "40084": _ASK_V2,
    "40085": _ASK_V3,
    "25245": _ASK_V2,
    "40099": "A demo key works only in the demo environment and a live key only in the live one: add the key again "
    "with the right demo setting.",
    "40303": "Narrow the time span: deeper than 20,000 rows is not served.",
    "404": "There is nothing at this path: check base_url, or the table row is out of date.",
    "40404": "The exchange does not know this path: the table row may be out of date.",
    "40808": "Usually a parameter is wrong; during the exchange's release windows the same code is a temporary fault.",
}  # fmt: skip

_GROUP_HINTS: Mapping[Group, str] = {
    "auth": "Check API key, SecretKey and passphrase, and add the key again.",
    "timestamp": "Set this machine's clock; the exchange accepts 30 s either way.",
    "permission": "Check the key's permissions and the account's mode on the exchange's site.",
    "ip": "Check the key's address list and whether the exchange serves this region.",
    "rate": "Wait, and make fewer requests at a time from this address and this account.",
    "param": "Check the parameters against the documentation page of this endpoint.",
    "symbol": "Check the spelling and whether the symbol is still listed in this market.",
    "maintenance": "Nothing is wrong on this side: try again in a few minutes.",
}


def unwrap(endpoint: Endpoint, http_status: int, body: bytes) -> Any:
    """Return the value of ``data`` in a response body, with all digits of numbers: `exact_json.loads`.

    Parameters
    ----------
    endpoint : Endpoint
        The row of the endpoint.
    http_status : int
        HTTP status of the response.
    body : bytes
        The whole body.

    Raises
    ------
    ExchangeError
        The exchange answered with an error code; the subclass follows the code's group.
    BadResponse
        The body is not what the exchange documents.

    Examples
    --------
    >>> from bgresearch.catalogue import load
    >>> unwrap(load()["common.time"], 200, b'{"code":"00000","data":{"serverTime":"1700000000000"}}')
    {'serverTime': '1700000000000'}
    """
    envelope = _parse(endpoint, http_status, body)
    code, said = printable(envelope["code"]), printable(envelope.get("msg", envelope.get("message", "")))
    if code != _SUCCESS:
        raise _error(endpoint, code, said, http_status)
    if http_status >= 400:
        raise BadResponse(endpoint.id, f"HTTP {http_status} with a body that says success.")
    if "data" not in envelope:
        if endpoint.response == "array-rows":
            return None  # empty responses for candles were seen in many forms, and all are doubted
        raise BadResponse(endpoint.id, "a success without data.")
    data = envelope["data"]
    _check_shape(endpoint, data)
    return data


def without_secrets(body: bytes) -> bytes:
    """Return a body with the values of SecretKeys and passphrases removed.

    A row lists a broker's sub-account keys, and the documentation shows their SecretKey among the fields.
    """
    lower = body.lower()
    if b"secret" not in lower and b"passphrase" not in lower:
        return body
    return _SECRET_VALUE.sub(rb'\1"withheld"', body)


def rows_of(endpoint: Endpoint, data: Any) -> list[Any]:
    """Return the rows inside ``data``; ``[]``, null, ``""``, ``{}`` and a missing list all mean no rows.

    The row's ``rows_at`` is tried first. If the response has another shape than documented, the list whose keys
    match the documented columns best is used, and an object that is itself a row becomes one row.
    """
    if data in _NOTHING:
        return []
    if not isinstance(data, dict):
        return data if isinstance(data, list) else [data]
    key = rows_key(endpoint, data)
    if key is None:
        return [] if endpoint.rows_at and not _looks_like_row(endpoint, data) else [data]
    rows = data[key]
    if rows in _NOTHING:
        return []
    return rows if isinstance(rows, list) else [rows]


def rows_key(endpoint: Endpoint, data: Mapping[str, Any]) -> str | None:
    """Return the key of ``data`` that holds the rows, or None if ``data`` is itself the row."""
    if endpoint.rows_at in data:
        return endpoint.rows_at
    if not endpoint.rows_at and endpoint.response == "object":
        return None
    lists = [key for key, value in data.items() if isinstance(value, list)]
    known = _row_names(endpoint)
    likeness = {key: len(known & _first_keys(data[key])) for key in lists}
    best = max(lists, key=likeness.__getitem__, default=None)
    if best is None or (likeness[best] == 0 and (len(lists) > 1 or _looks_like_row(endpoint, data))):
        return None
    return best


def retry_of(error: ExchangeError) -> Retry:
    """Return what may help against an error: nothing, a retry, a pause, or reading the exchange's clock."""
    known = error_code(error.code)
    if known is not None:
        return known.retry
    if error.http_status == 429:
        return "cooldown"
    return "yes" if error.http_status >= 500 else "no"


def _row_names(endpoint: Endpoint) -> set[str]:
    prefix = f"{endpoint.rows_at}." if endpoint.rows_at else ""
    return {
        column.path.removeprefix(prefix).split(".")[0] for column in endpoint.columns if column.path.startswith(prefix)
    }


def _looks_like_row(endpoint: Endpoint, data: Mapping[str, Any]) -> bool:
    return not _row_names(endpoint).isdisjoint(data)


def _first_keys(rows: list[Any]) -> set[str]:
    return set(rows[0]) if rows and isinstance(rows[0], dict) else set()


def _parse(endpoint: Endpoint, http_status: int, body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BODY_BYTES:
        raise BadResponse(endpoint.id, f"the response is larger than {MAX_BODY_BYTES // 1024**2} MiB.")
    envelope = _json(body)
    if not isinstance(envelope, dict) or type(envelope.get("code")) not in (str, int):
        raise _without_envelope(endpoint, http_status, body)
    return envelope


def _json(body: bytes, reserve: int = _FRAMES_IN_RESERVE) -> Any:
    """Return the parsed body, or None: not UTF-8, not JSON, NaN, nested too deep.

    It parses some stack frames deeper than necessary, so that the result can also be written out again.
    """
    if reserve:
        return _json(body, reserve - 1)
    try:
        return exact_json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _without_envelope(endpoint: Endpoint, http_status: int, body: bytes) -> BadResponse | ExchangeError:
    if http_status in (403, *_ABSENT, 429) or http_status >= 500:
        return _error(endpoint, str(http_status), "", http_status)
    start = body[:512].lstrip().lower()
    if not start:
        kind = "an empty body"
    elif start.startswith((b"<!doctype", b"<html")):
        kind = "an HTML page"
    else:
        kind = "a body that is not the documented JSON, or is truncated"
    return BadResponse(
        endpoint.id,
        f"HTTP {http_status} with {kind} ({len(body)} bytes).",
        hint="Another server on the way may have responded; check base_url and the network.",
    )


def _check_shape(endpoint: Endpoint, data: Any) -> None:
    if endpoint.response == "object" or data is None or data == "":
        return
    if not isinstance(data, list | dict):
        raise BadResponse(endpoint.id, f"data is {_json_type(data)} where a list is documented.")
    if endpoint.response == "array-rows" and isinstance(data, list) and data and list not in map(type, data):
        raise BadResponse(endpoint.id, f"a row is {_json_type(data[0])} where a list is documented.")


def _json_type(value: Any) -> str:
    names = {
        str: "text",
        bool: "a boolean",
        int: "a number",
        Decimal: "a number",
        dict: "an object",
        list: "a list",
    }
    return names.get(type(value), "null")


def _error(endpoint: Endpoint, code: str, said: str, http_status: int) -> ExchangeError:
    known = error_code(code)
    if known is not None:
        group = known.group
    elif code == "403":
        group = "ip"
    else:
        group = "rate" if http_status == 429 else "maintenance" if http_status >= 500 else "other"
    hint = _HINTS.get(code, _GROUP_HINTS.get(group, ""))
    if code in ("40014", "25620") and endpoint.permission in _BOXES:
        box = _BOXES[endpoint.permission]
        hint = f"Open the key on the exchange's API page and tick the read box {box!r}."
    return _ERRORS[group](endpoint.id, code, said, http_status=http_status, hint=hint)


def printable(value: object) -> str:
    """Return an untrusted text, short and without control characters."""
    text = value if isinstance(value, str) else exact_json.dumps(value)
    shown = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: _MAX_SAID_CHARACTERS + 1])
    return shown if len(text) <= _MAX_SAID_CHARACTERS else f"{shown[:_MAX_SAID_CHARACTERS]}…"
