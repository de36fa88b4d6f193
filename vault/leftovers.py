"""Files next to the vault that an old password or code still opens.

A save that changes how the vault is unlocked deletes its kept generations. A process that is killed in between, or a
damaged file that was set aside earlier, leaves bytes that the old password opens for ever; so every save and every
opening searches for them. Bytes are searched, not parsed: a damaged file still holds its wrapped key.
"""

from __future__ import annotations

import re
from pathlib import Path

from vault.envelope import MAX_FILE_BYTES, Header
from vault.errors import ReducedProtection, StorageFailed, VaultBusy
from vault.storage import VaultFile
from vault.warned import warn

_WRAP = re.compile(rb'"salt":"([^"]*)"[^{}]*\}[^{}]*"token":"([^"]*)"')


def opens_otherwise(raw: bytes, header: Header) -> bool:
    """Return whether bytes of this vault hold a wrapped key that is not one of the present header's."""
    if b'"vault_id":"%b"' % header.vault_id.encode() not in raw:
        return False  # another vault's, or too damaged to identify
    own = {part.encode() for wrap in header.wraps for part in (wrap.salt, wrap.token)}
    return any(not own & {match[1], match[2]} for match in _WRAP.finditer(raw))


def delete_foreign(file: VaultFile, header: Header) -> None:
    """Delete files with a wrapped key that the present header does not have; call it under the lock."""
    for path in _foreign(file, header):
        file.delete(path, unchanged=True)


def delete_foreign_if_any(file: VaultFile, present: bytes, header: Header) -> None:
    """Do the same without the lock, which is taken only if there is something to delete; warn if it cannot be done."""
    try:
        if not _foreign(file, header):
            return
        with file.locked():
            if file.read(MAX_FILE_BYTES) == present:
                delete_foreign(file, header)
    except (StorageFailed, VaultBusy) as failure:
        warn(
            f"next to {file.path} there may be files that an old password or code opens, as they could not be searched "
            f"for or deleted ({failure}); delete its .kept and .damaged files yourself (reduced protection)",
            ReducedProtection,
        )


def _foreign(file: VaultFile, header: Header) -> list[Path]:
    if file.highest_kept() > header.generation:
        return []  # an older file was put in its place: the kept generations may be newer and are needed to restore it
    return [path for path in file.former_files() if opens_otherwise(_bytes(file, path), header)]


def _bytes(file: VaultFile, path: Path) -> bytes:
    try:
        return file.read_kept(path, MAX_FILE_BYTES)
    except StorageFailed as failure:
        if isinstance(failure.__cause__, FileNotFoundError):  # another process deleted it meanwhile
            return b""
        raise
