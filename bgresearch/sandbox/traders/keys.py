"""The sandbox's throw-away keys: fixed, worthless and named for what they can do.

They open nothing but the sandbox. Never put a real key here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

LOOPBACK = "127.0.0.1"
ELSEWHERE = "203.0.113.7"  # TEST-NET-3 (RFC 5737): an address of no machine

PermType = Literal["read-only", "read-and-write"]


@dataclass(frozen=True, slots=True)
class SandboxKey:
    """One throw-away API key.

    Attributes
    ----------
    name : str
        What tests and notebooks call it.
    api_key, secret_key, passphrase : str
        The triple. All three are public knowledge and worth nothing; the repr leaves them out all the same, because
        tests look for them where no secret may appear.
    account : str
        ``classic``, ``unified`` or ``demo``: the account it belongs to.
    authorities : tuple of str
        v2 codes (``stor``) of a classic key; v3 permissions (``uta_mgt``) of a unified one.
    perm_type : {"read-only", "read-and-write"}
        What a v3 key may do with its permissions.
    addresses : tuple of str
        Network addresses that may use it; empty allows all.
    demo : bool
        Whether it belongs to the demo environment (header ``paptrading: 1``).
    rsa_modulus : int
        Of a key that signs with RSA (exponent 65537): the public half is all that an exchange has. 0 for HMAC keys.
    """

    name: str
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    passphrase: str = field(repr=False)
    account: str
    authorities: tuple[str, ...]
    perm_type: PermType = "read-only"
    addresses: tuple[str, ...] = (LOOPBACK,)
    demo: bool = False
    rsa_modulus: int = 0


_READ = ("coor", "cpor", "stor", "smor", "ttor", "wtor", "taxr", "chor", "p2pr", "pllr")
_TRADE = ("coow", "cpor", "stow", "smor", "wtor", "taxr")
_WITHDRAW = ("coor", "cpor", "stor", "wtow", "wwow")
_UNIFIED = ("uta_mgt", "uta_trade")


def _key(
    name: str, account: str, authorities: tuple[str, ...], *, perm_type: PermType = "read-only",
    addresses: tuple[str, ...] = (LOOPBACK,), demo: bool = False,
) -> SandboxKey:  # fmt: skip
    digest = hashlib.sha256(f"bgresearch sandbox, worth nothing: {name}".encode()).hexdigest()
    return SandboxKey(
        name=name, api_key=f"bg_{digest[:32]}", secret_key=digest[32:] + digest[:32], passphrase=f"sandbox{digest[:8]}",
        account=account, authorities=authorities, perm_type=perm_type, addresses=addresses, demo=demo,
    )  # fmt: skip


SANDBOX_KEYS: dict[str, SandboxKey] = {
    key.name: key
    for key in (
        _key("readonly", "classic", _READ),
        _key("trader", "classic", _TRADE),
        _key("withdrawer", "classic", _WITHDRAW),
        _key("no_address_list", "classic", _READ, addresses=()),
        _key("spot_only", "classic", ("stor",)),
        _key("other_address", "classic", _READ, addresses=(ELSEWHERE,)),
        _key("unified", "unified", _UNIFIED),
        _key("unified_trader", "unified", _UNIFIED, perm_type="read-and-write"),
        _key("demo", "demo", _READ, demo=True),
    )
}
