"""The messages on the agent's socket. Pure: bytes to messages and back, refusing what is malformed.

A request is one line of JSON, at most 64 KiB; a search alone may be longer. An answer is one line of JSON, its header,
and then exactly as many bytes of body as the header says. Every message carries the protocol's version. No request can
name a method, a path or an address to send to; a secret comes in only inside a sealed box, and no answer has one in
clear.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from bgresearch.agent import requests as ask
from bgresearch.agent.error_codec import described, rebuilt
from bgresearch.agent.requests import PURPOSES
from bgresearch.catalogue.response import MAX_BODY_BYTES
from bgresearch.errors import AgentError

VERSION = 2
MAX_LINE_BYTES = 64 * 1024
MAX_SEARCHED_BYTES = 192 * 1024  # of one search: three times what neighbouring parts share
MAX_SEARCH_LINE_BYTES = MAX_SEARCHED_BYTES * 4 // 3 + 1024  # base64, and the rest of the line
MAX_HEADER_BYTES = 4 * 1024 * 1024  # a status names every key of a vault, whose file has 1 MiB at most
MAX_PARAMS = 64

_ENDPOINT = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_PARAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_SEARCH_START = f'{{"v":{VERSION},"op":"search",'.encode("ascii")
_LOCK_AND_UNLOCK = "Type: bgresearch vault lock, then: bgresearch vault unlock."
_OPERATIONS: dict[str, type[ask.Request]] = {  # OpenSocket is "open_socket" in a line
    re.sub(r"\B(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in get_args(ask.Request)
}
_NAMES = {kind: name for name, kind in _OPERATIONS.items()}


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of an answer: a result or an error, the length of the body, and how many requests left for it."""

    result: dict[str, Any]
    error: Exception | None = None
    body_bytes: int = 0
    sent: int = 0


def encode_request(request: ask.Request) -> bytes:
    """Return a request as a line.

    Raises
    ------
    AgentError
        It is longer than a line may be.
    """
    message = {one.name: getattr(request, one.name) for one in fields(request)}
    if isinstance(request, ask.Search):
        message["data"] = base64.b64encode(request.data).decode("ascii")
    line = _line({"v": VERSION, "op": _NAMES[type(request)], **message})
    if len(line) > (most := longest(line)):
        raise AgentError(f"the request is longer than {most} bytes.", hint="Ask for less at once.")
    return line


def longest(start: bytes | bytearray) -> int:
    """Return how long a line may be that starts like this."""
    return MAX_SEARCH_LINE_BYTES if start.startswith(_SEARCH_START) else MAX_LINE_BYTES


def decode_request(line: bytes) -> ask.Request:
    """Return the request in a line.

    Raises
    ------
    AgentError
        The line is too long, not JSON, of another version, or has fields more, fewer or other than it should.
    """
    message = _message(line, longest(line))
    operation = message.pop("op", None)
    kind = _OPERATIONS.get(operation) if isinstance(operation, str) else None
    if kind is None:
        raise AgentError("no such operation.", hint=f"There is {', '.join(_OPERATIONS)}.")
    if set(message) != {one.name for one in fields(kind)}:
        names = ", ".join(one.name for one in fields(kind))
        raise AgentError(f"{operation} needs exactly these fields: {names or 'none'}.")
    return kind(**{one.name: _CHECKS[str(one.type)](one.name, message[one.name]) for one in fields(kind)})


def encode_answer(result: Mapping[str, Any], body: bytes = b"", *, sent: int = 0) -> bytes:
    """Return an answer with its body."""
    return _line({"v": VERSION, "result": dict(result), "body": len(body), "sent": sent}) + body


def encode_error(error: BaseException, *, sent: int = 0) -> bytes:
    """Return an answer that is an error."""
    return _line({"v": VERSION, "error": described(error), "body": 0, "sent": sent})


def decode_header(line: bytes) -> Header:
    """Return the header of an answer.

    Raises
    ------
    AgentError
        It is malformed, or announces more than the largest body.
    """
    message = _message(line, MAX_HEADER_BYTES)
    length, sent = message.get("body"), message.get("sent")
    if type(length) is not int or not 0 <= length <= MAX_BODY_BYTES or type(sent) is not int or sent < 0:
        raise AgentError("the agent's answer has an invalid length.", hint=_LOCK_AND_UNLOCK)
    if "error" in message:
        return Header({}, rebuilt(message["error"]), length, sent)
    if not isinstance(message.get("result"), dict):
        raise AgentError("the agent's answer is malformed.", hint=_LOCK_AND_UNLOCK)
    return Header(message["result"], None, length, sent)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise AgentError(f"{name} must be text.")
    if name == "endpoint" and not _ENDPOINT.fullmatch(value):
        raise AgentError("an endpoint is named by its id in the table, such as spot.account_info.")
    if name == "purpose" and value not in PURPOSES:
        raise AgentError("no such purpose.", hint=f"There is {', '.join(PURPOSES)}.")
    return value


def _text_or_none(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _flag(name: str, value: object) -> bool:
    if type(value) is not bool:
        raise AgentError(f"{name} must be true or false.")
    return value


def _box(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise AgentError(f"{name} must be an object.")
    return value


def _params(_: str, params: object) -> dict[str, str]:
    if not isinstance(params, dict) or len(params) > MAX_PARAMS:
        raise AgentError(f"params must be an object of at most {MAX_PARAMS} texts.")
    if not all(_PARAM.fullmatch(name) and isinstance(value, str) for name, value in params.items()):
        raise AgentError("params must have plain names and texts as values.")
    return params


def _bytes(name: str, value: object) -> bytes:
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None or len(data) > MAX_SEARCHED_BYTES:
        raise AgentError(f"{name} must be base64 of at most {MAX_SEARCHED_BYTES} bytes.")
    return data


_CHECKS: dict[str, Callable[[str, object], Any]] = {  # by the type as it is written above
    "str": _text, "str | None": _text_or_none, "bool": _flag, "Mapping[str, Any]": _box,
    "Mapping[str, str]": _params, "bytes": _bytes,
}  # fmt: skip


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _message(line: bytes, longest: int) -> dict[str, Any]:
    if len(line) > longest:
        raise AgentError(f"a line is longer than {longest} bytes.")
    try:
        message = json.loads(line.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        raise AgentError("a line is not JSON.") from None
    if not isinstance(message, dict):
        raise AgentError("a message must be an object.")
    version = message.pop("v", None)
    if type(version) is not int or version != VERSION:
        raise AgentError(f"the other side does not speak version {VERSION} of the protocol.", hint=_LOCK_AND_UNLOCK)
    return message


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse(_: str) -> None:
    raise ValueError
