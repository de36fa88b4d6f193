"""The only place that knows which exchange is asked and who signs."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bgresearch.client.client import Client
from bgresearch.core.clock import LOOPBACK, Clock, clock_of
from bgresearch.core.progress import Wish
from bgresearch.core.user_folders import SUBFOLDERS, chosen_path, expanded, user_folder
from bgresearch.core.verbs import any_spelling
from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from bgresearch.http.file_host import FileHost
from bgresearch.http.ratelimit import limiter_for
from bgresearch.http.ratelimit.limiter import Limiter, LocalLimiter
from bgresearch.http.sender import Sender, Signer, Wire
from bgresearch.http.transport import base_address, new_session, origin
from bgresearch.live.hosts import LiveAccess, OwnLogin, PrivateAccess, ws_origin, ws_url_of
from bgresearch.session.stored_identity import known_label
from bgresearch.store import Store

if TYPE_CHECKING:
    from bgresearch.agent.agent_sender import AgentSender
    from bgresearch.client.doctor.findings import DoctorReport
    from bgresearch.sandbox import Exchange, SandboxAdapter
    from bgresearch.sandbox.server import Server
    from bgresearch.store.remote.object_storage import Options

EXCHANGE_URL = "https://api.bitget.com"
ARCHIVE_URL = "https://img.bitgetimg.com/online"
SANDBOX_URL = "http://127.0.0.1:1"  # no program can listen there: the in-process sandbox is mounted at it
_DEMO = " (demo environment)"
_LOOPBACK = "loopback"  # ports of a served sandbox come and go, its rows are the same

_log = logging.getLogger(__name__)


class Keys(Protocol):
    """What is needed of an opened vault."""

    def get(self, name: str) -> Signer:
        """Return the key of that label."""


@any_spelling
def connect(
    *, key: str | None = None, vault: Keys | None = None, sandbox: bool | Exchange = False,
    base_url: str | None = None, ws_url: str | None = None, archive_url: str | None = None,
    data_dir: str | os.PathLike[str] | None = None, offline: bool = False, progress: Wish = "auto",
    clock: Clock | None = None, pin: str | None = None, store: str | None = None,
    storage_options: Options | None = None,
) -> Client:  # fmt: skip
    """Return a client; nothing is asked of the exchange and nothing written yet.

    Parameters
    ----------
    key : str, optional
        Label of a key in the vault; with ``sandbox=True`` the name of one of the sandbox's own keys (``readonly`` by
        default). Public data needs none. Without ``vault=`` the agent signs, and this process never holds a secret:
        unlock it with ``bgresearch vault unlock``.
    vault : Vault, optional
        An opened vault: reduced protection, as its keys are in this process's memory and sign here. For scripts and
        platforms without an agent; the log (level INFO) says so once.
    sandbox : bool
        Use the embedded exchange, offline and in process; an `Exchange` of your own does as well.
    base_url : str, optional
        Another address of the exchange; else ``BGRESEARCH_BASE_URL``, else the agent's key's own host, else
        https://api.bitget.com. Only https, or http to this machine.
    archive_url : str, optional
        The address of the bulk archive, which keys follow; else ``BGRESEARCH_ARCHIVE_URL``, else the exchange's own,
        https://img.bitgetimg.com/online. Another exchange on this machine has none unless it is named; the sandbox in
        this process has its own. Only https, or http to this machine.
    data_dir : path, optional
        Where answers are kept; else ``BGRESEARCH_DATA_DIR``, else the platform's folder (a demo key has its own). One
        folder belongs to one exchange, and its demo environment counts as another.
    offline : bool
        Never ask; what is not kept raises `OfflineError`.
    progress : "auto", bool or callable
        Whether longer work shows a bar.
    clock : Clock, optional
        For tests; else the machine's, or the clock of the sandbox.
    pin : str, optional
        Read what was frozen under this name with ``bgresearch pin``, bit for bit, without requests; it takes no key.
        With ``store=``: the digest of an older publication.
    store : str, optional
        Read what was published at this address (``s3://bucket/prefix``) with ``bgresearch publish``, without requests
        to the exchange. Downloaded objects are kept in ``data_dir`` if given, else in the platform's cache folder.
    storage_options : mapping, optional
        With ``store=``, for its driver: ``{"endpoint_url": ...}``, ``{"anon": True}``.
    ws_url : str, optional
        Another address of the exchange's WebSockets; else ``BGRESEARCH_WS_URL``, else the one that belongs to the
        exchange's address (wss://ws.bitget.com, of demo keys wss://wspap.bitget.com). Only wss, or ws to this machine.

    Raises
    ------
    ConfigurationError
        The pieces do not fit together: an unknown key, a key for another host, a folder of another exchange.
    StoreError
        ``store=``: nothing is published there, or the address does not answer.
    AgentUnavailable
        A key without ``vault=`` while no agent is running, or while it is locked.

    Examples
    --------
    >>> import bgresearch as bg
    >>> client = bg.connect(sandbox=True)                                                        # doctest: +SKIP
    >>> client.candles("BTCUSDT", "1d", "2026-01-01", "2026-02-01")                              # doctest: +SKIP
    """
    if store is not None:
        if key is not None or vault is not None or sandbox:
            raise ConfigurationError("store= is read without an exchange.", hint="Leave key=, vault=, sandbox= out.")
        return _published(store, storage_options, pin, data_dir=data_dir, clock=clock, progress=progress)
    if pin is not None:
        if key is not None or vault is not None or sandbox:
            raise ConfigurationError("pin= is read without an exchange.", hint="Leave key=, vault=, sandbox= out.")
        return _pinned(pin, data_dir, base_url, clock, progress)
    if key is not None and vault is None and not sandbox:
        sender = _agent_sender(key, base_url or os.environ.get("BGRESEARCH_BASE_URL"), clock, data_dir, offline=offline)
        clock = clock or clock_of(sender.host)
        live, archive = _live(sender, clock, ws_url), _archive(archive_url, sender.host, clock, demo=sender.demo)
        return _client(
            sender, sender.host, clock, data_dir, offline=offline, progress=progress, live=live, archive=archive
        )
    session = exchange = served = None
    if sandbox:
        if base_url is not None:
            raise ConfigurationError("sandbox=True and base_url= exclude each other.", hint="Leave one of them out.")
        host = SANDBOX_URL
        session, signer = new_session(), None
        exchange = _exchange(sandbox, clock)
        clock = clock or exchange.clock
        session.mount(SANDBOX_URL, _adapter(exchange))
        served = ServedSandbox(exchange)
        if vault is None:
            signer = _sandbox_signer(key or "readonly")
        elif key is not None:
            signer = vault.get(key)
    else:
        host = origin(base_url or os.environ.get("BGRESEARCH_BASE_URL") or EXCHANGE_URL)
        signer = _signer(key, vault)
        clock = clock or clock_of(host)
    limiter = limiter_for(host, clock) if session is None else LocalLimiter(clock)
    wire = Wire(host, limiter=limiter, clock=clock, signer=signer, session=session)
    live = _live(wire, clock, ws_url, served=served)
    archive = _archive(archive_url, host, clock, demo=wire.demo, sandbox=exchange)
    return _client(wire, host, clock, data_dir, offline=offline, progress=progress, live=live, archive=archive)


@any_spelling
def doctor(client: Client | None = None, *, streams: bool = True) -> DoctorReport:
    """Return whether this machine and the exchange are as the package assumes; shown as a table in a notebook.

    Parameters
    ----------
    client : Client, optional
        Whose exchange and data folder; with a key it is said what the key may do. By default one for public data.
    streams : bool
        Whether to take a minute: to listen to streams, and to look twice at candles.

    Raises
    ------
    OfflineError
        The client is connected with ``offline=True``.

    Notes
    -----
    As `Client.doctor`: at most 80 public requests; what differs is kept, and used or said by the verbs. In a terminal:
    ``bgresearch doctor``.

    Examples
    --------
    >>> import bgresearch as bg
    >>> print(bg.doctor(bg.connect(sandbox=True), streams=False).summary)                        # doctest: +SKIP
    """
    if client is not None:
        return client.doctor(streams=streams)
    with connect() as made:
        return made.doctor(streams=streams)


class ServedSandbox:
    """The embedded exchange on a loopback port, started when its address is first used.

    A WebSocket needs a socket; markets and clock are those of the exchange in this process.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._lock = threading.Lock()
        self._server: Server | None = None

    def __call__(self) -> str:
        with self._lock:
            if self._server is None:
                from bgresearch.sandbox.server import Server  # noqa: PLC0415 - only for a stream of the sandbox

                self._server = Server(self._exchange)
                self._server.__enter__()
            return self._server.ws_url

    def close(self) -> None:
        """Stop serving."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()


def _live(
    sender: Wire | AgentSender, clock: Clock, ws_url: str | None, *, served: ServedSandbox | None = None
) -> LiveAccess:
    """Return how streams connect; a wrong address is refused at once, and nothing is opened yet."""
    chosen = ws_url or (None if served is not None else os.environ.get("BGRESEARCH_WS_URL"))
    if chosen is None and served is not None:
        own = LocalLimiter(clock)
        return LiveAccess(served, own, _private(sender, served, own), served.close)
    address = ws_origin(chosen or ws_url_of(sender.host, demo=sender.demo))
    limiter = limiter_for(address, clock)
    return LiveAccess(lambda: address, limiter, _private(sender, lambda: address, limiter))


def _private(sender: Wire | AgentSender, base_url: Callable[[], str], limiter: Limiter) -> PrivateAccess | None:
    """Return how private streams connect: this process signs the login with a key of its own, else the agent does."""
    if sender.label is None:
        return None
    if isinstance(sender, Wire):
        return OwnLogin(base_url, limiter, sender)
    from bgresearch.agent.agent_stream import AgentLogin  # noqa: PLC0415 - only for a key

    return AgentLogin(sender, base_url)


def _archive(
    url: str | None, host: str, clock: Clock, *, demo: bool, sandbox: Exchange | None = None
) -> FileHost | None:  # fmt: skip
    """Return the bulk archive of an exchange; None where it is not known, and of the demo environment."""
    if url is None and sandbox is not None:
        session = new_session()
        session.mount(SANDBOX_URL, _adapter(sandbox))
        return FileHost(f"{SANDBOX_URL}/online", limiter=LocalLimiter(clock), clock=clock, session=session)
    url = url or os.environ.get("BGRESEARCH_ARCHIVE_URL") or None
    if url is None:
        if demo or host.startswith(LOOPBACK):
            return None
        url = ARCHIVE_URL
    base = base_address(url, "archive_url")
    return FileHost(base, limiter=limiter_for(base, clock), clock=clock)


def _pinned(
    name: str, data_dir: str | os.PathLike[str] | None, base_url: str | None, clock: Clock | None, progress: Wish
) -> Client:
    from bgresearch.store import pins  # noqa: PLC0415 - only for a pin

    host = origin(base_url or os.environ.get("BGRESEARCH_BASE_URL") or EXCHANGE_URL)
    clock = clock or clock_of(host)
    found = pins.load(_folder(data_dir, loopback=host.startswith(LOOPBACK), demo=False), name)
    store = Store(found.folder, clock=clock, pin=f"{found.name} {found.digest}")
    return Client(
        Wire(host, limiter=LocalLimiter(clock), clock=clock), store, clock=clock, offline=True, progress=progress
    )


def _published(
    url: str, options: Options | None, digest: str | None, *, data_dir: str | os.PathLike[str] | None,
    clock: Clock | None, progress: Wish,
) -> Client:  # fmt: skip
    from bgresearch.store.remote.object_storage import Remote  # noqa: PLC0415
    from bgresearch.store.remote.remote_store import PublishedStore  # noqa: PLC0415 - only for a published store

    chosen = data_dir if data_dir is not None else chosen_path("BGRESEARCH_DATA_DIR")
    folder = Path(chosen) / ".published" if chosen else _cache() / "published"
    store = PublishedStore(Remote(url, options), folder, digest=digest, clock=clock)
    owner = store.publication.host.removesuffix(_DEMO)
    try:
        host = origin(SANDBOX_URL if owner == _LOOPBACK else owner)
    except ConfigurationError:
        said = f"the publication at {url} says that its data is of {owner[:80]!r}, which is no exchange."
        raise StoreError(said, hint="Ask its publisher.") from None
    clock = clock or clock_of(host)
    return Client(
        Wire(host, limiter=LocalLimiter(clock), clock=clock), store, clock=clock, offline=True, progress=progress
    )


def _cache() -> Path:
    return user_folder("cache", "BGRESEARCH_DATA_DIR")


def _client(
    sender: Sender, host: str, clock: Clock, data_dir: str | os.PathLike[str] | None, *, offline: bool, progress: Wish,
    live: LiveAccess, archive: FileHost | None,
) -> Client:  # fmt: skip
    loopback = host.startswith(LOOPBACK)
    owner = _owner(host, demo=sender.demo)
    store = Store(_folder(data_dir, loopback=loopback, demo=sender.demo), host=owner, clock=clock)
    store.check_host()
    return Client(sender, store, clock=clock, offline=offline, progress=progress, live=live, archive=archive)


def _owner(host: str, *, demo: bool) -> str:
    """Return whose data it is: made-up markets and balances of the demo environment are another exchange's."""
    place = _LOOPBACK if host.startswith(LOOPBACK) else host
    return f"{place}{_DEMO}" if demo else place


def _agent_sender(
    key: str, base_url: str | None, clock: Clock | None, data_dir: str | os.PathLike[str] | None, *, offline: bool
) -> AgentSender:
    from bgresearch.agent.agent_sender import AgentSender, find_key  # noqa: PLC0415
    from bgresearch.agent.client import Agent, AgentKey  # noqa: PLC0415 - only for a key

    agent = Agent()
    if offline:  # what is kept can be read while the vault is locked
        host = origin(base_url or EXCHANGE_URL)
        found = AgentKey(key, host, demo=_kept_as_demo(key, host, data_dir), fingerprint="")
    else:
        found = find_key(agent, key)
    host = origin(base_url or found.host)
    clock = clock or clock_of(host)
    return AgentSender(found, agent=agent, public=Wire(host, limiter=limiter_for(host, clock), clock=clock))


def _kept_as_demo(key: str, host: str, data_dir: str | os.PathLike[str] | None) -> bool:
    """Return whether a key's stored data is of the demo environment; offline, only the store can say it."""
    live, demo = (Store(_folder(data_dir, loopback=host.startswith(LOOPBACK), demo=one)) for one in (False, True))
    if live.data_dir == demo.data_dir:
        return live.owner() == _owner(host, demo=True)
    return known_label(demo, host, key) and not known_label(live, host, key)


def _signer(key: str | None, vault: Keys | None) -> Signer | None:
    if vault is None:
        return None
    if key is None:
        raise ConfigurationError("a vault without key= signs nothing.", hint="Name one of vault.names().")
    signer = vault.get(key)
    _say_reduced()
    return signer


@functools.cache
def _say_reduced() -> None:
    """Log it once per process; a caller that passes a vault has chosen it, so it is no warning."""
    _log.info(
        "reduced protection: the key's secrets are in the memory of this process, which signs by itself; "
        "connect(key=...) without vault= leaves them to the agent (bgresearch vault unlock)"
    )


def sandbox_labels() -> tuple[str, ...]:
    """Return the labels of the sandbox's own keys."""
    from bgresearch.sandbox import SANDBOX_KEYS  # noqa: PLC0415 - only where the sandbox is wanted

    return tuple(SANDBOX_KEYS)


def sealed_sandbox_key(offer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one of the sandbox's keys, which have no value, sealed for the agent that made the offer."""
    from bgresearch.sandbox import SANDBOX_KEYS  # noqa: PLC0415 - only where the sandbox is wanted
    from vault import seal_box  # noqa: PLC0415

    found = SANDBOX_KEYS[name]
    texts = {"api_key": found.api_key, "secret_key": found.secret_key, "passphrase": found.passphrase}
    return seal_box(offer, texts)


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


def _exchange(sandbox: bool | Exchange, clock: Clock | None) -> Exchange:
    from bgresearch.sandbox import Exchange  # noqa: PLC0415 - only where the sandbox is wanted

    if isinstance(sandbox, bool):
        return Exchange(clock=clock)
    if not isinstance(sandbox, Exchange):
        raise InvalidInput("sandbox", f"{sandbox!r} is not True or False.", hint="Write sandbox=True.")
    return sandbox


def _adapter(exchange: Exchange) -> SandboxAdapter:
    from bgresearch.sandbox import SandboxAdapter  # noqa: PLC0415 - only where the sandbox is wanted

    return SandboxAdapter(exchange)


def data_folder(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that a client without a key would use, whatever it holds; nothing is opened or checked."""
    host = os.environ.get("BGRESEARCH_BASE_URL") or EXCHANGE_URL
    return _folder(data_dir, loopback=host.startswith(LOOPBACK), demo=False)


def is_subfolder(folder: Path) -> bool:
    """Return whether it is the sandbox's or a demo key's own folder inside ``BGRESEARCH_DATA_DIR``."""
    usual = os.environ.get("BGRESEARCH_DATA_DIR")
    return bool(usual) and folder.name in SUBFOLDERS and folder.parent == Path(usual or "").absolute()


def _folder(data_dir: str | os.PathLike[str] | None, *, loopback: bool, demo: bool) -> Path:
    """Return the data folder: by default, data of the sandbox never gets into the folder of real data."""
    usual = chosen_path("BGRESEARCH_DATA_DIR")
    chosen = usual if data_dir is None else expanded(data_dir)
    made_up = ("sandbox-demo" if demo else "sandbox") if loopback else "demo" if demo else ""
    if chosen and made_up and chosen == usual:
        owner = Store(chosen).owner()  # a folder that was given to the sandbox before stays its own
        taken = owner is not None and owner.startswith(_LOOPBACK) == loopback and owner.endswith(_DEMO) == demo
        return chosen if taken else chosen / f".{made_up}"
    if chosen:
        return chosen
    if loopback:
        return _cache() / ("sandbox-demo" if demo else "sandbox")
    # next to the folder of real data and not in it, where folders are series
    return user_folder("data", "BGRESEARCH_DATA_DIR", "bgresearch-demo" if demo else "bgresearch")
