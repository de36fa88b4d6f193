"""A walk that was interrupted goes on where it stopped: no page is asked for twice, nothing is lost."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from bgresearch.catalogue import load
from bgresearch.client.api import ApiCall
from bgresearch.client.api_pages import ApiContext
from bgresearch.core.clock import ManualClock
from bgresearch.errors import OfflineError, StoreError
from bgresearch.sandbox import Exchange
from bgresearch.store import Store
from tests.conftest import NOW_MS, Connect
from tests.pagination.conftest import Busy
from tests.pagination.lists import Habits, ListSender

DAY_MS = 86_400_000
BILLS = load()["spot.account_bills"]


def bills(count: int) -> list[dict[str, str]]:
    return [{"billId": str(10**18 + at), "cTime": str(NOW_MS - (count - at) * 60_000)} for at in range(count)]


def api_call(folder: Path, sender: ListSender, clock: ManualClock, **options: object) -> ApiCall:
    return ApiCall(ApiContext(sender, Store(folder, clock=clock), clock, progress=False, **options), BILLS)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", range(14))
def test_ctrl_c_at_any_request_costs_no_page(tmp_path: Path, at: int) -> None:
    clock, start = ManualClock(NOW_MS), NOW_MS - 100 * DAY_MS
    undisturbed = ListSender(BILLS, bills(104), time="cTime", known_by="billId", habits=Habits())
    whole = api_call(tmp_path / "whole", undisturbed, clock).all(startTime=start, limit=10)
    sender = ListSender(BILLS, bills(104), time="cTime", known_by="billId", habits=Habits())
    sender.fails_at = at
    with pytest.raises(KeyboardInterrupt):
        api_call(tmp_path / "cut", sender, clock).all(startTime=start, limit=10)
    sender.fails_at = None
    frame = api_call(tmp_path / "cut", sender, clock).all(startTime=start, limit=10)
    assert frame["billId"].tolist() == whole["billId"].tolist()
    assert sender.with_rows == undisturbed.with_rows
    assert not list((tmp_path / "cut").rglob("*.jsonl"))


def test_what_was_added_while_nobody_walked_is_walked_too(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    sender = ListSender(BILLS, bills(50), time="cTime", known_by="billId", habits=Habits())
    sender.fails_at = 2
    call = api_call(tmp_path, sender, clock)
    with pytest.raises(KeyboardInterrupt):
        call.all(startTime=NOW_MS - DAY_MS, limit=10)
    for number in (1, 2):
        clock.advance(3600)
        sender.rows.append({"billId": str(10**18 + 100 + number), "cTime": str(clock.now_ms() - 1)})
        sender.fails_at = sender.sent + 1
        if number == 1:
            with pytest.raises(KeyboardInterrupt):
                call.all(startTime=NOW_MS - DAY_MS, limit=10)
    sender.fails_at = None
    frame = call.all(startTime=NOW_MS - DAY_MS, limit=10)
    assert Counter(frame["billId"]) == Counter(row["billId"] for row in sender.rows)
    assert frame["cTime"].is_monotonic_decreasing


def test_an_old_walk_is_not_taken_up_again_nor_one_that_is_not_wanted(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    sender = ListSender(BILLS, bills(50), time="cTime", known_by="billId", habits=Habits())
    call = api_call(tmp_path, sender, clock)
    for pause_s, options in ((25 * 3600.0, {}), (1.0, {"resume": False})):
        sender.fails_at = sender.sent + 3
        with pytest.raises(KeyboardInterrupt):
            call.all(startTime=NOW_MS - DAY_MS, limit=10)
        clock.advance(pause_s)
        sender.fails_at = None
        frame = call.all(startTime=NOW_MS - DAY_MS, limit=10, **options)
        assert frame.attrs["bgresearch"]["kept_pages"] == 0
        assert len(frame) == 50


def test_another_key_or_other_parameters_are_another_walk(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    sender = ListSender(BILLS, bills(50), time="cTime", known_by="billId", habits=Habits())
    sender.fails_at = 3
    with pytest.raises(KeyboardInterrupt):
        api_call(tmp_path, sender, clock).all(startTime=NOW_MS - DAY_MS, limit=10)
    sender.fails_at = None
    assert (
        api_call(tmp_path, sender, clock).all(startTime=NOW_MS - DAY_MS, coin="BTC").attrs["bgresearch"]["kept_pages"]
        == 0
    )
    sender.label = "another"
    frame = api_call(tmp_path, sender, clock).all(startTime=NOW_MS - DAY_MS, limit=10)
    assert frame.attrs["bgresearch"]["kept_pages"] == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_kept_pages_of_an_account_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    sender = ListSender(BILLS, bills(50), time="cTime", known_by="billId", habits=Habits())
    sender.fails_at = 3
    with pytest.raises(KeyboardInterrupt):
        api_call(tmp_path, sender, clock).all(startTime=NOW_MS - DAY_MS, limit=10)
    (file,) = tmp_path.rglob("*.jsonl")
    assert file.parent == tmp_path / "account" / "walks"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [b'{"rows": [{"billId"', b"\x00\xff\n", b'"no line of ours"\n'])
def test_a_line_that_was_half_written_is_asked_for_again(tmp_path: Path, damage: bytes) -> None:
    clock = ManualClock(NOW_MS)
    sender = ListSender(BILLS, bills(50), time="cTime", known_by="billId", habits=Habits())
    sender.fails_at = 3
    call = api_call(tmp_path, sender, clock)
    with pytest.raises(KeyboardInterrupt):
        call.all(startTime=NOW_MS - DAY_MS, limit=10)
    (file,) = tmp_path.rglob("*.jsonl")
    with file.open("ab") as end:
        end.write(damage)
    sender.fails_at = None
    frame = call.all(startTime=NOW_MS - DAY_MS, limit=10)
    assert frame["billId"].is_unique
    assert len(frame) == 50


def test_pages_come_one_by_one_and_those_that_were_kept_come_from_disk(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    sender = ListSender(BILLS, bills(50), time="cTime", known_by="billId", habits=Habits())
    call = api_call(tmp_path, sender, clock)
    first = call.pages(startTime=NOW_MS - DAY_MS, limit=10)
    assert [len(next(first)), len(next(first)), sender.sent] == [10, 10, 2]
    with pytest.raises(StoreError, match="under way"):
        next(call.pages(startTime=NOW_MS - DAY_MS, limit=10))
    first.close()
    again = call.pages(startTime=NOW_MS - DAY_MS, limit=10)
    assert [len(next(again)), len(next(again)), sender.sent] == [10, 10, 2]
    assert sum(len(page) for page in again) == 30
    assert not list(tmp_path.rglob("*.jsonl"))


def test_offline_asks_nobody_and_leaves_the_kept_pages_alone(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    sender = ListSender(BILLS, bills(50), time="cTime", known_by="billId", habits=Habits())
    sender.fails_at = 3
    with pytest.raises(KeyboardInterrupt):
        api_call(tmp_path, sender, clock).all(startTime=NOW_MS - DAY_MS, limit=10)
    call = api_call(tmp_path, sender, clock, offline=True)
    with pytest.raises(OfflineError, match=r"spot\.account_bills needs the exchange"):
        call.all(startTime=NOW_MS - DAY_MS, limit=10)
    with pytest.raises(OfflineError):
        next(call.pages(startTime=NOW_MS - DAY_MS, limit=10))
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1


KILLED = """
    import os, signal, sys
    import bgresearch
    from bgresearch.core.clock import ManualClock
    from bgresearch.sandbox import Exchange
    from bgresearch.sandbox.traders.heavy_trader import HeavyTrading, with_heavy_trading
    clock = ManualClock({now})
    exchange = Exchange(clock=clock)
    exchange.accounts["classic"] = with_heavy_trading(exchange.accounts["classic"], HeavyTrading({now}, entries=900))
    client = bgresearch.connect(sandbox=exchange, data_dir=sys.argv[1], clock=clock, progress=False)
    for number, page in enumerate(client.api.spot.account_bills.pages(startTime={start}, limit=100)):
        if number == 4:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_killed_process_leaves_its_pages_to_the_next_one(
    tmp_path: Path, busy: Busy, exchange: Exchange, connect: Connect
) -> None:
    start = NOW_MS - 86 * DAY_MS
    code = textwrap.dedent(KILLED).format(now=NOW_MS, start=start)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")], check=False)  # noqa: S603
    assert done.returncode == -signal.SIGKILL
    _, trading = busy(entries=900)
    frame = connect().api.spot.account_bills.all(startTime=start, limit=100)
    assert frame.attrs["bgresearch"]["kept_pages"] == 5
    assert Counter(map(int, frame["billId"])) == Counter(row.entry_id for row in trading.until(0).entries)


def test_progress_counts_the_rows(tmp_path: Path) -> None:
    result: list[tuple[int, int]] = []
    sender = ListSender(BILLS, bills(25), time="cTime", known_by="billId", habits=Habits())
    call = api_call(tmp_path, sender, ManualClock(NOW_MS))
    call.all(startTime=NOW_MS - DAY_MS, limit=10, progress=lambda done, total: result.append((done, total)))
    assert result == [(10, 0), (20, 0), (25, 0)]


def test_what_the_exchange_forgot_during_an_interruption_is_named_and_not_asked_for(tmp_path: Path) -> None:
    clock, row = ManualClock(NOW_MS), load()["spot.trade_fills"]
    rows = [{"tradeId": str(10**18 + at), "cTime": str(NOW_MS - (89 - at) * DAY_MS)} for at in range(89)]
    sender = ListSender(row, rows, time="cTime", known_by="tradeId", habits=Habits())
    call = ApiCall(ApiContext(sender, Store(tmp_path, clock=clock), clock, progress=False), row)
    sender.fails_at = 3
    with pytest.raises(KeyboardInterrupt):
        call.all(startTime=NOW_MS - 89 * DAY_MS, limit=10)
    clock.advance(23 * 3600)
    sender.fails_at = None
    frame = call.all(startTime=NOW_MS - 89 * DAY_MS, limit=10)
    assert len(frame) == 89  # 89 days and 23 hours are within the 90
    sender.fails_at = sender.sent + 3
    with pytest.raises(KeyboardInterrupt):
        call.all(startTime=NOW_MS - 89 * DAY_MS, limit=10)
    clock.advance(3 * 3600)
    sender.fails_at = None
    with pytest.warns(UserWarning, match=r"spot\.trade_fills: .* is older than the 90 days"):
        frame = call.all(startTime=NOW_MS - 89 * DAY_MS, limit=10)
    assert len(frame) == 88
    oldest = min(int(asked["startTime"]) for asked in sender.asked[-3:])
    assert oldest >= clock.now_ms() - 90 * DAY_MS
