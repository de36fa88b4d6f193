"""Order books against exact arithmetic, level by level."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput
from bgresearch.research.order_book import depth, imbalance, market_order, measures, microprice, mid, spread_bps

TICKS = st.lists(
    st.tuples(st.integers(1, 400), st.integers(1, 1000)), min_size=1, max_size=12, unique_by=lambda x: x[0]
)
Levels = list[tuple[int, int]]


def book(bids: Levels, asks: Levels) -> pd.DataFrame:
    """A book around 500: levels are ticks away from it and amounts in thousandths, in any order."""
    rows = [("bid", 500 - tick / 10, amount / 1000) for tick, amount in bids]
    rows += [("ask", 500 + tick / 10, amount / 1000) for tick, amount in asks]
    return pd.DataFrame(rows, columns=["side", "price", "amount"])


def best_first(levels: Levels, sign: int) -> list[tuple[Fraction, Fraction]]:
    return sorted(((500 + Fraction(sign * tick, 10), Fraction(amount, 1000)) for tick, amount in levels),
                  key=lambda level: sign * level[0])  # fmt: skip


@given(TICKS, TICKS, st.integers(1, 15), st.integers(1, 900))
def test_every_measure_is_that_of_exact_arithmetic(bids: Levels, asks: Levels, levels: int, bps: int) -> None:
    frame = book(bids, asks)
    below, above = best_first(bids, -1), best_first(asks, 1)
    (bid, bid_amount), (ask, ask_amount) = below[0], above[0]
    middle = (bid + ask) / 2
    assert mid(frame) == pytest.approx(float(middle), rel=1e-12)
    assert spread_bps(frame) == pytest.approx(float((ask - bid) / middle * 10_000), rel=1e-9)
    weighted = (bid * ask_amount + ask * bid_amount) / (bid_amount + ask_amount)
    assert microprice(frame) == pytest.approx(float(weighted), rel=1e-12)
    bought, sold = (sum(amount for _, amount in side[:levels]) for side in (below, above))
    assert imbalance(frame, levels=levels) == pytest.approx(float((bought - sold) / (bought + sold)), abs=1e-12)
    edge = Fraction(bps, 10_000) + Fraction(1, 10**9)  # the same side of a level that lies on the edge
    near = depth(frame, bps=float(edge * 10_000))
    assert near.bid == pytest.approx(float(sum(p * a for p, a in below if p >= middle * (1 - edge))), rel=1e-12)
    assert near.ask == pytest.approx(float(sum(p * a for p, a in above if p <= middle * (1 + edge))), rel=1e-12)
    assert near.bid_whole == (below[-1][0] < middle * (1 - edge))


@given(TICKS, TICKS, st.integers(1, 6000), st.sampled_from(["buy", "sell"]))
def test_a_market_order_takes_level_after_level(bids: Levels, asks: Levels, size: int, side: str) -> None:
    frame, levels = book(bids, asks), best_first(asks, 1) if side == "buy" else best_first(bids, -1)
    wanted, paid = Fraction(size, 1000), Fraction(0)
    left = wanted
    for price, amount in levels:
        paid += price * min(left, amount)
        left -= min(left, amount)
    cost = market_order(frame, side, amount=float(wanted))
    assert cost.amount == pytest.approx(float(wanted - left), rel=1e-12)
    assert cost.value == pytest.approx(float(paid), rel=1e-12)
    if left:
        assert not cost.whole
        assert math.isnan(cost.average)
        assert math.isnan(cost.bps)
    else:
        average = paid / wanted
        assert cost.average == pytest.approx(float(average), rel=1e-12)
        assert cost.bps == pytest.approx(abs(float(average) / mid(frame) - 1) * 10_000, abs=1e-6)
        again = market_order(frame, side, value=float(paid))  # the same order, sized by what it costs
        assert again.value == pytest.approx(float(paid), rel=1e-12)
        assert again.amount == pytest.approx(float(wanted), rel=1e-9)


def test_the_worst_price_is_that_of_the_last_level_taken() -> None:
    frame = book([(1, 1000)], [(1, 1000), (2, 1000), (3, 1000)])
    assert market_order(frame, "buy", amount=1.5).worst == 500.2
    assert market_order(frame, "buy", amount=1.0).worst == 500.1
    assert market_order(frame, "buy", amount=3.0).whole


@given(TICKS, TICKS)
def test_a_mirrored_book_leans_the_other_way(bids: Levels, asks: Levels) -> None:
    frame, mirrored = book(bids, asks), book(asks, bids)
    assert imbalance(mirrored) == pytest.approx(-imbalance(frame), abs=1e-12)
    assert microprice(mirrored) - 500 == pytest.approx(500 - microprice(frame), abs=1e-9)


def test_a_book_with_an_empty_side_says_so_with_nan() -> None:
    frame = book([(1, 1000)], [])
    assert all(math.isnan(figure) for figure in (mid(frame), spread_bps(frame), microprice(frame)))
    assert imbalance(frame) == 1
    assert np.isnan(depth(frame)[:2]).all()  # what lies near a mid that is none?
    assert math.isnan(market_order(frame, "sell", amount=0.5).bps)


def test_every_book_of_a_recording_is_measured_by_when_it_was_known() -> None:
    one, two = book([(1, 1000)], [(1, 1000)]), book([(1, 3000)], [(3, 1000)])
    times = pd.to_datetime(["2026-01-01T00:00Z"] * 2 + ["2026-01-01T00:01Z"] * 2).as_unit("ms").rename("time")
    books = pd.concat([one, two]).set_axis(times).assign(asked=times + pd.Timedelta("2s"))
    table = measures(books, value=100.0)
    assert table.index.tolist() == [times[0] + pd.Timedelta("2s"), times[2] + pd.Timedelta("2s")]
    assert table["imbalance"].tolist() == [0, 0.5]
    assert table["mid"].tolist() == [500, 500.1]
    assert table["buy_bps"].iloc[0] == pytest.approx(2)
    assert np.isnan(table["ask_depth"]).all()  # ten basis points reach beyond what was recorded
    assert measures(books.iloc[:0]).empty
    with pytest.raises(InvalidInput, match="several times"):
        mid(books)


def test_a_book_of_now_is_a_recording_of_one(client: Client) -> None:
    levels = client.order_book("BTCUSDT", levels=20)
    table = measures(levels, levels=3, bps=2, value=1_000)
    figure = (
        mid(levels),
        microprice(levels),
        imbalance(levels, levels=3),
        market_order(levels, "sell", value=1_000).bps,
    )
    assert table[["mid", "microprice", "imbalance", "sell_bps"]].iloc[0].tolist() == list(figure)
    assert table.index[0] == pd.Timestamp(levels.attrs["bgresearch"]["asked"])
    assert [len(table), table["bid_depth"].iloc[0]] == [1, depth(levels, bps=2).bid]


def test_what_means_nothing_is_refused_in_words() -> None:
    frame = book([(1, 1)], [(1, 1)])
    for wrong in ({}, {"amount": 1.0, "value": 1.0}, {"amount": 0.0}):
        with pytest.raises(InvalidInput, match="amount, value"):
            market_order(frame, "buy", **wrong)
    with pytest.raises(InvalidInput, match="side"):
        market_order(frame, "hold", amount=1.0)
    with pytest.raises(InvalidInput, match="levels"):
        imbalance(frame, levels=0)
    with pytest.raises(InvalidInput, match="bps"):
        depth(frame, bps=0)
    with pytest.raises(InvalidInput, match="book"):
        mid(pd.DataFrame({"price": [1.0]}))
    plain = book([(1, 1)], [(1, 1)])
    with pytest.raises(InvalidInput, match="neither bid nor ask"):
        mid(plain.replace({"bid": "Bid"}))
    with pytest.raises(InvalidInput, match="not recorded when"):
        measures(plain)


def test_a_book_without_amounts_or_without_a_mid_tells_nothing_instead_of_zero() -> None:
    assert math.isnan(microprice(book([(1, 0)], [(1, 0)])))
    near = depth(book([(1, 1)], []), bps=100)
    assert math.isnan(near.bid)
    assert math.isnan(near.ask)
    assert near[2:] == (False, False)
