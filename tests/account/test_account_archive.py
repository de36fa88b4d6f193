"""The archive of private history: complete and exact after any death, asks once, says what is lost, due and refused."""

from __future__ import annotations

import errno
import random
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import pytest

from bgresearch.account.archive import Archive
from bgresearch.account.kinds import BILLS, KINDS
from bgresearch.catalogue import Endpoint
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span
from bgresearch.core.timestamps import moment_ms
from bgresearch.errors import IncompleteData, InvalidInput, NetworkError, OfflineError, StoreError
from bgresearch.http.sender import Reply
from bgresearch.market.recorder.series import RECORDABLE
from bgresearch.sandbox import Exchange
from tests.account.trader_truth import REPORTED, kept, truth
from tests.conftest import Connect

START = moment_ms("2026-01-01", "start")[0]
ACCOUNTS = {"readonly": "classic", "unified": "unified", "spot_only": "classic"}
FINAL_MS = 5 * 60_000
SOME = tuple(kind for kind in REPORTED if kind != "orders")  # the sandbox takes long to list them
FEW = ("fills", "deposits")


class Killed(BaseException):
    """The process is no more: nothing that catches errors may go on."""


def move_to(clock: ManualClock, day: int) -> None:
    """Set the clock to nine o'clock of a day after the accounts were opened."""
    clock.jump(START + day * DAY_MS + 9 * 3_600_000 - clock.now_ms())


def mortal(client: Client, breaths: int) -> None:
    """Let the client die when it sends so many requests."""
    source = client._source
    send: Callable[[Endpoint, Mapping[str, object]], Reply] = source.sender.send
    left = [breaths]

    def one(endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return send(endpoint, params)

    source.sender.send = one  # type: ignore[method-assign]


def run(client: Client, **options: object) -> Archive:
    return client.account.archive(kinds=options.pop("kinds", REPORTED), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "kinds"), [("readonly", SOME), ("unified", ("fills", "deposits", "withdrawals"))])
@pytest.mark.slow
def test_two_hundred_days_run_every_thirty_and_killed_at_random_are_complete_and_exact(
    connect: Connect, exchange: Exchange, clock: ManualClock, key: str, kinds: tuple[str, ...]
) -> None:
    rng, kills = random.Random(key), 0  # noqa: S311 - moments, not secrets
    exchange.accounts[ACCOUNTS[key]].history(START + 210 * DAY_MS)  # made once, as it takes a second
    for day in (30, 60, 90, 120, 150, 180, 200):
        move_to(clock, day)
        for _ in range(2):
            client = connect(key=key)
            mortal(client, rng.randrange(40))
            try:
                run(client, kinds=kinds)
            except Killed:
                kills += 1
        run(connect(key=key), kinds=kinds)
    account, final = exchange.accounts[ACCOUNTS[key]], Span(START, clock.now_ms() - FINAL_MS)
    client = connect(key=key, offline=True)
    expected = truth(account, clock.now_ms(), final)
    for (kind, lot), ids in expected.items():
        if kind in kinds:
            assert kept(client._source, account.uid, kind, lot, final) == ids, (kind, lot)
    assert kills > 6
    assert len(expected["fills", "spot"]) > 6_000
    read = client.account.fills("2026-01-01", "2026-07-20T08:00")  # the verbs read the archive, and nobody is asked
    assert len(read) == len([at for _, at in expected["fills", "spot"] if at < moment_ms("2026-07-20T08:00", "")[0]])
    assert client.requests_sent == 0


def test_again_it_asks_only_for_what_is_new(connect: Connect, exchange: Exchange, clock: ManualClock) -> None:
    move_to(clock, 80)
    first = run(connect(), kinds=FEW)
    assert first.new == sum(line.rows for line in first.lines) > 1_000
    again = run(connect(), kinds=FEW)
    assert again.new == 0
    assert sum(line.requests for line in again.lines) < sum(line.requests for line in first.lines) / 3
    move_to(clock, 82)
    later = run(connect(), kinds=FEW)
    span = Span(START + 80 * DAY_MS + 9 * 3_600_000 - FINAL_MS, clock.now_ms() - FINAL_MS)
    expected = truth(exchange.accounts["classic"], clock.now_ms(), span)
    assert later.new == sum(len(ids) for (kind, _), ids in expected.items() if kind in FEW) > 0


@pytest.mark.slow
def test_what_a_key_may_not_read_is_named_with_its_box_and_the_rest_is_kept_and_filled_later(
    connect: Connect, clock: ManualClock
) -> None:
    move_to(clock, 40)
    found = run(connect(key="spot_only"))
    assert not found.complete
    assert {line.kind for line in found.failed} == {
        "fills", "orders", "closed_positions", "bills", "transfers", "deposits", "withdrawals"
    }  # fmt: skip
    spot = {line.kind: line for line in found.lines if line.lot == "spot"}
    assert all(spot[kind].rows and not spot[kind].problem for kind in ("fills", "orders", "bills"))
    said = "\n".join(found.warnings)
    assert "fills (usdt-futures, usdc-futures, coin-futures), orders (usdt-futures" in said
    for box in ("futures orders", "futures holdings", "wallet transfer"):
        assert said.count(f"tick the read box '{box}'") == 1
    assert "deletes more of what failed every day" in said
    whole = run(connect())  # another key of the same account
    assert whole.complete
    assert whole.failed == ()
    by = {(line.kind, line.lot): line for line in whole.lines}
    assert by["fills", "spot"].new < 60
    assert by["fills", "usdt-futures"].new == by["fills", "usdt-futures"].rows > 100


@pytest.mark.slow
def test_what_is_due_is_what_would_be_lost_next(connect: Connect, clock: ManualClock) -> None:
    move_to(clock, 20)
    first = run(connect(), kinds=FEW)
    due = first.due
    assert due is not None
    assert first.warnings == (f"Run it again before {due[:10]}: the exchange then begins to delete newer records.",)
    due_ms = moment_ms(due, "due")[0]
    clock.jump(due_ms - 120_000 - clock.now_ms())
    assert all(line.lost == () for line in run(connect(), kinds=FEW).lines)


@pytest.mark.slow
def test_what_was_forgotten_between_two_runs_is_reported_every_time(connect: Connect, clock: ManualClock) -> None:
    move_to(clock, 20)
    run(connect(), kinds=["fills"])
    move_to(clock, 150)
    for _ in range(2):
        found = run(connect(), kinds=["fills"])
        (line, *_others) = found.lines
        ((start, end),) = line.lost
        assert start.startswith("2026-01-21T08:5")
        assert end.startswith("2026-03-02T09:0")
        assert f"fills (spot): {start} to {end} was deleted by the exchange before it was stored." in found.warnings
    with pytest.raises(IncompleteData):
        connect().account.fills("2026-01-01")


def test_since_bounds_what_is_asked_and_an_older_one_says_what_is_gone(connect: Connect, clock: ManualClock) -> None:
    move_to(clock, 150)
    late = run(connect(), kinds=FEW, since="2026-05-20")
    assert {line.first for line in late.lines} == {"2026-05-20T00:00:00Z"}
    early = run(connect(), kinds=FEW, since="2026-02-01")
    assert all(line.lost[0][0] == "2026-02-01T00:00:00Z" for line in early.lines)
    assert all(line.first is not None and line.first.startswith("2026-03-02") for line in early.lines)


def test_a_broken_list_does_not_stop_the_others_but_a_dead_line_does(
    connect: Connect, exchange: Exchange, clock: ManualClock
) -> None:
    move_to(clock, 20)
    exchange.faults.inject("unknown_code", endpoint="spot.trade_fills")
    found = run(connect())
    assert [(line.kind, line.lot) for line in found.failed] == [("fills", "spot")]
    assert "99999" in found.failed[0].problem
    exchange.faults.clear()
    exchange.faults.inject("reset")
    with pytest.raises(NetworkError):
        run(connect())
    exchange.faults.clear()
    assert run(connect()).complete


@pytest.mark.slow
def test_mishaps_on_the_way_lose_nothing_and_double_nothing(
    connect: Connect, exchange: Exchange, clock: ManualClock
) -> None:
    move_to(clock, 45)
    for fault in ("false_empty", "duplicates", "maintenance"):
        exchange.faults.inject(fault, probability=0.05)
    for _ in range(3):
        run(connect())
    span = Span(START, clock.now_ms() - FINAL_MS)
    for (kind, lot), ids in truth(exchange.accounts["classic"], clock.now_ms(), span).items():
        assert kept(connect()._source, "4100200301", kind, lot, span) == ids, (kind, lot)


def test_two_at_once_double_nothing(connect: Connect, exchange: Exchange, clock: ManualClock) -> None:
    move_to(clock, 20)
    failed: list[BaseException] = []

    def one() -> None:
        try:
            run(connect(), kinds=FEW)
        except BaseException as error:  # noqa: BLE001 - a thread's end is the test's
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    span = Span(START, START + 20 * DAY_MS)
    for (kind, lot), ids in truth(exchange.accounts["classic"], clock.now_ms(), span).items():
        if kind in FEW:
            assert kept(connect()._source, "4100200301", kind, lot, span) == ids, (kind, lot)


def test_a_full_disk_ends_it_and_the_next_run_goes_on(connect: Connect, exchange: Exchange, clock: ManualClock) -> None:
    move_to(clock, 85)
    client = connect()
    disk, written = client._source.store._disk, [0]

    def full(file: BinaryIO, data: bytes) -> None:
        written[0] += 1
        if written[0] > 2:
            file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "full")
        file.write(data)

    disk.write = full  # type: ignore[method-assign]
    with pytest.raises(StoreError, match=r"The disk is full: free some space"):
        run(client, kinds=FEW)
    found = run(connect(), kinds=FEW)
    assert found.complete
    span = Span(START, clock.now_ms() - FINAL_MS)
    expected = truth(exchange.accounts["classic"], clock.now_ms(), span)["fills", "spot"]
    assert kept(connect()._source, "4100200301", "fills", "spot", span) == expected


@pytest.mark.slow
def test_everything_it_writes_is_private(connect: Connect, clock: ManualClock, tmp_path: Path) -> None:
    move_to(clock, 10)
    found = run(connect())
    account = tmp_path / "data" / "account"
    assert found.folder == str(account / "4100200301")
    for path in account.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_the_words_and_the_frame_say_the_same(connect: Connect, clock: ManualClock) -> None:
    move_to(clock, 10)
    messages: list[str] = []
    found = run(connect(key="spot_only"), kinds=["fills"], say=messages.append)
    frame = found.frame()
    assert len(messages) == len(frame) == len(found.lines) == 4
    assert frame.new.sum() == found.new
    assert str(frame["first"].dtype) == str(frame["due"].dtype)
    assert str(found).splitlines()[0].split() == ["kind", "of", "records", "new", "complete", "from", "to",
                                                  "run", "again", "before"]  # fmt: skip
    assert "failed" in str(found).splitlines()[2]
    assert "tick the read box" in found._repr_html_()


def test_offline_and_wrong_words_are_refused_before_anything_is_asked(connect: Connect, clock: ManualClock) -> None:
    move_to(clock, 10)
    with pytest.raises(OfflineError, match="an archive run needs the exchange"):
        run(connect(offline=True))
    client = connect()
    with pytest.raises(InvalidInput, match="since: 2026-12-01T00:00:00Z is in the future"):
        run(client, since="2026-12-01")
    with pytest.raises(InvalidInput, match="kinds: 'moons' is unknown"):
        run(client, kinds=["moons"])
    assert client.requests_sent == 0


def test_transfers_are_asked_for_every_coin_of_the_ledger_also_those_that_came_and_went(
    connect: Connect, clock: ManualClock
) -> None:
    move_to(clock, 20)
    client = connect()
    at = clock.now_ms() - 3 * DAY_MS
    line = {"time": at, "bill_id": "1", "account": "spot", "market": "spot", "coin": "DOGE", "kind": "transfer_in"}
    client._source.store.write(BILLS.series("4100200301", "spot"), BILLS.shape.table([line]), [Span(at, at + 1)])
    found = run(client, kinds=["transfers"])
    assert "DOGE" in {line.lot for line in found.lines}


def test_the_page_names_every_kind_that_is_archived_and_every_one_that_is_recorded() -> None:
    pages = Path(__file__).parents[2] / "docs"
    archive_page, commands = (pages / "archive.md").read_text(), (pages / "cli.md").read_text()
    assert all(f".{kind}`" in archive_page for kind in KINDS)
    assert all(f"`{kind}`" in archive_page and f"`{kind}`" in commands for kind in RECORDABLE)
