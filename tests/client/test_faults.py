"""Whatever goes wrong on the way, the result is exact or the error names what is missing; nothing is made up."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import IncompleteData, InvalidInput, StoreError, UnknownSymbol
from bgresearch.sandbox import Exchange
from bgresearch.store import StoreWarning

Truth = Callable[..., pd.DataFrame]
Connect = Callable[..., Client]

OLD = ("BTCUSDT", "1m", "2026-03-10T12:00", "2026-03-11T12:00")  # history, with the hour of maintenance
FAULTS = [
    "http500", "maintenance", "rate429", "html", "reset", "truncation", "duplicates", "shuffle", "false_empty",
    "empty_string", "wrong_type", "latency",
]  # fmt: skip


def same(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(got, expected, check_exact=True, check_freq=False)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_request_in_four_spoilt_changes_nothing(
    client: Client, exchange: Exchange, truth: Truth, fault: str
) -> None:
    exchange.faults.inject(fault, probability=0.25, amount=1.0)
    got = client.candles(*OLD)
    same(got, truth(*OLD))
    assert [gap["start"] for gap in got.attrs["bgresearch"]["gaps"]] == ["2026-03-11T06:00:00Z"]


def test_a_storm_of_all_faults_changes_nothing(client: Client, exchange: Exchange, truth: Truth) -> None:
    for fault in FAULTS:
        exchange.faults.inject(fault, probability=0.05, amount=0.5)
    asked = ("ETHUSDT", "1m", "2026-10-10", "2026-11-01")
    same(client.candles(*asked, market="usdt-futures"), truth(*asked, market="usdt-futures"))


def test_an_empty_answer_is_not_believed_at_once(client: Client, exchange: Exchange, truth: Truth) -> None:
    asked = ("BTCUSDT", "1h", "2026-11-01", "2026-11-02")
    exchange.faults.inject("false_empty", endpoint="spot.candles", times=1)
    got = client.candles(*asked)
    same(got, truth(*asked))
    assert len(got.attrs["bgresearch"]["requests"]) > 1  # another route was asked


def test_a_young_absence_is_reported_but_not_kept(
    client: Client, exchange: Exchange, clock: ManualClock, truth: Truth
) -> None:
    asked = ("BTCUSDT", "1m", "2026-11-20T08:00", "2026-11-20T09:10")
    client.candles(*asked)
    clock.advance(120)
    exchange.faults.inject("false_empty")  # the newest candles are late everywhere
    late = client.candles(*asked)
    assert late.index[-1] == pd.Timestamp("2026-11-20T08:59Z")
    assert late.attrs["bgresearch"]["gaps"][-1]["start"] == "2026-11-20T09:00:00Z"
    exchange.faults.clear()
    same(client.candles(*asked), truth(*asked))


def test_a_route_that_is_closed_is_gone_around(client: Client, exchange: Exchange, truth: Truth) -> None:
    asked = ("BTCUSDT", "1h", "2026-11-01", "2026-11-10")
    exchange.faults.inject("html", endpoint="spot.candles")
    same(client.candles(*asked), truth(*asked))


def test_what_could_not_be_fetched_is_named_and_the_rest_is_kept(
    client: Client, exchange: Exchange, truth: Truth
) -> None:
    exchange.faults.inject("http500", endpoint="spot.history_candles")
    exchange.faults.inject("http500", endpoint="uta.history_candles")
    asked = ("BTCUSDT", "1m", "2026-10-20", "2026-10-24")
    with pytest.raises(
        IncompleteData, match=r"could not be fetched; the first reason was: .*history_candles"
    ) as caught:
        client.candles(*asked)
    missing = caught.value.missing
    assert str(missing[0]).startswith("[2026-10-20T00:00:00Z, 2026-10-21T")
    exchange.faults.clear()
    got = client.candles(*asked)
    same(got, truth(*asked))
    fetched = sum(got.attrs["bgresearch"]["requests"].values())
    assert fetched <= sum(-(-span.duration_ms // 60_000 // 200) for span in missing) + 1


def test_a_dead_network_is_given_up_soon(client: Client, exchange: Exchange) -> None:
    exchange.faults.inject("reset")
    with pytest.raises(IncompleteData, match="could not be fetched") as caught:
        client.candles("BTCUSDT", "1m", "2026-01-01", "2026-03-01")
    assert client.requests_sent < 100
    assert len(caught.value.missing) == 1
    assert caught.value.__cause__ is not None


def test_an_interruption_keeps_what_is_complete(connect: Connect, truth: Truth) -> None:
    def stop_in_the_middle(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    asked = ("BTCUSDT", "1m", "2026-04-01", "2026-04-08")
    client = connect(progress=stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        client.candles(*asked)
    first = client.requests_sent
    got = connect().candles(*asked)
    same(got, truth(*asked))
    assert first + sum(got.attrs["bgresearch"]["requests"].values()) <= 51 + 3 + 16  # pages, survey, pages on their way


def test_a_damaged_file_is_set_aside_said_and_fetched_again(client: Client, truth: Truth) -> None:
    client.candles(*OLD)
    path = next(Path(client.data_dir).rglob("2026-03.parquet"))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.warns(StoreWarning, match=r"2026-03\.parquet is damaged .* until they are fetched again"):
        got = client.candles(*OLD)
    same(got, truth(*OLD))
    assert [one.name for one in path.parent.iterdir() if "damaged" in one.name]
    with warnings.catch_warnings():
        same(client.candles(*OLD), got)


def test_rows_damaged_under_an_intact_footer_are_fetched_again_too(client: Client, truth: Truth) -> None:
    client.candles(*OLD)
    path = next(Path(client.data_dir).rglob("2026-03.parquet"))
    data = bytearray(path.read_bytes())
    data[200:260] = bytes(60)
    path.write_bytes(bytes(data))
    with pytest.warns(StoreWarning, match="is damaged"):
        same(client.candles(*OLD), truth(*OLD))


def test_an_unwritable_data_folder_is_named(connect: Connect, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StoreError, match=r"file.* choose another folder with data_dir="):
        connect(data_dir=blocked / "data").candles("BTCUSDT", "1h", "2026-11-01", "2026-11-02")


@pytest.mark.parametrize(
    ("symbol", "market", "near"),
    [("BTCUSTD", "spot", "BTCUSDT"), ("BTCUSDC", "usdc-futures", "there is"), ("龙龙", "spot", "there is"),
     ("BTCUSDT", "coin-futures", "BTCUSD")],
)  # fmt: skip
def test_an_unknown_symbol_is_named_with_near_ones(client: Client, symbol: str, market: str, near: str) -> None:
    with pytest.raises(UnknownSymbol, match=rf"'{symbol}' is not listed in the {market} market.*{near}"):
        client.candles(symbol, "1h", "2026-11-01", "2026-11-02", market=market)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interval": "7m"}, "interval: '7m' is unknown"), ({"market": "forex"}, "market: 'forex' is unknown"),
        ({"price": "mark"}, "the spot market has no mark price"), ({"price": "mid"}, "price: 'mid' is unknown"),
        ({"start": "2026-11-03"}, "is before the start"), ({"start": "2026-11-02"}, "equals the start"),
        ({"start": "2027-01-01", "end": "2027-02-01"}, "is in the future; it is now 2026-11-20T09:00:30Z"),
        ({"end": "2026-11-02T00:00Z"}, "one has a time zone"), ({"start": "soon"}, "'soon' is not a time"),
        ({"progress": "loud"}, "progress: 'loud' is not an option"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_is_refused_before_a_request_is_spent(client: Client, change: dict[str, str], message: str) -> None:
    asked = {"symbol": "BTCUSDT", "interval": "1h", "start": "2026-11-01", "end": "2026-11-02"} | change
    with pytest.raises(InvalidInput, match=message):
        client.candles(**asked)
    assert client.requests_sent == 0
