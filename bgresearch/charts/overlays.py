"""What is drawn over and below candles: lines, funding rates and own fills, each in one common shape. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.research.quality.provenance import origin, utc_index

Overlay = int | str | pd.Series
Overlays = Overlay | Iterable[Overlay] | Mapping[str, Overlay] | pd.DataFrame

_FILLS = ("side", "price", "amount")


def lines_of(candles: pd.DataFrame, overlays: Overlays | None) -> dict[str, pd.Series]:
    """Return the lines to draw over candles, by name.

    Parameters
    ----------
    candles : DataFrame
        Candles in order, by ``open_time``.
    overlays : int, str, Series, or several of them, a mapping of names to them, or a DataFrame
        A number is a moving average over that many closes; a string names a column of ``candles``; a Series has its
        own times (UTC); of a DataFrame every column is drawn.

    Raises
    ------
    InvalidInput
        An average over fewer than two candles, an unknown column, a Series without times, or an unsupported type.
    """
    if overlays is None:
        return {}
    if isinstance(overlays, str | pd.Series) or not isinstance(overlays, Iterable):
        overlays = [overlays]
    if isinstance(overlays, pd.DataFrame):
        overlays = {str(name): overlays[name] for name in overlays.columns}
    named = list(overlays.items()) if isinstance(overlays, Mapping) else [(None, one) for one in overlays]
    lines: dict[str, pd.Series] = {}
    for wish, one in named:
        name, line = _line(candles, wish, one)
        lines[_unlike(name, lines)] = line
    return lines


def _unlike(name: str, taken: Iterable[str]) -> str:
    """Return the name, numbered if another line already has it."""
    same = sum(one == name or one.startswith(f"{name} (") for one in taken)
    return f"{name} ({same + 1})" if same else name


def _line(candles: pd.DataFrame, name: str | None, overlay: object) -> tuple[str, pd.Series]:
    if isinstance(overlay, bool) or not isinstance(overlay, int | np.integer | str | pd.Series):
        raise InvalidInput(
            "overlays", f"{type(overlay).__name__} cannot be drawn.",
            hint="Give a number of candles to average, the name of a column, or a Series.",
        )  # fmt: skip
    if isinstance(overlay, str):
        if overlay not in candles.columns:
            raise InvalidInput("overlays", f"there is no column {overlay!r}.", hint="Give a Series instead.")
        return name or overlay, _numbers(candles[overlay], "overlays", f"the column {overlay!r}")
    if isinstance(overlay, pd.Series):
        timed = overlay.to_frame("value")
        if not isinstance(timed.index, pd.DatetimeIndex) or timed.index.tz is None:
            hint = 'If its times are UTC, say so: series.tz_localize("UTC").'
            raise InvalidInput("overlays", "the index of the Series is not a time with a time zone.", hint=hint)
        named = name or str("line" if overlay.name is None else overlay.name)
        ordered = _numbers(overlay, "overlays", f"the Series {named!r}").set_axis(utc_index(timed)).sort_index()
        return named, ordered[~ordered.index.duplicated(keep="last")]
    if overlay < 2:
        raise InvalidInput("overlays", f"an average needs at least two candles, not {overlay}.", hint="Give 2 or more.")
    return name or f"average of {overlay}", candles["close"].rolling(int(overlay)).mean()


def _numbers(values: pd.Series, field: str, what: str) -> pd.Series:
    try:
        return values.astype("float64")
    except (TypeError, ValueError):
        raise InvalidInput(field, f"{what} does not hold numbers.", hint="Convert it to numbers first.") from None


def rates_of(
    funding: pd.DataFrame | pd.Series | None, candles: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp]
) -> pd.Series | None:
    """Return the funding rates that were settled within a span, in percent; None if there is nothing to draw.

    The name of the Series contains the symbol, if it is not that of the candles.

    Raises
    ------
    InvalidInput
        It is not what ``client.funding_rates`` returns.
    """
    if funding is None:
        return None
    rates = funding.get("funding_rate") if isinstance(funding, pd.DataFrame) else funding
    if not isinstance(rates, pd.Series) or not isinstance(rates.index, pd.DatetimeIndex) or rates.index.tz is None:
        raise InvalidInput(
            "funding", "it has no column funding_rate by time.", hint="Pass the result of client.funding_rates(...)."
        )
    inside = rates[(rates.index >= span[0]) & (rates.index <= span[1])].sort_index()
    symbol_name, drawn = (origin(frame).get("symbol") for frame in (funding, candles))
    named = f"funding rate of {symbol_name}, %" if symbol_name and symbol_name != drawn else "funding rate, %"
    return (_numbers(inside, "funding", "funding_rate") * 100).rename(named) if len(inside) else None


def marks_of(
    fills: pd.DataFrame | None, candles: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp]
) -> pd.DataFrame:  # fmt: skip
    """Return own fills of the candles' symbol and market within a span: side, price, amount and hover text, by time.

    Raises
    ------
    InvalidInput
        It is not what ``client.account.fills`` returns.
    """
    if fills is None:
        return pd.DataFrame({"side": [], "price": [], "amount": [], "text": []}, index=candles.index[:0])
    columns = fills.columns if isinstance(fills, pd.DataFrame) else []
    absent = [name for name in _FILLS if name not in columns]
    if absent or not isinstance(fills.index, pd.DatetimeIndex) or fills.index.tz is None:
        cause = f"no column {', '.join(absent)}." if absent else "the index is not a time with a time zone."
        raise InvalidInput("fills", cause, hint="Pass the result of client.account.fills(...).")
    symbol_name = fills["symbol"].nunique() if "symbol" in fills.columns else 1
    if symbol_name > 1 and not origin(candles).get("symbol"):
        hint = 'Select one: fills[fills.symbol == "BTCUSDT"].'
        raise InvalidInput(
            "fills", f"they are of {symbol_name} symbols, and the candles do not name their own.", hint=hint
        )
    fills = fills.assign(**{name: _numbers(fills[name], "fills", f"the column {name!r}") for name in _FILLS[1:]})
    own = fills[(fills.index >= span[0]) & (fills.index <= span[1])]
    for key in ("symbol", "market"):
        if key in own.columns and (drawn := origin(candles).get(key)):
            own = own[own[key].astype("str") == drawn]
    own = own.sort_index()
    text = [_hover_text(row) for row in own.to_dict("records")]
    marks = pd.DataFrame({name: own[name].astype("str" if name == "side" else "float64") for name in _FILLS})
    return marks.assign(text=text)


def gathered(marks: pd.DataFrame, opens: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the fills of one side in one bar as one: total amount, average price, mean time."""
    grouped = marks.assign(value=marks["price"] * marks["amount"], time=marks.index).groupby([opens, marks["side"]])
    many = grouped.agg(
        time=("time", "mean"), amount=("amount", "sum"), value=("value", "sum"), count=("amount", "size"),
        first=("text", "first"),
    ).reset_index()  # fmt: skip
    many["price"] = many["value"] / many["amount"]
    many["text"] = [
        row["first"]
        if row["count"] == 1
        else f"{row['side']} {row['amount']:,.8g} in {row['count']:,} fills, at {row['price']:,.8g} on average"
        for row in many.to_dict("records")
    ]
    return many.set_index("time")[["side", "price", "amount", "text"]].sort_index()


def _hover_text(fill: Mapping[object, object]) -> str:
    fee, coin, role = fill.get("fee"), fill.get("fee_coin"), fill.get("role")
    text = f"{fill['side']} {fill['amount']:,.8g} at {fill['price']:,.8g}"
    paid = f"<br>fee {fee:,.8g} {coin}" if isinstance(fee, float) and fee == fee and coin else ""  # noqa: PLR0124 - NaN
    return f"{text}{f', {role}' if isinstance(role, str) else ''}{paid}"
