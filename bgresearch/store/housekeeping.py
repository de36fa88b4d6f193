"""What a data folder holds and how large it is; removing a part of it, moving it, and emptying it."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from bgresearch.core.user_folders import SUBFOLDERS
from bgresearch.errors import InvalidInput, StoreError
from bgresearch.store.atomic_files import in_words
from bgresearch.store.integrity import PRIVATE, files_of

_MARKER = ".bgresearch.json"
OWN = (
    "candles", "candles-utc8", "trades", "funding_rates", "recorded", "lists", "snapshots", PRIVATE, "reaches.json",
    ".archive", _MARKER, ".locks", ".pins", ".spool", ".published", *SUBFOLDERS,
)  # fmt: skip
"""Everything that this package writes at the top of a data folder."""


@dataclass(frozen=True)
class StoredPart:
    """One line of the contents: a kind of data, of one market and symbol where it has them.

    Attributes
    ----------
    kind, market, symbol : str
        ``candles``, ``trades``, ``recorded open-interest``, ``account fills`` ...; empty where there is none.
    files : tuple of Path
        Its partitions.
    size : int
        Bytes.
    first, last : str
        Names of the first and the last period: ``2026-01``, ``2026``, ``all``.
    """

    kind: str
    market: str
    symbol: str
    files: tuple[Path, ...]
    size: int
    first: str
    last: str


def contents(root: Path) -> list[StoredPart]:
    """Return what a data folder holds, in order; looks at names and sizes only.

    Raises
    ------
    StoreError
        The folder cannot be read.
    """
    parts: defaultdict[tuple[str, str, str], list[Path]] = defaultdict(list)
    for path in files_of(root) if root.is_dir() else []:
        parts[_key(path.relative_to(root))].append(path)
    return [_part(key, paths) for key, paths in sorted(parts.items())]


def _key(below: Path) -> tuple[str, str, str]:
    kind, keys = below.parts[0], dict(one.split("=", 1) for one in below.parts if "=" in one)
    named = keys.get("kind", "")
    if kind == PRIVATE:
        named = below.parts[2] if len(below.parts) > 3 else ""
    symbol = unquote(keys.get("symbol") or keys.get("coin") or "")
    return f"{kind} {named}".strip(), keys.get("market", ""), symbol


def _part(key: tuple[str, str, str], paths: Sequence[Path]) -> StoredPart:
    periods = sorted(path.stem for path in paths)
    return StoredPart(*key, tuple(paths), sum(path.stat().st_size for path in paths), periods[0], periods[-1])


def chosen_parts(
    root: Path, *, kind: str | None = None, symbol: str | None = None, market: str | None = None
) -> list[StoredPart]:
    """Return the parts that a removal is about.

    Raises
    ------
    InvalidInput
        Nothing is chosen, or nothing of it is stored; the message names the kinds that are.
    """
    if kind is None and symbol is None and market is None:
        raise InvalidInput("SYMBOL", "nothing is chosen.", hint="Give a symbol, --kind or --market.")
    parts = contents(root)
    found = [
        one for one in parts
        if (kind is None or kind in (one.kind, one.kind.split()[0]))
        and (symbol is None or one.symbol == symbol) and (market is None or one.market == market)
    ]  # fmt: skip
    if not found:
        known = ", ".join(dict.fromkeys(one.kind for one in parts)) or "nothing"
        field = "SYMBOL" if symbol is not None else "--kind" if kind is not None else "--market"
        raise InvalidInput(field, f"nothing of it is stored in {root}.", hint=f"There is {known}.")
    return found


def remove_parts(root: Path, parts: Iterable[StoredPart]) -> int:
    """Delete the files of some parts, and folders that are empty then; return how many bytes that were.

    Raises
    ------
    StoreError
        A file cannot be deleted.
    """
    freed = 0
    for part in parts:
        for path in part.files:
            with in_words("delete", path):
                path.unlink(missing_ok=True)
            _remove_empty(path.parent, root)
        freed += part.size
    return freed


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def move_folder(root: Path, target: Path) -> Path:
    """Move a whole data folder; the old one is deleted only after everything was copied.

    Raises
    ------
    InvalidInput
        There is nothing to move, the target is there already, or is inside the folder.
    StoreError
        The disk refused.
    """
    target = target.expanduser().absolute()
    if not root.is_dir():
        raise InvalidInput("FOLDER", f"there is no data folder {root}.", hint="There is nothing to move.")
    if target.exists():
        raise InvalidInput("FOLDER", f"{target} exists already.", hint="Name one that is not there yet.")
    if target.is_relative_to(root.absolute()):
        raise InvalidInput("FOLDER", f"{target} is inside {root}.", hint="Name one next to it, or elsewhere.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root, target)
    except OSError as error:
        where = error.filename or target
        raise StoreError(f"{where}: {error.strerror or error}.", hint="The old folder is whole.") from None
    return target


def size_of(paths: Iterable[Path]) -> int:
    """Return the bytes of files and of everything in folders; of hard links each once."""
    seen: dict[tuple[int, int], int] = {}
    for top in paths:
        for path in [top, *top.rglob("*")] if top.is_dir() and not top.is_symlink() else [top]:
            if path.is_file() or path.is_symlink():
                found = path.lstat()
                seen[found.st_dev, found.st_ino] = found.st_size
    return sum(seen.values())


def own_entries(root: Path) -> list[Path]:
    """Return what this package wrote at the top of a data folder; a file of yours next to it is none."""
    return [root / name for name in OWN if (root / name).exists()] if root.is_dir() else []
