"""Searches any bytes for the vault's own secrets, in the encodings in which they leak; never shows one."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from vault.entries import RSA_KIND, SECRET_FIELDS, Slot
from vault.hidden import Hidden, NoCopies

SHORTEST = 8  # a shorter text occurs in any file by accident
SHORTEST_SPLIT = 12  # likewise for letters and digits alone
OVERLAP = 64 * 1024  # bytes that two parts of a long stream must share, so that no secret is cut unnoticed

_BLOCKS = {8: "Q", 4: "I"}  # bytes of a block: its type in a memory view
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986, 2.3
_NOT_ALNUM = bytes(code for code in range(256) if not (code < 128 and chr(code).isalnum()))
_PEM_LINE = 64
_SPLIT = "split over lines or pieces"


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret that was found: which one, never its value.

    Attributes
    ----------
    label : str
        The key's label.
    field : str
        ``"api_key"``, ``"secret_key"`` or ``"passphrase"``.
    form : str
        In which form, for example ``"plain"`` or ``"base64"``.
    offset : int
        Where it begins in the data; -1 for a secret that is split.
    """

    label: str
    field: str
    form: str
    offset: int


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of one secret, and what to say if it is found."""

    label: str
    field: str
    form: str
    pattern: Hidden[bytes]


class Sieve(NoCopies):
    """Searches for many needles at once.

    A needle of 15 bytes or more, at whatever offset, fully covers at least one 8-byte block of the data (one of 7
    bytes a 4-byte block). So the set of all such pieces of all needles rules out clean data in one pass; what is left
    is searched needle by needle.

    It takes longer for data that contains part of a needle, so its timing leaks: use it only in the process of the
    vault's own user, never to answer another process.
    """

    __slots__ = ("__by_block",)

    def __init__(self, needles: Iterable[Needle]) -> None:
        sizes: dict[int, list[Needle]] = {block: [] for block in _BLOCKS}
        for needle in needles:
            sizes[8 if len(needle.pattern.value) >= 15 else 4].append(needle)
        self.__by_block = [
            (block, Hidden({piece for needle in some for piece in _pieces(needle.pattern, block)}), some)
            for block, some in sizes.items()
        ]

    def caught(self, data: bytes) -> Iterator[tuple[Needle, int]]:
        """Give each needle that is in the data, with its first place."""
        for block, pieces, needles in self.__by_block:
            blocks = memoryview(data)[: len(data) // block * block].cast(_BLOCKS[block])  # type: ignore[call-overload]
            if not needles or pieces.value.isdisjoint(blocks):
                continue
            for needle in needles:
                offset = data.find(needle.pattern.value)
                if offset >= 0:
                    yield needle, offset


class AnySieve(Protocol):
    """Anything that finds needles in bytes: `Sieve`, or one that runs in constant time."""

    def caught(self, data: bytes) -> Iterable[tuple[Needle, int]]:
        """Give each needle that is in the data, with its first place."""


class Searcher(NoCopies):
    """Finds the secrets of a vault in bytes; `Vault.searcher` makes it.

    Parameters
    ----------
    slots : iterable of Slot
        The keys whose secrets are searched for.
    sieve : callable
        Makes the search for many needles at once.

    Attributes
    ----------
    too_short : tuple of (str, str)
        Label and field of texts that are too short to be searched for.
    """

    __slots__ = ("__needles", "__split", "too_short")

    def __init__(self, slots: Iterable[Slot], sieve: Callable[[Iterable[Needle]], AnySieve] = Sieve) -> None:
        kept = tuple(slots)
        self.too_short = tuple(
            (slot.name, field)
            for slot in kept
            for field in SECRET_FIELDS
            if len(getattr(slot.triple, field).value) < SHORTEST
        )
        self.__needles = sieve(needle for slot in kept for needle in _needles(slot))
        self.__split = sieve(needle for slot in kept for needle in _split_needles(slot))

    def find(self, data: bytes) -> list[Leak]:
        """Return the secrets in the data, each form once, at its first place."""
        found = [Leak(one.label, one.field, one.form, offset) for one, offset in self.__needles.caught(data)]
        known = {(leak.label, leak.field) for leak in found}
        split = self.__split.caught(data.translate(None, _NOT_ALNUM))
        return found + [
            Leak(one.label, one.field, one.form, -1) for one, _ in split if (one.label, one.field) not in known
        ]

    def __repr__(self) -> str:
        return "<Searcher>"


def _pieces(pattern: Hidden[bytes], block: int) -> Iterator[int]:
    for at in range(len(pattern.value) - block + 1):
        yield int.from_bytes(pattern.value[at : at + block], sys.byteorder)


def _needles(slot: Slot) -> Iterator[Needle]:
    for field in SECRET_FIELDS:
        seen: set[bytes] = set()
        for text in _texts(slot, field):
            for form, pattern in _forms(text):
                if len(pattern.value) >= SHORTEST and pattern.value not in seen:
                    seen.add(pattern.value)
                    yield Needle(slot.name, field, form, pattern)


def _split_needles(slot: Slot) -> Iterator[Needle]:
    for field in SECRET_FIELDS:
        whole = "".join(text.value for text in _texts(slot, field))
        squeezed = Hidden(whole.encode("utf-8").translate(None, _NOT_ALNUM))
        if len(squeezed.value) >= SHORTEST_SPLIT:
            yield Needle(slot.name, field, _SPLIT, squeezed)


def _texts(slot: Slot, field: str) -> list[Hidden[str]]:
    """Return the texts to search for: the field's text, or the lines of a private key that no other key has."""
    text: Hidden[str] = getattr(slot.triple, field)
    if slot.kind == RSA_KIND and field == "secret_key":
        lines = [line for line in text.value.splitlines() if not line.startswith("-----")]
        return [Hidden(line) for line in lines[1:] if len(line) == _PEM_LINE]  # the first one says the algorithm
    return [text] if len(text.value) >= SHORTEST else []


def _forms(text: Hidden[str]) -> Iterator[tuple[str, Hidden[bytes]]]:
    plain = Hidden(text.value.encode("utf-8"))
    yield "plain", plain
    yield "hex", Hidden(plain.value.hex().encode())
    yield "hex", Hidden(plain.value.hex().upper().encode())
    yield "UTF-16", Hidden(text.value.encode("utf-16-le").removesuffix(b"\x00"))  # and, one byte later, big-endian
    for offset in range(3):
        encoded = Hidden(base64.b64encode(b"\x00" * offset + plain.value))
        # Letters that also encode bits of the neighbouring bytes are left out.
        first, last = (0, 2, 3)[offset], (offset + len(plain.value)) * 8 // 6
        yield "base64", Hidden(encoded.value[first:last])
        yield "base64", Hidden(encoded.value[first:last].replace(b"+", b"-").replace(b"/", b"_"))
    for form in ("%%%02X", "%%%02x"):
        quoted = Hidden("".join(chr(byte) if byte in _UNRESERVED else form % byte for byte in plain.value).encode())
        yield "URL-encoded", quoted
        yield "URL-encoded", Hidden(quoted.value.replace(b"%20", b"+"))
    yield "JSON-escaped", Hidden(json.dumps(text.value)[1:-1].encode())
    yield "JSON-escaped", Hidden(json.dumps(text.value)[1:-1].replace("/", "\\/").encode())
