"""The verbs of an account's coins, and of downloading all of its history before the exchange drops it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from bgresearch.account.archive import Archive, Say, archive
from bgresearch.account.holdings import (
    ASSET_COLUMNS,
    ASSETS,
    Skipped,
    classic_assets,
    kept_with,
    left_out,
    said_of,
    unified_assets,
)
from bgresearch.client.account_records import AccountRecords
from bgresearch.core.spans import Span, iso
from bgresearch.core.timestamps import Moment
from bgresearch.core.verbs import Verbs
from bgresearch.errors import ExchangeError, NetworkError, OfflineError
from bgresearch.market.quotes import tickers
from bgresearch.schemas import Row, documented
from bgresearch.session.cached_sender import checked_age
from bgresearch.session.stored_identity import known_uid
from bgresearch.store import LostRows, Series


class AssetVerbs(Verbs):
    """Every coin of an account, and all of its history at once."""

    def __init__(self, records: AccountRecords) -> None:
        self._source, self._history = records.source, records.history

    def archive(
        self, since: Moment | None = None, *, kinds: Iterable[str] | None = None, say: Say = lambda _words: None
    ) -> Archive:  # fmt: skip
        """Download all private history into the store before the exchange drops it, and return what is stored.

        Own trades, orders, plan orders, closed positions, the ledger, transfers, deposits, withdrawals, conversions,
        loans, repayments, interest, savings and tax records, of every market, coin and book. Run it again before
        ``.due``; it requests only what is new, and may be ended at any moment: what was fetched is stored.

        Parameters
        ----------
        since : str, datetime, Timestamp or int, optional
            Nothing older; by default as far back as the exchange serves, which is 90 days for most lists.
        kinds : iterable of str, optional
            Only these: ``fills``, ``orders``, ``bills`` and so on, as the verbs are called; all by default.
        say : callable, optional
            Called with a sentence about the result of each list.

        Raises
        ------
        OfflineError
            Connected with ``offline=True``.
        AuthenticationError, AddressRejected, NetworkError
            The key is refused, or the exchange cannot be reached: every list would fail.

        Notes
        -----
        Disk: kept under ``account/<uid>/<kind>``, 0700 and 0600; `fills` and the other verbs read it first. Budget: one
        request per page of 100 to 500 records, and one or two more per list and window (7 to 90 days).
        Source: the pages of the rows that each kind's verb names.

        Examples
        --------
        >>> print(client.account.archive(kinds=["deposits", "withdrawals"]))            # doctest: +SKIP
        """
        return archive(self._history, since, kinds=kinds, say=say)

    @documented(ASSETS)
    def assets(self, *, max_age: float | None = None) -> pd.DataFrame:
        """Return what the account holds, one row per account and coin.

        Parameters
        ----------
        max_age : float, optional
            Seconds: a kept snapshot that is younger is returned instead of asking. By default every call asks.

        Returns
        -------
        DataFrame
            account (category: spot, funding, usdt-futures ..., unified), coin, available, frozen, locked, total,
            usd_value (float64; where the exchange names none, by the last spot price in USDT; NaN without one).
            A coin that is absent is zero.
            ``df.attrs["bgresearch"]`` has ``asked`` (when), ``age_s``, and ``skipped``: accounts that the key lacks
            the permission for, or that this exchange does not have; kept with the snapshot, and said by a warning.

        Raises
        ------
        OfflineError
            Offline, and there is no snapshot.
        ExchangeError
            A part is refused for another reason than a permission that the key lacks: no part is left out silently.

        Notes
        -----
        A coin that is absent is zero.
        Disk: every snapshot is kept under ``account/<uid>/assets``. Budget: two to six requests.
        """
        now = self._source.clock.now_ms()
        checked_age(max_age)
        if max_age is not None or self._source.offline:
            kept = self._kept_assets()
            if kept is not None:
                age_ms = now - kept.column("time")[0].value
                if self._source.offline or age_ms <= (max_age or 0) * 1000:
                    skipped = left_out(kept)
                    _warn(skipped)
                    return self._assets_frame(kept, age_ms=age_ms, skipped=skipped)
        if self._source.offline:
            raise OfflineError("no snapshot of the assets is kept.", hint="Connect without offline=True once.")
        identity = self._history.identity()
        skipped = {}
        load_assets = classic_assets if identity.mode == "classic" else unified_assets
        rows = sorted(load_assets(self._source.sender, skipped), key=lambda row: (row["account"], row["coin"]))
        _warn(skipped)
        self._value_in_usd(rows)
        asked = self._source.clock.now_ms()
        schema = pa.schema([("time", pa.timestamp("ms", "UTC")), *ASSET_COLUMNS])
        table = pa.Table.from_pylist([{"time": asked, **row, "skipped": kept_with(skipped)} for row in rows], schema)
        if rows:
            series = _assets_series(identity.uid)
            self._source.store.write(series, table, [Span(asked, asked + 1)], source=identity.mode)
        return self._assets_frame(table, age_ms=0, skipped=skipped)

    def _value_in_usd(self, rows: list[Row]) -> None:
        """Fill in what coins are worth, by the last spot price in USDT, where the exchange names no value."""
        unknown = [row for row in rows if row["total"] and math.isnan(row["usd_value"])]
        if not unknown:
            return
        try:
            listed = tickers(self._source.sender, "spot", None) if any(one["coin"] != "USDT" for one in unknown) else []
        except (ExchangeError, NetworkError):
            return  # a value is an extra: the amounts are what was asked for
        prices = {row["symbol"]: row["last"] for row in listed} | {"USDTUSDT": 1.0}
        for row in unknown:
            if (price := prices.get(f"{row['coin'].upper()}USDT")) is not None:
                row["usd_value"] = row["total"] * price

    def _kept_assets(self) -> pa.Table | None:
        sender = self._source.sender
        uid = known_uid(self._source.store, sender)
        try:
            return None if uid is None else self._source.store.latest(_assets_series(uid))
        except LostRows:
            if self._source.offline:
                raise
            return None  # the newest snapshot was in a damaged file: the exchange is asked

    def _assets_frame(self, table: pa.Table, *, age_ms: int, skipped: Skipped) -> pd.DataFrame:
        asked = iso(table.column("time")[0].value) if table.num_rows else iso(self._source.clock.now_ms())
        words = {"asked": asked, "age_s": age_ms / 1000, "skipped": list(skipped)}
        return self._source.framed(ASSETS, table.select(ASSETS.schema.names), **words)


def _warn(skipped: Skipped) -> None:
    if skipped:
        warnings.warn(said_of(skipped), UserWarning, stacklevel=3)


def _assets_series(uid: str) -> Series:
    return Series(f"account/{uid}/assets", (), "time", private=True, unique=("account", "coin"))
