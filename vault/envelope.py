"""The vault file as text: one canonical JSON object, parsed strictly and without any key.

This module decides what a well-formed file is: sizes, names, types, costs within bounds, one spelling only. It
decrypts nothing and does no I/O. Later versions keep ``checksum`` over header and body, and ``format`` and
``version`` in the header, so that an old release can always distinguish *newer* from *damaged*.

The checksum has no key. It protects nothing: it lets a person read "damaged" instead of "wrong password".
Protection is the authenticated encryption in ``encryption``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from vault.errors import DamagedVault, HostileHeader, NewerVersion, NoRecovery

FORMAT = "bgresearch-vault"
VERSION = 1
KDF_NAME = "argon2id"
PASSWORD = "password"  # noqa: S105 -- the name of a way to unlock, not a password
RECOVERY = "recovery"
KEYRING = "keyring"
MAX_FILE_BYTES = 1024 * 1024
MAX_GENERATION = 2**53 - 1
MAX_WRAPS = 8
SALT_BYTES = 16

# Floor: below it a stolen file is cheap to guess. Caps: above them opening a file is an attack on the reader.
COST_BOUNDS = {"memory_kib": (64 * 1024, 1024 * 1024), "passes": (3, 16), "lanes": (1, 16)}

_HEX_32 = re.compile(r"[0-9a-f]{32}")
_KIND = re.compile(r"[a-z][a-z-]{0,31}")


@dataclass(frozen=True, slots=True)
class Profile:
    """Costs of turning a password into a key with Argon2id.

    Parameters
    ----------
    memory_kib : int
        Memory in KiB, from 65,536 (64 MiB) to 1,048,576 (1 GiB).
    passes : int
        Passes over that memory, from 3 to 16.
    lanes : int
        Parallel lanes, from 1 to 16.
    """

    memory_kib: int
    passes: int
    lanes: int

    def problem(self) -> str | None:
        """Return what is wrong with the costs, or None."""
        for cost, (lowest, highest) in COST_BOUNDS.items():
            value = getattr(self, cost)
            if type(value) is not int:
                return f"{cost} is not a whole number"
            if not lowest <= value <= highest:
                return f"{cost} is {_shortened(value)}, allowed are {lowest} to {highest}"
        return None

    def raised_to(self, least: Profile) -> Profile:
        """Return these costs, none lower than those of another profile."""
        return Profile(*(max(getattr(self, cost), getattr(least, cost)) for cost in COST_BOUNDS))


STANDARD = Profile(memory_kib=128 * 1024, passes=3, lanes=4)  # the least that is written; about 235 ms on two cores
FLOOR = Profile(memory_kib=64 * 1024, passes=3, lanes=4)  # the least that is read: files of older releases, and tests
PROFILES = {"standard": STANDARD, "floor": FLOOR}


@dataclass(frozen=True, slots=True)
class Wrap:
    """The data key, encrypted under what one way of unlocking gives."""

    kind: str
    profile: Profile
    salt: str
    token: str = ""

    def kdf_json(self) -> dict[str, Any]:
        costs = {cost: getattr(self.profile, cost) for cost in COST_BOUNDS}
        return {"name": KDF_NAME, "salt": self.salt, **costs}

    def binding(self, vault_id: str) -> str:
        """Return the hash that ties the wrapped key to this vault, this way of unlocking and these costs."""
        described = {"format": FORMAT, "version": VERSION, "vault_id": vault_id, "kind": self.kind}
        return digest(canonical({**described, "kdf": self.kdf_json()}))


@dataclass(frozen=True, slots=True)
class Header:
    """The unencrypted part: which vault, which generation, how to unlock."""

    vault_id: str
    generation: int
    wraps: tuple[Wrap, ...]

    def as_json(self) -> dict[str, Any]:
        wraps = [{"kind": wrap.kind, "kdf": wrap.kdf_json(), "token": wrap.token} for wrap in self.wraps]
        named = {"format": FORMAT, "version": VERSION, "vault_id": self.vault_id}
        return {**named, "generation": self.generation, "wraps": wraps}

    def sha256(self) -> str:
        return digest(canonical(self.as_json()))

    @property
    def password_wrap(self) -> Wrap:
        return self.wrap_of(PASSWORD)

    def wrap_of(self, kind: str) -> Wrap:
        """Return the data key as one way to unlock wraps it."""
        for wrap in self.wraps:
            if wrap.kind == kind:
                return wrap
        raise NoRecovery(f"it has no {kind} to open it; use its password, or set one up with the password first")

    def with_wrap(self, new: Wrap) -> Header:
        """Return the header with this wrap, in place of one of the same kind if there is one."""
        others = tuple(new if wrap.kind == new.kind else wrap for wrap in self.wraps)
        return replace(self, wraps=others if new in others else (*others, new))


@dataclass(frozen=True, slots=True)
class Envelope:
    """A whole vault file: the header and the encrypted body."""

    header: Header
    body: str

    def render(self) -> bytes:
        """Return the one spelling of this file."""
        content: dict[str, Any] = {"header": self.header.as_json(), "body": self.body}
        return canonical({**content, "checksum": digest(canonical(content))}) + b"\n"


def canonical(value: object) -> bytes:
    """Return the only spelling of a JSON value that the vault writes and accepts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def parse(raw: bytes) -> Envelope:
    """Return the envelope in a file's bytes, or refuse them; needs no key and allocates no more than the file.

    Raises
    ------
    DamagedVault
        Not canonical, not complete, wrong checksum, unknown or missing fields.
    NewerVersion
        Whole, but of a later version of the format.
    HostileHeader
        Whole, but with key-derivation costs outside the bounds.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise DamagedVault(f"the file is larger than any vault ({MAX_FILE_BYTES} bytes)")
    parsed = _json_object(raw)
    content = {part: parsed.get(part) for part in ("header", "body")}
    if parsed.keys() != {"header", "body", "checksum"} or parsed["checksum"] != digest(canonical(content)):
        raise DamagedVault("its checksum does not match its content")
    body = parsed["body"]
    header = _header(parsed["header"])
    if not is_canonical_token(body):
        raise DamagedVault("its body is not one well-formed encrypted token")
    return Envelope(header, body)


def is_canonical_token(token: object) -> bool:
    """Return whether a Fernet token is spelt in the one canonical way (base64 would accept several)."""
    if not isinstance(token, str):
        return False
    try:
        data = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    return len(data) > 0 and base64.urlsafe_b64encode(data).decode("ascii") == token


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw.decode("ascii"))
        spelling = canonical(parsed) + b"\n"
    except (ValueError, RecursionError):
        raise DamagedVault("it is not the JSON text that a vault writes, or it is cut off") from None
    if not isinstance(parsed, dict) or spelling != raw:
        raise DamagedVault("it is not spelt the way a vault writes it")
    return parsed


def _header(value: object) -> Header:
    if not isinstance(value, dict) or value.get("format") != FORMAT or type(value.get("version")) is not int:
        raise DamagedVault("its header does not identify it as a vault")
    if value["version"] > VERSION:
        raise NewerVersion(
            f"it has format version {_shortened(value['version'])}, this release reads up to {VERSION}; "
            "update bgresearch and open it again"
        )
    if value.keys() != {"format", "version", "vault_id", "generation", "wraps"} or value["version"] != VERSION:
        raise DamagedVault("its header has missing or unknown fields")
    vault_id, generation, wraps = value["vault_id"], value["generation"], value["wraps"]
    if not (isinstance(vault_id, str) and _HEX_32.fullmatch(vault_id)):
        raise DamagedVault("its vault id is malformed")
    if type(generation) is not int or not 1 <= generation <= MAX_GENERATION:
        raise DamagedVault("its generation is out of bounds")
    if not isinstance(wraps, list) or not 1 <= len(wraps) <= MAX_WRAPS:
        raise DamagedVault("its list of wrapped keys is malformed")
    parsed = tuple(_wrap(wrap) for wrap in wraps)
    kinds = [wrap.kind for wrap in parsed]
    if PASSWORD not in kinds or len(set(kinds)) != len(kinds):
        raise DamagedVault("it needs exactly one key wrapped under a password")
    return Header(vault_id, generation, parsed)


def _wrap(value: object) -> Wrap:
    if not isinstance(value, dict) or value.keys() != {"kind", "kdf", "token"}:
        raise DamagedVault("a wrapped key has missing or unknown fields")
    kind, kdf, token = value["kind"], value["kdf"], value["token"]
    if not (isinstance(kind, str) and _KIND.fullmatch(kind) and is_canonical_token(token)):
        raise DamagedVault("a wrapped key is malformed")
    if not isinstance(kdf, dict) or kdf.keys() != {"name", "salt", *COST_BOUNDS} or kdf["name"] != KDF_NAME:
        raise DamagedVault("a wrapped key names an unknown key derivation")
    if not (isinstance(kdf["salt"], str) and _HEX_32.fullmatch(kdf["salt"])):
        raise DamagedVault("a wrapped key has a malformed salt")
    profile = Profile(**{cost: kdf[cost] for cost in COST_BOUNDS})
    if problem := profile.problem():
        raise HostileHeader(f"its key-derivation costs are refused: {problem}; nothing was computed")
    return Wrap(kind, profile, kdf["salt"], token)


def _shortened(number: int) -> str:
    text = str(number)
    return text if len(text) <= 20 else f"{text[:20]}... ({len(text)} digits)"
