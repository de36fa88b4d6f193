"""Parameters to the text that is signed, and to the same text percent-encoded for sending. Pure."""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

from bgresearch.errors import InvalidInput

_UNSENDABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, lone surrogates, line and paragraph separators


def query_pairs(params: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return names and values as text, names ascending, without the ones that are None.

    Booleans become ``true`` and ``false``; whole numbers lose a fraction of zero; an empty text is kept.

    Raises
    ------
    InvalidInput
        A value without a unique spelling (a float, a list) or with a character that cannot be sent.
    """
    return [(_sendable(name, name), _sendable(name, _text(name, params[name]))) for name in sorted(params)
            if params[name] is not None]  # fmt: skip


def plain_target(path: str, pairs: list[tuple[str, str]]) -> str:
    """Return ``path?query`` before percent-encoding: the text that is signed."""
    return _joined(path, [f"{name}={value}" for name, value in pairs])


def wire_target(path: str, pairs: list[tuple[str, str]]) -> str:
    """Return the same, percent-encoded; decoding it gives `plain_target` byte for byte."""
    return _joined(path, [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs])


def _joined(path: str, parts: list[str]) -> str:
    return f"{path}?{'&'.join(parts)}" if parts else path


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not value.is_integer():
            raise InvalidInput(name, f"{value!r} is a binary fraction.", hint="Pass it as text, written as intended.")
        return str(int(value))
    try:
        return str(operator.index(value))  # type: ignore[arg-type]  # every integer type, including numpy's
    except TypeError:
        kind = type(value).__name__
        raise InvalidInput(
            name, f"a value of type {kind} cannot be sent.", hint="Pass text or a whole number."
        ) from None


def _sendable(name: str, text: str) -> str:
    if any(unicodedata.category(character) in _UNSENDABLE for character in text):
        raise InvalidInput(name, "it contains a control character or a lone surrogate.", hint="Remove it.")
    return text
