"""Files beside the vault that something else opens than the present file: a former password above all.

A save that changes how the vault is unlocked deletes what is kept of it. A process that is killed in between, or a
damaged file that was set aside before, leaves bytes that the former password opens for ever; so every save and every
opening looks for them. Bytes are searched, not parsed: a damaged file still holds its wrapped key.
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
        return False  # another vault's, or too damaged to tell
    own = {part.encode() for wrap in header.wraps for part in (wrap.salt, wrap.token)}
    return any(not own & {match[1], match[2]} for match in _WRAP.finditer(raw))


def delete_foreign(file: VaultFile, header: Header) -> None:
    """Delete what something else opens than this header, the file's present one; call it under the lock."""
    for path in _foreign(file, header):
        file.delete(path)


def delete_foreign_if_any(file: VaultFile, present: bytes, header: Header) -> None:
    """Do the same without the lock, which is taken only where there is something to delete; say it if it cannot be."""
    if not _foreign(file, header):
        return
    try:
        with file.locked():
            if file.read(MAX_FILE_BYTES) == present:
                delete_foreign(file, header)
    except (StorageFailed, VaultBusy) as failure:
        warn(
            f"files beside {file.path} open with a former password or code and could not be deleted ({failure}); "
            "delete its .kept and .damaged files yourself",
            ReducedProtection,
        )


def _foreign(file: VaultFile, header: Header) -> list[Path]:
    if file.highest_kept() > header.generation:
        return []  # an older file was put in its place: what is kept may be newer, and is what brings it back
    return [path for path in file.beside() if opens_otherwise(_bytes(file, path), header)]


def _bytes(file: VaultFile, path: Path) -> bytes:
    try:
        return file.read_kept(path, MAX_FILE_BYTES)
    except StorageFailed:  # deleted meanwhile, or not ours to read
        return b""
