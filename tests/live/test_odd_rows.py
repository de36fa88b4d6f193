"""One odd row of a stream costs that row or value, is named, and never becomes a row that nobody sent."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest

from bgresearch.core.symbols import Named
from bgresearch.live.decoding import Unreadable, liquidation, ticker_v2, ticker_v3, trade_v2, trade_v3

PAIR = Named("BTCUSDT", "spot")
TRADES = {
    trade_v2: {"ts": "1795165230000", "price": "1", "size": "2", "side": "buy", "tradeId": "7"},
    trade_v3: {"T": "1795165230000", "p": "1", "v": "2", "S": "buy", "i": "7"},
}
LIQUIDATION = {"ts": "1795165230000", "side": "sell", "price": "1", "amount": "2", "symbol": "BTCUSDT"}
ODD = (None, "", "Infinity", "NaN", "-", [], {}, True)
TICKERS = {
    ticker_v2: {"lastPr": "1", "bidPr": "0.9", "askPr": "1.1", "ts": "1795165230000"},
    ticker_v3: {"lastPrice": "1", "bid1Price": "0.9", "ask1Price": "1.1"},
}


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("decode", TRADES)
def test_a_trade_without_one_of_its_values_is_no_row(decode: Any, place: int, odd: object) -> None:
    row = dict(TRADES[decode])
    assert decode(row, PAIR)["trade_id"] == "7"
    name = list(row)[place]
    if name in ("tradeId", "i") and odd not in (None, ""):
        return  # an id may be any text
    for changed in (row | {name: odd}, {key: value for key, value in row.items() if key != name}):
        with pytest.raises(Unreadable):
            decode(changed, PAIR)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("name", LIQUIDATION)
def test_a_liquidation_without_one_of_its_values_is_no_row(name: str, odd: object) -> None:
    assert liquidation(LIQUIDATION, PAIR)["symbol"] == "BTCUSDT"
    if name == "symbol" and isinstance(odd, str) and odd:
        return  # a symbol may be any text
    for changed in (LIQUIDATION | {name: odd}, {key: value for key, value in LIQUIDATION.items() if key != name}):
        with pytest.raises(Unreadable):
            liquidation(changed, PAIR)


@pytest.mark.parametrize("odd", [*ODD, "absent"], ids=repr)
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("decode", TICKERS)
def test_a_ticker_keeps_its_other_values(
    decode: Any, place: int, odd: object, caplog: pytest.LogCaptureFixture
) -> None:
    row = dict(TICKERS[decode])
    name = list(row)[place]
    changed = {key: value for key, value in row.items() if key != name} if odd == "absent" else row | {name: odd}
    symbol = f"ODD{place}{odd!r}{decode.__name__}"
    with caplog.at_level(logging.WARNING):
        found = [decode(changed, Named(symbol, "spot")) for _ in range(2)]
    values = [found[0][column] for column in ("last", "bid", "ask")]
    assert [value is None for value in values] == [at == place for at in range(3)]
    assert all(value is None or math.isfinite(value) for value in values)
    assert found[0] == found[1]
    named = [record.getMessage() for record in caplog.records if symbol in record.getMessage()]
    assert len(named) == (place == 0) + (odd not in (None, "", "absent"))
    assert all(name in text for text in named)
