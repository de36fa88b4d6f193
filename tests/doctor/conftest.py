"""Verbs that rest on assumptions, and what they answer on an exchange without any odd habit."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping

import pandas as pd

from bgresearch.catalogue.assumptions import assumption
from bgresearch.client.client import Client
from bgresearch.client.doctor.examination import Doctor
from bgresearch.client.doctor.findings import DoctorReport, Observation
from bgresearch.errors import BgresearchError
from tests.conftest import NOW

Verb = Callable[[Client], pd.DataFrame]
NOW_ = pd.Timestamp(NOW)
DAY, MINUTE = pd.Timedelta(days=1), pd.Timedelta(minutes=1)


def book_order(client: Client) -> pd.DataFrame:
    """Whether a book is best first; its prices are those of the instant."""
    book = client.order_book("BTCUSDT", levels=20)
    best = book.groupby("side", observed=True).price.first()
    worst = book.groupby("side", observed=True).price.last()
    return pd.DataFrame({"ask": [best["ask"] < worst["ask"]], "bid": [best["bid"] > worst["bid"]]})


VERBS: Mapping[str, Verb] = {
    "candles": lambda one: one.candles("BTCUSDT", "1m", NOW_ - 31 * DAY, NOW_ - 29.5 * DAY),
    "recent candles": lambda one: one.candles("BTCUSDT", "1m", NOW_ - 30 * MINUTE, NOW_),
    "days": lambda one: one.candles("BTCUSDT", "1d", NOW_ - 300 * DAY, NOW_, market="usdt-futures"),
    "days of UTC+8": lambda one: one.candles("BTCUSDT", "1d", NOW_ - 20 * DAY, NOW_, anchor="exchange"),
    "split candles": lambda one: one.candles(
        "NVDAUSDT", "1h", "2026-10-25T12", "2026-10-26T20", market="usdt-futures", adjust="splits"
    ),
    "funding_rates": lambda one: one.funding_rates("BTCUSDT", NOW_ - 90 * DAY, NOW_),
    "order_book": book_order,
    "symbols": lambda one: one.symbols("spot"),
    "tickers": lambda one: one.tickers()[["symbol", "quote_volume_24h"]].notna(),
    "trades": lambda one: one.trades("BTCUSDT", NOW_ - 50 * DAY, NOW_ - 49.9 * DAY, source="rest"),
    "archived trades": lambda one: one.trades("BTCUSDT", NOW_ - 9 * DAY, NOW_ - 8 * DAY, source="archive"),
    "unknown": lambda one: one.tickers("NOSUCHUSDT"),
}


def resting_on(habit: str) -> dict[str, Verb]:
    """Return the verbs that rest on an assumption; those of files only where it is about files."""
    verbs, files = assumption(habit).verbs, habit.startswith("archive.")
    resting = [name for name in VERBS if _MADE_BY.get(name, name) in verbs and ("archived" in name) == files]
    return {name: VERBS[name] for name in resting}


_MADE_BY = {
    "recent candles": "candles", "split candles": "candles", "days": "candles", "days of UTC+8": "candles",
    "archived trades": "trades", "unknown": "tickers",
}  # fmt: skip
NOT_WITHOUT_DOCTOR = ("candles.final_after_ms", "candles.splits_as_traded")
"""What no answer of the verb itself shows: that is what doctor is for."""


NOTICED = {"symbols.whole_list": "symbols is not complete", "funding.pages": "settlements of"}
"""What a verb says by itself where an assumption does not hold."""


class Answered:
    """What a verb gave: rows, an error of this package, or rows with a warning that says what differs."""

    def __init__(self, verb: Verb, client: Client) -> None:
        self.frame: pd.DataFrame | None = None
        self.refused: BgresearchError | None = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.frame = verb(client)
            except BgresearchError as error:
                self.refused = error
        self.said = [str(one.message) for one in caught]


def same(given: pd.DataFrame, truth: pd.DataFrame | None, verb: str) -> bool:
    """Return whether a verb answered the same; the newest candles may be held back until they are known to be final."""
    if truth is None:
        return False
    if "trades" in verb:  # ids and the precision of times are the exchange's own
        given, truth = (one.set_axis(one.index.floor("s"))[["side", "price", "amount"]] for one in (given, truth))
    truth = truth.loc[: given.index[-1]] if verb == "recent candles" and len(given) else truth
    with contextlib.suppress(AssertionError):
        pd.testing.assert_frame_equal(given, truth, check_categorical=False)
        return True
    return False


def finding(report: DoctorReport, name: str) -> Observation:
    return next(one for one in report.findings if one.name == name)


def examined(client: Client) -> DoctorReport:
    """Return what doctor finds without streams; the minute between two looks at candles is the test's own clock's."""
    return Doctor(client._source, None, client._whose).run(False)
