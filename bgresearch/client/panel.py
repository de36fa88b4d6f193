"""The verb ``panel``: many symbols and fields on one clock, each value as it was known then.

The series are downloaded in parallel into the store, then joined by `bgresearch.research.panel`, which is pure: no
value of a later time can get into an earlier row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from bgresearch.client.context import ClientContext
from bgresearch.client.contracts import ContractVerbs
from bgresearch.core.intervals import DAY_MS, HOUR_MS, interval
from bgresearch.core.spans import Span, iso
from bgresearch.core.symbols import Named, several, spot_of, wire_symbol
from bgresearch.core.timestamps import Duration, Moment, span_of
from bgresearch.core.verbs import Verbs
from bgresearch.errors import InvalidInput
from bgresearch.market.candles.bulk_download import WORKERS, download
from bgresearch.market.candles.plan import subject
from bgresearch.market.candles.read_through import candles, closed_part, split_adjusted
from bgresearch.market.candles.split_adjust import check_adjust
from bgresearch.market.recorder.reader import cadence_ms, length_ms, recorded
from bgresearch.research.asof import known
from bgresearch.research.carry import LONGEST, annual_funding
from bgresearch.research.panel import FLOWS, PRICES, Known, assembled
from bgresearch.session.session import Session

_CANDLES = {**dict.fromkeys(PRICES + FLOWS, "last"), "mark": "mark", "index": "index", "spot": "spot"}
_FUNDING = ("funding_rate", "annual_funding")
_RECORDED = {
    "open_interest": ("open-interest", "open_interest"), "next_funding_rate": ("funding-rate", "rate"),
    "long_short": ("long-short", "ratio"),
    "account_long_short": ("account-long-short", "ratio"), "position_long_short": ("position-long-short", "ratio"),
    "taker_buy": ("taker-volume", "buy_volume"), "taker_sell": ("taker-volume", "sell_volume"),
}  # fmt: skip
FIELDS = (*_CANDLES, *_FUNDING, *_RECORDED)
_BEFORE_MS = 16 * HOUR_MS  # the settlement that holds at the start, and the one before it, which shows the interval
_RECORDED_BEFORE_MS = 2 * DAY_MS  # recordings are at least daily
_LATE = 1.5  # a recorded value counts for one and a half times its cadence, so one that was missed is missing


class PanelVerbs(Verbs):
    """The verb that puts the others' answers side by side."""

    def __init__(self, context: ClientContext) -> None:
        self._source, self._progress = context.source, context.progress
        self._contracts = ContractVerbs(context)

    def panel(
        self, symbols: str | Sequence[str], interval: str, start: Moment | None = None, end: Moment | None = None, *,
        fields: Sequence[str] = ("close",), market: str = "spot", fill: str | None = None, every: str | None = None,
        long: bool = False, adjust: str = "none", last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return fields of many symbols side by side, each row as it was known at its time.

        Parameters
        ----------
        symbols : str or sequence of str
            As of `candles`, all of one market.
        interval : str
            1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w 1M, opening on UTC boundaries.
        start, end : str, datetime, Timestamp or int
            Rows for the candles that open in ``[start, end)`` and are closed; without an end up to now.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        fields : sequence of str
            Of candles: open high low close volume quote_volume; in futures also mark and index (closes by those
            prices) and spot (close of the same coins in spot). Of contracts: funding_rate (the last one settled) and
            annual_funding. Of recordings (``bgresearch record``): open_interest, next_funding_rate (as it stood),
            long_short, account_long_short, position_long_short, taker_buy, taker_sell.
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.
        fill : str, optional
            ``1h``: carry values on for that long where nothing newer is known; of candles the last close, with no
            volume. By default a gap stays NaN.
        every : str, optional
            Which recording, where a series was recorded more than one way.
        long : bool
            A row per time and symbol, and a column per field, instead of a column per field and symbol.
        adjust : str
            ``splits``: candles and open interest in shares of today, as of `candles`. By default as they were traded.

        Returns
        -------
        DataFrame
            Index ``known_at`` (datetime64[ms, UTC], ascending): when each candle closed; every row is there. Columns
            ``(field, symbol)``; with ``long`` index ``(known_at, symbol)``. float64.
            A candle is in the row of its close; a funding rate in the rows from its settlement on, for eight hours at
            most; a recorded value from when its response was received, for one and a half times its cadence. NaN where
            nothing was known: before a listing, in a gap, after a delisting. No value is from after its row's time.

        Raises
        ------
        InvalidInput
            An argument that means nothing, or symbols of several markets; no request was spent.
        IncompleteData, OfflineError, UnknownSymbol
            As `candles`, of any of the symbols (a delisted contract is unknown, where not the whole span is kept); or a
            field of recordings, and nothing was recorded.

        Notes
        -----
        Disk and budget: those of `candles`, `funding_rates` and `recorded`.
        Source: spot/market/Get-History-Candle-Data, contract/market/Get-History-Candle-Data,
        contract/market/Get-History-Funding-Rate, and those of `recorded`.

        Examples
        --------
        >>> client = bgresearch.connect(sandbox=True)                                            # doctest: +SKIP
        >>> ask = dict(fields=["close", "spot", "funding_rate"], market="usdt-futures")          # doctest: +SKIP
        >>> panel = client.panel(["BTCUSDT", "ETHUSDT"], "1h", "2026-01-01", "2026-01-08", **ask)  # doctest: +SKIP
        >>> panel["close"] / panel["spot"] - 1                                                   # doctest: +SKIP
        """
        named = _named(symbols, market)
        chosen = _chosen(fields, named[0].market)
        check_adjust(adjust, named[0].market)
        fill_ms = length_ms(fill, "fill") if fill is not None else 0
        asked = span_of(start, end, self._source.clock.now_ms())
        span = _closed(self._source, named[0], _words(chosen), interval, asked)
        moments = _closes(interval, span)
        gaps: dict[str, Any] = {}
        split: dict[str, Any] = {}
        sources: dict[str, list[Known]] = {}
        if len(moments):
            wider = Span(span.start_ms - fill_ms, span.end_ms)
            self._download(named, _words(chosen), interval, wider)
            for one in named:
                sources[one.symbol] = [
                    *self._candles(one, chosen, interval, wider, adjust=adjust, gaps=gaps, split=split),
                    *self._funding(one, chosen, wider), *self._recordings(one, chosen, wider, every, adjust=adjust),
                ]  # fmt: skip
        else:
            nothing = Known(pd.DataFrame(columns=list(chosen), index=moments), {one: one for one in chosen})
            sources = {one.symbol: [nothing] for one in named}
        table = assembled(moments, sources, chosen, fill=pd.Timedelta(fill_ms, unit="ms"))
        if long:
            table = pd.DataFrame(table.stack("symbol", future_stack=True))[list(chosen)]
            table.columns.name = None
        table.attrs["bgresearch"] = {
            "verb": "panel", "host": self._source.sender.host, "label": self._source.sender.label,
            "market": named[0].market, "symbols": [one.symbol for one in named], "fields": list(chosen),
            "interval": interval, "fill": fill, "asked": [iso(asked.start_ms), iso(asked.end_ms)], "gaps": gaps,
            **({"adjust": adjust, "splits": split} if adjust == "splits" else {}),
        }  # fmt: skip
        return table

    def _download(self, named: list[Named], words: list[str], interval: str, span: Span) -> None:
        """Download the candles of several symbols in parallel; errors are raised when the candles are read."""
        if len(named) < 2 or self._source.offline:
            return
        for word in words:
            places = [_place(one, word) for one in named]
            download(
                self._source, [one.symbol for one in places], interval, span.start_ms, span.end_ms,
                market=places[0].market, price=_price(word), workers=WORKERS, progress=self._progress,
            )  # fmt: skip

    def _candles(
        self, one: Named, fields: tuple[str, ...], interval: str, span: Span, *, adjust: str, gaps: dict[str, Any],
        split: dict[str, Any],
    ) -> list[Known]:  # fmt: skip
        sources = []
        for word in _words(fields):
            place = _place(one, word)
            frame = candles(
                self._source, place.symbol, interval, span.start_ms, span.end_ms, market=place.market,
                price=_price(word), anchor="utc", include_open=False, progress=self._progress,
                adjust="none" if word == "spot" else adjust,
            )  # fmt: skip
            if adjust == "splits" and (named := frame.attrs["bgresearch"].get("splits")):
                split[one.symbol] = named
            if frame.attrs["bgresearch"]["gaps"]:
                gaps[f"{one.symbol} {word}"] = frame.attrs["bgresearch"]["gaps"]
            columns = {name: name if word == "last" else "close" for name in fields if _CANDLES.get(name) == word}
            sources.append(Known(known(frame, interval=interval), columns))
        return sources

    def _funding(self, one: Named, fields: tuple[str, ...], span: Span) -> list[Known]:
        columns = {name: name for name in fields if name in _FUNDING}
        if not columns:
            return []
        until = min(span.end_ms + 1, self._source.clock.now_ms())
        rates = self._contracts.funding_rates(one.symbol, span.start_ms - _BEFORE_MS, until, market=one.market)
        yearly = rates[["funding_rate"]].assign(annual_funding=annual_funding(rates))
        return [Known(known(yearly), columns, LONGEST)]

    def _recordings(
        self, one: Named, fields: tuple[str, ...], span: Span, every: str | None, *, adjust: str
    ) -> list[Known]:  # fmt: skip
        sources = []
        for kind in dict.fromkeys(_RECORDED[name][0] for name in fields if name in _RECORDED):
            start_ms = span.start_ms - _RECORDED_BEFORE_MS
            rows = recorded(
                self._source, kind, one.symbol, start_ms, span.end_ms + 1, market=one.market, every=every
            )  # fmt: skip
            columns = {name: _RECORDED[name][1] for name in fields if _RECORDED.get(name, ("",))[0] == kind}
            if adjust == "splits" and kind == "open-interest":
                rows = split_adjusted(self._source, one.symbol, rows, "open_interest")
            lasts = pd.Timedelta(_LATE * cadence_ms(rows.attrs["bgresearch"]["every"]), unit="ms")
            sources.append(Known(known(rows), columns, lasts))
        return sources


def _named(symbols: str | Sequence[str], market: str) -> list[Named]:
    """Return the symbols, each once.

    Raises
    ------
    InvalidInput
        There is none, or they are of several markets.
    """
    named = list(dict.fromkeys(wire_symbol(one, market) for one in several("symbols", symbols)))
    if len({one.market for one in named}) != 1:
        cause = "they are of several markets." if named else "there is none."
        raise InvalidInput("symbols", cause, hint='Ask for one market at a time: ["BTCUSDT", "ETHUSDT"], market=.')
    return named


def _chosen(fields: Sequence[str], market: str) -> tuple[str, ...]:
    """Return the fields, each once.

    Raises
    ------
    InvalidInput
        There is none, or one is unknown or not of this market.
    """
    chosen = tuple(dict.fromkeys(several("fields", fields)))
    unknown = [one for one in chosen if one not in FIELDS]
    if unknown or not chosen:
        cause = f"{unknown[0]!r} is unknown." if unknown else "there is none."
        raise InvalidInput("fields", cause, hint=f"Use some of {', '.join(FIELDS)}.")
    foreign = [one for one in chosen if market == "spot" and one not in PRICES + FLOWS]
    if foreign:
        raise InvalidInput("fields", f"spot has no {foreign[0]}.", hint='Use a futures market: market="usdt-futures".')
    return chosen


def _words(fields: tuple[str, ...]) -> list[str]:
    """Return which candles are needed: last, mark, index, spot."""
    return list(dict.fromkeys(_CANDLES[name] for name in fields if name in _CANDLES))


def _place(one: Named, word: str) -> Named:
    return spot_of(one) if word == "spot" else one


def _price(word: str) -> str:
    return word if word in ("mark", "index") else "last"


def _closed(source: Session, one: Named, words: list[str], name: str, asked: Span) -> Span:
    """Return the span of the candles that are closed for every requested price."""
    if interval(name).name == "3d":
        raise InvalidInput("interval", "where candles of three days open is not known beforehand.", hint="Use 1d.")
    now_ms = source.clock.now_ms()
    parts = [
        closed_part(source, subject(place.symbol, name, place.market, _price(word), "utc"), asked, now_ms)
        for word in words or ["last"]
        for place in [_place(one, word)]
    ]
    return min(parts, key=lambda part: part.end_ms)


def _closes(name: str, span: Span) -> pd.DatetimeIndex:
    """Return when the candles close that open in a span."""
    length, at, closes = interval(name), span.start_ms, []
    while at < span.end_ms:
        at = length.next_open(at)
        closes.append(at)
    return pd.DatetimeIndex(pd.to_datetime(closes, unit="ms", utc=True)).as_unit("ms").rename("known_at")
