"""What an attacker would look for, kept where no frame of a test shows it; peers that note what reaches them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Wire
from tests.http.conftest import NOW_MS, Peer, good
from vault.credential import Credential
from vault.entries import HMAC_KIND, Slot, Triple
from vault.hidden import Hidden

_API_KEY = Hidden("bg_5ec0de5ec0de5ec0de5ec0de5ec0de00")
_SECRET_KEY = Hidden("b1e55edb1e55edb1e55edb1e55ed0042")
_PASSPHRASE = Hidden("HarbourBridge77")


def secrets_in(text: str | bytes) -> list[str]:
    """The names of the secrets that stand in a text, plain or in hex."""
    shown = text.decode("latin-1") if isinstance(text, bytes) else text
    named = {"api_key": _API_KEY, "secret_key": _SECRET_KEY, "passphrase": _PASSPHRASE}
    return [name for name, held in named.items() if held.value in shown or held.value.encode().hex() in shown.lower()]


def everything() -> str:
    """All of them in one text, to show that a search works."""
    return " ".join(held.value for held in (_API_KEY, _SECRET_KEY, _PASSPHRASE))


def credential(host: str, *, demo: bool = False) -> Credential:
    """A real credential of the vault, bound to a host."""
    slot = Slot(
        id="one", name="research", kind=HMAC_KIND, host=host, demo=demo, note="", account="", created="",
        triple=Triple(_API_KEY, _SECRET_KEY, _PASSPHRASE), extra=Hidden({}),
    )  # fmt: skip
    return Credential(slot, lambda: NOW_MS)


def with_secrets() -> dict[str, str]:
    """The triple as keywords, for `Vault.add`."""
    return {"api_key": _API_KEY.value, "secret_key": _SECRET_KEY.value, "passphrase": _PASSPHRASE.value}


def clock_answer(target: str, _headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    return good({"serverTime": str(NOW_MS)} if target.endswith("/public/time") else [])


class Street:
    """Three houses on loopback: the one the key is bound to, one elsewhere, and a proxy."""

    def __init__(self) -> None:
        self.bound, self.elsewhere, self.proxy = Peer(), Peer(), Peer()

    def clear(self) -> None:
        for peer in (self.bound, self.elsewhere, self.proxy):
            peer.seen.clear()
            peer.answer = clock_answer

    def close(self) -> None:
        for peer in (self.bound, self.elsewhere, self.proxy):
            peer.close()


@pytest.fixture(scope="session")
def whole_street() -> Iterator[Street]:
    made = Street()
    yield made
    made.close()


@pytest.fixture
def street(whole_street: Street) -> Street:
    whole_street.clear()
    return whole_street


@pytest.fixture
def wires() -> Iterator[Callable[..., Wire]]:
    """Wires on a clock that costs no time, closed afterwards."""
    made: list[Wire] = []

    def make(url: str, **options: object) -> Wire:
        clock = ManualClock(NOW_MS)
        wire = Wire(url, limiter=LocalLimiter(clock), clock=options.pop("clock", clock), **options)
        made.append(wire)
        return wire

    yield make
    for wire in made:
        wire.close()
