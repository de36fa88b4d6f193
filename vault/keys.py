"""The verbs of a vault about its keys: add, list, get a credential, describe, rotate, remove."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from vault import trail
from vault.contents import found, iso_utc, with_replaced, with_slot, without
from vault.credential import SIGNATURES, Credential
from vault.entries import KeyInfo, Slot, Triple
from vault.errors import InvalidField, KeyRefused, NewerVersion
from vault.fields import (
    MAX_NAME_CHARACTERS,
    check_says_no_secret,
    checked_account,
    checked_date,
    checked_name,
    checked_note,
)
from vault.hidden import Hidden
from vault.hosts import EXCHANGE_HOST, normalise_host
from vault.leaks import AnySieve, Needle, Searcher, Sieve
from vault.opened import OpenVault
from vault.rsa import accepted

CAN_WITHDRAW = "can withdraw"  # the one verdict that the vault itself knows: see `acceptable`
_PENDING = " (new)"


class Checked(NamedTuple):
    """What a check of a key at the exchange found."""

    verdict: str
    has_addresses: bool | None = None


class KeyVerbs(OpenVault):
    """The verbs about keys; see `vault.Vault`."""

    __slots__ = ()

    def add(
        self,
        name: str,
        *,
        api_key: str,
        secret_key: str,
        passphrase: str,
        host: str = EXCHANGE_HOST,
        demo: bool = False,
        note: str = "",
        account: str = "",
        rotate_by: str = "",
    ) -> None:
        """Save a key under a name.

        Parameters
        ----------
        name : str
            1 to 64 visible characters, unlike every other name.
        api_key, secret_key, passphrase : str
            As the exchange showed them; what was pasted around them by accident is found and named. For an RSA key,
            ``secret_key`` is the private key as PKCS#8 PEM text.
        host : str
            The only address the key will ever be used with: the exchange, or a loopback address.
        demo : bool
            Whether the key belongs to the demo environment.
        note, account : str
            Text of your own, shown in listings.
        rotate_by : str
            Date by which to replace it, ``YYYY-MM-DD``; if empty, 90 days from now, or a year for a key with addresses.

        Raises
        ------
        InvalidField, HostNotAllowed
            A field cannot be accepted; the message names it, never its value.
        DuplicateKey
            The name or the API key is in the vault already.
        TooManyKeys
            The account has ten keys in this environment.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved; the file is as it was unless the message says otherwise.
        """
        triple = Triple(Hidden(api_key), Hidden(secret_key), Hidden(passphrase))
        texts = Hidden({"name": name, "host": host, "note": note, "account": account, "rotate_by": rotate_by})
        # a secret pasted into one of them must not show in a traceback's variables
        del api_key, secret_key, passphrase, name, host, note, account, rotate_by
        if type(demo) is not bool:
            raise InvalidField("demo must be True or False", field="demo")
        self._add(triple, texts, demo=demo)

    def names(self) -> list[str]:
        """Return the names of the keys, sorted, as of opening or of this object's last change."""
        return sorted(slot.name for slot in self._state().slots)

    def describe(self) -> list[KeyInfo]:
        """Return what may be shown of every key, sorted by name; nothing in it is secret."""
        return [slot.info() for slot in sorted(self._state().slots, key=lambda slot: slot.name)]

    def get(self, name: str) -> Credential:
        """Return the credential that signs with this key; it still works after `close`.

        Raises
        ------
        UnknownKey
            No key has this name; the message lists those that there are.
        NewerVersion
            The key signs in a way that this release does not know.
        """
        slot = found(self._state().slots, name)
        if slot.kind not in SIGNATURES:
            raise NewerVersion(f"the key {name!r} is of a kind ({slot.kind[:32]!r}) that needs a newer bgresearch")
        return Credential(slot, self._surroundings().now_ms)

    def searcher(self, sieve: Callable[[Iterable[Needle]], AnySieve] = Sieve) -> Searcher:
        """Return a searcher that finds the secrets of this vault's keys in files, without revealing them.

        Parameters
        ----------
        sieve : callable
            Makes the search for many texts at once; the default is fast, but slower on data with part of a secret.
        """
        return Searcher(self._state().slots, sieve)

    def rename(self, name: str, new: str) -> None:
        """Give a key another name.

        Raises
        ------
        UnknownKey, InvalidField, DuplicateKey
            No key has this name; the new one cannot be accepted, or is taken.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        self._edit(name, trail.RENAMED, name=checked_name(new))

    def edit(
        self, name: str, *, note: str | None = None, account: str | None = None, rotate_by: str | None = None
    ) -> None:
        """Change the note, account or rotation date of a key; what is None stays.

        Parameters
        ----------
        name : str
        note, account : str, optional
            Text of your own.
        rotate_by : str, optional
            Date by which to replace it, ``YYYY-MM-DD``; empty goes back to 90 days, or a year for a key with addresses.

        Raises
        ------
        UnknownKey, InvalidField, TooManyKeys
            No key has this name, or a field cannot be accepted.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        given = {
            "note": None if note is None else checked_note(note),
            "account": None if account is None else checked_account(account),
            "rotate_by": None if rotate_by is None else checked_date(rotate_by),
        }
        del note, account, rotate_by
        self._edit(name, trail.EDITED, **{field: text for field, text in given.items() if text is not None})

    def record_check(self, name: str, verdict: str, has_addresses: bool | None = None) -> None:
        """Note what a check at the exchange said about a key.

        Parameters
        ----------
        name : str
        verdict : str
            A short text, for example ``"read-only"``.
        has_addresses : bool, optional
            Whether the exchange lists addresses that the key is bound to.

        Raises
        ------
        UnknownKey, InvalidField
            No key has this name, or the verdict is not a short line of text.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        checked = _checked_result(Checked(verdict, has_addresses))
        now = iso_utc(self._surroundings().now_ms())
        verdict, has_addresses = checked
        self._edit(name, trail.CHECKED, checked=now, verdict=verdict, has_addresses=has_addresses)

    def record_use(self, name: str) -> None:
        """Note that a key was used today (UTC); saves the vault at most once a day for each key.

        Raises
        ------
        UnknownKey
            No key has this name.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        today = iso_utc(self._surroundings().now_ms())[:10]
        if found(self._state().slots, name).used != today:
            self._edit(name, trail.USED, used=today)

    def rotate(
        self,
        name: str,
        *,
        api_key: str,
        secret_key: str,
        passphrase: str,
        check: Callable[[Credential], Checked] | None = None,
    ) -> None:
        """Replace an old key with a new one; the old one is removed only when the new one is saved and was checked.

        The new key is saved first, under the old name and ``(new)``, so that it is not lost whatever happens. If the
        check fails, it is taken out again and the old one stays. If the process is killed or the disk refuses half-way,
        both stay, and the same rotation can be done again.

        Parameters
        ----------
        name : str
        api_key, secret_key, passphrase : str
            The new key; host, environment, note and account stay.
        check : callable, optional
            Gets the new credential, returns `Checked` or raises what is wrong with it.

        Raises
        ------
        UnknownKey, InvalidField, DuplicateKey
            No key has this name, or the new one cannot be accepted.
        KeyRefused
            The check found that the new key can withdraw.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        triple = Triple(Hidden(api_key), Hidden(secret_key), Hidden(passphrase))
        del api_key, secret_key, passphrase
        kind, kept = accepted(triple)
        around = self._surroundings()
        old = found(self._state().slots, name)
        pending = replace(
            old, id=around.random_bytes(16).hex(), name=old.name[: MAX_NAME_CHARACTERS - len(_PENDING)] + _PENDING,
            created=iso_utc(around.now_ms()), kind=kind, triple=kept,
            checked="", verdict="", has_addresses=None, rotate_by="",
        )  # fmt: skip
        check_says_no_secret(pending)
        self._change_slots(lambda slots: with_slot(_without_same(slots, pending), pending, is_limited=False))
        if check is not None:
            with ExitStack() as on_failure:
                on_failure.callback(self._change_slots, lambda slots: without(slots, pending.name))
                result = acceptable(check(Credential(pending, around.now_ms)))
                on_failure.pop_all()
            now = iso_utc(around.now_ms())
            pending = replace(pending, checked=now, verdict=result.verdict, has_addresses=result.has_addresses)

        def promoted(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
            present = found(slots, name)
            others = without(slots, pending.name)
            return tuple(replace(pending, id=old.id, name=name) if slot is present else slot for slot in others)

        self._change_slots(promoted, trail.Happening(trail.ROTATED, old.id))

    def remove(self, name: str) -> None:
        """Remove a key from the vault; kept generations still have it until five more changes are saved.

        Raises
        ------
        UnknownKey
            No key has this name.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        happening = trail.Happening(trail.REMOVED, found(self._state().slots, name).id)
        self._change_slots(lambda slots: without(slots, name), happening)

    def _add(
        self, triple: Triple, texts: Hidden[dict[str, str]], *, demo: bool, checked: Checked | None = None
    ) -> None:
        """Save a key, with what a check at the exchange found before if there was one."""
        around = self._surroundings()
        kind, kept = accepted(triple)
        now = iso_utc(around.now_ms())
        slot = Slot(
            id=around.random_bytes(16).hex(), name=checked_name(texts.value["name"]), kind=kind,
            host=normalise_host(texts.value["host"]), demo=demo, note=checked_note(texts.value["note"]),
            account=checked_account(texts.value["account"]), created=now, triple=kept, extra=Hidden({}),
            rotate_by=checked_date(texts.value["rotate_by"]),
        )  # fmt: skip
        events = [trail.ADDED]
        if checked is not None:
            verdict, has_addresses = acceptable(checked)
            slot = replace(slot, checked=now, verdict=verdict, has_addresses=has_addresses)
            events.append(trail.CHECKED)
        check_says_no_secret(slot)
        self._change_slots(lambda slots: with_slot(slots, slot), *(trail.Happening(one, slot.id) for one in events))

    def _edit(self, name: str, event: str, /, **changes: str | bool | None) -> None:
        """Change public fields of one key."""
        boxed = Hidden(changes)
        del changes
        known = found(self._state().slots, name)
        check_says_no_secret(replace(known, **boxed.value))  # type: ignore[arg-type]  # fields are named by the verbs

        def edited(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
            old = found(slots, name)
            return with_replaced(slots, old, replace(old, **boxed.value))  # type: ignore[arg-type]

        self._change_slots(edited, trail.Happening(event, known.id))


def _without_same(slots: tuple[Slot, ...], pending: Slot) -> tuple[Slot, ...]:
    """Return the slots without the remains of an unfinished rotation to the same key."""
    api_key = pending.triple.api_key
    return tuple(
        slot for slot in slots if not (slot.name == pending.name and slot.triple.api_key.value == api_key.value)
    )


def acceptable(result: Checked) -> Checked:
    """Return what a check found of a key that is to be kept.

    Raises
    ------
    KeyRefused
        The key can send coins away.
    InvalidField
        It is not the result of a check.
    """
    checked = _checked_result(result)
    if checked.verdict == CAN_WITHDRAW:
        raise KeyRefused(
            "this key can withdraw, and such a key is never kept; delete it on the exchange's API page and make a "
            "read-only one"
        )
    return checked


def _checked_result(result: Checked) -> Checked:
    if result.has_addresses is not None and type(result.has_addresses) is not bool:
        raise InvalidField("has_addresses must be True, False or None", field="has_addresses")
    return Checked(checked_account(result.verdict), result.has_addresses)
