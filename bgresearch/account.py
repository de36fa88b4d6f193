"""The verbs of one account: what it holds and what it traded, the same columns for classic and unified accounts.

Own trades older than 90 days are gone from the exchange: what was loaded once is kept for good.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa

from bgresearch.assets import ASSET_COLUMNS, classic_assets, unified_assets
from bgresearch.candles import Source
from bgresearch.errors import IncompleteData, InvalidInput, OfflineError
from bgresearch.fills import FILL_SCHEMA, Walk, walk_for
from bgresearch.frames import to_frame
from bgresearch.identity import Identity, Whose
from bgresearch.intervals import DAY_MS
from bgresearch.keyring import known_uid, remember_uid
from bgresearch.moments import Moment, span_of
from bgresearch.paging import windows
from bgresearch.progress import Wish, shown
from bgresearch.spans import Span, iso, subtract
from bgresearch.store import Series

_FINAL_MS = 5 * 60_000  # a younger fill may still be missing from an answer: shown, but not kept
_CATEGORIES = {"fills": ("side", "role", "fee_coin", "symbol", "market"), "assets": ("account",)}


class AccountVerbs:
    """What ``client.account`` is: the verbs that need a key.

    Parameters
    ----------
    source : Source
        Exchange and store.
    whose : Whose
        Learns the account's mode and user id.
    progress : "auto", bool or callable
        As on `connect`.
    """

    def __init__(self, source: Source, whose: Whose, progress: Wish = "auto") -> None:
        self._source, self._whose, self._progress = source, whose, progress

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
            usd_value (float64, NaN where the exchange names none). A coin that is absent is zero.
            ``df.attrs["bgresearch"]`` has ``asked`` (when), ``age_s``, and ``skipped``: accounts that the key may
            not see.

        Raises
        ------
        OfflineError
            Offline, and there is no snapshot.

        Notes
        -----
        Disk: every snapshot is kept under ``account/<uid>/assets``. Budget: two to five requests.
        Source: spot/account/Get-Account-Assets, contract/account/Get-Account-List, common/account/Funding-Assets,
        uta/account/Get-Account, uta/account/Get-Account-Funding-Assets.

        Examples
        --------
        >>> client.account.assets().head()                                              # doctest: +SKIP
        """
        now = self._source.clock.now_ms()
        if max_age is not None and not max_age >= 0:
            raise InvalidInput("max_age", f"{max_age!r} is negative.", hint="Give seconds, or None to ask always.")
        if max_age is not None or self._source.offline:
            kept = self._kept_assets()
            if kept is not None:
                age_ms = now - kept.column("time")[0].value
                if self._source.offline or age_ms <= (max_age or 0) * 1000:
                    return self._assets_frame(kept, age_ms=age_ms, skipped=[])
        if self._source.offline:
            raise OfflineError("no snapshot of the assets is kept.", hint="Connect without offline=True once.")
        identity = self._identity()
        skipped: list[str] = []
        load_assets = classic_assets if identity.mode == "classic" else unified_assets
        rows = sorted(load_assets(self._source.sender, skipped), key=lambda row: (row["account"], row["coin"]))
        if skipped:
            warnings.warn(f"The key may not see these accounts: {', '.join(skipped)}.", UserWarning, stacklevel=2)
        asked = self._source.clock.now_ms()
        schema = pa.schema([("time", pa.timestamp("ms", "UTC")), *ASSET_COLUMNS])
        table = pa.Table.from_pylist([{"time": asked, **row} for row in rows], schema)
        if rows:
            series = _assets_series(identity.uid)
            self._source.store.write(series, table, [Span(asked, asked + 1)], source=identity.mode)
        return self._assets_frame(table, age_ms=0, skipped=skipped)

    def fills(
        self, start: Moment, end: Moment | None = None, *, market: str = "spot", symbol: str | None = None
    ) -> pd.DataFrame:
        """Return the account's own trades in ``[start, end)``.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now.
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.
        symbol : str, optional
            Only this one. All symbols are fetched and kept whichever is asked for.

        Returns
        -------
        DataFrame
            Index ``time`` (UTC, ascending, not unique: one order may fill many times in a millisecond). Columns
            fill_id, order_id (text), market, symbol, side, role (category), price, amount (base coin), value (quote
            coin), fee (positive is paid), profit (realised by futures; float64), fee_coin (category). The side is what
            was done in the market: closing a long position is a sell.

        Raises
        ------
        IncompleteData
            Part of it is neither kept nor on the exchange any more (it answers 90 days back), or could not be
            fetched.
        OfflineError
            Offline, and part of it is not kept.

        Notes
        -----
        Disk: kept under ``account/<uid>/fills``; a second call asks only for the last five minutes.
        Budget: one request per 100 fills, one or two more per 90 days (classic) or 30 days (unified).
        Source: spot/trade/Get-Fills, contract/trade/Get-Order-Fills, uta/trade/Get-Order-Fills.

        Examples
        --------
        >>> client.account.fills("2026-01-01", "2026-02-01").groupby("symbol").fee.sum()  # doctest: +SKIP
        """
        now = self._source.clock.now_ms()
        walk_for("classic", market)  # a wrong market is named before anything is asked
        asked = span_of(start, end, now)
        span = Span(asked.start_ms, min(asked.end_ms, now))
        uid = self._uid()
        series = Series(
            f"account/{uid}/fills", (("market", market),), "time", private=True, unique=("fill_id",)
        )  # fmt: skip
        tail = FILL_SCHEMA.empty_table()
        missing = self._source.store.missing(series, span)
        if missing:
            tail = self._fetch_fills(series, market, missing, now)
        kept = self._source.store.read(series, span)
        tables = [tail] if kept is None else [kept.cast(FILL_SCHEMA), tail]
        table = pa.concat_tables(tables).sort_by([("time", "ascending"), ("fill_id", "ascending")])
        return self._frame(
            table, "fills", "time",
            lambda frame: frame if symbol is None else frame[frame["symbol"] == symbol],
            market=market, symbol=symbol, asked=[iso(span.start_ms), iso(span.end_ms)],
        )  # fmt: skip

    def _fetch_fills(self, series: Series, market: str, missing: tuple[Span, ...], now: int) -> pa.Table:
        """Fetch and keep what is missing; return what is too young to be kept."""
        if self._source.offline:
            raise OfflineError(
                f"own trades are not all kept: {missing[0]} is missing.", missing=missing,
                hint="Connect without offline=True to fetch them.",
            )  # fmt: skip
        walk = walk_for(self._identity().mode, market)
        gone = subtract(missing, [Span(now - walk.lookback_ms, now)])
        if gone:
            raise IncompleteData(
                f"the exchange answers own trades {round(walk.lookback_ms / DAY_MS)} days back; {gone[0]} is older and "
                "was never kept.",
                missing=gone, hint=f"Ask from {iso(now - walk.lookback_ms + 60_000)} on.",
            )  # fmt: skip
        pieces = [piece for span in missing for piece in windows(span, walk.longest_ms)]
        young = []
        with shown(self._progress, len(pieces), f"{market} fills", unit="windows", least=2) as done:
            for piece in pieces:
                table = walk.run(self._source.sender, piece)
                final = piece.intersect(Span(0, now - _FINAL_MS))
                cut = now - _FINAL_MS
                old = table.filter(pa.array([at.value < cut for at in table.column("time")], pa.bool_()))
                young.append(table.filter(pa.array([at.value >= cut for at in table.column("time")], pa.bool_())))
                if final:
                    self._source.store.write(series, old, [final], source=walk.endpoint)
                done(1)
        return pa.concat_tables(young) if young else FILL_SCHEMA.empty_table()

    def _identity(self) -> Identity:
        identity = self._whose.identity()
        sender = self._source.sender
        remember_uid(self._source.store, sender.host, sender.label or "", identity.uid)
        return identity

    def _uid(self) -> str:
        """Return the user id, from the remembered ones if possible."""
        sender = self._source.sender
        uid = known_uid(self._source.store, sender.host, sender.label or "")
        if uid is not None:
            return uid
        if self._source.offline:
            raise OfflineError(
                f"nothing is kept for the key {sender.label!r}.", hint="Connect without offline=True once."
            )
        return self._identity().uid

    def _kept_assets(self) -> pa.Table | None:
        sender = self._source.sender
        uid = known_uid(self._source.store, sender.host, sender.label or "")
        return None if uid is None else self._source.store.latest(_assets_series(uid))

    def _assets_frame(self, table: pa.Table, *, age_ms: int, skipped: list[str]) -> pd.DataFrame:
        asked = iso(table.column("time")[0].value) if table.num_rows else iso(self._source.clock.now_ms())
        return self._frame(
            table.drop_columns(["time"]), "assets", None, None, asked=asked, age_s=age_ms / 1000, skipped=skipped
        )

    def _frame(
        self, table: pa.Table, verb: str, index: str | None,
        cut: Callable[[pd.DataFrame], pd.DataFrame] | None, **words: Any,
    ) -> pd.DataFrame:  # fmt: skip
        sender = self._source.sender
        frame = to_frame(table, verb=verb, host=sender.host, label=sender.label, demo=sender.demo, **words)
        if cut is not None:
            frame = cut(frame)
        for name in _CATEGORIES[verb]:
            frame[name] = frame[name].astype("category")
        return frame if index is None else frame.set_index(index)


def _assets_series(uid: str) -> Series:
    return Series(f"account/{uid}/assets", (), "time", private=True, unique=("account", "coin"))


__all__ = ["AccountVerbs", "Walk"]
