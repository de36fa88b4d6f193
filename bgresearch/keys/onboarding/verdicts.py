"""What follows from a key's permissions: its colour, whether it may be kept, how to fix it, when to renew it.

Green: reads only, from listed addresses. Amber: reads only, from anywhere. Red: can write. A key that can withdraw is
never kept; one that can trade or transfer only after an explicit confirmation.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.onboarding.key_check import passed
from bgresearch.keys.permissions import Authority, Permissions

Colour = Literal["green", "amber", "red"]
Keep = Literal["yes", "on purpose", "never"]

COLOUR_SIGNS: dict[Colour, str] = {"green": "✓", "amber": "!", "red": "✗"}
ON_PURPOSE = "I know that this key can {can}, and that research does not need it. Keep it anyway."
NOT_EXAMINED = "The key was not examined yet, or a stage did not pass; nothing was saved."
_DAYS_WITHOUT_ADDRESSES, _DAYS_WITH_ADDRESSES = 90, 365  # as the vault reminds
_CAN = {"can trade": "trade", "can transfer": "move coins between accounts", "can withdraw": "send coins away"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a key's permissions mean for keeping it.

    Attributes
    ----------
    colour : str
        ``green``, ``amber`` or ``red``; never shown without `title`.
    title : str
        The verdict in one line.
    words : str
        Why, in one or two sentences.
    fixes : tuple of str
        What to do on the exchange, step by step; empty if nothing.
    keep : str
        ``yes``, ``on purpose`` (only with a deliberate override) or ``never``.
    """

    colour: Colour
    title: str
    words: str
    fixes: tuple[str, ...]
    keep: Keep


def judge(found: Permissions) -> Judgement:
    """Return the judgement about what a key may do."""
    if found.can_withdraw:
        reason = "Anyone who gets this key can take everything. It is never kept here, and there is no override."
        return Judgement("red", "Red: this key can send coins away.", reason, _narrowed(found), "never")
    if not found.read_only:
        can = _CAN[found.verdict]
        reason = "Research only reads. With a key that can do more, a mistake or a thief can cost you money."
        return Judgement("red", f"Red: this key can {can}.", reason, _narrowed(found), "on purpose")
    if not found.addresses:
        reason = "It reads and does nothing else, but it works from every address on the internet."
        return Judgement("amber", "Amber: this key only reads, from anywhere.", reason, (BIND, CHECK_AGAIN), "yes")
    count = len(found.addresses)
    reason = f"It reads and does nothing else, from {count} listed {'address' if count == 1 else 'addresses'}."
    return Judgement("green", "Green: this key only reads, from listed addresses.", reason, (), "yes")


BIND = "On the exchange's API page edit this key and add the addresses that your computers have on the internet."
CHECK_AGAIN = "Then check the key again here."
NEW_KEY = "Safer still: delete this key there and make a new one that only reads."


def may_keep(findings: Iterable[Finding], found: Permissions | None, *, accept_trade: bool = False) -> str:
    """Return why a key may not be kept; empty if it may.

    Parameters
    ----------
    findings : iterable of Finding
        Of its examination.
    found : Permissions, optional
        What it may do; None if the exchange did not say.
    accept_trade : bool
        Whether the user confirmed that a key that can trade or transfer is to be kept.
    """
    if found is None or not passed(findings):
        return NOT_EXAMINED
    judgement = judge(found)
    if judgement.keep == "never":
        return f"{judgement.title} {judgement.words}"
    if judgement.keep == "on purpose" and not accept_trade:
        return f"{judgement.title} It is kept only if you confirm it explicitly."
    return ""


def on_purpose(found: Permissions) -> str:
    """Return the sentence that the user has to confirm before a key that can write is kept."""
    return ON_PURPOSE.format(can=_CAN.get(found.verdict, "write"))


def rotate_by(today: dt.date, found: Permissions) -> dt.date:
    """Return when to replace a key made today: a year with an address list, 90 days without."""
    return today + dt.timedelta(days=_DAYS_WITH_ADDRESSES if found.addresses else _DAYS_WITHOUT_ADDRESSES)


def _narrowed(found: Permissions) -> tuple[str, ...]:
    """Return the steps that remove the write permissions."""
    writing = [one for one in found.authorities if one.access == "write"]
    boxes = ", ".join(dict.fromkeys(_box(one) for one in writing))
    steps = [
        "Open this key on the exchange's API page and edit it.",
        f"Untick every write permission ({boxes}) and leave read-only ones."
        if boxes
        else "Leave read-only permissions.",
    ]
    if not found.addresses:
        steps.append("Add the addresses that your computers have on the internet to its list.")
    return *steps, CHECK_AGAIN, NEW_KEY


def _box(authority: Authority) -> str:
    return authority.words if authority.known else f"{authority.code} (not documented)"
