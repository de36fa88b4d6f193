"""The contents of a store, family by family: its folders, keys and columns. Sends no requests.

A lens makes one view (DuckDB) or one lazy frame (Polars) of each. The pattern of a family matches whole partitions
alone: what is being written, was set aside as damaged, or waits in a hidden folder has another kind of name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from bgresearch.account.holdings import ASSET_COLUMNS
from bgresearch.account.kinds import KINDS
from bgresearch.catalogue.value_types import TIME
from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.market.archived_books import BOOKS, QUOTES
from bgresearch.market.history import FUNDING_RATES, TRADES
from bgresearch.market.recorder.series import RECORDABLE
from bgresearch.session.session import Session
from bgresearch.session.stored_identity import known_uid
from bgresearch.store.atomic_files import matching
from bgresearch.store.layout import LIVE_BOOKS, SPELLED, is_partition
from bgresearch.store.lost_rows import lost_in, refusal

PRICES = ("last", "mark", "index")
_CANDLE_KEYS = ("market", "price", "symbol", "interval")
_PAST_KEYS = ("market", "symbol")
_RECORDED_KEYS = ("market", "symbol", "every")
_NO_ACCOUNT = "nobody"  # the folder of no account: without a known user id the private families are empty


@dataclass(frozen=True)
class Family:
    """Series of one shape, and their folders.

    Attributes
    ----------
    name : str
        Of the view: ``candles``, ``recorded_open_interest``, ``fills``.
    folder : str
        Below the data folder, with slashes.
    keys : tuple of str
        Names of the hive-style folders below it that are columns, in order; all are text.
    schema : pyarrow.Schema
        The columns of the files.
    time : str
        The column that orders the rows.
    lot : str
        Name of a folder that is no column, as the rows say it themselves; of account records.
    private : bool
        Whether it belongs to an account.
    price : str
        The one kind of price in it; of candles. Figures of last, mark and index prices together are figures of none.
    """

    name: str
    folder: str
    keys: tuple[str, ...]
    schema: pa.Schema
    time: str
    lot: str = ""
    private: bool = False
    price: str = ""

    @property
    def columns(self) -> pa.Schema:
        """Keys, then the columns of the files: what a lens shows."""
        return pa.schema([*((key, pa.string()) for key in self.keys), *self.schema])

    @property
    def uniform(self) -> bool:
        """Whether all files have the same columns; of other families older versions wrote fewer."""
        return bool(self.schema.equals(CANDLE_SCHEMA))

    def pattern(self, period: str = "*") -> str:
        """Return a glob of its partitions below the data folder; a period is a file's name: ``2026-10``, ``2026``."""
        fixed = {"price": self.price} if self.price else {}
        folders = [f"{key}={fixed.get(key, '*')}" for key in (*self.keys, self.lot) if key]
        return "/".join([self.folder, *folders, f"{period}.parquet"])

    def glob(self, root: Path, period: str = "*") -> str:
        """Return that pattern below a data folder."""
        return f"{literally(root)}/{self.pattern(period)}"

    def series(self, root: Path) -> Iterator[dict[str, str]]:
        """Yield the keys of what is there now, as users know them; of families that have keys. Opens no file."""
        for folder in matching(root, self.pattern().rpartition("/")[0]):
            yield self.keys_of(folder / "all.parquet")

    def keys_of(self, file: Path) -> dict[str, str]:
        """Return the keys of a partition as users know them, from the folders above it."""
        named = (part.partition("=") for part in file.parts[-len(self.keys) - 1 : -1])
        return {key: plain(key, unquote(value)) for key, _, value in named}

    def holds(self, keys: Mapping[str, str]) -> bool:
        """Return whether files of these keys, in the folder of the family, belong to it."""
        return not self.price or keys.get("price") == self.price

    def files(self, root: Path, period: str = "*") -> list[Path]:
        """Return the partitions that are there now, in order."""
        return sorted(filter(is_partition, matching(root, self.pattern(period))))


def families(source: Session) -> dict[str, Family]:
    """Return the families that a client may read, by name: all public ones, and the records of its own account.

    Parameters
    ----------
    source : Session
        The client's; its key says which account, if the store remembers one. No request is sent.

    Raises
    ------
    ConfigurationError
        Folders above the store would be taken for keys.
    """
    taken = {part.partition("=")[0] for part in source.store.data_dir.parts if "=" in part}
    if clash := sorted(taken & {*_CANDLE_KEYS, *_RECORDED_KEYS, "kind"}):
        raise ConfigurationError(
            f"the path {source.store.data_dir} says {clash[0]}=, as folders of the store do.",
            hint="Give another folder with data_dir=.",
        )
    found = [*_public()]
    if source.sender.label:
        found += _private(known_uid(source.store, source.sender) or _NO_ACCOUNT)
    return {one.name: one for one in found}


def listed(name: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return one text, several or none as a tuple.

    Raises
    ------
    InvalidInput
        It is something else; the message has the argument's name.
    """
    values = (value,) if isinstance(value, str) else () if value is None else value
    if not isinstance(values, Iterable) or not all(isinstance(one, str) for one in values):
        raise InvalidInput(name, f"{value!r} is no text.", hint="Give a str, or several in a list.")
    return tuple(values)


def checked(source: Session, wanted: Iterable[Family], *, period: str = "*", rows: bool = True) -> None:
    """Raise if rows of some families are missing: a file is damaged, or was and no other covers its span.

    Parameters
    ----------
    source : Session
        The client's.
    wanted : iterable of Family
        The families to be read.
    period : str
        Only files of this name.
    rows : bool
        Whether rows are read, and not footers alone.

    Raises
    ------
    StoreError
        With the files and their spans.
    """
    root = source.store.data_dir
    for family in wanted:
        aside = matching(root, f"{family.pattern(period)}.damaged-*")
        folders = sorted({path.parent for path in aside})
        if lost := [
            one for folder in folders for one in lost_in(folder) if fnmatch(one.path.name, f"{period}.parquet*")
        ]:
            raise refusal(lost)
        if rows:
            source.store.check(family.files(root, period))


def literally(root: Path) -> str:
    """Return a folder as a glob that matches it alone, whatever characters its name has."""
    return re.sub(r"([*?[])", r"[\1]", root.as_posix())


def plain(key: str, spelled: str) -> str:
    """Return a key's value as users know it, from how it is written in a folder's name, percent-encoding aside."""
    return next((value for (name, value), other in SPELLED.items() if (name, other) == (key, spelled)), spelled)


def _public() -> Iterator[Family]:
    for folder in ("candles", "candles-utc8"):
        for price in PRICES:
            name = folder.replace("-", "_") + (f"_{price}" if price != "last" else "")
            yield Family(name, folder, _CANDLE_KEYS, CANDLE_SCHEMA, "open_time", price=price)
    for shape in (TRADES, FUNDING_RATES):
        yield Family(shape.verb, shape.verb, _PAST_KEYS, shape.schema, shape.index)
    for shape in (QUOTES, BOOKS):  # of the bulk archive
        yield Family(shape.verb, f"recorded/kind={shape.verb}", _RECORDED_KEYS, shape.schema, shape.index)
    for kind, what in RECORDABLE.items():
        name = "recorded_live_order_book" if kind == LIVE_BOOKS else f"recorded_{kind.replace('-', '_')}"
        yield Family(name, f"recorded/kind={kind}", _RECORDED_KEYS, what.shape.schema, what.shape.index)


def _private(uid: str) -> Iterator[Family]:
    for kind in KINDS.values():
        yield Family(kind.name, f"account/{uid}/{kind.name}", (), kind.shape.schema, kind.time, kind.lot, private=True)
    schema = pa.schema([("time", TIME), *ASSET_COLUMNS])
    yield Family("assets", f"account/{uid}/assets", (), schema, "time", private=True)
