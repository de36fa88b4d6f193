"""Opens the vault, creates it, and gives it a recovery code, with texts that arrive in sealed boxes.

One password is tried at a time, with a longer pause after every wrong one.
"""

from __future__ import annotations

import secrets
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bgresearch.agent.lifetime import BackOff, Lifetime
from bgresearch.agent.vault_session import VaultSession
from bgresearch.core.clock import Clock
from bgresearch.errors import AgentError, ConfigurationError
from vault import InvalidField, NoRecovery, Profile, StorageFailed, Vault, VaultExists, WrongPassword, new_code
from vault.hidden import Hidden, NoCopies, without_frames
from vault.intake import Reply
from vault.recovery import GROUPS, is_group

PENDING_S = 600.0  # for writing a new recovery code down
MOST_TRIES = 5  # at confirming two of its groups
AGAIN = "Ask for a new recovery code."


class Opening:
    """The operations of sealed boxes about the vault itself.

    Parameters
    ----------
    session : VaultSession
        Holds the opened vault.
    clock : Clock
        For pauses, and for how long a new recovery code waits.
    lifetime : Lifetime
        Extended when something was opened.
    profile : callable
        Gives the costs of a new vault's key derivation.
    """

    def __init__(
        self, session: VaultSession, *, clock: Clock, lifetime: Lifetime, profile: Callable[[], Profile]
    ) -> None:
        self._session, self._clock, self._lifetime, self._profile = session, clock, lifetime, profile
        self._back_off = BackOff(clock)
        self._lock = threading.Lock()
        self._pending: _Pending | None = None
        self.notices: tuple[str, ...] = ()

    def unlock(self, password: Hidden[str]) -> None:
        """Open the vault, or open it again.

        Raises
        ------
        WrongPassword
            Not its password; the next one is accepted only after a pause.
        AgentError
            Another password is being tried, or the pause is not over.
        VaultError
            The file cannot be read or trusted.
        """
        self._open(lambda: Vault.open(self._session.path, password.value))

    def recover(self, code: Hidden[str]) -> None:
        """Open the vault with its recovery code."""
        self._open(lambda: Vault.open_with_recovery(self._session.path, code.value))

    def keyring(self, code: Hidden[str]) -> None:
        """Open the vault with the code from the system's keyring."""
        self._open(lambda: Vault.open_with_keyring(self._session.path, code.value))

    def create(self, password: Hidden[str]) -> None:
        """Make the vault's file and open it; nothing is ever overwritten."""
        if self._session.signature():
            raise VaultExists(f"there already is a vault at {self._session.path}; unlock it, or name another file")
        self._open(lambda: _created(self._session, password, self._profile))

    def new_recovery(self, password: Hidden[str], reply: Reply) -> dict[str, Any]:
        """Return a new recovery code, sealed for the password's sender; it is valid once two groups were confirmed."""
        with self._session.vault():
            pass  # it must be open
        with self._trying():
            _opened(lambda: Vault.open(self._session.path, password.value)).close()
        code = new_code()
        numbers = sorted(secrets.SystemRandom().sample(range(1, GROUPS + 1), 2))
        with self._lock:
            self._pending = _Pending(code, password, (numbers[0], numbers[1]), self._clock.monotonic_s() + PENDING_S)
        return {"reply": reply.seal({"recovery_code": code})}

    def asked(self) -> list[int]:
        """Return which groups of the new recovery code have to be typed, counted from 1."""
        with self._lock:
            return list(self._waiting().asked)

    def confirm(self, texts: dict[str, Hidden[str]]) -> dict[str, Any]:
        """Let the new recovery code open the vault, if two of its groups were typed correctly."""
        with self._lock:
            pending = self._waiting()
            for field, number in zip(("first", "second"), pending.asked, strict=True):
                if not is_group(pending.code, number, texts[field]):
                    raise self._refusal(pending, field, number)
        with self._trying(), self._session.changing() as vault:
            _set_recovery(vault, pending)
        with self._lock:
            if self._pending is pending:
                self._pending = None
        return {"confirmed": True}

    def _waiting(self) -> _Pending:
        pending = self._pending
        if pending is None or self._clock.monotonic_s() > pending.until_s:
            self._pending = None
            raise AgentError("no new recovery code waits to be confirmed.", hint=AGAIN)
        return pending

    def _refusal(self, pending: _Pending, field: str, number: int) -> InvalidField:
        pending.tries += 1
        left = MOST_TRIES - pending.tries
        if left == 0:
            self._pending = None
        what = f"compare it with the paper ({left} tries left)" if left else "ask for a new recovery code"
        return InvalidField(f"group {number} is not the one that was shown; {what}", field=field)

    def _open(self, make: Callable[[], Vault]) -> None:
        with self._trying():
            seen = self._session.signature()
            with warnings.catch_warnings(record=True) as said:
                opened = _opened(make)
            self._session.adopt(opened, seen)
            self.notices = tuple(str(one.message) for one in said)
        self._lifetime.used()

    @contextmanager
    def _trying(self) -> Iterator[None]:
        if (wait_s := self._back_off.begin()) > 0:
            raise AgentError("a wrong password was typed before.", hint=f"Wait {wait_s:.1f} s, then type it again.")
        wrong: bool | None = None  # neither right nor wrong
        try:
            yield
            wrong = False
        except NoRecovery:
            raise
        except WrongPassword:
            wrong = True
            raise
        finally:
            self._back_off.end(wrong=wrong)


class _Pending(NoCopies):
    """A new recovery code that was shown and not confirmed yet, with the password that authorised it."""

    __slots__ = ("asked", "code", "password", "tries", "until_s")

    def __init__(self, code: Hidden[str], password: Hidden[str], asked: tuple[int, int], until_s: float) -> None:
        self.code, self.password, self.asked, self.until_s, self.tries = code, password, asked, until_s, 0


@without_frames
def _opened(make: Callable[[], Vault]) -> Vault:
    return make()


@without_frames
def _created(session: VaultSession, password: Hidden[str], profile: Callable[[], Profile]) -> Vault:
    try:
        return Vault.create(session.path, password.value, profile=profile())
    except StorageFailed as error:
        raise ConfigurationError(f"{error}.", hint="BGRESEARCH_VAULT sets another place for the vault.") from None


@without_frames
def _set_recovery(vault: Vault, pending: _Pending) -> None:
    vault.set_recovery(pending.password.value, pending.code.value)
