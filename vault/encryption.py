"""From a password to an open body and back: Argon2id, then Fernet twice.

password -> Argon2id -> key-encryption key -> Fernet -> random data key -> Fernet -> body. The data key's plaintext
is bound to its vault and costs, the body's plaintext to vault, generation and the whole header, so no part of one
file is believed inside another. No disk, no clock and no random source of its own (but for Fernet's IV, which
comes from the operating system alone).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from vault.envelope import PASSWORD, Envelope, Header, Wrap, canonical, parse
from vault.errors import DamagedVault, HostileHeader, NotEnoughMemory, WrongPassword, WrongRecoveryCode
from vault.hidden import Hidden, without_frames

KEY_BYTES = 32

KeySource = Callable[[Wrap], Hidden[bytes]]
Body = Hidden[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A vault file that was decrypted and validated: its envelope, its data key, its body."""

    envelope: Envelope
    data_key: Hidden[bytes]
    body: Body


def key_from_password(password: Hidden[bytes], wrap: Wrap) -> Hidden[bytes]:
    """Return the key-encryption key of one wrap; takes the profile's memory and time.

    Raises
    ------
    HostileHeader
        Costs out of bounds; checked here again, before anything is allocated.
    NotEnoughMemory
        The machine has less memory to give than the profile needs.
    """
    profile = wrap.profile
    if problem := profile.problem():
        raise HostileHeader(f"key-derivation costs are refused: {problem}")
    derivation = Argon2id(
        salt=bytes.fromhex(wrap.salt),
        length=KEY_BYTES,
        iterations=profile.passes,
        lanes=profile.lanes,
        memory_cost=profile.memory_kib,
    )
    try:
        return Hidden(derivation.derive(password.value))
    except MemoryError:
        needed_mib = profile.memory_kib // 1024
        raise NotEnoughMemory(
            f"turning the password into a key needs {needed_mib} MiB of memory, which this machine did not give; "
            "close other programs and try again"
        ) from None


@without_frames
def wrap_data_key(data_key: Hidden[bytes], wrap: Wrap, vault_id: str, key_source: KeySource, *, time_s: int) -> Wrap:
    """Return the wrap with the data key encrypted into it."""
    content = Hidden({"binding": wrap.binding(vault_id), "data_key": data_key.value.hex()})
    token = _encrypted(content, key_source(wrap), time_s)
    return Wrap(wrap.kind, wrap.profile, wrap.salt, token)


@without_frames
def unwrap_data_key(wrap: Wrap, vault_id: str, key_source: KeySource) -> Hidden[bytes]:
    """Return the data key.

    Raises
    ------
    WrongPassword
        The wrap does not open with this key.
    DamagedVault
        The wrap opens, but was made for another vault, another way of unlocking or other costs.
    """
    content = _decrypted(wrap.token, key_source(wrap))
    if content is None:
        raise _refusal(wrap.kind)
    data_key = _bound_data_key(content, wrap.binding(vault_id))
    if data_key is None:
        raise DamagedVault("its wrapped key was made for another vault or another header")
    return data_key


@without_frames
def encrypt(header: Header, data_key: Hidden[bytes], body: Body, *, time_s: int) -> Envelope:
    """Return the envelope that carries this body under this header, bound to each other."""
    content = Hidden({**body.value, **_body_binding(header)})
    return Envelope(header, _encrypted(content, data_key, time_s))


@without_frames
def decrypt(envelope: Envelope, data_key: Hidden[bytes]) -> Body:
    """Return the body of an envelope, its binding taken off.

    Raises
    ------
    DamagedVault
        The body does not open with this data key, or was sealed under another header.
    """
    content = _decrypted(envelope.body, data_key)
    if content is None:
        raise DamagedVault("its body does not belong to its wrapped key")
    binding = _body_binding(envelope.header)
    if not _is_bound(content, binding):
        raise DamagedVault("its body was sealed for another vault, generation or header")
    return Hidden({name: value for name, value in content.value.items() if name not in binding})


def decrypt_file(raw: bytes, key_source: KeySource, kind: str = PASSWORD) -> Opened:
    """Return an opened vault file, every check done; ``key_source`` gives the key-encryption key for a wrap of a kind.

    Raises
    ------
    DamagedVault, NewerVersion, HostileHeader, WrongPassword, NoRecovery
        See `parse`, `unwrap_data_key` and `decrypt`.
    """
    envelope = parse(raw)
    header = envelope.header
    data_key = unwrap_data_key(header.wrap_of(kind), header.vault_id, key_source)
    return Opened(envelope, data_key, decrypt(envelope, data_key))


def _refusal(kind: str) -> WrongPassword:
    if kind == PASSWORD:
        return WrongPassword("the password does not open it")
    return WrongRecoveryCode(f"the code does not open it as its {kind}")


def _body_binding(header: Header) -> dict[str, Any]:
    return {"vault_id": header.vault_id, "generation": header.generation, "header_sha256": header.sha256()}


def _is_bound(content: Body, binding: dict[str, Any]) -> bool:
    return all(content.value.get(name) == expected for name, expected in binding.items())


def _bound_data_key(content: Body, binding: str) -> Hidden[bytes] | None:
    """Return the data key if the content is exactly a bound data key; never raises, as it sees secrets."""
    fields = content.value
    if fields.keys() != {"binding", "data_key"} or fields["binding"] != binding:
        return None
    try:
        data_key = bytes.fromhex(fields["data_key"])
    except (TypeError, ValueError):
        return None
    return Hidden(data_key) if len(data_key) == KEY_BYTES else None


def _encrypted(content: Body, key: Hidden[bytes], time_s: int) -> str:
    fernet = Fernet(base64.urlsafe_b64encode(key.value))
    return fernet.encrypt_at_time(canonical(content.value), time_s).decode("ascii")


def _decrypted(token: str, key: Hidden[bytes]) -> Body | None:
    """Return the JSON object in a token, or None; never raises, as a JSON error would carry the text."""
    try:
        content = json.loads(Fernet(base64.urlsafe_b64encode(key.value)).decrypt(token))
    except (InvalidToken, ValueError, RecursionError):
        return None
    return Hidden(content) if isinstance(content, dict) else None
