"""The only place that knows which exchange is asked and who signs."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import platformdirs

from bgresearch.client import Client
from bgresearch.clock import Clock, SystemClock
from bgresearch.errors import ConfigurationError
from bgresearch.limits import Limiter, LocalLimiter
from bgresearch.progress import Wish
from bgresearch.store import Store
from bgresearch.transport import new_session, origin
from bgresearch.wire import Signer, Wire

if TYPE_CHECKING:
    from bgresearch.sandbox import Exchange, SandboxAdapter

EXCHANGE_URL = "https://api.bitget.com"
SANDBOX_URL = "http://127.0.0.1:1"  # nobody can listen there: the in-process sandbox is mounted at it
_LOOPBACK = "loopback"  # ports of a served sandbox come and go, its rows are the same

_limiters: dict[str, Limiter] = {}
_limiters_lock = threading.Lock()


class Keys(Protocol):
    """What is needed of an opened vault."""

    def get(self, name: str) -> Signer:
        """Return the key of that label."""


def connect(
    *, key: str | None = None, vault: Keys | None = None, sandbox: bool | Exchange = False,
    base_url: str | None = None, data_dir: str | os.PathLike[str] | None = None, offline: bool = False,
    progress: Wish = "auto", clock: Clock | None = None,
) -> Client:  # fmt: skip
    """Return a client; nothing is asked of the exchange and nothing written yet.

    Parameters
    ----------
    key : str, optional
        Label of a key in the vault; with ``sandbox=True`` the name of one of the sandbox's own keys (``readonly`` by
        default). Public data needs none.
    vault : Vault, optional
        An opened vault. Keys sign in this process then.
    sandbox : bool
        Use the embedded exchange, offline and in process; an `Exchange` of your own does as well.
    base_url : str, optional
        Another address of the exchange; else ``BGRESEARCH_BASE_URL``, else https://api.bitget.com. Only https, or
        http to this machine.
    data_dir : path, optional
        Where answers are kept; else ``BGRESEARCH_DATA_DIR``, else the platform's folder. One folder belongs to one
        exchange.
    offline : bool
        Never ask; what is not kept raises `OfflineError`.
    progress : "auto", bool or callable
        Whether longer work shows a bar.
    clock : Clock, optional
        For tests.

    Raises
    ------
    ConfigurationError
        The pieces do not fit together: a key without a vault, a key for another host, a folder of another exchange.

    Examples
    --------
    >>> import bgresearch as bg
    >>> client = bg.connect(sandbox=True)                                                        # doctest: +SKIP
    >>> client.candles("BTCUSDT", "1d", "2026-01-01", "2026-02-01")                              # doctest: +SKIP
    """
    clock = clock or SystemClock()
    session = None
    if sandbox:
        if base_url is not None:
            raise ConfigurationError("sandbox=True and base_url= exclude each other.", hint="Leave one of them out.")
        host = SANDBOX_URL
        session, signer = new_session(), None
        session.mount(SANDBOX_URL, _adapter(sandbox, clock))
        if vault is None:
            signer = _sandbox_signer(key or "readonly")
        elif key is not None:
            signer = vault.get(key)
    else:
        host = origin(base_url or os.environ.get("BGRESEARCH_BASE_URL") or EXCHANGE_URL)
        signer = _signer(key, vault)
    limiter = _limiter(host, clock) if session is None else LocalLimiter(clock)
    wire = Wire(host, limiter=limiter, clock=clock, signer=signer, session=session)
    loopback = host.startswith("http://") or sandbox
    store = Store(_folder(data_dir, loopback=bool(loopback)), host=_LOOPBACK if loopback else host, clock=clock)
    store.check_host()
    return Client(wire, store, clock=clock, offline=offline, progress=progress)


def _signer(key: str | None, vault: Keys | None) -> Signer | None:
    if key is None:
        if vault is not None:
            raise ConfigurationError("a vault without key= signs nothing.", hint="Name one of vault.names().")
        return None
    if vault is None:
        raise ConfigurationError(
            f"the key {key!r} needs its vault.",
            hint="Open it and hand it over: connect(key=..., vault=Vault.open(path, password)).",
        )
    return vault.get(key)


def _sandbox_signer(name: str) -> Signer:
    from bgresearch.sandbox import SANDBOX_KEYS  # noqa: PLC0415 - only where the sandbox is wanted
    from vault import loopback_credential  # noqa: PLC0415

    found = SANDBOX_KEYS.get(name)
    if found is None:
        raise ConfigurationError(f"the sandbox has no key {name!r}.", hint=f"It has {', '.join(SANDBOX_KEYS)}.")
    return loopback_credential(
        name, api_key=found.api_key, secret_key=found.secret_key, passphrase=found.passphrase, host=SANDBOX_URL,
        demo=found.demo,
    )  # fmt: skip


def _adapter(sandbox: bool | Exchange, clock: Clock) -> SandboxAdapter:
    from bgresearch.sandbox import Exchange, SandboxAdapter  # noqa: PLC0415 - only where the sandbox is wanted

    return SandboxAdapter(Exchange(clock=clock) if isinstance(sandbox, bool) else sandbox)


def _limiter(host: str, clock: Clock) -> Limiter:
    """Return the limiter that all clients of this process share: the exchange counts per address, not per client."""
    if not isinstance(clock, SystemClock):
        return LocalLimiter(clock)
    with _limiters_lock:
        return _limiters.setdefault(host, LocalLimiter(clock))


def _folder(data_dir: str | os.PathLike[str] | None, *, loopback: bool) -> Path:
    """Return where answers are kept: made-up data never lands in the folder of real data by default."""
    chosen = data_dir if data_dir is not None else os.environ.get("BGRESEARCH_DATA_DIR")
    if chosen:
        return Path(chosen)
    if loopback:
        return platformdirs.user_cache_path("bgresearch", appauthor=False) / "sandbox"
    return platformdirs.user_data_path("bgresearch", appauthor=False)
