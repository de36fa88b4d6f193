"""Why a key was refused: which stage an error of the exchange belongs to, what it means and what helps.

The exchange's codes and their meaning are in the table (`bgresearch/catalogue/errors.toml`); this module only maps each
one to a stage of checking a new key. A code that is not listed is mapped by its group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bgresearch.catalogue import error_code
from bgresearch.catalogue.error_codes import Group
from bgresearch.errors import (
    BgresearchError,
    ConfigurationError,
    ExchangeError,
    NetworkError,
    RateLimited,
)
from bgresearch.keys.onboarding.finding import Stage


class Cause(NamedTuple):
    """The stage that failed, the verdict and the remedy.

    ``doubtful`` are earlier stages that this refusal leaves open: the order of the exchange's checks is not documented.
    """

    stage: Stage
    words: str
    hint: str
    doubtful: tuple[Stage, ...] = ()


_AFTER_KEY: tuple[Stage, ...] = ("signature", "passphrase")
_OF_THE_TRIPLE: tuple[Stage, ...] = ("key", "signature", "passphrase")

UNKNOWN_KEY = Cause(
    "key",
    "The exchange does not know this API key.",
    "Copy the API key again, without spaces or line ends around it. Check on the exchange's API page whether the "
    "key is still in the list: a deleted or expired key cannot be restored, make a new one.",
)
NOT_OF_THE_SANDBOX = Cause(
    "key",
    "This is the sandbox, which knows its own keys only; whether this key works at the exchange was not checked.",
    "Take one of the sandbox's keys: the wizard has a button for it, and bgresearch sandbox lists them. A real key is "
    "set up where BGRESEARCH_BASE_URL is not set: bgresearch setup in a terminal, or bg.setup() outside the lab.",
)
MALFORMED_KEY = Cause(
    "key",
    "The exchange says that this is not an API key.",
    "It starts with bg_. Another field may have been pasted here, or a character is missing: copy it again.",
)
WRONG_SECRET = Cause(
    "signature",
    "The API key is known, but the SecretKey does not match it.",
    "Copy the SecretKey again; it belongs to this one API key. The exchange shows it only when the key is made: if "
    "it was not kept, delete the key there and make a new one.",
)
WRONG_PASSPHRASE = Cause(
    "passphrase",
    "The passphrase is wrong.",
    "It is the one that you chose when you made this key, not your login password. It cannot be recovered: if it is "
    "lost, delete the key on the exchange and make a new one.",
)
KEY_OR_PASSPHRASE = Cause(
    "passphrase",
    "Either the passphrase is wrong or the API key is unknown: the exchange gives one answer for both.",
    "Check the passphrase first: it is the one that you chose when you made this key, not your login password. Then "
    "check that the key is still in the list on the exchange's API page. A lost passphrase cannot be recovered: make a "
    "new key.",
    ("key", "signature"),
)
ADDRESS_NOT_LISTED = Cause(
    "address",
    "The key works from other network addresses only; this computer's is not in its list.",
    "Edit the key on the exchange's API page and add the address that this computer has on the internet. At home it "
    "may have changed since the list was made; a VPN changes it too.",
    _AFTER_KEY,
)
REGION_NOT_SERVED = Cause(
    "address",
    "The exchange does not serve the country or region that this network address belongs to.",
    "If a VPN or proxy is on, this may be its country and not yours. The exchange's own rules decide; nothing here can "
    "change them.",
    _OF_THE_TRIPLE,
)
NEEDS_ADDRESSES = Cause(
    "address",
    "The exchange wants this key to have an address list.",
    "Edit the key on the exchange's API page and add the address that this computer has on the internet.",
    _AFTER_KEY,
)
MIXED_ENVIRONMENT = Cause(
    "environment",
    "Demo and live are mixed: this key belongs to the other environment.",
    "Was the key made after switching to demo mode on the exchange? Then mark it here as a demo key; if not, "
    "as a live one. One cannot be used for the other.",
    ("signature", "passphrase", "address"),
)
NOT_IN_DEMO = Cause(
    "environment",
    "The exchange does not offer this in its demo environment.",
    "Use a live read-only key for it.",
)
WRONG_MODE = Cause(
    "mode",
    "The call does not fit the account's mode (classic or unified).",
    "Check on the exchange which mode the account is in. If it was just switched, wait a few minutes and check again.",
)
MODE_CHANGING = Cause(
    "mode",
    "The exchange is switching this account between classic and unified right now.",
    "Wait until the switch is finished, then check again. You need no new key.",
)
RESTRICTED = Cause(
    "mode",
    "The key is valid, but the exchange has restricted the account.",
    "It may be temporary. Look for a notice on the exchange's site or ask its support, then check again.",
)
NOT_PERMITTED = Cause(
    "permissions",
    "The key is valid, but it may not read this.",
    "Edit the key on the exchange's API page and tick the read permissions that your purpose needs, never a write one.",
)
CLOCK_OFF = Cause(
    "clock",
    "The exchange refused the time of the request.",
    "Turn on automatic date and time in this computer's settings. The exchange accepts 30 seconds either way.",
)
TOO_OFTEN = Cause(
    "reach",
    "The exchange responds, but says that requests are too frequent.",
    "Wait five minutes and check again. Other programs at the same address or with the same account count too.",
)
MAINTENANCE = Cause(
    "reach",
    "The exchange responds, but is under maintenance or has a fault.",
    "Nothing is wrong on your side: check again in a few minutes.",
)
REFUSED_AT_THE_EDGE = Cause(
    "reach",
    "The exchange's firewall refused this network address before reading the request.",
    "Check VPN and proxy, or try from another network. The key was not checked.",
)
UNREACHABLE = Cause(
    "reach",
    "The exchange cannot be reached, or something else answered in its place.",
    "Check the network connection, VPN, proxy and firewall. The key was not checked.",
)
NOT_USABLE = Cause(
    "key",
    "The key cannot be used at this address.",
    "A key is bound to the one exchange address that it was added for: add it again for this one.",
)
UNKNOWN_REASON = Cause(
    "permissions",
    "The exchange refused for a reason that is not in this program's table.",
    "Look the code up in the exchange's documentation, and check again later.",
    ("key", "signature", "passphrase", "address", "environment", "mode"),
)

_RESTRICTIONS = (
    "25006 25007 25008 40013 40016 40022 40023 40024 40026 40031 40035 40101 40710 40752 40753 40760 40916 50064"
)
_BY_CODE: Mapping[str, Cause] = {
    code: cause
    for cause, codes in (
        (UNKNOWN_KEY, "40037 40041 40065 49000"),
        (MALFORMED_KEY, "40006 40001"),
        (WRONG_SECRET, "40009 40002 40003"),
        (WRONG_PASSPHRASE, "40036 40011"),
        (KEY_OR_PASSPHRASE, "40012"),
        (ADDRESS_NOT_LISTED, "40018 40038 49003"),
        (REGION_NOT_SERVED, "40000 40100 40103 40104 40111"),
        (NEEDS_ADDRESSES, "22010"),
        (MIXED_ENVIRONMENT, "40099"),
        (NOT_IN_DEMO, "22030 40081 40105 40110"),
        (WRONG_MODE, "25245 40084 40085 40128"),
        (MODE_CHANGING, "40115"),
        (RESTRICTED, _RESTRICTIONS),
        (REFUSED_AT_THE_EDGE, "403"),
    )
    for code in codes.split()
}
_BY_GROUP: Mapping[Group, Cause] = {
    "auth": UNKNOWN_KEY._replace(words="The exchange refused the key.", doubtful=("signature", "passphrase")),
    "timestamp": CLOCK_OFF, "permission": NOT_PERMITTED, "ip": ADDRESS_NOT_LISTED, "rate": TOO_OFTEN,
    "maintenance": MAINTENANCE,
}  # fmt: skip


def cause_of(error: BgresearchError, *, sandbox: bool = False) -> Cause:
    """Return the stage of the check that this error belongs to, what it means and what helps.

    Parameters
    ----------
    error : BgresearchError
        Why the key was refused.
    sandbox : bool
        Whether a server on this machine refused it, which cannot know a real key.

    Examples
    --------
    >>> from bgresearch.errors import AuthenticationError
    >>> cause_of(AuthenticationError("spot.account_info", "40009", "")).stage
    'signature'
    """
    if isinstance(error, ExchangeError):
        cause = _of_code(error)
        return NOT_OF_THE_SANDBOX if sandbox and cause in (UNKNOWN_KEY, MALFORMED_KEY) else cause
    if isinstance(error, NetworkError):
        return UNREACHABLE
    return NOT_USABLE if isinstance(error, ConfigurationError) else UNKNOWN_REASON


def _of_code(error: ExchangeError) -> Cause:
    if (cause := _BY_CODE.get(error.code)) is not None:
        return cause
    known = error_code(error.code)
    if known is not None:
        return _BY_GROUP.get(known.group, UNKNOWN_REASON)
    if isinstance(error, RateLimited):
        return TOO_OFTEN
    return MAINTENANCE if error.http_status >= 500 else UNKNOWN_REASON
