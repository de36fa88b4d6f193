"""What a key can do, described. ``classify`` is pure; unknown codes count as write, to be on the safe side."""

from __future__ import annotations

import functools
import html
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from bgresearch.catalogue.response import printable
from bgresearch.errors import BadResponse, CatalogueError
from bgresearch.http.sender import Sender
from bgresearch.session.identity import AccountIdentity, Mode

Effect = Literal["read", "trade", "transfer", "withdraw"]
Verdict = Literal["read-only", "can trade", "can transfer", "can withdraw"]

ACCOUNT_INFO: dict[Mode, str] = {"classic": "spot.account_info", "unified": "uta.account_info"}

_EFFECTS: tuple[Effect, ...] = ("read", "trade", "transfer", "withdraw")
_READ_TYPE = "readonly"  # spelled with a hyphen, an underscore, a blank or nothing in between


@dataclass(frozen=True)
class Authority:
    """One authority of a key.

    Attributes
    ----------
    code : str
        As the exchange spells it.
    words : str
        What it is about.
    access : str
        ``read`` or ``write``.
    reach : str
        The scope: the data that it gives access to.
    effect : str
        The worst it allows: ``read``, ``trade``, ``transfer`` or ``withdraw``.
    known : bool
        Whether the table knows the code; if not, it counts as write.
    """

    code: str
    words: str
    access: Literal["read", "write"]
    reach: str
    effect: Effect
    known: bool = True


@dataclass(frozen=True)
class Permissions:
    """What a key can do.

    Attributes
    ----------
    authorities : tuple of Authority
        One by one.
    addresses : tuple of str
        Network addresses the key is bound to; empty if it works from anywhere.
    mode : str
        ``classic`` or ``unified``.
    demo : bool
        Whether it belongs to the demo environment.
    uid : str
        The exchange's user id.
    label : str
        The key's label here.
    """

    authorities: tuple[Authority, ...]
    addresses: tuple[str, ...]
    mode: Literal["classic", "unified"]
    demo: bool
    uid: str
    label: str

    @property
    def can_trade(self) -> bool:
        """Whether it can place orders, or change anything else that is no transfer."""
        return any(authority.effect == "trade" for authority in self.authorities)

    @property
    def can_transfer(self) -> bool:
        """Whether it can move coins between accounts."""
        return any(authority.effect == "transfer" or _also_transfers(authority) for authority in self.authorities)

    @property
    def can_withdraw(self) -> bool:
        """Whether it can send coins away."""
        return any(authority.effect == "withdraw" for authority in self.authorities)

    @property
    def read_only(self) -> bool:
        """Whether it can do nothing but read."""
        return self.verdict == "read-only"

    @property
    def verdict(self) -> Verdict:
        """The worst it can do."""
        if self.can_withdraw:
            return "can withdraw"
        if self.can_transfer:
            return "can transfer"
        return "can trade" if self.can_trade else "read-only"

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do about it, one sentence each."""
        said: list[str] = []
        if self.can_withdraw:
            said.append("This key can send coins away: delete it on the exchange and make a read-only one.")
        elif not self.read_only:
            said.append(f"This key {self.verdict}: research needs a read-only one, make it on the exchange's API page.")
        if not self.addresses:
            said.append("The key works from any address: bind it to yours on the exchange's API page.")
        unknown = [authority.code for authority in self.authorities if not authority.known]
        if unknown:
            said.append(f"Unknown authorities count as write until they are documented: {', '.join(unknown)}.")
        if not self.authorities:
            said.append("The key lists no authority at all: most private data will be refused.")
        return tuple(said)

    def __str__(self) -> str:
        width = max((len(authority.code) for authority in self.authorities), default=0)
        lines = [
            f"Key {self.label!r}: {self.verdict}",
            f"  account    {self.uid}, {self.mode}{', demo' if self.demo else ''}",
            f"  addresses  {', '.join(self.addresses) or 'any'}",
        ]
        lines += [f"  {one.code:{width}}  {one.access:5}  {one.words}: {one.reach}" for one in self.authorities]
        return "\n".join([*lines, *(f"  -> {sentence}" for sentence in self.advice)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{html.escape(one.code)}</code></td><td>{one.access}</td><td>{html.escape(one.words)}</td>"
            f"<td>{html.escape(one.reach)}</td></tr>"
            for one in self.authorities
        )
        advice = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in self.advice)
        return (
            f"<p><b>{html.escape(self.label)}: {self.verdict}</b><br>account {html.escape(self.uid)}, {self.mode}"
            f"{', demo' if self.demo else ''}; addresses {html.escape(', '.join(self.addresses)) or 'any'}</p>"
            f"<table><tr><th>authority</th><th>access</th><th>about</th><th>scope</th></tr>{rows}</table>"
            f"<ul>{advice}</ul>"
        )


def classify(codes: Iterable[str], *, unified: bool, key_type: str = "") -> tuple[Authority, ...]:
    """Return what each authority code means.

    Parameters
    ----------
    codes : iterable of str
        As the exchange lists them.
    unified : bool
        Whether they are v3 permissions; v2 authorities otherwise.
    key_type : str
        v3 ``permType``; anything but read-only counts as write.
    """
    table = _table()["v3" if unified else "v2"]
    reads = unified and "".join(filter(str.isalpha, key_type.lower())) == _READ_TYPE
    return tuple(_authority(str(code), table, reads=reads) for code in codes)


def permissions(sender: Sender, whose: AccountIdentity) -> Permissions:
    """Return what the sender's key can do; asks the exchange two or three times."""
    identity = whose.identity()
    return of_key_info(
        whose.key_info(), mode=identity.mode, uid=identity.uid, demo=sender.demo, label=sender.label or ""
    )


def of_key_info(info: Any, *, mode: Mode, uid: str, demo: bool, label: str) -> Permissions:
    """Return what a key can do by the ``data`` of the row in `ACCOUNT_INFO` that fits the account's mode.

    Raises
    ------
    BadResponse
        It names no authorities.
    """
    unified = mode == "unified"
    field = "permissions" if unified else "authorities"
    codes = info.get(field) if isinstance(info, dict) else None
    if not isinstance(codes, list | str):  # an empty list is an answer, none is not
        raise BadResponse(ACCOUNT_INFO[mode], f"no {field} in the answer.")
    return Permissions(
        authorities=classify(_list_of(codes), unified=unified, key_type=str(info.get("permType") or "")),
        addresses=tuple(_list_of(info.get("ips"))),
        mode=mode, demo=demo, uid=uid, label=label,
    )  # fmt: skip


def _authority(code: str, table: dict[str, dict[str, Any]], *, reads: bool) -> Authority:
    row = table.get(code.strip().lower())
    if row is None:
        return Authority(code, "not documented", "write", "unknown", "trade", known=False)
    effect: Effect = "read" if reads else row["effect"]
    return Authority(code, row["words"], _access(effect), row["reach"], effect)


def _access(effect: Effect) -> Literal["read", "write"]:
    return "read" if effect == "read" else "write"


def _also_transfers(authority: Authority) -> bool:
    return authority.code.strip().lower() == "uta_mgt" and authority.effect != "read"


def _list_of(value: object) -> list[str]:
    """Return texts from a list, or from one text with commas; the exchange uses both, and "" or null for none.

    Control characters are removed: on a terminal they could hide the verdict.
    """
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [text for text in (printable(part).strip() for part in parts) if text]


@functools.cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    name = "permissions.toml"
    table = tomllib.loads((files("bgresearch.catalogue") / name).read_text("utf-8"))
    for family, rows in table.items():
        for code, row in rows.items():
            if set(row) != {"words", "effect", "reach"} or row["effect"] not in _EFFECTS:
                raise CatalogueError(f"{name}, {family}.{code}: needs words, reach and one effect of {_EFFECTS}.")
    return table
