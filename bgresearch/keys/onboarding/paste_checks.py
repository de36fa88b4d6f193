"""Checks of a pasted text without knowing the correct one: errors of pasting, fields that look swapped.

Only ever warnings: the format of keys may change. The hints never repeat the text. `bgresearch/forms/pasted.js` gives
the same ones in the browser; tests/vectors/pasted.json checks both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

FIELDS = ("api_key", "secret_key", "passphrase")
FIELD_NAMES = {"api_key": "API key", "secret_key": "SecretKey", "passphrase": "Passphrase"}
LONGEST = 256  # characters of one text, as the vault takes them

_API_KEY = re.compile(r"bg_[0-9a-f]{32}", re.IGNORECASE)
_SECRET_KEY = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_PEM = "-----BEGIN "  # an RSA key signs with a private key of many lines
_NAMED = {"\n": "a line break", "\r": "a carriage return", "\t": "a tab", "\0": "a null character"}
_KINDS = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Zs": "a space that is not the plain one",
    "Zl": "a line separator",
    "Zp": "a line separator",
    "Cs": "half a character",
    "Co": "a character without a shape",
    "Cn": "a character without a shape",
}


class Hint(NamedTuple):
    """What to check in one field, without the text; ``words`` follow the field's name."""

    field: str
    words: str


def hints(texts: Mapping[str, str]) -> tuple[Hint, ...]:
    """Return what looks wrong in the texts by field, in the order of the form; empty if nothing does.

    Examples
    --------
    >>> hints({"api_key": "bg_1 ", "secret_key": "", "passphrase": ""})
    (Hint(field='api_key', words='has a space at its end; paste it again without'),)
    """
    swaps = swapped(texts)
    found = ((field, blemish(field, texts.get(field, "")), swaps.get(field)) for field in FIELDS)
    return tuple(Hint(field, hint) for field, *both in found for hint in both if hint)


def blemish(field: str, text: str) -> str | None:
    """Return what is wrong with one text of a key; None if nothing is."""
    if text == "" or (field == "secret_key" and _PEM in text):
        return None
    problem = _invisible(text) or _misplaced(text, has_spaces=field == "passphrase")
    if problem:
        return f"has {problem}; paste it again without"
    return "is too long; paste the one text alone" if len(text) > LONGEST else None


def swapped(texts: Mapping[str, str]) -> dict[str, str]:
    """Return by field the texts that look as if they belonged to another field."""
    found: dict[str, str] = {}
    if key := texts.get("api_key", ""):
        if _SECRET_KEY.fullmatch(key):
            found["api_key"] = "looks like a SecretKey"
        elif not key.startswith("bg_"):
            found["api_key"] = "does not look like an API key: those start with bg_"
    for field in ("secret_key", "passphrase"):
        if _API_KEY.fullmatch(texts.get(field, "")):
            found[field] = "looks like an API key"
    if _SECRET_KEY.fullmatch(texts.get("passphrase", "")):
        found |= {"passphrase": "looks like a SecretKey"}
    return found


def _invisible(text: str) -> str | None:
    for position, character in enumerate(text, start=1):
        kind = _NAMED.get(character) or _KINDS.get(unicodedata.category(character))
        if character != " " and kind:
            return f"{kind} (U+{ord(character):04X}) at position {position}"
    return None


def _misplaced(text: str, *, has_spaces: bool) -> str | None:
    last = len(text) - 1
    for place, character in enumerate(text):
        if character == " " and place in {0, last}:
            return f"a space at its {'start' if place == 0 else 'end'}"
        if character == " " and not has_spaces:
            return f"a space at position {place + 1}"
    for place, character in enumerate(text):
        if not character.isascii():
            return f"a character that is not on a plain keyboard at position {place + 1}"
    return None
