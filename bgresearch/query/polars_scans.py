"""Polars over the store: a lazy frame per family of series, by the names that the views of DuckDB have.

A scan knows its columns beforehand: it opens no file to learn them, and of all files only those that a filter on
market, price, symbol or interval leaves. Of these, a filter on time reads the footer and the row groups it needs.
The check of digests comes before any filter is known: it reads the files of the period and the markets that are named.

The files are listed here: where Polars lists them itself it remembers their sizes, and fails when a writer has
replaced one of them since.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bgresearch.catalogue.value_types import TIME
from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.query.coverage_tables import FooterTable, coverage_of, gaps_of
from bgresearch.query.datasets import Family, checked, families, listed
from bgresearch.query.sql_checks import check_markets
from bgresearch.session.session import Session
from bgresearch.store.layout import SPELLED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polars import LazyFrame

_PERIOD = re.compile(r"[0-9T*-]{1,13}|all")


class Scans:
    """Lazy frames over the store: ``.candles()``, ``.trades()``, ``.funding_rates()``, and so on for every family.

    Each call lists the files that exist now; call again to see later ones.

    Parameters
    ----------
    source : Session
        The client's.
    check : bool
        Whether a scan first reads the files of its period and markets whole and compares their digests.

    Examples
    --------
    >>> import polars as pl                                                         # doctest: +SKIP
    >>> scans = bgresearch.connect(sandbox=True).lens.polars()                      # doctest: +SKIP
    >>> scans.candles(market="spot").filter(pl.col("symbol") == "BTCUSDT").collect() # doctest: +SKIP
    """

    def __init__(self, source: Session, *, check: bool = True) -> None:
        self._source, self._check = source, check
        self._root, self._families = source.store.data_dir, families(source)
        self._pl = _polars()

    @property
    def names(self) -> tuple[str, ...]:
        """What can be scanned: the families of series, then ``gaps`` and ``coverage``."""
        return (*self._families, "gaps", "coverage")

    def scan(self, name: str, period: str = "*", *, market: str | Sequence[str] | None = None) -> LazyFrame:
        """Return a lazy frame of a family.

        Parameters
        ----------
        name : str
            One of `names`: ``candles``, ``trades``, ``recorded_open_interest``, ``fills``, ...
        period : str
            Only files of this name: ``2026-10`` (intervals below an hour, and what has none), ``2026`` (below a day),
            with ``*`` for any part. No other file is opened.
        market : str or sequence of str, optional
            Only these. It may be left out as long as no symbol is kept in two markets.

        Returns
        -------
        LazyFrame
            The keys (String), then the columns of the family: times as Datetime("ms", "UTC"), numbers as Float64.

        Raises
        ------
        InvalidInput
            There is no such family, or the period is none; or a symbol is kept in several markets and none is named.
        StoreError
            A file is damaged, or was set aside as damaged and its span is not covered again.
        """
        if not isinstance(name, str) or name not in self._families:
            raise InvalidInput.unknown("name", name, self.names)
        if not isinstance(period, str) or not _PERIOD.fullmatch(period):
            raise InvalidInput("period", f"{period!r} is no period.", hint="Write 2026-10, 2026 or 2026-*.")
        family = self._families[name]
        files = self._files(family, period, market)
        checked(self._source, [family], period=period, rows=False)
        if self._check:
            self._source.store.check(files)
        parts = _spellings(family, files)
        whole = [self._scanned(family, files, values) for files, values in parts]
        joined: LazyFrame = self._pl.concat(whole)
        return joined

    def _files(self, family: Family, period: str, market: str | Sequence[str] | None) -> list[Path]:
        files, markets = family.files(self._root, period), listed("market", market)
        if "market" not in family.keys:
            if markets:
                raise InvalidInput("market", f"{family.name} has no market.", hint="Leave it out.")
            return files
        if not markets:
            hint = f'Name one or several: .{family.name}(market="spot").'
            check_markets("market", map(family.keys_of, files), hint)
        return [file for file in files if not markets or family.keys_of(file)["market"] in markets]

    def gaps(self) -> LazyFrame:
        """Return where the exchange has nothing, and why, read now from the footers of all files."""
        checked(self._source, self._families.values(), rows=False)
        return self._read(gaps_of(self._root, self._families.values()))

    def coverage(self) -> LazyFrame:
        """Return what is there, a row per series, read now from the footers of all files."""
        checked(self._source, self._families.values(), rows=False)
        return self._read(coverage_of(self._root, self._families.values()))

    def __getattr__(self, name: str) -> Callable[..., LazyFrame]:
        if name.startswith("_") or name not in self._families:
            raise AttributeError(f"there is no {name!r}; there are {', '.join(self.names)}")
        return partial(self.scan, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._families]

    def _scanned(self, family: Family, files: list[Path], values: dict[str, str]) -> LazyFrame:
        text = self._pl.String
        above = [part.partition("=")[0] for part in (self._root / family.folder).parts if "=" in part]
        keys = dict.fromkeys((*above, *family.keys), text) if family.keys else {}
        scanned: LazyFrame = self._pl.scan_parquet(
            files, glob=False, schema=self._types(family.schema) | keys,
            hive_partitioning=bool(keys), hive_schema=keys or None, try_parse_hive_dates=False,
            missing_columns="insert", extra_columns="ignore",
        )  # fmt: skip
        if values:
            scanned = scanned.with_columns(**{key: self._pl.lit(value) for key, value in values.items()})
        return scanned.select(family.columns.names)

    def _types(self, schema: pa.Schema) -> dict[str, Any]:
        pl = self._pl
        types = {
            TIME: pl.Datetime("ms", "UTC"), pa.string(): pl.String, pa.float64(): pl.Float64, pa.int64(): pl.Int64,
            pa.bool_(): pl.Boolean,
        }  # fmt: skip
        return {column.name: types[column.type] for column in schema}

    def _read(self, table: FooterTable) -> LazyFrame:
        frame: LazyFrame = self._pl.DataFrame(table.reader().read_all(), schema=self._types(table.schema)).lazy()
        return frame


def _spellings(family: Family, files: list[Path]) -> list[tuple[list[Path], dict[str, str]]]:
    """Return the files of a family in parts: those whose key is spelled differently in paths are a part of their own.

    A filter on the key prunes files only if the scan sees the key itself; of a translated key, it opens every file.
    """
    parts = []
    for (key, value), spelled in SPELLED.items():
        others = [file for file in files if key in family.keys and f"{key}={spelled}" in file.parts]
        if others:
            parts.append((others, {key: value}))
            files = sorted({*files} - {*others})
    return [(files, {}), *parts]


def _polars() -> Any:
    try:
        import polars as pl
    except ImportError:
        raise ConfigurationError("Frames need polars.", hint="Install it: pip install 'bgresearch[polars]'.") from None
    return pl
