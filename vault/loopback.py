"""Throw-away credentials for an exchange on this machine: the sandbox's public keys need no vault."""

from __future__ import annotations

from collections.abc import Callable

from vault.contents import Surroundings
from vault.credential import Credential
from vault.entries import Slot, Triple
from vault.errors import HostNotAllowed, InvalidField
from vault.fields import checked_name
from vault.hidden import Hidden
from vault.hosts import EXCHANGE_HOST, normalise_host
from vault.rsa import accepted


def loopback_credential(
    name: str,
    *,
    api_key: str,
    secret_key: str,
    passphrase: str,
    host: str,
    demo: bool = False,
    now_ms: Callable[[], int] | None = None,
) -> Credential:
    """Return a credential that no vault holds, bound to a loopback address; nothing is read or written.

    Parameters
    ----------
    name : str
        Its name.
    api_key, secret_key, passphrase : str
        A triple without value, such as those of the sandbox.
    host : str
        ``http`` or ``https`` to localhost, 127.0.0.0/8 or [::1]; nothing else.
    demo : bool
        Whether it belongs to the demo environment.
    now_ms : callable, optional
        The clock that dates its signatures.

    Raises
    ------
    HostNotAllowed
        Any other host: a real key belongs in a vault.
    InvalidField
        A field cannot be accepted; the message names it, never its value.
    """
    triple = Triple(Hidden(api_key), Hidden(secret_key), Hidden(passphrase))
    del api_key, secret_key, passphrase
    if type(demo) is not bool:
        raise InvalidField("demo must be True or False", field="demo")
    bound = normalise_host(host)
    if bound == EXCHANGE_HOST:
        raise HostNotAllowed(
            f"a throw-away credential is not made for {bound}: keep the key in a vault, with Vault.add", field="host"
        )
    kind, triple = accepted(triple)
    slot = Slot(
        id="", name=checked_name(name), kind=kind, host=bound, demo=demo, note="", account="", created="",
        triple=triple, extra=Hidden({}),
    )  # fmt: skip
    return Credential(slot, now_ms or Surroundings().now_ms)
