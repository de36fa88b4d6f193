"""The address list of a key: which network addresses it can contain, and why it cannot contain others.

Only checks what was typed and sends no request, so it does not know which address this computer has on the internet.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

WHY = (
    "A key with an address list is useless to a thief elsewhere. List the addresses that your computers "
    "have on the internet, not those inside your home or office."
)
CHANGES = (
    "An address at home often changes: after the router restarts, or overnight. The exchange then "
    "refuses the key until you add the new address to its list."
)
FIND_OUT = (
    "This program does not look up your address. Your router's status page shows it; in an office or at a hosting "
    "company, ask the network's administrators."
)
UNDOCUMENTED = "The exchange does not document whether its page accepts ranges or IPv6. If not, list single addresses."
WIDE = "{count:,} addresses are a lot: anyone at one of them counts as you. List single addresses if you can."

_PRIVATE = "is a private address inside a home or office: the exchange never sees it"
_DOCUMENTATION = "is an example address from documentation"
_RESERVED = "is reserved and not in use"
_REFUSED: tuple[tuple[str, str], ...] = (  # the first that overlaps gives the reason
    ("0.0.0.0/32", "means 'no address' or 'any address' and identifies no computer"),
    ("0.0.0.0/8", "means this network itself and is never seen from outside"),
    ("10.0.0.0/8", _PRIVATE),
    ("172.16.0.0/12", _PRIVATE),
    ("192.168.0.0/16", _PRIVATE),
    ("127.0.0.0/8", "is this computer talking to itself (loopback)"),
    (
        "169.254.0.0/16",
        "is what a computer uses when it got no address (link-local): it works only on the local network",
    ),
    ("100.64.0.0/10", "belongs to your provider's inner network (carrier): the internet sees another one"),
    ("192.0.2.0/24", _DOCUMENTATION),
    ("198.51.100.0/24", _DOCUMENTATION),
    ("203.0.113.0/24", _DOCUMENTATION),
    ("192.0.0.0/24", _RESERVED),
    ("198.18.0.0/15", "is reserved for measuring equipment"),
    ("224.0.0.0/4", "is for sending to many at once (multicast): no computer sends from it"),
    ("240.0.0.0/4", _RESERVED),
    ("::/128", "means 'no address' or 'any address' and identifies no computer"),
    ("::1/128", "is this computer talking to itself (loopback)"),
    ("::ffff:0:0/96", "is an IPv4 address written as IPv6: type the IPv4 address itself"),
    ("fe80::/10", "works only on the local network (link-local)"),
    ("fec0::/10", _PRIVATE),
    ("fc00::/7", _PRIVATE),
    ("2001:db8::/32", _DOCUMENTATION),
    ("2001::/23", _RESERVED),
    ("2002::/16", "belongs to an old kind of tunnel (6to4): type the IPv4 address that is in it"),
    ("3fff::/20", _DOCUMENTATION),
    ("ff00::/8", "is for sending to many at once (multicast): no computer sends from it"),
)
_RANGES: tuple[tuple[Network, str], ...] = tuple((ipaddress.ip_network(text), why) for text, why in _REFUSED)
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")  # the part of IPv6 that is in use on the internet
_WIDE_FROM = {4: 256, 6: 2**64}  # addresses: a whole neighbourhood
_LONGEST = 64  # characters of an entry; the longest IPv6 network has 43
_SEPARATORS = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True)
class Address:
    """The result of checking one entry.

    Attributes
    ----------
    typed : str
        As it was typed, shortened.
    text : str
        As it should be written in the list; empty if it cannot be in it.
    words : str
        Why it cannot, or a caution; empty if there is neither.
    """

    typed: str
    text: str
    words: str

    @property
    def is_good(self) -> bool:
        """Whether it can be in the list."""
        return self.text != ""


def check_addresses(typed: str) -> tuple[Address, ...]:
    """Return the result of checking each address or range in a text; separated by commas, blanks or lines.

    Examples
    --------
    >>> [one.text or one.words.split(":")[0] for one in check_addresses("8.8.8.8, 192.168.0.7")]
    ['8.8.8.8', '192.168.0.7 is a private address inside a home or office']
    """
    return tuple(check_address(entry) for entry in dict.fromkeys(_SEPARATORS.split(typed.strip())) if entry)


def check_address(typed: str) -> Address:
    """Return the result of checking one address or range."""
    entry = typed.strip()
    shown = entry if len(entry) <= _LONGEST else f"{entry[:_LONGEST]}…"
    if not entry.isascii() or not entry.isprintable() or len(entry) > _LONGEST:
        return Address(shown, "", f"{shown!r} is not an address.")
    if "%" in entry:
        return Address(shown, "", f"{shown} has a zone after %, which has a meaning on this computer only.")
    try:
        network = ipaddress.ip_network(entry)
    except ValueError:
        return Address(shown, "", _why_not(shown, entry))
    if reason := _refused(network):
        return Address(shown, "", f"{shown} {reason}.")
    single = network.num_addresses == 1
    text = str(network.network_address) if single else str(network)
    wide = network.num_addresses >= _WIDE_FROM[network.version]
    return Address(shown, text, WIDE.format(count=network.num_addresses) if wide and not single else "")


def _refused(network: Network) -> str:
    for refused, why in _RANGES:
        if network.version == refused.version and network.overlaps(refused):
            is_inside = network.prefixlen >= refused.prefixlen
            return why if is_inside else f"contains addresses that cannot be listed: {refused} {why}"
    if isinstance(network, ipaddress.IPv6Network) and not network.subnet_of(_GIVEN_OUT):
        return _RESERVED
    return ""


def _why_not(shown: str, entry: str) -> str:
    """Return why this is no address, with what to type instead."""
    try:
        interface = ipaddress.ip_interface(entry)
    except ValueError:
        pass
    else:
        return (
            f"{shown} is an address inside a range: type {interface.ip} for it alone, or {interface.network} for all."
        )
    if "://" in entry or any(letter in "ghijklmnopqrstuvwxyz" for letter in entry.lower()):
        return f"{shown} is a name. The list takes numbers, such as 8.8.8.8 or 2001:4860:4860::8888."
    if "-" in entry:
        return f"{shown} has a hyphen. A range is typed with a slash, such as 8.8.8.0/28."
    if re.fullmatch(r"[0-9.]+:[0-9]+|\[.*\](:[0-9]+)?", entry):
        return f"{shown} has a port or brackets. Type the address alone."
    return f"{shown} is not an IPv4 or IPv6 address, nor a range such as 8.8.8.0/28."
