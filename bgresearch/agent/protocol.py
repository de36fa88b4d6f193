"""What crosses the agent's socket. Pure: bytes to messages and back, refusing what is malformed.

A request is one line of JSON, at most 64 KiB. An answer is one line of JSON, its header, and then exactly as many bytes
of body as the header says. Every message carries the protocol's version. No request can name a method, a path or an
address to send to, and no answer has a place for a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bgresearch.agent.crossing import described, rebuilt
from bgresearch.envelope import MAX_BODY_BYTES
from bgresearch.errors import AgentError

VERSION = 1
MAX_LINE_BYTES = 64 * 1024
MAX_HEADER_BYTES = 1024 * 1024  # a status names every key of a vault
MAX_PARAMS = 64

_ENDPOINT = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_PARAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_LOCK_AND_UNLOCK = "Type: bgresearch vault lock, then: bgresearch vault unlock."


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask the exchange one row of the table, signed with a key; ``host`` is where the asker takes the key to belong."""

    key: str
    host: str
    endpoint: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """Say who you are, which keys there are, and how long until you lock."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Forget everything: end."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for an offer: what somebody needs to seal the master password for this agent alone."""


@dataclass(frozen=True, slots=True)
class Unlock:
    """Open the vault with the master password in a sealed box."""

    box: Mapping[str, Any] = field(repr=False)


Request = Fetch | Status | Lock | Ask | Unlock
_OPERATIONS: dict[str, type[Request]] = {
    "fetch": Fetch, "status": Status, "lock": Lock, "offer": Ask, "unlock": Unlock,
}  # fmt: skip
_PLAIN: dict[type[Request], Request] = {Status: Status(), Lock: Lock(), Ask: Ask()}
_NAMES = {kind: name for name, kind in _OPERATIONS.items()}


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of an answer: a result or an error, the length of the body, and how many requests left for it."""

    result: dict[str, Any]
    error: Exception | None = None
    body_bytes: int = 0
    sent: int = 0


def encode_request(request: Request) -> bytes:
    """Return a request as a line.

    Raises
    ------
    AgentError
        It is longer than a line may be.
    """
    fields = {name: getattr(request, name) for name in request.__slots__}
    line = _line({"v": VERSION, "op": _NAMES[type(request)], **fields})
    if len(line) > MAX_LINE_BYTES:
        raise AgentError(f"the request is longer than {MAX_LINE_BYTES} bytes.", hint="Ask for less at once.")
    return line


def decode_request(line: bytes) -> Request:
    """Return the request in a line.

    Raises
    ------
    AgentError
        The line is too long, not JSON, of another version, or has fields more, fewer or other than it should.
    """
    message = _message(line, MAX_LINE_BYTES)
    operation = message.pop("op", None)
    kind = _OPERATIONS.get(operation) if isinstance(operation, str) else None
    if kind is None:
        raise AgentError("no such operation.", hint=f"There is {', '.join(_OPERATIONS)}.")
    if set(message) != set(kind.__slots__):
        raise AgentError(f"{operation} needs exactly these fields: {', '.join(kind.__slots__) or 'none'}.")
    if kind is Fetch:
        return _fetch(message)
    return Unlock(message["box"]) if kind is Unlock else _PLAIN[kind]


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
        It makes no sense, or announces more than the largest body.
    """
    message = _message(line, MAX_HEADER_BYTES)
    length, sent = message.get("body"), message.get("sent")
    if type(length) is not int or not 0 <= length <= MAX_BODY_BYTES or type(sent) is not int or sent < 0:
        raise AgentError("the agent's answer has no believable length.", hint=_LOCK_AND_UNLOCK)
    if "error" in message:
        return Header({}, rebuilt(message["error"]), length, sent)
    if not isinstance(message.get("result"), dict):
        raise AgentError("the agent's answer makes no sense.", hint=_LOCK_AND_UNLOCK)
    return Header(message["result"], None, length, sent)


def _fetch(message: dict[str, Any]) -> Fetch:
    if not all(isinstance(message[name], str) for name in ("key", "host", "endpoint")):
        raise AgentError("key, host and endpoint must be text.")
    if not _ENDPOINT.fullmatch(message["endpoint"]):
        raise AgentError("an endpoint is named by its id in the table, such as spot.account_info.")
    return Fetch(message["key"], message["host"], message["endpoint"], _checked_params(message["params"]))


def _checked_params(params: object) -> dict[str, str]:
    if not isinstance(params, dict) or len(params) > MAX_PARAMS:
        raise AgentError(f"params must be an object of at most {MAX_PARAMS} texts.")
    if not all(_PARAM.fullmatch(name) and isinstance(value, str) for name, value in params.items()):
        raise AgentError("params must have plain names and texts as values.")
    return params


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
