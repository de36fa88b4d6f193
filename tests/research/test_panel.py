"""The verb on the sandbox: against the other verbs, asked earlier and later, and with another future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.client.panel import FIELDS
from bgresearch.core.clock import ManualClock
from bgresearch.core.symbols import Named, spot_of
from bgresearch.errors import IncompleteData, InvalidInput, OfflineError
from bgresearch.sandbox import Exchange
from tests.conftest import NOW, Connect
from tests.research.conftest import OtherFuture

HOUR_MS = 3_600_000
NOW_MS = int(NOW.timestamp() * 1000)
START, END = "2026-11-18", "2026-11-20"
ALWAYS = [name for name in FIELDS if name not in FIELDS[FIELDS.index("open_interest") :]]
FUTURES = "usdt-futures"


def test_each_field_is_that_of_its_verb_when_it_was_known(client: Client) -> None:
    panel = client.panel(["BTCUSDT", "ETHUSDT"], "1h", START, END, fields=ALWAYS, market=FUTURES)
    assert str(panel.index.dtype) == "datetime64[ms, UTC]"
    assert panel.index.tolist() == pd.date_range("2026-11-18 01:00Z", "2026-11-20 00:00Z", freq="1h").tolist()
    assert panel.dtypes.eq("float64").all()
    assert panel.notna().all().all()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        last = client.candles(symbol, "1h", START, END, market=FUTURES)
        for name in last.columns:
            assert panel[name][symbol].tolist() == last[name].tolist()
        for name, options in {"mark": {"price": "mark"}, "index": {"price": "index"}}.items():
            closes = client.candles(symbol, "1h", START, END, market=FUTURES, **options)["close"]
            assert panel[name][symbol].tolist() == closes.tolist()
        assert panel["spot"][symbol].tolist() == client.candles(symbol, "1h", START, END)["close"].tolist()
        rates = client.funding_rates(symbol, "2026-11-17", "2026-11-20T00:01", market=FUTURES)["funding_rate"]
        for moment, rate in panel["funding_rate"][symbol].items():
            assert rate == rates[rates.index <= moment].iloc[-1]


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("moment", ["2026-11-19T00:00", "2026-11-19T08:00", "2026-11-19T15:00"])
def test_numbers_that_become_known_later_change_no_earlier_row(
    moment: str, connect: Connect, model: Exchange, clock: ManualClock, tmp_path: Path
) -> None:
    now = pd.Timestamp(moment, tz="UTC")
    other = OtherFuture(model, clock, int(now.timestamp() * 1000), HOUR_MS)
    clients = connect(), connect(sandbox=other, data_dir=tmp_path / "other")
    ask = {"fields": ALWAYS, "market": FUTURES, "fill": "3h"}
    reported, changed = (one.panel(["BTCUSDT", "ETHUSDT"], "1h", START, END, **ask) for one in clients)
    assert other.altered > 50
    pd.testing.assert_frame_equal(reported.loc[:now], changed.loc[:now])
    later = reported.loc[now + pd.Timedelta(1, unit="ms") :]
    prices = later[["close", "spot", "mark", "index"]]
    assert changed.loc[later.index, prices.columns].gt(prices * 1.5).all().all()


def test_what_is_asked_at_a_time_is_the_first_part_of_what_is_asked_later(
    connect: Connect, model: Exchange, tmp_path: Path
) -> None:
    def at(hours: float) -> pd.DataFrame:
        clock = ManualClock(NOW_MS + int(hours * HOUR_MS))
        exchange = Exchange(clock=clock)
        exchange.world, exchange.accounts = model.world, model.accounts
        client = connect(sandbox=exchange, clock=clock, data_dir=tmp_path / str(hours))
        return client.panel(["BTCUSDT"], "1h", START, fields=ALWAYS, market=FUTURES)

    whole = at(40)
    for hours in (0, 0.01, 7.1):
        part = at(hours)
        assert part.index[-1].timestamp() * 1000 <= NOW_MS + hours * HOUR_MS
        pd.testing.assert_frame_equal(part, whole.loc[: part.index[-1]])


def test_recorded_values_stand_from_when_their_answer_came(client: Client, clock: ManualClock) -> None:
    recorder = client.recorder("open-interest", "BTCUSDT", every="5m")
    recorder.run(count=4)
    clock.sleep(1800)  # nobody records
    recorder.run(count=3)
    ask = {"fields": ["close", "open_interest"], "market": FUTURES}
    panel = client.panel("BTCUSDT", "5m", "2026-11-20T08:50", **ask)["open_interest"]["BTCUSDT"]
    rows = client.recorded("open-interest", "BTCUSDT", "2026-11-20")
    for moment, value in panel.items():
        past = rows[(rows["asked"] <= moment) & (rows["asked"] >= moment - pd.Timedelta("7min30s"))]
        assert value == past["open_interest"].iloc[-1] if len(past) else np.isnan(value)
    assert panel.notna().sum() >= 6
    assert panel.isna().sum() >= 6
    client.recorder("open-interest", "BTCUSDT", every="1m").run(count=1)
    with pytest.raises(InvalidInput, match="more than one way"):
        client.panel("BTCUSDT", "5m", "2026-11-20T08:50", **ask)
    assert client.panel("BTCUSDT", "5m", "2026-11-20T08:50", **ask, every="5m")["open_interest"].notna().any().all()


@pytest.mark.parametrize(("kind", "field"), [
    ("open-interest", "open_interest"), ("funding-rate", "next_funding_rate"), ("long-short", "long_short"),
    ("taker-volume", "taker_buy"),
])  # fmt: skip
def test_what_is_recorded_later_changes_no_earlier_row(
    kind: str, field: str, connect: Connect, model: Exchange, tmp_path: Path
) -> None:
    until = NOW_MS + 25 * 60_000

    def reported(after_ms: int) -> pd.DataFrame:
        clock = ManualClock(NOW_MS)
        exchange = OtherFuture(model, clock, after_ms, 300_000)
        client = connect(sandbox=exchange, clock=clock, data_dir=tmp_path / str(after_ms))
        client.recorder(kind, "BTCUSDT", every="5m").run(count=10)
        return client.panel("BTCUSDT", "5m", "2026-11-20T08:50", fields=[field], market=FUTURES)

    whole, other = reported(2 * NOW_MS), reported(until)
    moment = pd.Timestamp(until, unit="ms", tz="UTC")
    pd.testing.assert_frame_equal(whole.loc[:moment], other.loc[:moment])
    assert whole.loc[:moment].notna().sum().sum() >= 3
    assert not whole.equals(other)


def test_a_field_that_was_never_recorded_says_how_to_record_it(client: Client) -> None:
    with pytest.raises(IncompleteData, match="bgresearch record open-interest"):
        client.panel("BTCUSDT", "1h", START, END, fields=["open_interest"], market=FUTURES)


def test_a_symbol_is_empty_before_it_was_listed_and_says_so(client: Client) -> None:
    panel = client.panel(["BTCUSDT", "FRESHUSDT"], "1d", "2026-01-10", "2026-01-14", market=FUTURES, fill="7d")
    assert panel["close"]["FRESHUSDT"].isna().tolist() == [True, True, False, False]
    assert panel["close"]["BTCUSDT"].notna().all()
    assert [*panel.attrs["bgresearch"]["gaps"]] == ["FRESHUSDT last"]


def test_long_has_a_row_per_time_and_symbol(client: Client) -> None:
    ask = {"fields": ["volume", "close"], "market": FUTURES}
    wide = client.panel(["ETHUSDT", "BTCUSDT"], "4h", START, END, **ask)
    long = client.panel(["ETHUSDT", "BTCUSDT"], "4h", START, END, **ask, long=True)
    assert long.index.names == ["known_at", "symbol"]
    assert long.columns.tolist() == ["volume", "close"]
    assert len(long) == 2 * len(wide)
    for (moment, symbol), row in long.iterrows():
        assert row["close"] == wide.loc[moment, ("close", symbol)]
    assert long.attrs == wide.attrs


def test_ccxts_spelling_names_the_market_and_the_columns_are_the_exchanges(client: Client) -> None:
    panel = client.panel(["BTC/USDT:USDT"], "1d", START, END, fields=["close", "spot"])
    assert panel.columns.tolist() == [("close", "BTCUSDT"), ("spot", "BTCUSDT")]
    assert panel.attrs["bgresearch"]["market"] == FUTURES
    renamed = client.panel("LUNA/USDT:USDT", "1d", START, END, fields=["spot"])
    assert renamed["spot"]["LUNA2USDT"].tolist() == client.candles("LUNAUSDT", "1d", START, END)["close"].tolist()


@pytest.mark.parametrize(("contract", "market", "spot"), [
    ("BTCUSDT", FUTURES, "BTCUSDT"), ("ALTUSDT", FUTURES, "$ALTUSDT"), ("ETHPERP", "usdc-futures", "ETHUSDC"),
])  # fmt: skip
def test_a_contracts_spot_market_is_of_the_same_coins(contract: str, market: str, spot: str) -> None:
    assert spot_of(Named(contract, market)) == Named(spot, "spot")


@pytest.mark.parametrize(
    "named", [Named("BTCUSD", "coin-futures"), Named("BTCUSDTZ26", FUTURES), Named("USDT", FUTURES)]
)
def test_a_contract_without_a_spot_market_of_its_own_says_so(named: Named) -> None:
    with pytest.raises(InvalidInput, match="no spot market"):
        spot_of(named)


def test_months_stand_at_the_end_of_the_month_and_what_is_not_over_is_not_there(client: Client) -> None:
    panel = client.panel("BTCUSDT", "1M", "2026-09-01")
    assert panel.index.strftime("%Y-%m-%d").tolist() == ["2026-10-01", "2026-11-01"]
    none = client.panel(["BTCUSDT", "ETHUSDT"], "1M", "2026-11-02", fields=["close", "volume"])
    assert none.empty
    assert len(none.columns) == 4
    assert client.panel("BTCUSDT", "1M", "2026-11-02", long=True).empty


def test_what_is_kept_is_not_asked_for_again_also_offline(connect: Connect) -> None:
    ask = {"fields": ["close", "mark", "funding_rate"], "market": FUTURES}
    client = connect()
    reported = client.panel(["BTCUSDT", "ETHUSDT"], "1h", START, END, **ask)
    before = client.requests_sent
    pd.testing.assert_frame_equal(client.panel(["BTCUSDT", "ETHUSDT"], "1h", START, END, **ask), reported)
    assert client.requests_sent == before
    offline = connect(offline=True)
    pd.testing.assert_frame_equal(offline.panel(["BTCUSDT", "ETHUSDT"], "1h", START, END, **ask), reported)
    with pytest.raises(OfflineError):
        offline.panel("SOLUSDT", "1h", START, END, market=FUTURES)


def test_what_means_nothing_is_refused_before_anything_is_asked(client: Client) -> None:
    wrong: list[tuple[str, dict[str, object]]] = [
        ("fields", {"fields": ["closing"]}), ("fields", {"fields": []}),
        ("fields", {"fields": ["mark"], "market": "spot"}),
        ("symbols", {"symbols": []}), ("symbols", {"symbols": ["BTC/USDT", "BTC/USDT:USDT"], "market": "spot"}),
        ("interval", {"interval": "3d"}), ("interval", {"interval": "7m"}), ("fill", {"fill": "ffill"}),
        ("no spot market", {"symbols": ["BTCUSD"], "market": "coin-futures", "fields": ["spot"]}),
    ]  # fmt: skip
    for match, options in wrong:
        with pytest.raises(InvalidInput, match=match):
            client.panel(**({"symbols": "BTCUSDT", "interval": "1h", "start": START, "market": FUTURES} | options))
    assert client.requests_sent == 0


def test_what_was_known_before_the_start_is_carried_on_and_no_longer_than_asked_for(client: Client) -> None:
    panel = client.panel(
        "GONEUSDT", "1h", "2026-02-10T11:00", "2026-02-10T15:00", fields=["close", "volume"], fill="3h"
    )
    last = client.candles("GONEUSDT", "1h", "2026-02-10", "2026-02-10T10:00")["close"].iloc[-1]
    closes = panel["close"]["GONEUSDT"]
    assert closes.iloc[:2].tolist() == [last, last]  # it was delisted at ten: this is the last price, until one
    assert closes.iloc[2:].isna().all()
    assert panel["volume"]["GONEUSDT"].iloc[:2].tolist() == [0, 0]
