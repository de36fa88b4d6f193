from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.backcast_equity import equity_curve, fill_changes, spot_equity, unvalued

MOMENTS = pd.date_range("2024-01-01", periods=5, freq="h", tz="UTC")
CLOSES = pd.DataFrame({"BTC": [100.0, 110.0, 120.0, 130.0, 140.0]}, index=MOMENTS)


def changes(*rows: tuple[str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["time", "coin", "amount"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    return frame


def test_without_fills_the_coins_held_now_were_always_held() -> None:
    curve = equity_curve({"BTC": 2.0, "USDT": 50.0}, changes(), CLOSES)
    assert list(curve["equity"]) == [250.0, 270.0, 290.0, 310.0, 330.0]


def test_before_a_purchase_its_money_was_still_there() -> None:
    bought = changes(("2024-01-01 01:30", "BTC", 1.0), ("2024-01-01 01:30", "USDT", -115.0))
    curve = equity_curve({"BTC": 1.0, "USDT": 5.0}, bought, CLOSES)
    assert list(curve["BTC"]) == [0.0, 0.0, 120.0, 130.0, 140.0]
    assert list(curve["USDT"]) == [120.0, 120.0, 5.0, 5.0, 5.0]
    assert list(curve["equity"]) == [120.0, 120.0, 125.0, 135.0, 145.0]


def test_a_change_at_the_end_of_a_candle_belongs_to_that_moment() -> None:
    curve = equity_curve({"USDT": 10.0}, changes(("2024-01-01 02:00", "USDT", 4.0)), CLOSES)
    assert list(curve["USDT"]) == [6.0, 6.0, 10.0, 10.0, 10.0]


def test_a_missing_price_is_taken_from_before_and_never_from_later() -> None:
    holes = CLOSES.copy()
    holes.iloc[[0, 2], 0] = float("nan")
    curve = equity_curve({"BTC": 1.0}, changes(), holes)
    assert curve["BTC"].isna().tolist() == [True, False, False, False, False]
    assert curve["equity"].isna().tolist() == [True, False, False, False, False]
    assert curve["BTC"].iloc[2] == pytest.approx(110.0)


def test_coins_without_a_price_are_named_and_stay_out() -> None:
    held = {"BTC": 1.0, "DOGE": 5.0, "ABC": 1.0, "EMPTY": 0.0, "USDT": 1.0}
    assert unvalued(held, CLOSES) == ("ABC", "DOGE")
    assert list(equity_curve(held, changes(), CLOSES).columns) == ["BTC", "USDT", "equity"]


@given(st.lists(st.tuples(st.integers(-60, 400), st.floats(-5, 5)), max_size=12))
def test_the_curve_ends_at_what_is_held_and_starts_where_all_changes_are_undone(rows: list[tuple[int, float]]) -> None:
    start = MOMENTS[0]
    frame = changes(*((str(start + pd.Timedelta(minutes=minute)), "BTC", amount) for minute, amount in rows))
    curve = equity_curve({"BTC": 3.0}, frame, CLOSES)
    after_start = sum(amount for minute, amount in rows if minute > 0)
    after_end = sum(amount for minute, amount in rows if minute > 240)
    assert curve["BTC"].iloc[0] == pytest.approx((3.0 - after_start) * 100.0)
    assert curve["BTC"].iloc[-1] == pytest.approx((3.0 - after_end) * 140.0)


SYMBOLS = pd.DataFrame({"symbol": ["BTCUSDT"], "baseCoin": ["BTC"], "quoteCoin": ["USDT"]})


def fills(*rows: tuple[str, str, float, float, float, str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["time", "side", "amount", "value", "fee", "fee_coin"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    frame["symbol"] = pd.Categorical(["BTCUSDT"] * len(frame))
    return frame.astype({"side": "category", "fee_coin": "category"}).set_index("time")


def test_a_fill_moves_both_coins_and_its_fee() -> None:
    done = fill_changes(
        fills(
            ("2024-01-01 01:30", "buy", 2.0, 220.0, 0.01, "BTC"), ("2024-01-01 02:30", "sell", 1.0, 125.0, 0.5, "USDT")
        ),
        SYMBOLS,
    )
    assert done.groupby("coin")["amount"].sum().to_dict() == {"BTC": pytest.approx(0.99), "USDT": pytest.approx(-95.5)}


def test_an_unknown_symbol_is_named() -> None:
    with pytest.raises(InvalidInput, match="symbols: BTCUSDT is missing"):
        fill_changes(fills(("2024-01-01", "buy", 1.0, 1.0, 0.0, "BTC")), SYMBOLS.assign(symbol="ETHUSDT"))


def test_an_account_is_valued_from_the_frames_that_the_client_returns() -> None:
    assets = pd.DataFrame(
        {"account": ["spot", "spot", "funding"], "coin": ["BTC", "USDT", "USDT"], "total": [2.0, 100.0, 9999.0]}
    )
    candles = pd.DataFrame({"close": CLOSES["BTC"].to_numpy()}, index=MOMENTS - pd.Timedelta(hours=1))
    bought = fills(("2024-01-01 01:30", "buy", 2.0, 220.0, 0.0, "USDT"))
    curve = spot_equity(assets, bought, {"BTC": candles}, SYMBOLS)
    assert list(curve.index) == list(MOMENTS)
    assert list(curve["equity"]) == [320.0, 320.0, 340.0, 360.0, 380.0]


def test_an_account_without_fills_is_valued_too() -> None:
    assets = pd.DataFrame({"account": ["spot"], "coin": ["BTC"], "total": [2.0]})
    candles = pd.DataFrame({"close": CLOSES["BTC"].to_numpy()}, index=MOMENTS)
    assert list(spot_equity(assets, fills(), {"BTC": candles}, SYMBOLS)["equity"]) == [
        200.0,
        220.0,
        240.0,
        260.0,
        280.0,
    ]
