"""The machine: versions, folders, clock, TLS, and whether the exchange can be reached; and what the key may do."""

from __future__ import annotations

import platform
import shutil
import ssl
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bgresearch.client.doctor.findings import Observation
from bgresearch.client.doctor.prober import Prober, numbers_of
from bgresearch.core.clock import LOOPBACK
from bgresearch.keys.permissions import permissions
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session

_PACKAGES = ("bgresearch", "certifi", "cryptography", "numpy", "pandas", "pyarrow", "requests", "urllib3", "websockets")
_CLOCK_MS = 30_000  # a signed request may be off by so much (common/signature-samaple/interaction)
_LEAST_BYTES = 1024**3


def versions() -> Mapping[str, str]:
    """Return the versions of this package and of what it rests on; what is not installed is left out."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine(source: Session) -> Iterator[Observation]:
    """Look at the Python version and at the data folder."""
    old = sys.version_info < (3, 11)
    yield Observation("machine.python", "differs" if old else "holds", f"Python {platform.python_version()}.")
    folder = _existing(Path(source.store.data_dir))
    free = shutil.disk_usage(folder).free
    text = f"{_without_home(folder)} has {free / 1e9:.1f} GB free."
    yield Observation("machine.data_folder", "holds" if free >= _LEAST_BYTES else "differs", text)


def reach(prober: Prober, source: Session) -> Iterator[Observation]:
    """Ask for the exchange's clock: it can be reached, its certificate is trusted, and the machine's clock is right."""
    row_id = "common.time"
    reply = prober.reply(row_id)
    yield Observation("machine.exchange", "holds", f"It answers after {reply.received_ms - reply.asked_ms} ms.")
    plain = source.sender.host.startswith(LOOPBACK)
    tls = "No TLS: the exchange is this machine." if plain else f"The certificate is trusted; {ssl.OPENSSL_VERSION}."
    yield Observation("machine.tls", "holds", tls)
    time = numbers_of([reply.data], "serverTime", row_id)[0]
    off_ms = (reply.asked_ms + reply.received_ms) // 2 - time
    where = "ahead of" if off_ms > 0 else "behind"
    text = f"It is {abs(off_ms)} ms {where} the exchange's."
    yield Observation("machine.clock", "holds" if abs(off_ms) <= _CLOCK_MS else "differs", text)


def key(source: Session, whose: AccountIdentity) -> Iterator[Observation]:
    """Say what the key may do; neither its label nor anything of the account."""
    found = permissions(source.sender, whose)
    codes = ", ".join(sorted({one.code for one in found.authorities})) or "none"
    unknown = sorted({one.code for one in found.authorities if not one.known})
    said = f"{found.mode} account, {found.verdict}; authorities: {codes}."
    said += f" Not in the table: {', '.join(unknown)}." if unknown else ""
    yield Observation("key.permissions", "differs" if unknown or not found.read_only else "holds", said)


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())


def _without_home(folder: Path) -> str:
    try:
        return f"~/{folder.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(folder)
