"""A key that was typed in and is not in a vault yet: it can sign, so that it is examined before it is saved."""

from __future__ import annotations

from collections.abc import Mapping

from vault.contents import Surroundings, iso_utc
from vault.credential import Credential
from vault.entries import SECRET_FIELDS, Slot, Triple
from vault.errors import InvalidField, VaultChanged
from vault.fields import check_says_no_secret, checked_name
from vault.hidden import Hidden, NoCopies, without_frames
from vault.hosts import EXCHANGE_HOST, normalise_host
from vault.keys import Checked, KeyVerbs
from vault.rsa import accepted


class Staged(NoCopies):
    """A key outside any vault; its three texts leave it only into a vault, or as signed headers of a read.

    Parameters
    ----------
    label : str
        The name it will have, or the name of the key that it will replace.
    fields : mapping of str to Hidden str
        ``api_key``, ``secret_key``, ``passphrase``.
    host : str
        The only address it will ever be used with.
    demo : bool
        Whether it belongs to the demo environment.
    surroundings : Surroundings, optional
        Clock and randomness for tests.

    Raises
    ------
    InvalidField, HostNotAllowed
        A field cannot be accepted; the message names it, never its value.
    """

    __slots__ = ("__slot", "__surroundings", "__weakref__")

    def __init__(
        self,
        label: str,
        fields: Mapping[str, Hidden[str]],
        *,
        host: str = EXCHANGE_HOST,
        demo: bool = False,
        surroundings: Surroundings | None = None,
    ) -> None:
        named = Hidden(label)
        del label  # it may contain a secret
        self.__surroundings = surroundings or Surroundings()
        if type(demo) is not bool:
            raise InvalidField("demo must be True or False", field="demo")
        kind, triple = accepted(Triple(**{field: fields[field] for field in SECRET_FIELDS}))
        slot = Slot(
            id="", name=checked_name(named.value), kind=kind, host=normalise_host(host), demo=demo, note="", account="",
            created=iso_utc(self.__surroundings.now_ms()), triple=triple, extra=Hidden({}),
        )  # fmt: skip
        check_says_no_secret(slot)
        self.__slot = slot

    @property
    def label(self) -> str:
        """The name that it was staged under."""
        return self.__slot.name

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of a hash of the API key."""
        return self.__slot.fingerprint

    def credential(self) -> Credential:
        """Return a credential that signs read requests with it."""
        return Credential(self.__slot, self.__surroundings.now_ms)

    def save(
        self, vault: KeyVerbs, *, checked: Checked, note: str = "", account: str = "", rotate_by: str = ""
    ) -> None:
        """Save it as a new key of the vault, with what its check found; raises as `Vault.add`."""
        slot = self.__slot
        texts = Hidden({"name": slot.name, "host": slot.host, "note": note, "account": account, "rotate_by": rotate_by})
        del note, account, rotate_by
        vault._add(slot.triple, texts, demo=slot.demo, checked=checked)

    @without_frames
    def replace(self, vault: KeyVerbs, *, checked: Checked) -> None:
        """Replace the vault's key of the same name with it; raises as `Vault.rotate`.

        Raises
        ------
        VaultChanged
            The vault's key is bound to another host or environment now than the one that this key was made for.
        """
        texts = {field: getattr(self.__slot.triple, field).value for field in SECRET_FIELDS}
        vault.rotate(self.label, **texts, check=lambda pending: self._agreed(pending, checked))

    def _agreed(self, pending: Credential, checked: Checked) -> Checked:
        if (pending.host, pending.demo) != (self.__slot.host, self.__slot.demo):
            raise VaultChanged(
                f"the key {self.label!r} was bound to another host or environment meanwhile; the old key stays; start "
                "the rotation again"
            )
        return checked

    def __repr__(self) -> str:
        slot: Slot | None = getattr(self, "_Staged__slot", None)  # none while it is being made, or if it was refused
        if slot is None:
            return "<Staged, refused>"
        return f"<Staged {slot.name!r} for {slot.host}, fingerprint {slot.fingerprint}>"
