"""Every row of the table is a callable with its signature; wrong parameters cost no request."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pandas as pd
import pytest

from bgresearch.catalogue import load
from bgresearch.client import Client
from bgresearch.errors import InvalidInput, OfflineError

Connect = Callable[..., Client]


def test_every_row_is_there_with_its_parameters_and_page(client: Client) -> None:
    for row in load():
        call = getattr(getattr(client.api, row.area), row.name)
        assert set(inspect.signature(call).parameters) == {param.name for param in row.params}
        assert row.path in inspect.getdoc(call)
        assert row.name in dir(getattr(client.api, row.area))
    assert set(dir(client.api)) == {row.area for row in load()}


def test_a_call_gives_a_typed_frame_and_raw_gives_the_exchanges_words(client: Client) -> None:
    frame = client.api.spot.symbols(symbol="BTCUSDT")
    assert isinstance(frame, pd.DataFrame)
    assert frame["symbol"].tolist() == ["BTCUSDT"]
    assert frame.attrs["bgresearch"]["endpoint"] == "spot.symbols"
    assert client.api.spot.symbols.raw(symbol="BTCUSDT")[0]["baseCoin"] == "BTC"
    assert client.api.spot.account_assets()["coin"].str.len().min() > 1


@pytest.mark.parametrize(
    ("area", "name", "params", "message"),
    [
        ("spot", "candles", {"symbol": "BTCUSDT"}, r"granularity: is required by spot\.candles\. Allowed are 1min"),
        ("spot", "candles", {"symbol": "BTCUSDT", "granularity": "1m"}, r"granularity: '1m' is not allowed.*1min"),
        ("spot", "candles", {"symbol": "B", "granularity": "1min", "limit": 1001}, r"limit: 1001 .*Give 1 to 1000"),
        ("spot", "candles", {"symbol": "B", "granularity": "1min", "limit": -1}, r"limit: -1 .*Give 1 to 1000"),
        ("spot", "candles", {"symbol": "B", "granularity": "1min", "limit": "many"}, r"limit: many .*Give 1 to 1000"),
        ("spot", "symbols", {"symbl": "BTCUSDT"}, r"symbl: is no parameter of spot\.symbols\. It takes symbol"),
        ("common", "time", {"x": 1}, r"x: is no parameter of common\.time\. It takes none"),
        ("futures", "contracts", {"productType": "usdt-futures"}, r"Allowed are USDT-FUTURES"),
    ],
)
def test_wrong_parameters_are_named_and_cost_no_request(
    client: Client, area: str, name: str, params: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        getattr(getattr(client.api, area), name)(**params)
    assert client.requests_sent == 0


def test_a_wrong_name_suggests_near_ones(client: Client) -> None:
    with pytest.raises(AttributeError, match=r"no endpoint spot\.symbol; did you mean symbols"):
        _ = client.api.spot.symbol
    with pytest.raises(AttributeError, match="no area spt; did you mean spot"):
        _ = client.api.spt


def test_offline_asks_nobody(connect: Connect) -> None:
    with pytest.raises(OfflineError, match=r"common\.time needs the exchange"):
        connect(offline=True).api.common.time()
