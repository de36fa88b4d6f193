"""Whatever is wrong with the archive, what is given is exact, or the gap is named; nothing doubtful is stored."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.errors import AccessBlocked, BgresearchError, IncompleteData, NetworkError
from bgresearch.market.archived import ArchiveWarning
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.messages import Request, Response
from tests.archives.conftest import Served
from tests.conftest import Connect, until

DAMAGE = ("absent", "swapped_instrument", "truncated", "bad_crc", "unsorted", "reuploaded")
PASSING = ("http503", "rate429", "http500", "reset", "truncation")
START, END = "2026-08-16T16:00", "2026-08-18T16:00"  # two days of files, under two kinds of names
pytestmark = pytest.mark.filterwarnings("default::bgresearch.market.archived.ArchiveWarning")


@pytest.fixture
def truth(connect: Connect, tmp_path: Path) -> pd.DataFrame:
    return connect(data_dir=tmp_path / "truth").candles("BTCUSDT", "1m", START, END)


def covered(opened: pd.Timestamp, spans: list[tuple[str, str]]) -> bool:
    return any(pd.Timestamp(start) <= opened < pd.Timestamp(end) for start, end in spans)


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("name", [*DAMAGE, *PASSING])
def test_candles_are_exact_or_a_gap_is_named(
    connect: Connect, exchange: Exchange, truth: pd.DataFrame, name: str
) -> None:
    times = 2 if name in PASSING else None
    exchange.faults.inject(name, endpoint="archive.candles", times=times)  # type: ignore[arg-type]
    client = connect()
    report = client.download("BTCUSDT", "1m", START, END, source="archive").attrs["bgresearch"]
    stored = client.candles("BTCUSDT", "1m", START, END)
    pd.testing.assert_frame_equal(stored, truth, check_exact=True)  # what the archive lacks came over REST
    gaps = report["gaps"].get("BTCUSDT", [])
    archived = stored.attrs["bgresearch"].get("archived", [])
    missing = [(gap["start"], gap["end"]) for gap in gaps]
    for opened in truth.index[::37]:  # every candle is archived or in a gap that was named
        assert covered(opened, archived) != covered(opened, missing), opened
    if name in ("swapped_instrument", "truncated", "bad_crc"):
        assert len(report["archive"]["BTCUSDT"]["set_aside"]) == 2
        assert not archived
        assert {gap["cause"] for gap in gaps} <= {
            "the file of the archive holds other rows and was set aside",
            "the file of the archive cannot be read and was set aside",
        }
        assert len(list((Path(client.data_dir) / ".archive" / "aside").iterdir())) == 2
    assert not (Path(client.data_dir) / ".archive" / "incoming").exists()
    assert client.verify().sound


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("name", DAMAGE)
def test_trades_are_exact_or_a_gap_is_named(connect: Connect, exchange: Exchange, tmp_path: Path, name: str) -> None:
    right = connect(data_dir=tmp_path / "truth").trades("BTCUSDT", START, "2026-08-17")
    exchange.faults.inject(name, endpoint="archive.trades")  # type: ignore[arg-type]
    client = connect()
    if name not in ("unsorted", "reuploaded"):
        with pytest.raises(IncompleteData, match="In the archive") as caught:
            client.trades("BTCUSDT", START, "2026-08-17")
        assert caught.value.missing
        assert not list(Path(client.data_dir).glob("trades/**/*.parquet"))
        return
    found = client.trades("BTCUSDT", START, "2026-08-17")
    if name == "reuploaded":  # every part lacks its last trade, and the volume of the day says so
        assert 1 <= len(right) - len(found) <= 6
        assert any("of the volume" in words for words in found.attrs["bgresearch"]["archive"]["differences"])
    else:
        pd.testing.assert_frame_equal(found, right, check_exact=True)
    assert client.verify().sound


def test_a_part_that_is_absent_is_noticed_by_the_volume_of_the_day(connect: Connect, exchange: Exchange) -> None:
    exchange.faults.inject("absent", endpoint="trades/SPBL/BTCUSDT/20260816_003.zip")
    client = connect()
    with pytest.raises(IncompleteData) as caught:
        client.trades("BTCUSDT", "2026-08-15T16:00", "2026-08-16T16:00")
    [span] = caught.value.missing
    assert "full" in str(caught.value)
    before = client.trades("BTCUSDT", "2026-08-15T16:00Z", pd.Timestamp(span.start_ms, unit="ms", tz="UTC"))
    assert len(before) == pytest.approx(4_000, abs=3)


def test_a_month_with_another_instrument_in_it_is_set_aside(connect: Connect, exchange: Exchange) -> None:
    exchange.faults.inject("swapped_instrument", endpoint="kline_month/BTCUSDT/SP/BTCUSDT_SP_1min_202608.zip")
    reported = connect().download("BTCUSDT", "1m", "2026-08-10", "2026-08-20", source="archive").attrs["bgresearch"]
    assert [one["file"] for one in reported["archive"]["BTCUSDT"]["set_aside"]] == [
        "kline_month/BTCUSDT/SP/BTCUSDT_SP_1min_202608.zip"
    ]
    [gap] = reported["gaps"]["BTCUSDT"]
    assert gap["cause"] == "the file of the archive holds other rows and was set aside"


def test_a_month_that_is_absent_is_fetched_as_days(connect: Connect, exchange: Exchange) -> None:
    exchange.faults.inject("absent", endpoint="kline_month/BTCUSDT/SP/BTCUSDT_SP_1min_202608.zip")
    reported = connect().download("BTCUSDT", "1m", "2026-08-10", "2026-08-20", source="archive").attrs["bgresearch"]
    assert reported["archive"]["BTCUSDT"]["files"] == 11
    assert reported["gaps"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("source", ["auto", "archive"])
def test_a_block_stops_politely(connect: Connect, exchange: Exchange, truth: pd.DataFrame, source: str) -> None:
    exchange.faults.inject("block")
    client = connect()
    if source == "archive":
        with pytest.raises(AccessBlocked, match="refuses this client"):
            client.download("BTCUSDT", "1m", START, END, source="archive")
    else:
        frame = client.download("BTCUSDT", "1m", "2026-06-20", END)  # long enough for the archive to be cheaper
        assert frame["error"].isna().all()
        assert frame["gaps"].tolist() == [0]
    archive = client._source.archive
    assert archive is not None
    assert archive.sent <= 4  # those that were on their way
    sent = archive.sent
    with pytest.raises(AccessBlocked):
        archive.look("kline/BTCUSDT/SP/20250101.zip")
    assert archive.sent == sent
    pd.testing.assert_frame_equal(client.candles("BTCUSDT", "1m", START, END), truth, check_exact=True)


def test_an_archive_that_is_down_ends_in_words(connect: Connect, exchange: Exchange) -> None:
    exchange.faults.inject("http503")
    with pytest.raises(NetworkError, match="fewer requests"):
        connect().download("BTCUSDT", "1m", START, END, source="archive")


@pytest.mark.slow
def test_the_pace_is_kept_and_nothing_private_leaves(served: Served, exchange: Exchange) -> None:
    seen: list[Request] = []
    running, most, lock = [0], [0], threading.Lock()
    answer = exchange.archive.answer

    class Watching:
        def answer(self, request: Request, now_ms: int) -> Response:
            with lock:
                seen.append(request)
                running[0] += 1
                most[0] = max(most[0], running[0])
            try:
                return answer(request, now_ms)
            finally:
                with lock:
                    running[0] -= 1

    exchange.archive = Watching()  # type: ignore[assignment]  # stands in for the archive and passes everything on
    started = exchange.clock.monotonic_s()
    client = served()
    client.download("BTCUSDT", "1m", "2026-07-01", "2026-08-01", source="archive")
    client.trades("BTCUSDT", "2026-08-10", "2026-08-13")
    elapsed = exchange.clock.monotonic_s() - started
    assert len(seen) > 12
    assert len(seen) <= 10 * (elapsed + 1)
    assert most[0] <= 4
    for request in seen:
        names = {name.lower() for name in request.headers}
        assert not {name for name in names if name.startswith("access-") or name in ("cookie", "authorization")}
        assert request.headers.get("user-agent", "").startswith("bgresearch/")
        assert "?" not in request.target


def test_a_redirect_is_not_followed(connect: Connect, exchange: Exchange) -> None:
    class Elsewhere:
        def answer(self, _request: Request, _now_ms: int) -> Response:
            return Response(302, {"Location": "http://127.0.0.1:9/x"}, b"")

    exchange.archive = Elsewhere()  # type: ignore[assignment]
    with pytest.raises(NetworkError, match="HTTP 302"):
        connect().download("BTCUSDT", "1m", START, END, source="archive")


def test_interrupted_work_goes_on_where_it_was(connect: Connect, exchange: Exchange, tmp_path: Path) -> None:
    client, calls = connect(), [0]

    def interrupt(_done: int, _all: int) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.download("BTCUSDT", "1m", "2026-05-01", "2026-08-01", source="archive", progress=interrupt)
    incoming = Path(client.data_dir) / ".archive" / "incoming"
    until(lambda: not incoming.exists())  # an interrupted call does not wait for its threads; each clears up at its end
    frame = client.download("BTCUSDT", "1m", "2026-05-01", "2026-08-01", source="archive")
    assert frame["gaps"].tolist() == [0]
    whole = connect(data_dir=tmp_path / "whole")
    whole.download("BTCUSDT", "1m", "2026-05-01", "2026-08-01", source="archive")
    one, other = (each.candles("BTCUSDT", "1m", "2026-05-01", "2026-08-01") for each in (client, whole))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_warning_names_the_file_that_was_set_aside(connect: Connect, exchange: Exchange) -> None:
    exchange.faults.inject("swapped_instrument", endpoint="kline/BTCUSDT/SP/20260817.zip")
    with pytest.warns(ArchiveWarning, match=r"kline/BTCUSDT/SP/20260817\.zip was set aside: its prices"):
        connect().download("BTCUSDT", "1m", START, END, source="archive")


def test_a_re_upload_is_reported(served: Served, exchange: Exchange) -> None:
    client = served()
    client.download("BTCUSDT", "1m", START, END, source="archive")
    assert client.archive_changes() == []
    exchange.faults.inject("reuploaded", endpoint="kline/BTCUSDT/SP/20260817.zip")
    exchange.faults.inject("absent", endpoint="kline/BTCUSDT/SP/BTCUSDT_SP_1min_20260818.zip")
    changes = {change.key: change.what for change in client.archive_changes()}
    assert changes == {
        "kline/BTCUSDT/SP/20260817.zip": "it was uploaded again",
        "kline/BTCUSDT/SP/BTCUSDT_SP_1min_20260818.zip": "it is gone",
    }


def test_offline_nothing_is_asked_of_the_archive(connect: Connect) -> None:
    client: Client = connect(offline=True)
    for ask in (
        lambda: client.download("BTCUSDT", "1m", START, END),
        lambda: client.trades("BTCUSDT", START, END),
        lambda: client.quotes("BTCUSDT", START, END),
        client.archive_changes,
    ):
        with pytest.raises(BgresearchError):
            ask()
    assert client.requests_sent == 0
