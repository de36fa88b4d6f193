"""Raw frames and stored rows as a stream again: the same frames as when they arrived."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.symbols import Named
from bgresearch.errors import IncompleteData, InvalidInput, StoreError
from bgresearch.live.channels import Subscription, chosen_channel
from bgresearch.live.raw_frames import FILE_S, RawFile, frames_of, head_of, recorded_files
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server
from tests.conftest import child, inherited
from tests.live.conftest import Fresh
from tests.live.test_streams import assert_is_true, until

FAR_MS = 10**14


def trades(symbol: str = "BTCUSDT") -> list[Subscription]:
    return [Subscription(chosen_channel("trades", "spot"), Named(symbol, "spot"))]


@pytest.fixture
def recorded(fast: Exchange, fresh: Fresh) -> tuple[Exchange, Client, pd.DataFrame]:
    """Three channels recorded at once with their raw frames, through faults; longer on a busy machine."""
    for seconds in (3.5, 14, 56):
        client = fresh(fast)
        for fault in ("drop", "gap"):
            fast.faults.inject(fault, endpoint="stream.order_book", times=1)  # type: ignore[arg-type]
        found = client.record(
            ["trades", "candles", "order_book"], ["BTCUSDT", "ETHUSDT"], interval="1m", seconds=seconds, raw=True
        )
        fast.faults.clear()
        if (found.rows > 0).all():
            break
    return fast, client, found


def test_several_channels_are_recorded_at_once_and_replayed(
    recorded: tuple[Exchange, Client, pd.DataFrame],
) -> None:
    exchange, client, found = recorded
    assert sorted(zip(found.channel, found.symbol, strict=True)) == sorted(
        (channel, symbol) for channel in ("trades", "candles", "order_book") for symbol in ("BTCUSDT", "ETHUSDT")
    )
    assert (found.rows > 0).all()
    for channel in ("trades", "candles", "order_book"):
        interval = "1m" if channel == "candles" else None
        start = found[found.channel == channel].start.min()
        for raw in (False, True):
            frames, again = (
                list(islice(client.replay(channel, ["BTCUSDT", "ETHUSDT"], start, interval=interval, raw=raw), 40))
                for _ in range(2)
            )
            assert len(frames) == len(again) > 0
            for one, other in zip(frames, again, strict=True):
                pd.testing.assert_frame_equal(one, other)
            times = pd.concat(frames).received_at
            assert times.is_monotonic_increasing
            if raw and channel == "order_book":
                for image in frames[::8]:
                    assert_is_true(exchange, image)
    with client.replay("order_book", "BTCUSDT", found.start.min(), raw=True) as stream:
        while not len(stream.gaps):
            next(stream)
        assert stream.status.messages > 0


def test_raw_trades_are_the_trades_that_the_stream_gave_and_the_store_has(
    recorded: tuple[Exchange, Client, pd.DataFrame],
) -> None:
    _, client, found = recorded
    [row] = found[(found.channel == "trades") & (found.symbol == "BTCUSDT")].itertuples()
    kept = client.trades("BTCUSDT", row.start, row.end)
    for raw in (False, True):
        came = pd.concat(client.replay("trades", "BTCUSDT", row.start - pd.Timedelta(days=1), raw=raw))
        assert came.trade_id.is_unique
        assert set(kept.trade_id) <= set(came.trade_id)


def test_what_was_not_recorded_is_named_and_what_means_nothing_is_refused(live: Client) -> None:
    for raw in (False, True):
        with pytest.raises(IncompleteData, match="trades"):
            live.replay("trades", "BTCUSDT", live.now - pd.Timedelta(hours=1), raw=raw)
    with pytest.raises(InvalidInput, match="channel"):
        live.replay("tickers", "BTCUSDT", "2026-11-20")
    with pytest.raises(InvalidInput, match="channel"):
        live.recorder_of([], "BTCUSDT")
    with pytest.raises(InvalidInput, match="interval"):
        live.recorder_of(["trades", "order_book"], "BTCUSDT", interval="1m")


def test_a_file_is_closed_after_an_hour_and_parts_of_a_dead_process_get_their_names(tmp_path: Path) -> None:
    clock = ManualClock(1_795_132_800_000)
    raw = RawFile(tmp_path, trades(), clock)
    write = raw.opened(["BTCUSDT"])
    for _ in range(3):
        write(clock.now_ms(), '{"event":"subscribe"}')
        clock.advance(FILE_S + 1)
    folder = tmp_path / "raw" / "trades" / "spot"
    assert len(list(folder.glob("*.gz"))) == 2
    assert len(list(folder.glob("*.part"))) == 1
    raw.close()
    done = recorded_files(tmp_path, "trades", "spot")
    assert len(done) == 3
    assert {head_of(path)["session"] for path in done} == {head_of(done[0])["session"]}
    assert [frame.text for path in done for frame in frames_of(path, FAR_MS) if frame.text] == [
        '{"event":"subscribe"}'
    ] * 3
    dead = next(pid for pid in range(2**22 - 1, 1, -1) if not Path(f"/proc/{pid}").exists())
    left = folder / f"20261120T000000Z-{dead}.jsonl.gz.part"
    left.write_bytes(done[0].read_bytes()[:-9])
    RawFile(tmp_path, trades(), clock)
    assert not left.exists()
    assert len(list(frames_of(left.with_suffix(""), FAR_MS))) >= 1
    assert str(os.getpid()) in done[0].name
    left.with_suffix("").write_bytes(b"no gzip at all")
    with pytest.raises(StoreError, match="raw frames"):
        head_of(left.with_suffix(""))


@pytest.mark.slow
def test_a_killed_recording_leaves_raw_frames_that_can_be_replayed(
    running: Exchange, fresh: Fresh, tmp_path: Path
) -> None:
    folder = tmp_path / "recorded"
    with Server(running) as server:
        command = [sys.executable, "-m", "bgresearch", "record", "order_book,trades", "BTCUSDT", "--live", "--raw"]
        environment = inherited() | {"BGRESEARCH_BASE_URL": server.url}
        with child(*command, "--data-dir", str(folder), env=environment, stdout=subprocess.DEVNULL) as process:
            until(lambda: sum(path.stat().st_size for path in folder.rglob("*.part")) > 5_000)
            process.kill()
            process.wait()
        client = fresh(running, data_dir=folder)
        begun = client.now - pd.Timedelta(hours=1)
        images = list(islice(client.replay("order_book", "BTCUSDT", begun, raw=True), 30))
        assert len(images) > 2
        for image in images[::5]:
            assert_is_true(running, image)
