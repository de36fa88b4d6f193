"""Purposes of a key, and the boxes that it needs for them: derived from the catalogue, never more than needed.

A v2 row of the table requires a code (``stor``), a v3 row a permission (``uta_mgt:read``). A purpose names areas and
rows, and its boxes follow from them. Boxes have the exchange's own names of the authorities.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bgresearch.catalogue import Endpoint, load
from bgresearch.keys.permissions import Permissions, classify

PurposeName = Literal["market", "spot", "futures", "unified", "tax", "demo"]
Mode = Literal["classic", "unified"]

NO_KEY = (
    "Market data is public: prices, candles, trades, funding rates and order books need no key. You are ready: "
    "there is nothing to make, type or keep."
)
READ_ONLY = "Choose read-only where the page asks what the key may do. Nothing here ever needs a write permission."
ONLY_THESE = "Tick these boxes and no others:"
KINDS_OF_KEY = (
    "If the page asks how the key signs, choose the key made by the exchange (HMAC), not one of your own (RSA)."
)
DEMO_FIRST = (
    "First switch the exchange's site to demo mode, and make the key there: a key that was made in live mode does not "
    "work in the demo environment, and vice versa."
)
WHICH_MODE = (
    "Accounts come in two modes. Accounts opened since about May 2026 are unified; older ones may still be classic. "
    "The exchange shows yours in its settings; the check at the end detects it too."
)
TAX_BOX = "The tax records of a unified account also need a key with the tax box."
WRITE_TO_READ = (
    "Two lists of a unified account (closed positions and their rank) are returned only to keys that can write. "
    "Leave them out: everything else works with a key that only reads."
)

_LEGACY = {"readonly", "trade"}
_WRITING_TWIN = {"p2pr": "p2p"}


@dataclass(frozen=True, slots=True)
class Box:
    """One box on the exchange's page.

    Attributes
    ----------
    code : str
        Of the authority, as the exchange lists it: ``stor``, ``uta_mgt``.
    words : str
        What it is about.
    reach : str
        The scope: the data that can be read with it.
    """

    code: str
    words: str
    reach: str


@dataclass(frozen=True, slots=True)
class Purpose:
    """A purpose of a key.

    Attributes
    ----------
    name : str
        Its name in code.
    title, words : str
        The question to the user.
    areas : tuple of str
        Areas of the table whose private rows it reads, for a classic account.
    rows : tuple of str
        Ids of v3 rows that it reads, for a unified account.
    demo : bool
        Whether the key has to be made in demo mode.
    """

    name: PurposeName
    title: str
    words: str
    areas: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    demo: bool = False

    @property
    def needs_key(self) -> bool:
        """Whether it needs a key at all."""
        return bool(self.areas or self.rows)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """For which modes of an account there are boxes."""
        return (*(("classic",) if self.areas else ()), *(("unified",) if self.rows else ()))


_BALANCES = (
    "uta.account_settings",
    "uta.account_assets",
    "uta.account_funding_assets",
    "uta.account_financial_records",
)
_TRADES = ("uta.trade_fills", "uta.trade_history_orders", "uta.trade_unfilled_orders")
_MOVEMENTS = ("uta.account_deposit_records", "uta.account_withdrawal_records")

PURPOSES: dict[PurposeName, Purpose] = {
    one.name: one
    for one in (
        Purpose("market", "Market data only", "Prices, candles, trades, funding rates, order books."),
        Purpose(
            "spot", "My own spot history", "Balances, orders, trades, deposits and withdrawals of my spot account.",
            ("spot",), (*_BALANCES, *_TRADES, *_MOVEMENTS),
        ),
        Purpose(
            "futures", "My own futures history", "Positions, orders, trades and bills of my futures accounts.",
            ("futures",), (*_BALANCES, *_TRADES, "uta.position_current_position"),
        ),
        Purpose(
            "unified", "My unified account", "Everything that a unified account shows about itself.",
            (), (*_BALANCES, *_TRADES, *_MOVEMENTS, "uta.position_current_position"),
        ),
        Purpose("tax", "Tax records", "The exchange's lists for tax returns.", ("tax",), ("uta.tax_records",)),
        Purpose(
            "demo", "Try it in the demo environment", "The exchange's play money: a key of its own, nothing at stake.",
            ("spot", "futures"), (*_BALANCES, *_TRADES, "uta.position_current_position"), demo=True,
        ),
    )
}  # fmt: skip

COMMON: tuple[PurposeName, ...] = ("spot", "futures")  # most keys are for this: one's own history, read-only


def boxes(wanted: Iterable[Purpose], mode: Mode) -> tuple[Box, ...]:
    """Return the boxes that these purposes need, and no others; each is for reading.

    Examples
    --------
    >>> [box.code for box in boxes([PURPOSES["spot"]], "classic")]
    ['stor', 'wtor']
    >>> [box.code for box in boxes([PURPOSES["spot"]], "unified")]
    ['uta_mgt', 'uta_trade']
    """
    return tuple(_box(code, mode) for code in _codes_of(wanted, mode))


def needs_key(wanted: Iterable[Purpose]) -> bool:
    """Return whether any of them needs a key."""
    return any(one.needs_key for one in wanted)


def instructions(wanted: Iterable[Purpose], mode: Mode) -> tuple[str, ...]:
    """Return what to do on the exchange's page for these purposes, one sentence each; the boxes come last."""
    wanted = tuple(wanted)
    if not needs_key(wanted):
        return (NO_KEY,)
    steps = [*([DEMO_FIRST] if any(one.demo for one in wanted) else []), READ_ONLY, KINDS_OF_KEY]
    if mode == "unified":
        steps += [TAX_BOX] if PURPOSES["tax"] in wanted else []
        steps += [WRITE_TO_READ] if any("futures" in one.areas for one in wanted) else []
    return *steps, ONLY_THESE, *(f"{box.words}: {box.reach}" for box in boxes(wanted, mode))


def lacking(wanted: Iterable[Purpose], found: Permissions) -> tuple[Box, ...]:
    """Return the boxes that these purposes need and this key has not."""
    wanted = tuple(wanted)
    endpoints = {code: [row for row in _rows_of(wanted, found.mode) if _code(row) == code] for code in
                 _codes_of(wanted, found.mode)}  # fmt: skip
    return tuple(
        _box(code, found.mode) for code, rows in endpoints.items() if not all(covers(found, row) for row in rows)
    )


def surplus(wanted: Iterable[Purpose], found: Permissions) -> tuple[Box, ...]:
    """Return the boxes that this key has and these purposes do not need."""
    needed = set(_codes_of(tuple(wanted), found.mode))
    return tuple(
        Box(one.code, one.words, one.reach)
        for one in found.authorities
        if one.code.strip().lower() not in needed | {_writing(code) for code in needed}
    )


def covers(found: Permissions, endpoint: Endpoint) -> bool:
    """Return whether a key may request this row: has its read or write code; legacy keys read everything."""
    if endpoint.permission == "public":
        return True
    if endpoint.version != ("v3" if found.mode == "unified" else "v2"):
        return False
    if endpoint.permission == "any":
        return True
    name, colon, access = endpoint.permission.partition(":")
    granted = {one.code.strip().lower(): one.effect for one in found.authorities}
    if colon:
        return name in granted and (access == "read" or granted[name] != "read")
    return not {name, _writing(name), *_LEGACY}.isdisjoint(granted)


def readable_areas(found: Permissions) -> tuple[tuple[str, int, int, tuple[Box, ...]], ...]:
    """Return, for each area of the table with private rows in the account's mode: its name, how many of these rows the
    key may request, how many there are, and the boxes that would be needed for the others.
    """  # noqa: D205 - one sentence
    version = "v3" if found.mode == "unified" else "v2"
    areas: dict[str, list[Endpoint]] = {}
    for row in load():
        if row.private and row.version == version:
            areas.setdefault(row.id.split(".")[0], []).append(row)
    found_areas = []
    for area, rows in sorted(areas.items()):
        closed = [row for row in rows if not covers(found, row)]
        codes = dict.fromkeys(_code(row) for row in closed)
        found_areas.append((area, len(rows) - len(closed), len(rows), tuple(_box(code, found.mode) for code in codes)))
    return tuple(found_areas)


@dataclass(frozen=True, slots=True)
class PermissionLine:
    """One line of the matrix of a key's permissions: what it is about, and whether it may read and write it."""

    words: str
    reads: bool
    writes: bool
    worst: str
    known: bool = True


def matrix(found: Permissions) -> tuple[PermissionLine, ...]:
    """Return a line for each thing that a key of this mode can have a permission for, and for each unknown code."""
    subjects = dict.fromkeys([*_all_subjects(found.mode), *(one.words for one in found.authorities if one.known)])
    effects = {subject: [one.effect for one in found.authorities if one.words == subject] for subject in subjects}
    order = ("read", "trade", "transfer", "withdraw")
    lines = [
        PermissionLine(
            subject, bool(some), any(effect != "read" for effect in some), max(some, key=order.index) if some else ""
        )
        for subject in subjects
        for some in [effects[subject]]
    ]
    unknown = [
        PermissionLine(one.code, True, True, one.effect, known=False) for one in found.authorities if not one.known
    ]
    return *lines, *unknown


@functools.cache
def _all_subjects(mode: Mode) -> tuple[str, ...]:
    """Return what the permissions of the table's rows in this mode are about, and others that the exchange lists."""
    family = {"classic": "v2", "unified": "v3"}[mode]
    codes = dict.fromkeys(
        _code(row) for row in load() if row.version == family and row.permission not in {"any", "public"}
    )
    extra = {"classic": ("wwow",), "unified": ("withdraw",)}[mode]
    return tuple(one.words for one in classify((*codes, *extra), unified=mode == "unified"))


def _codes_of(wanted: Iterable[Purpose], mode: Mode) -> tuple[str, ...]:
    rows = _rows_of(tuple(wanted), mode)
    return tuple(dict.fromkeys(sorted(_code(row) for row in rows if row.permission != "any")))


def _rows_of(wanted: tuple[Purpose, ...], mode: Mode) -> list[Endpoint]:
    if mode == "unified":
        return [load()[row_id] for one in wanted for row_id in one.rows]
    areas = {area for one in wanted for area in one.areas}
    return [row for row in load() if row.private and row.version == "v2" and row.id.split(".")[0] in areas]


def _code(row: Endpoint) -> str:
    return row.permission.partition(":")[0]


def _box(code: str, mode: Mode) -> Box:
    one = classify([code], unified=mode == "unified", key_type="read-only")[0]
    return Box(code, one.words, one.reach)


def _writing(code: str) -> str:
    return _WRITING_TWIN.get(code, f"{code[:-1]}w")
