"""Recovery codes: 136 random bits and a checksum as eight groups of letters that are hard to confuse.

The alphabet is Crockford's base 32: no I, L, O, U; case, hyphens and spaces do not matter, O reads as 0, I and L as 1.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any

from vault.errors import InvalidField
from vault.hidden import Hidden, without_frames

RANDOM_BYTES, CHECK_BYTES = 17, 3
GROUPS, GROUP_CHARACTERS = 8, 4

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


@without_frames
def new_code(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Hidden[str]:
    """Return a new code; show it once, and hand it to `Vault.set_recovery` when the person has it on paper."""
    drawn = Hidden(random_bytes(RANDOM_BYTES))
    number = Hidden(int.from_bytes(drawn.value + _check(drawn), "big"))
    letters = Hidden("".join(_ALPHABET[number.value >> 5 * place & 31] for place in reversed(range(32))))
    return Hidden("-".join(letters.value[at : at + GROUP_CHARACTERS] for at in range(0, 32, GROUP_CHARACTERS)))


@without_frames
def code_bytes(code: Hidden[str]) -> Hidden[bytes]:
    """Return the random part of a code.

    Raises
    ------
    InvalidField
        It is not a code, or was mistyped: the checksum does not fit.
    """
    data = _decoded(code)
    if data is None or _check(Hidden(data.value[:RANDOM_BYTES])) != data.value[RANDOM_BYTES:]:
        raise InvalidField(
            f"this is not a recovery code: it has {GROUPS} groups of {GROUP_CHARACTERS} letters or digits, and its own "
            "checksum finds a mistyped one; compare it with the paper again",
            field="recovery_code",
        )
    return Hidden(data.value[:RANDOM_BYTES])


@without_frames
def is_group(code: Hidden[str], number: int, typed: Hidden[str]) -> bool:
    """Return whether this is the group of a code with this number, counted from 1; case and spaces do not matter."""
    group = Hidden(code.value.split("-")[number - 1])
    read = Hidden(typed.value.strip().upper().translate(_READ_AS))
    return hmac.compare_digest(group.value.encode("utf-8"), read.value.encode("utf-8", "replace"))


@without_frames
def _decoded(code: Hidden[Any]) -> Hidden[bytes] | None:
    if not isinstance(code.value, str):
        return None
    letters = Hidden(code.value.strip().upper().translate(_READ_AS))
    if len(letters.value) != GROUPS * GROUP_CHARACTERS or not set(letters.value) <= set(_ALPHABET):
        return None
    number = 0
    for letter in letters.value:
        number = number << 5 | _ALPHABET.index(letter)
    return Hidden(number.to_bytes(RANDOM_BYTES + CHECK_BYTES, "big"))


@without_frames
def _check(drawn: Hidden[bytes]) -> bytes:
    return hashlib.sha256(b"bgresearch recovery code " + drawn.value).digest()[:CHECK_BYTES]
