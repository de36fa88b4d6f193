"""Every row of the table is a callable with its signature; wrong parameters cost no request."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable

import pandas as pd
import pytest

from bgresearch.catalogue import load
from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput, OfflineError
from tests.conftest import call_of

Connect = Callable[..., Client]


def test_every_row_is_there_with_its_parameters_and_page(client: Client) -> None:
    for row in load():
        call = call_of(client, row)
        assert set(inspect.signature(call).parameters) == {param.name for param in row.params}
        assert row.path in inspect.getdoc(call)
        assert row.name in dir(getattr(client.api if row.documented else client.api.undocumented, row.area))
    assert set(dir(client.api)) == {row.area for row in load()} | {"undocumented"}


def test_an_endpoint_with_an_assumed_limit_is_called_only_on_request(client: Client) -> None:
    rows = [row for row in load() if not row.documented]
    assert len(rows) > 100
    for row in rows:
        with pytest.raises(AttributeError, match=rf"{row.id} is not documented .* call {row.call}\("):
            getattr(getattr(client.api, row.area), row.name)
        assert row.name not in dir(getattr(client.api, row.area))
    assert "tickers" not in dir(client.api.undocumented.uta)
    assert client.requests_sent == 0


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


def test_raw_is_what_the_body_says_and_body_is_all_of_it(client: Client) -> None:
    call = client.api.spot.symbols
    body = call.body(symbol="BTCUSDT")
    assert isinstance(body, bytes)
    assert json.loads(body)["data"] == call.raw(symbol="BTCUSDT")
    assert json.loads(body)["code"] == "00000"


def test_a_call_that_has_one_page_is_walked_with_one_request(client: Client) -> None:
    call = client.api.spot.symbols
    whole = call.all()
    assert client.requests_sent == 1
    (page,) = call.pages()
    pd.testing.assert_frame_equal(whole, page)
    pd.testing.assert_frame_equal(whole, call())


def test_every_form_has_its_own_signature_and_words(client: Client) -> None:
    call = client.api.spot.trade_fills
    assert "idLessThan" in inspect.signature(call).parameters
    for form, options in ((call.all, {"progress", "resume"}), (call.pages, {"resume"})):
        parameters = inspect.signature(form).parameters
        assert "idLessThan" not in parameters
        assert options <= set(parameters)
        assert parameters["limit"].default is None
        assert "GET /api/v2/spot/trade/fills" in inspect.getdoc(form)
    assert "startTime" in inspect.signature(client.api.spot.history_candles.all).parameters
    assert inspect.signature(call.raw) == inspect.signature(call.body) == inspect.signature(call)
    assert repr(call.all).startswith("<spot.trade_fills.all(*, symbol=None")


@pytest.mark.slow
def test_ipython_completes_areas_calls_forms_and_parameters(client: Client) -> None:
    pytest.importorskip("jedi")
    completing = pytest.importorskip("IPython.core.completer")
    completer = completing.IPCompleter(shell=None, namespace={"client": client}, use_jedi=True)

    def completed(text: str) -> set[str]:
        with completing.provisionalcompleter(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {one.text for one in completer.completions(text, len(text))}

    assert "futures" in completed("client.api.fu")
    assert {"tickers", "trade_fills"} <= completed("client.api.spot.t")
    assert {"all", "raw", "pages", "body"} <= completed("client.api.spot.trade_fills.")
    assert "granularity=" in completed("client.api.spot.candles(gran")
    assert "resume=" in completed("client.api.spot.trade_fills.all(resu")


def test_offline_asks_nobody(connect: Connect) -> None:
    with pytest.raises(OfflineError, match=r"no response of common\.time is stored"):
        connect(offline=True).api.common.time()
