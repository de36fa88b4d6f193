"""One candle that cannot be true costs that candle at most, is named, and is asked for once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import IncompleteData
from tests.client.other_exchange import DAY, HOUR, MINUTE, Habits, OtherExchange
from tests.client.test_other_exchange import OLD, RECENT, Start, gaps, same, truth

AT = 7 * HOUR + 30 * MINUTE  # after the begin of a span
CAUSE = "contradictory answer"
Row = list[Any]


def changed(place: int, value: Any) -> Callable[[Row], list[Row]]:
    return lambda row: [[*row[:place], value, *row[place + 1 :]]]


FLAGGED: dict[str, Callable[[Row], list[Row]]] = {
    "open above high": lambda row: changed(1, str(float(row[2]) + 7))(row),
    "close below low": lambda row: changed(4, str(float(row[3]) - 7))(row),
    "high below low": lambda row: changed(2, str(float(row[3]) - 9))(row),
    "negative low": changed(3, "-1"),
    "negative volume": changed(5, "-3.5"),
}
LEFT_OUT: dict[str, Callable[[Row], list[Row]]] = {
    "null price": changed(1, None), "empty price": changed(4, ""), "a word": changed(2, "soon"),
    "NaN": changed(3, "NaN"), "Infinity": changed(2, "Infinity"), "null volume": changed(5, None),
    "object": changed(1, {}), "cut short": lambda row: [row[:3]],
    "no list": lambda _row: [{}], "no row": lambda _row: [None],  # type: ignore[list-item]
    "null time": changed(0, None),
    "off the grid": lambda row: changed(0, type(row[0])(int(row[0]) + MINUTE // 2))(row),
    "two unlike rows": lambda row: [row, *changed(4, row[1] + "1")(row)],
    "open above high twice, unlike": lambda row: [*changed(1, "9999999")(row), *changed(1, "8888888")(row)],
}  # fmt: skip


def as_sent(row: Row, places: tuple[int, ...] = (1, 2, 3, 4, 5, 7)) -> list[float]:
    return [float(row[place]) for place in places]


def spoilt(exchange: OtherExchange, at: int, kind: Callable[[Row], list[Row]], on: tuple[str, ...] = ("/api",)) -> None:
    exchange.habits.odd, exchange.habits.odd_on = {at: kind}, on


def flagged(frame: pd.DataFrame) -> list[pd.Timestamp]:
    return [pd.Timestamp(one["open_time"]) for one in frame.attrs["bgresearch"]["contradictory"]]


def offline(exchange: OtherExchange, client: Client, clock: ManualClock) -> Client:
    options: dict[str, Any] = {"data_dir": client.data_dir, "offline": True, "clock": clock, "progress": False}
    return bgresearch.connect(base_url=exchange.url, **options)


@pytest.mark.quick_cases(5)
@pytest.mark.parametrize("span", [RECENT, OLD], ids=["recent", "old"])
@pytest.mark.parametrize("kind", FLAGGED.values(), ids=FLAGGED)
def test_a_readable_one_is_given_as_sent_and_flagged(
    start: Start, clock: ManualClock, kind: Callable[[Row], list[Row]], span: tuple[int, int]
) -> None:
    exchange, client = start()
    at = span[0] + AT
    spoilt(exchange, at, kind)
    got = client.candles("BTCUSDT", "1m", *span)
    moment = pd.Timestamp(at, unit="ms", tz="UTC")
    same(got.drop(moment), truth(exchange, span).drop(moment))
    [row] = kind(exchange._row("spot", "BTCUSDT", MINUTE, at))
    assert got.loc[moment].tolist() == as_sent(row)
    assert gaps(got) == []
    assert flagged(got) == [moment]
    assert got.bg.quality().insane.index.tolist() == [moment]
    before = len(exchange.requests)
    for again in (client, offline(exchange, client, clock)):
        kept = again.candles("BTCUSDT", "1m", *span)
        same(kept, got)
        assert flagged(kept) == [moment]
    assert len(exchange.requests) == before
    assert client.verify().sound


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("span", [RECENT, OLD], ids=["recent", "old"])
@pytest.mark.parametrize("kind", LEFT_OUT.values(), ids=LEFT_OUT)
def test_an_unreadable_one_is_left_out_and_named(
    start: Start, clock: ManualClock, kind: Callable[[Row], list[Row]], span: tuple[int, int]
) -> None:
    exchange, client = start()
    at = span[0] + AT
    spoilt(exchange, at, kind)
    got = client.candles("BTCUSDT", "1m", *span)
    moment = pd.Timestamp(at, unit="ms", tz="UTC")
    same(got, truth(exchange, span).drop(moment))
    assert gaps(got) == [(at, at + MINUTE, CAUSE)]
    assert got.bg.quality().gaps["cause"].tolist() == [CAUSE]
    before = len(exchange.requests)
    same(client.candles("BTCUSDT", "1m", *span), got)
    same(offline(exchange, client, clock).candles("BTCUSDT", "1m", *span), got)
    assert len(exchange.requests) == before
    filled = client.candles("BTCUSDT", "1m", *span, fill="nan")
    assert filled.index[filled["filled"]].tolist() == [moment]
    assert client.verify().sound
    exchange.habits.odd = {}
    clock.advance(DAY / 1000 + 60)
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))  # it is asked for again one day later


@pytest.mark.parametrize("kind", [FLAGGED["open above high"], LEFT_OUT["null price"], LEFT_OUT["two unlike rows"]])
@pytest.mark.parametrize("span", [RECENT, OLD], ids=["recent", "old"])
def test_where_another_route_has_a_good_one_that_is_taken(
    start: Start, kind: Callable[[Row], list[Row]], span: tuple[int, int]
) -> None:
    exchange, client = start(Habits(unified_look_back_days=120))
    spoilt(exchange, span[0] + AT, kind, ("/api/v2/spot/market/candles",) if span == RECENT else ("/api/v3",))
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))


@pytest.mark.parametrize(
    ("market", "interval", "length"),
    [("spot", "4h", 4 * HOUR), ("spot", "1d", DAY), ("usdt-futures", "5m", 5 * MINUTE), ("usdt-futures", "1h", HOUR)],
)
@pytest.mark.parametrize(("kind", "given"), [(FLAGGED["close below low"], True), (LEFT_OUT["empty price"], False)])
def test_it_holds_for_every_market_and_length(
    start: Start, market: str, interval: str, length: int, kind: Callable[[Row], list[Row]], *, given: bool
) -> None:
    exchange, client = start()
    span = (RECENT[1] - 300 * length, RECENT[1])
    at = span[0] + 40 * length
    spoilt(exchange, at // DAY * DAY if length == DAY else at, kind)
    at = next(iter(exchange.habits.odd))
    got = client.candles("BTCUSDT", interval, *span, market=market)
    moment = pd.Timestamp(at, unit="ms", tz="UTC")
    same(got.drop(moment, errors="ignore"), truth(exchange, span, length).drop(moment))
    assert (moment in got.index, gaps(got)) == (given, [] if given else [(at, at + length, CAUSE)])


@pytest.mark.parametrize("kind", [FLAGGED["open above high"], LEFT_OUT["null price"]])
def test_it_is_there_in_download_and_panel(start: Start, kind: Callable[[Row], list[Row]]) -> None:
    exchange, client = start()
    at = OLD[0] + AT
    spoilt(exchange, at, kind)
    row = client.download("BTCUSDT", "1m", *OLD).iloc[0]
    left_out = int(kind is LEFT_OUT["null price"])
    assert pd.isna(row["error"])
    assert (row["candles"], row["gaps"]) == (2 * 1440 - left_out, left_out)
    panel = client.panel("BTCUSDT", "1m", *OLD)
    close = panel.to_numpy()
    assert len(close) == 2 * 1440
    assert int(np.isnan(close).sum()) == left_out


def test_many_of_them_cost_few_requests(start: Start) -> None:
    exchange, client = start()
    exchange.habits.odd = dict.fromkeys(range(OLD[0] + MINUTE, OLD[1], 97 * MINUTE), LEFT_OUT["null price"])
    got = client.candles("BTCUSDT", "1m", *OLD)
    assert len(got) == 2 * 1440 - len(exchange.habits.odd)
    assert {cause for *_, cause in gaps(got)} == {CAUSE}
    assert len(exchange.requests) < 6 * 15


@pytest.mark.slow
def test_an_answer_to_another_question_is_not_taken_for_one_to_this(start: Start) -> None:
    exchange, client = start()
    exchange.habits.odd = dict.fromkeys(range(OLD[0] - DAY, OLD[1] + DAY, MINUTE), LEFT_OUT["off the grid"])
    with pytest.raises(IncompleteData, match="between two boundaries"):
        client.candles("BTCUSDT", "1m", *OLD)
