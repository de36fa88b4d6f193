"""Candles in the hands of the libraries they are made for; where one is not installed, its test says so and skips."""

from __future__ import annotations

import inspect
import json
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from bgresearch.core.symbols import ccxt_symbol, wire_symbol
from bgresearch.errors import InvalidInput
from bgresearch.exports import export, to_backtesting, to_ccxt, to_freqtrade, to_nautilus, to_vectorbt

BAR = ["open", "high", "low", "close", "volume"]
HOUR = pd.Timedelta(1, "h")


@pytest.fixture
def backtesting() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says of its own dependencies
        return pytest.importorskip("backtesting")


@pytest.fixture
def vectorbt() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("vectorbt")


@pytest.fixture
def ccxt() -> Any:
    return pytest.importorskip("ccxt")


@pytest.mark.slow
def test_backtesting_runs_on_them_and_sees_every_candle(backtesting: Any, candles: pd.DataFrame) -> None:
    seen = []

    class Look(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            seen.append((self.data.index[-1], self.data.Close[-1], self.data.Volume[-1]))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backtesting.Backtest(candles.bg.to_backtesting(), Look, cash=10**7).run()
    assert [time.tz_localize("UTC") for time, _, _ in seen] == list(candles.index[1:])
    assert [close for _, close, _ in seen] == candles.close.tolist()[1:]
    assert [volume for _, _, volume in seen] == candles.volume.tolist()[1:]


@pytest.mark.slow
def test_vectorbt_knows_the_columns_and_the_length_of_a_bar(vectorbt: Any, candles: pd.DataFrame) -> None:
    frame = to_vectorbt(candles)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accessor = frame.vbt.ohlcv
        assert accessor.high.tolist() == candles.high.tolist()
        assert accessor.volume.tolist() == candles.volume.tolist()
        assert accessor.wrapper.freq == HOUR


def test_ccxt_s_own_functions_take_the_lists(ccxt: Any, candles: pd.DataFrame, tmp_path: Path) -> None:
    rows = candles.bg.to_ccxt()
    assert json.loads(export(candles, tmp_path / "rows.json").read_bytes()) == rows
    view = ccxt.Exchange().convert_ohlcv_to_trading_view(rows)
    assert view["t"] == [int(time.timestamp()) for time in candles.index]
    assert view["o"] == candles.open.tolist()
    assert view["v"] == candles.volume.tolist()
    assert all(type(row[0]) is int and len(row) == 6 for row in rows)


def test_nautilus_makes_bars_of_them_that_are_known_when_they_close(candles: pd.DataFrame) -> None:
    pytest.importorskip("nautilus_trader", reason="nautilus_trader is not installed")
    from nautilus_trader.model.data import BarType  # noqa: PLC0415
    from nautilus_trader.persistence.wranglers import BarDataWrangler  # noqa: PLC0415
    from nautilus_trader.test_kit.providers import TestInstrumentProvider  # noqa: PLC0415

    instrument = TestInstrumentProvider.btcusdt_binance()
    kind = BarType.from_str(f"{instrument.id}-1-HOUR-LAST-EXTERNAL")
    bars = BarDataWrangler(kind, instrument).process(candles.bg.to_nautilus())
    assert [bar.ts_event for bar in bars] == [time.value for time in (candles.index + HOUR).as_unit("ns")]
    assert [bar.close.as_decimal() for bar in bars] == [Decimal(f"{close:.2f}") for close in candles.close]


def test_freqtrade_finds_and_loads_the_files(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    pytest.importorskip("freqtrade", reason="freqtrade is not installed")
    from freqtrade.data.history.datahandlers.featherdatahandler import FeatherDataHandler  # noqa: PLC0415
    from freqtrade.enums import CandleType, TradingMode  # noqa: PLC0415

    written = {
        name: export(frames[name], tmp_path, format="freqtrade") for name in ("candles", "futures", "mark", "funding")
    }
    handler = FeatherDataHandler(tmp_path)
    pairs = {"candles": "BTC/USDT", **dict.fromkeys(("futures", "mark", "funding"), "BTC/USDT:USDT")}
    kinds = {
        "candles": CandleType.SPOT, "futures": CandleType.FUTURES, "mark": CandleType.MARK,
        "funding": CandleType.FUNDING_RATE,
    }  # fmt: skip
    for name, kind in kinds.items():
        assert handler._pair_data_filename(tmp_path, pairs[name], "1h", kind) == written[name]
        loaded = handler._ohlcv_load(pairs[name], "1h", None, kind)
        assert (pd.DatetimeIndex(loaded.date) == frames[name].index).all()
        if name == "funding":
            rate = "funding_rate" if "funding_rate" in loaded else "open"
            assert loaded[rate].tolist() == frames[name].funding_rate.tolist()
        else:
            assert loaded[BAR].to_numpy().tolist() == frames[name][BAR].to_numpy().tolist()
    assert handler.ohlcv_get_available_data(tmp_path, TradingMode.SPOT) == [("BTC/USDT", "1h", CandleType.SPOT)]
    assert len(handler.ohlcv_get_available_data(tmp_path, TradingMode.FUTURES)) == 3


@pytest.mark.parametrize(
    ("about", "path"),
    [
        ({"symbol": "BTCUSDT", "market": "spot", "price": "last", "interval": "1M"}, "BTC_USDT-1Mo.feather"),
        ({"symbol": "ETHBTC", "market": "spot", "price": "last", "interval": "5m"}, "ETH_BTC-5m.feather"),
        (
            {"symbol": "BTCPERP", "market": "usdc-futures", "price": "last", "interval": "1d"},
            "futures/BTC_USDC_USDC-1d-futures.feather",
        ),
        (
            {"symbol": "BTCUSD", "market": "coin-futures", "price": "index", "interval": "4h"},
            "futures/BTC_USD_BTC-4h-index.feather",
        ),
    ],
)
def test_files_are_called_what_freqtrade_calls_them(
    candles: pd.DataFrame, about: dict[str, str], path: str, tmp_path: Path
) -> None:
    frame = candles.head(2)
    frame.attrs["bgresearch"] = {"verb": "candles", **about}
    assert export(frame, tmp_path, format="freqtrade") == tmp_path / path
    back = pd.read_feather(tmp_path / path)
    assert list(back) == ["date", *BAR]
    assert str(back.date.dtype) == "datetime64[ms, UTC]"


def test_every_symbol_of_the_exchange_is_distinguished_from_ccxt_s_spelling_again(
    frames: dict[str, pd.DataFrame],
) -> None:
    rows = frames["symbols"].astype({"market": "str"})
    dated = rows.symbol.str.contains(r"_|[FGHJKMNQUVXZ]\d\d$")
    for symbol, market in rows.loc[~dated, ["symbol", "market"]].itertuples(index=False):
        assert wire_symbol(ccxt_symbol(symbol, market), "spot") == (symbol, market)
    assert (~dated).sum() > 50


@pytest.mark.parametrize("symbol", ["BTCUSDT_260327", "BTCUSDM26"])
def test_a_contract_with_a_date_needs_a_name_of_its_own(candles: pd.DataFrame, symbol: str, tmp_path: Path) -> None:
    frame = candles.head(3)
    frame.attrs["bgresearch"] = {**frame.attrs["bgresearch"], "symbol": symbol, "market": "coin-futures"}
    with pytest.raises(InvalidInput, match="cannot be derived from its name"):
        export(frame, tmp_path, format="freqtrade")
    assert export(frame, tmp_path / "BTC.feather", format="freqtrade").exists()


def test_a_frame_that_forgot_its_market_needs_a_name_too(candles: pd.DataFrame, tmp_path: Path) -> None:
    frame = candles.head(3)
    frame.attrs = {}
    with pytest.raises(InvalidInput, match=r"does not name its market\. Name a file"):
        export(frame, tmp_path, format="freqtrade")


@pytest.mark.parametrize("name", ["nautilus", "backtesting", "vectorbt"])
def test_what_is_written_for_a_backtester_is_what_it_would_get_here(
    candles: pd.DataFrame, name: str, tmp_path: Path
) -> None:
    made = getattr(candles.bg, f"to_{name}")()
    back = pd.read_parquet(export(candles, tmp_path / "rows.parquet", format=name))
    assert_frame_equal(back, made, check_freq=False)
    again = pd.read_csv(export(candles, tmp_path / "rows.csv", format=name), index_col=0, parse_dates=True)
    assert again.to_numpy().tolist() == made.to_numpy().tolist()
    assert (again.index == made.index).all()


def test_a_bar_is_known_when_the_next_one_opens_however_long_it_is() -> None:
    for length, step in {"1h": "h", "1w": "7D", "1M": "MS"}.items():
        index = pd.date_range("2024-01-01", periods=5, freq=step, tz="UTC", name="open_time", unit="ms")
        frame = pd.DataFrame(1.0, index=index, columns=BAR)
        frame.attrs["bgresearch"] = {"interval": length}
        assert (to_nautilus(frame).index[:-1] == index[1:]).all()


def test_a_missing_bar_leaves_no_frequency_that_would_be_untrue(candles: pd.DataFrame) -> None:
    assert to_vectorbt(candles).index.freq == HOUR
    holed = candles.drop(candles.index[5])
    assert to_vectorbt(holed).index.freq is None
    assert (to_vectorbt(holed).index == holed.index).all()


@pytest.mark.parametrize("convert", [to_backtesting, to_ccxt, to_nautilus, to_freqtrade])
def test_candles_without_prices_are_refused_and_not_guessed(candles: pd.DataFrame, convert: Any) -> None:
    holed = candles.copy()
    holed.iloc[3, :4] = np.nan
    with pytest.raises(InvalidInput, match=r'1 of 480 candles have no price or volume.*fill="nan"'):
        convert(holed)
    assert len(to_vectorbt(holed)) == len(holed)


@pytest.mark.parametrize("convert", [to_backtesting, to_vectorbt, to_ccxt, to_nautilus, to_freqtrade])
def test_what_are_no_candles_is_refused(candles: pd.DataFrame, convert: Any) -> None:
    with pytest.raises(InvalidInput, match="no column close, volume"):
        convert(candles[["open", "high", "low"]])
    with pytest.raises(InvalidInput, match="not a time with a time zone"):
        convert(candles.tz_localize(None))


def test_every_conversion_is_a_method_of_a_frame(candles: pd.DataFrame) -> None:
    for function in (to_backtesting, to_vectorbt, to_ccxt, to_nautilus, to_freqtrade):
        method = getattr(candles.bg, function.__name__)
        wanted, found = function(candles), method()
        assert found == wanted if isinstance(wanted, list) else found.equals(wanted)
        assert len(inspect.signature(method).parameters) == 0
