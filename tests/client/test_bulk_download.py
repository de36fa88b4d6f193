"""Many symbols into the store: what is there is counted, what fails is reported with it, the rest is kept."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.thread_pool import ThreadPool
from bgresearch.errors import IncompleteData, InvalidInput, OfflineError, StoreError, UnknownSymbol
from bgresearch.sandbox import Exchange
from tests.client.conftest import Start, Truth
from tests.client.other_exchange import DAY, Market
from tests.client.test_other_exchange import NOW_MS, TODAY
from tests.conftest import PATIENCE_S, Connect

SPAN = ("2026-03-01", "2026-03-04")


def same(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(got, expected, check_freq=False)


def test_every_symbol_is_in_the_store_exactly_and_counted_without_reading(
    client: Client, connect: Connect, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "btcusdt"]
    monkeypatch.setattr("bgresearch.store.Store.read", lambda *_: pytest.fail("rows were read back"))
    got = client.download(names, "1m", *SPAN)
    monkeypatch.undo()
    assert list(got["symbol"]) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert got.dtypes.astype(str).to_dict() == {
        "symbol": "str", "candles": "int64", "first": "datetime64[ms, UTC]", "last": "datetime64[ms, UTC]",
        "gaps": "int64", "requests": "int64", "error": "str",
    }  # fmt: skip
    offline = connect(offline=True)
    for symbol, row in got.set_index("symbol").iterrows():
        frame = offline.candles(str(symbol), "1m", *SPAN)
        same(frame, truth(str(symbol), "1m", *SPAN))
        assert (row["candles"], row["first"], row["last"]) == (len(frame), frame.index[0], frame.index[-1])
    assert got["error"].isna().all()


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("interval", ["1m", "2h", "1d", "3d", "1w", "1M"])
def test_what_is_counted_is_what_is_read_gaps_and_listing_included(client: Client, interval: str) -> None:
    span = ("2026-03-10T13:00", "2026-03-12") if interval == "1m" else ("2020-02-02", "2026-03-12")
    for market in ("spot", "usdt-futures"):
        row = client.download(["BTCUSDT"], interval, *span, market=market).iloc[0]
        frame = client.candles("BTCUSDT", interval, *span, market=market)
        assert (row["candles"], row["first"], row["last"]) == (len(frame), frame.index[0], frame.index[-1])
        assert row["gaps"] == len(frame.attrs["bgresearch"]["gaps"])


def test_a_symbol_that_fails_is_named_and_the_others_come(client: Client, exchange: Exchange, truth: Truth) -> None:
    got = client.download(["BTCUSDT", "NOPEUSDT", "", "ETHUSDT"], "1h", *SPAN).set_index("symbol")
    assert list(got["candles"]) == [72, 0, 0, 72]
    assert "'NOPEUSDT' is not listed in the spot market" in str(got.loc["NOPEUSDT", "error"])
    kinds = {symbol: error["kind"] for symbol, error in got.attrs["bgresearch"]["errors"].items()}
    assert kinds == {"NOPEUSDT": "UnknownSymbol", "": "InvalidInput"}
    same(client.candles("ETHUSDT", "1h", *SPAN), truth("ETHUSDT", "1h", *SPAN))


def test_one_symbol_alone_fails_as_it_does_elsewhere(client: Client) -> None:
    with pytest.raises(UnknownSymbol, match="NOPEUSDT"):
        client.download("NOPEUSDT", "1h", *SPAN)
    with pytest.raises(InvalidInput, match="interval: '7m' is unknown"):
        client.download(["BTCUSDT"], "7m", *SPAN)
    with pytest.raises(InvalidInput, match="no symbol is named"):
        client.download([], "1m", *SPAN)
    with pytest.raises(InvalidInput, match="workers: 0 is no number of symbols"):
        client.download(["BTCUSDT"], "1m", *SPAN, workers=0)


def test_symbols_may_be_spelled_as_ccxt_does_and_then_name_their_market(client: Client) -> None:
    asked = ("1h", "2026-11-10", "2026-11-11")
    reported = client.download(["BTC/USDT:USDT", "eth/usdt", "SOLUSDT"], *asked, market="usdt-futures")
    assert reported["symbol"].tolist() == ["BTC/USDT:USDT", "ETH/USDT", "SOLUSDT"]
    assert reported["candles"].tolist() == [24, 0, 24]
    assert "names the spot market" in reported["error"][1]
    client.download("BTC/USDT:USDT", *asked)
    sent = client.requests_sent
    assert len(client.candles("BTCUSDT", *asked, market="usdt-futures")) == 24
    assert client.requests_sent == sent


def test_all_are_those_of_the_list_and_those_that_only_the_store_knows(start: Start) -> None:
    exchange, client = start()
    span = (TODAY - 3 * DAY, TODAY)
    for name in ("AUSDT", "BUSDT", "GONEUSDT"):
        exchange.markets[name] = Market(NOW_MS - 900 * DAY)
    first = client.download("ALL", "1h", *span)
    assert set(first["symbol"]) == set(exchange.markets)
    assert set(first["candles"]) == {72}
    del exchange.markets["GONEUSDT"]
    then = client.download("ALL", "1h", span[0] - DAY, span[1])
    assert set(then["symbol"]) == {*exchange.markets, "GONEUSDT"}
    gone = then.set_index("symbol").loc["GONEUSDT"]
    assert gone["candles"] == 72
    assert str(gone["error"]) == "nan"
    assert then.attrs["bgresearch"]["no_longer_listed"] == ["GONEUSDT"]


def test_offline_all_are_those_that_the_store_knows_and_nobody_is_asked(client: Client, connect: Connect) -> None:
    client.download(["BTCUSDT", "ETHUSDT"], "1h", *SPAN)
    offline = connect(offline=True)
    got = offline.download("ALL", "1h", *SPAN)
    assert (list(got["symbol"]), set(got["candles"]), offline.requests_sent) == (["BTCUSDT", "ETHUSDT"], {72}, 0)
    with pytest.raises(OfflineError, match="SOLUSDT"):
        offline.download("SOLUSDT", "1h", *SPAN)


def test_progress_is_reported_in_the_calling_thread_up_to_the_whole(client: Client) -> None:
    reported: list[tuple[int, int, str]] = []

    def tell(done: int, total: int) -> None:
        reported.append((done, total, threading.current_thread().name))

    client.download(["BTCUSDT", "NOPEUSDT", "ETHUSDT"], "1m", *SPAN, progress=tell)
    assert {name for _done, _total, name in reported} == {threading.current_thread().name}
    assert [done for done, _total, _name in reported] == sorted(done for done, _total, _name in reported)
    assert reported[-1][:2] == (3 * 3 * 1440, 3 * 3 * 1440)


def test_the_bar_tells_the_share_of_the_limit(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.download(["BTCUSDT", "ETHUSDT"], "1m", *SPAN, progress=True)
    shown = capsys.readouterr().err
    assert "2 symbols 1m" in shown
    assert "% of the limit" in shown


def test_an_interruption_keeps_what_is_complete(connect: Connect, truth: Truth) -> None:
    def stop_in_the_middle(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    names, client = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"], connect(progress=stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        client.download(names, "1m", "2026-04-01", "2026-04-08", workers=2)
    first, again = client.requests_sent, connect()
    got = again.download(names, "1m", "2026-04-01", "2026-04-08")
    assert set(got["candles"]) == {7 * 1440}
    assert first + again.requests_sent <= 4 * (51 + 3) + 64  # pages, surveys, pages on their way
    for name in names:
        same(connect(offline=True).candles(name, "1m", "2026-04-01", "2026-04-08"),
             truth(name, "1m", "2026-04-01", "2026-04-08"))  # fmt: skip


def test_a_dead_network_is_given_up_and_not_once_for_every_symbol(client: Client, exchange: Exchange) -> None:
    names = [f"{letter}{other}USDT" for letter in "ABCDEFGHIJ" for other in "ABCDEFGHIJ"]
    exchange.faults.inject("reset")
    with pytest.raises(IncompleteData, match="could not be fetched"):
        client.download(names, "1h", *SPAN, workers=2)
    assert client.requests_sent < 1_000


def test_a_folder_that_cannot_be_written_ends_it_for_all(client: Client, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(StoreError, match=r"choose another folder with data_dir="):
        client.download(["BTCUSDT", "ETHUSDT"], "1h", *SPAN)


def test_a_folder_that_vanishes_in_the_middle_is_made_again_and_nothing_is_missing(
    connect: Connect, truth: Truth, tmp_path: Path
) -> None:
    def vanish(done: int, total: int) -> None:
        if total // 3 < done < total // 2:
            shutil.rmtree(tmp_path / "data", ignore_errors=True)

    span = ("2026-01-20", "2026-02-10")
    connect(progress=vanish).candles("BTCUSDT", "1m", *span)
    same(connect().candles("BTCUSDT", "1m", *span), truth("BTCUSDT", "1m", *span))


def test_two_downloads_of_one_symbol_at_the_same_time_lose_nothing(connect: Connect, truth: Truth) -> None:
    span = ("2026-03-25", "2026-04-05")
    with ThreadPoolExecutor(2) as pool:
        counted = [
            pool.submit(connect().download, ["BTCUSDT"], "1m", *span),
            pool.submit(connect().download, ["BTCUSDT", "ETHUSDT"], "1m", "2026-03-28", "2026-04-07"),
        ]
        assert counted[0].result()["candles"].tolist() == [11 * 1440]
        assert counted[1].result()["candles"].tolist() == [10 * 1440] * 2
    same(connect(offline=True).candles("BTCUSDT", "1m", "2026-03-25", "2026-04-07"),
         truth("BTCUSDT", "1m", "2026-03-25", "2026-04-07"))  # fmt: skip
    assert connect().verify().sound


def test_a_symbol_that_is_delisted_in_the_middle_ends_there_and_says_so(start: Start) -> None:
    exchange, client = start()
    market = exchange.markets["BTCUSDT"]
    end = TODAY - 101 * DAY

    def delist(done: int, total: int) -> None:
        if done > total // 3:
            market.gaps = ((end, NOW_MS),)

    got = client.candles("BTCUSDT", "1m", TODAY - 106 * DAY, TODAY - 96 * DAY, progress=delist)
    kept = client.candles("BTCUSDT", "1m", TODAY - 106 * DAY, end)
    assert len(kept) == 5 * 1440
    gaps = got.attrs["bgresearch"]["gaps"]
    # pages that were asked on both sides of the moment contradict each other: then the cause is not known, and said so
    assert {gap["cause"] for gap in gaps} <= {"delisted", "exchange has none", "unknown"}
    assert len(got) + sum(_minutes(gap) for gap in gaps) == 10 * 1440


def _minutes(gap: dict[str, str]) -> int:
    return int((pd.Timestamp(gap["end"]) - pd.Timestamp(gap["start"])).total_seconds()) // 60


class Jumping:
    """A clock whose time of day can be set, next to an exchange whose clock goes on."""

    def __init__(self, clock: ManualClock) -> None:
        self.monotonic_s, self.sleep, self._clock, self.by_ms = clock.monotonic_s, clock.sleep, clock, 0

    def now_ms(self) -> int:
        return self._clock.now_ms() + self.by_ms


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("jump", [-3 * DAY, 2 * DAY], ids=["back", "forward"])
def test_a_clock_that_is_set_in_the_middle_loses_nothing(
    connect: Connect, clock: ManualClock, truth: Truth, jump: int
) -> None:
    mine = Jumping(clock)

    def jumps(done: int, total: int) -> None:
        if done > total // 2:
            mine.by_ms = jump

    span = ("2026-11-10", "2026-11-20")
    same(connect(clock=mine, progress=jumps).candles("BTCUSDT", "1m", *span), truth("BTCUSDT", "1m", *span))
    same(connect().candles("BTCUSDT", "1m", "2026-11-10"), truth("BTCUSDT", "1m", "2026-11-10", "2026-11-20T09:00"))


def test_whoever_is_dismissed_begins_nothing_more_and_holds_nobody_up() -> None:
    threads, begun, go = ThreadPool(1, "test"), threading.Event(), threading.Event()
    ran: list[int] = []

    def work(number: int) -> int:
        begun.set()
        go.wait(PATIENCE_S)
        ran.append(number)
        return number

    first, second = threads.submit(work, 1), threads.submit(work, 2)
    assert begun.wait(PATIENCE_S)
    threads.dismiss()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("test"))
    go.set()
    assert first.result(PATIENCE_S) == 1
    with pytest.raises(CancelledError):
        second.result(PATIENCE_S)
    assert (ran, second.cancelled()) == ([1], True)
