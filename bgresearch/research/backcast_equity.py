"""Value of an account's coins over time, computed backwards from its current holdings. Pure.

held(coin, t)  = held(coin, now) - sum of the coin's changes after t
equity(t)      = held(quote, t) + sum over coins of held(coin, t) * close(coin, t)

Changes come from fills alone (bought, sold, fee), so deposits, withdrawals, transfers, interest and open futures
positions are not included: before such an event the curve is the value of the later balance. A coin without
closes cannot be valued and is left out; `unvalued` names it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.research.quality.provenance import spacing_ms


def spot_equity(
    assets: pd.DataFrame, fills: pd.DataFrame, candles: Mapping[str, pd.DataFrame], symbols: pd.DataFrame,
    *, account: str = "spot", quote: str = "USDT",
) -> pd.DataFrame:  # fmt: skip
    """Value of an account's coins at the end of each candle.

    Parameters
    ----------
    assets : DataFrame
        The result of ``client.account.assets()``.
    fills : DataFrame
        The result of ``client.account.fills(...)`` for spot, from before the first candle up to now.
    candles : mapping of str to DataFrame
        Candles of each coin against ``quote``, all of one interval, by the coin's name.
    symbols : DataFrame
        The result of ``client.api.spot.symbols()``: the coins of each symbol.
    account : str
        One of the accounts in ``assets``.
    quote : str
        The coin that values are in.

    Returns
    -------
    DataFrame
        As in `equity_curve`.

    Raises
    ------
    InvalidInput
        A fill's symbol is not in ``symbols``.
    """
    closes = pd.DataFrame({coin: _closes(frame) for coin, frame in candles.items()})
    return equity_curve(holdings(assets, account=account), fill_changes(fills, symbols), closes, quote=quote)


def holdings(assets: pd.DataFrame, *, account: str = "spot") -> dict[str, float]:
    """Amount of each coin in one of the accounts of ``client.account.assets()``.

    Examples
    --------
    >>> sorted(holdings(client.account.assets()))                                   # doctest: +SKIP
    ['BGB', 'BTC', 'ETH', 'SOL', 'USDT']
    """
    own = assets[assets["account"] == account]
    return {str(coin): float(total) for coin, total in own.groupby("coin")["total"].sum().items()}


def fill_changes(fills: pd.DataFrame, symbols: pd.DataFrame) -> pd.DataFrame:
    """Changes of each coin by each spot fill: bought, paid, fee; columns ``time``, ``coin``, ``amount`` (signed).

    Raises
    ------
    InvalidInput
        A fill's symbol is not in ``symbols``.
    """
    rows = fills.reset_index()
    coins = symbols.set_index("symbol")[["baseCoin", "quoteCoin"]].astype("str")
    unknown = sorted({*rows["symbol"].astype("str")} - {*coins.index.astype("str")})
    if unknown:
        raise InvalidInput("symbols", f"{', '.join(unknown)} is missing.", hint="Use client.api.spot.symbols().")
    pair = coins.reindex(rows["symbol"].astype("str").tolist()).reset_index(drop=True)
    sign = np.where(rows["side"] == "buy", 1.0, -1.0)
    parts = [
        pd.DataFrame({"time": rows["time"], "coin": pair["baseCoin"], "amount": sign * rows["amount"]}),
        pd.DataFrame({"time": rows["time"], "coin": pair["quoteCoin"], "amount": -sign * rows["value"]}),
        pd.DataFrame({"time": rows["time"], "coin": rows["fee_coin"].astype("str"), "amount": -rows["fee"]}),
    ]
    return pd.concat(parts, ignore_index=True).dropna(subset="amount")


def equity_curve(
    held_now: Mapping[str, float], changes: pd.DataFrame, closes: pd.DataFrame, *, quote: str = "USDT"
) -> pd.DataFrame:
    """Value of each coin, and of all together, at each time in ``closes``.

    Parameters
    ----------
    held_now : mapping of str to float
        Amount of each coin after the last change.
    changes : DataFrame
        Columns ``time`` (UTC), ``coin``, ``amount`` (signed), in any order; `fill_changes` makes it.
    closes : DataFrame
        Index: times (UTC, ascending), each the *end* of a candle; one column per coin with its price in
        ``quote``. A missing price is filled from the previous one, never from a later one.
    quote : str
        The coin that values are in; its own price is one.

    Returns
    -------
    DataFrame
        Index of ``closes``; one float64 column per valued coin and ``equity``, their sum, all in ``quote``.
    """
    prices = closes.ffill()
    prices[quote] = 1.0
    values = {
        coin: _held(amount, changes[changes["coin"] == coin], closes.index) * prices[coin]
        for coin, amount in held_now.items()
        if coin in prices.columns
    }
    curve = pd.DataFrame(values, index=closes.index, dtype="float64")
    curve["equity"] = curve.sum(axis=1, skipna=False)
    return curve


def unvalued(held_now: Mapping[str, float], closes: pd.DataFrame, *, quote: str = "USDT") -> tuple[str, ...]:
    """The coins that are held but have no closes, sorted; the equity curve leaves them out."""
    return tuple(sorted(coin for coin, amount in held_now.items() if amount and coin not in {*closes.columns, quote}))


def _closes(candles: pd.DataFrame) -> pd.Series:
    """Closing prices at the end of each candle."""
    return candles["close"].set_axis(candles.index + pd.Timedelta(spacing_ms(candles), unit="ms"))


def _held(now: float, changes: pd.DataFrame, moments: pd.Index) -> pd.Series:
    ordered = changes.sort_values("time", kind="stable")
    later = np.append(np.cumsum(ordered["amount"].to_numpy(dtype="float64")[::-1])[::-1], 0.0)
    # a change exactly at the end of a candle is included in the holdings of that time
    position = pd.DatetimeIndex(ordered["time"]).searchsorted(pd.DatetimeIndex(moments), side="right")
    return pd.Series(now - later[position], index=moments)
