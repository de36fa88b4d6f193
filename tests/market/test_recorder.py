"""Recordings: aligned, every miss with its cause, never a row twice, read back with what is missing."""

from __future__ import annotations

import errno
from typing import Any, BinaryIO

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import IncompleteData, InvalidInput, OfflineError, ParameterRejected, StoreError
from bgresearch.market.recorder.recorder import Recorder
from bgresearch.market.recorder.series import RECORDABLE
from bgresearch.sandbox import Exchange
from tests.conftest import Connect

DAY = "2026-11-20"
ROW = "futures.open_interest"


def recorder(client: Client, *symbols: str, every: str = "1m", kind: str = "open-interest", **options: Any) -> Recorder:
    return client.recorder(kind, *(symbols or ("BTCUSDT",)), every=every, **options)


def read(client: Client, symbol: str = "BTCUSDT", start: str = DAY, **options: Any) -> pd.DataFrame:
    return client.recorded("open-interest", symbol, start, **options)


def gaps(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Where nothing was recorded although somebody was recording."""
    result = [(gap["start"], gap["end"], gap["cause"]) for gap in frame.attrs["bgresearch"]["gaps"]]
    return [gap for gap in result if gap[2] != "not recorded"]


def minutes(frame: pd.DataFrame) -> list[str]:
    return [at.strftime("%H:%M:%S") for at in frame.index]


def test_instants_are_the_clock_s_multiples_and_values_are_the_exchange_s(client: Client, exchange: Exchange) -> None:
    recorder(client, every="5m").run(count=3)
    frame = read(client)
    assert minutes(frame) == ["09:05:00", "09:10:00", "09:15:00"]
    assert (frame.told == frame.index).all()  # the exchange's clock is the recorder's
    assert frame.open_interest.is_unique
    now = client.api.futures.open_interest.raw(symbol="BTCUSDT", productType="USDT-FUTURES")
    assert frame.open_interest.iloc[-1] == float(now["openInterestList"][0]["size"])
    assert [str(kind) for kind in frame.dtypes] == ["datetime64[ms, UTC]", "datetime64[ms, UTC]", "float64"]


@pytest.mark.parametrize("kind", RECORDABLE)
def test_every_kind_is_recorded_and_read_back_in_the_columns_that_it_documents(client: Client, kind: str) -> None:
    what = RECORDABLE[kind]
    for market in {what.markets[0], what.markets[-1]}:
        symbol = "BTCUSDT" if market in {"spot", "usdt-futures"} else "BTCUSD"
        recorder(client, symbol, kind=kind, market=market).run(count=2)
        frame = client.recorded(kind, symbol, DAY, market=market)
        assert [frame.index.name, *frame.columns] == [field.name for field in what.shape.fields]
        assert frame.index.nunique() == 2
        assert not frame.drop(columns="told").isna().any().any()


def test_an_order_book_has_its_levels_in_order(client: Client) -> None:
    recorder(client, kind="order-book").run(count=2)
    frame = client.recorded("order-book", "BTCUSDT", DAY)
    for _, book in frame.groupby(level=0):
        asks, bids = book[book.side == "ask"], book[book.side == "bid"]
        assert list(asks.level) == list(bids.level) == list(range(20))
        assert asks.price.is_monotonic_increasing
        assert bids.price.is_monotonic_decreasing
        assert bids.price.iloc[0] < asks.price.iloc[0]


def test_two_recorders_of_one_series_double_nothing_and_ask_once(connect: Connect, clock: ManualClock) -> None:
    one, two = connect(), connect()
    first, second = recorder(one), recorder(two)
    for _ in range(3):
        first.run(count=1)
        clock.jump(-5_000)  # the second one comes to the same instant
        second.run(count=1)
        clock.advance(1)
    assert read(one).index.is_unique
    assert len(read(one)) == 3
    assert (second.tallies["BTCUSDT"].rows, second.tallies["BTCUSDT"].known) == (0, 3)
    assert two.requests_sent == 0


@pytest.mark.parametrize(
    ("fault", "times", "cause"),
    [("reset", 40, "no connection"), ("maintenance", 40, "maintenance"), ("rate429", 6, "too many requests")],
)
def test_trouble_is_waited_out_and_said_and_each_miss_has_its_cause(
    client: Client, exchange: Exchange, fault: str, times: int, cause: str
) -> None:
    said: list[str] = []
    recorder(client, say=said.append).run(count=2)
    exchange.faults.inject(fault, endpoint=ROW, times=times)
    work = recorder(client, say=said.append)
    work.run(count=15)
    frame = read(client)
    tally = work.tallies["BTCUSDT"]
    assert tally.missed > 0
    assert tally.rows > 0
    assert {gap[2] for gap in gaps(frame)} == {cause}
    whole = pd.date_range(frame.index[0], frame.index[-1], freq="1min")
    lost = sum((pd.Timestamp(end) - pd.Timestamp(start)).total_seconds() for start, end, _ in gaps(frame)) / 60
    assert len(frame) + lost == len(whole)
    assert sum(cause in words for words in said) == 1  # once, not at every instant
    assert sum("over: the exchange answers again" in words for words in said) == 1


def test_a_short_trouble_costs_no_row(client: Client, exchange: Exchange) -> None:
    exchange.faults.inject("maintenance", endpoint=ROW, times=6)  # more than the wire's own attempts
    work = recorder(client, every="1h")
    work.run(count=1)
    frame = read(client)
    assert (work.tallies["BTCUSDT"].rows, work.tallies["BTCUSDT"].missed) == (1, 0)
    assert frame.asked.iloc[0] > frame.index[0]


def test_a_machine_that_slept_leaves_a_gap_and_goes_on_with_the_next_instant(
    connect: Connect, clock: ManualClock
) -> None:
    client = connect()
    work = recorder(client)
    work.run(count=2)

    class Sleepy(ManualClock):
        """Falls asleep for an hour the first time that somebody waits."""

        slept = False

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds if self.slept else 3600 + seconds)
            self.slept = True

    sleepy = Sleepy(clock.now_ms())
    other = connect(clock=sleepy)
    recorder(other).run(count=2)
    frame = read(other)
    assert minutes(frame)[:2] == ["09:01:00", "09:02:00"]
    assert frame.index[2] - frame.index[1] >= pd.Timedelta("1h")
    ((start, end, cause),) = gaps(frame)
    assert (start, cause) == ("2026-11-20T09:03:00Z", "late")
    assert pd.Timestamp(end) == frame.index[2]


def test_a_symbol_that_is_refused_is_given_up_and_the_others_go_on(client: Client) -> None:
    said: list[str] = []
    work = recorder(client, "NOPEUSDT", "BTCUSDT", say=said.append)
    work.run(count=3)
    assert isinstance(work.tallies["NOPEUSDT"].failure, ParameterRejected)
    assert work.tallies["BTCUSDT"].rows == 3
    assert sum("NOPEUSDT: given up" in words for words in said) == 1
    with pytest.raises(ParameterRejected):
        recorder(client, "NOPEUSDT").run()


def test_a_recorder_in_trouble_puts_no_gap_over_what_another_one_got(connect: Connect, clock: ManualClock) -> None:
    good = connect()
    broken = Exchange(clock=clock)
    broken.faults.inject("reset", endpoint=ROW)
    said: list[str] = []

    def tell(words: str) -> None:
        """The other one records while this one learns that it has no connection."""
        said.append(words)
        clock.jump(-clock.now_ms() % 60_000 - 60_000)
        recorder(good).run(count=1)

    poor = recorder(connect(sandbox=broken, data_dir=good.data_dir), say=tell)
    poor.run(count=1)
    assert "no connection" in said[0]
    assert len(read(good)) == 1
    assert gaps(read(good)) == []
    assert poor.tallies["BTCUSDT"].missed == 0


def test_what_one_recorder_missed_another_one_fills(connect: Connect, clock: ManualClock) -> None:
    broken = Exchange(clock=clock)
    broken.faults.inject("reset", endpoint=ROW)
    poor, good = connect(sandbox=broken), connect()
    recorder(poor, every="1m").run(count=1)
    ((start, _, cause),) = gaps(read(good))
    assert cause == "no connection"
    clock.jump(pd.Timestamp(start).value // 1_000_000 - clock.now_ms())
    recorder(good).run(count=1)
    assert gaps(read(good)) == []
    assert len(read(good)) == 1


def test_days_lie_in_files_of_their_own_and_are_read_as_one(client: Client, clock: ManualClock) -> None:
    clock.advance(14.9 * 3600)
    recorder(client, every="1h").run(count=3)
    assert [at.strftime("%dT%H") for at in read(client).index] == ["21T00", "21T01", "21T02"]
    recorder(client, every="6h").run(count=5)
    with pytest.raises(InvalidInput, match=r"every: open-interest of BTCUSDT was recorded more than one way.*1h, 6h"):
        read(client)
    assert len(read(client, every="6h")) == 5


def test_a_full_disk_ends_it_with_words_and_keeps_what_was_recorded(connect: Connect, clock: ManualClock) -> None:
    client = connect()
    work = recorder(client)
    work.run(count=2)
    clock.advance(1)

    def full(_file: BinaryIO, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    client._source.store._disk.write = full  # type: ignore[method-assign]
    with pytest.raises(StoreError, match=r"The disk is full: free some space"):
        work.run(count=2)
    assert work.tallies["BTCUSDT"].rows == 2
    assert len(read(connect())) == 2


def test_symbols_may_be_written_as_ccxt_does(client: Client) -> None:
    recorder(client, "BTC/USDT:USDT", "btcusdt").run(count=1)
    assert read(client, "BTC/USDT:USDT").equals(read(client))
    with pytest.raises(InvalidInput, match="symbol: they are of more than one market"):
        recorder(client, "BTC/USDT", "BTC/USDT:USDT", kind="order-book")


def test_a_recording_ends_in_time(client: Client, clock: ManualClock) -> None:
    work = recorder(client)
    work.run(until_ms=work.next_ms() + 5 * 60_000)
    assert work.tallies["BTCUSDT"].rows == 5


def test_nothing_recorded_is_said_with_what_to_run_and_nobody_is_asked(connect: Connect) -> None:
    client = connect(offline=True)
    with pytest.raises(IncompleteData, match=r"has only the present .* Run: bgresearch record open-interest BTCUSDT"):
        read(client)
    with pytest.raises(OfflineError):
        recorder(client)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": "7m"}, "every: a day is no whole number of 7m"),
        ({"every": "5 moons"}, "every: '5 moons' is no length. Write 30s, 5m"),
        ({"kind": "order-book", "every": "1s"}, "every: 1s is too short. order-book takes 10s at least"),
        ({"kind": "moon"}, "kind: 'moon' is unknown. Use one of open-interest"),
        ({"market": "spot"}, "market: 'spot' has no open interest. Use one of usdt-futures"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_asked(client: Client, options: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        recorder(client, **options)
    assert client.requests_sent == 0
