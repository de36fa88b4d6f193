"""Lists as they were: kept when they change, survivors not taken for everybody, tickers used twice kept apart."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bgresearch.catalogue.value_types import TIME
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, InvalidInput, OfflineError
from bgresearch.market.listing_history import Seen, ever_listed, listed
from bgresearch.session.session import Session
from tests.conftest import Connect, SessionOf

DAY_S = 86_400
GONE, GONE_MS = "GONEUSDT", 1_770_717_600_000  # the sandbox delists it on 2026-02-10
SCHEMA = pa.schema([("symbol", pa.string()), ("status", pa.string()), ("listed", TIME), ("delisted", TIME)])
A, B = ("AUSDT", 1_000), ("BUSDT", 2_000)


class Board:
    """What the exchange lists; counts how often it is asked."""

    def __init__(self, source: Session, *rows: tuple[str, int]) -> None:
        self.source, self.rows, self.asked = source, list(rows), 0
        self.lies: list[list[tuple[str, int]]] = []

    def ask(self) -> pa.Table:
        self.asked += 1
        rows = self.lies.pop() if self.lies else self.rows
        return pa.Table.from_pylist(
            [{"symbol": symbol, "status": "online", "listed": listed} for symbol, listed in reversed(rows)], SCHEMA
        )

    def seen(self, **options: Any) -> Seen:
        return listed(self.source, "symbols", "spot", self.ask, **options)

    def symbols(self, **options: Any) -> list[str]:
        return list(self.seen(**options).table.column("symbol").to_pylist())


@pytest.fixture
def source(connect: Connect, session_of: SessionOf) -> Session:
    return session_of(connect())


def at(clock: ManualClock, days: float) -> int:
    return clock.now_ms() + int(days * DAY_S * 1000)


def test_a_list_is_given_as_it_was_and_what_was_delisted_stays_in_it(source: Session, clock: ManualClock) -> None:
    board = Board(source, A, B)
    assert board.symbols() == ["AUSDT", "BUSDT"]
    clock.advance(10 * DAY_S)
    board.rows = [B]
    assert board.symbols() == ["BUSDT"]
    clock.advance(10 * DAY_S)
    before = board.asked
    old = board.seen(at=at(clock, -15))
    assert old.table.column("symbol").to_pylist() == ["AUSDT", "BUSDT"]
    assert old.basis == "seen before"  # it changed at some time in those ten days
    assert old.next_ms == at(clock, -10)
    assert board.seen(at=at(clock, -10)).basis == "seen"
    assert board.asked == before


def test_a_list_is_kept_only_when_it_changed_and_its_span_grows_else(
    source: Session, clock: ManualClock, tmp_path: Path
) -> None:
    board = Board(source, A, B)
    for _ in range(5):
        board.seen()
        clock.advance(DAY_S)
    seen = board.seen(at=at(clock, -2.5))
    assert seen.basis == "seen"
    assert seen.until_ms - seen.since_ms == 4 * DAY_S * 1000
    kept = sum(pq.read_metadata(path).num_rows for path in tmp_path.rglob("*.parquet"))
    assert kept == 2


def test_another_order_of_the_same_rows_is_no_change(source: Session, clock: ManualClock) -> None:
    board = Board(source, A, B)
    first = board.seen()
    board.rows = [B, A]
    clock.advance(1)
    assert board.seen().since_ms == first.since_ms


def test_a_moment_after_the_last_look_asks_once_and_others_do_not(source: Session, clock: ManualClock) -> None:
    board = Board(source, A, B)
    board.seen()
    clock.advance(DAY_S)
    assert board.seen(at=at(clock, -0.5)).basis == "seen"
    assert board.asked == 2
    assert board.seen(at=at(clock, -0.4)).basis == "seen"
    assert board.asked == 2


def test_a_ticker_used_again_is_another_row(source: Session, clock: ManualClock) -> None:
    board = Board(source, A, B)
    start = clock.now_ms()
    for days, rows in ((10, [B]), (10, [("AUSDT", 9_000), B])):
        board.seen()
        clock.advance(days * DAY_S)
        board.rows = rows
    board.seen()
    rows = ever_listed(source, "symbols", "spot").to_pylist()
    assert [(row["symbol"], row["listed"].timestamp() * 1000, row["gone"]) for row in rows] == [
        ("AUSDT", 1_000, True), ("AUSDT", 9_000, False), ("BUSDT", 2_000, False),
    ]  # fmt: skip
    assert [round((row["first_seen"].timestamp() * 1000 - start) / DAY_S / 1000) for row in rows] == [0, 20, 0]
    assert [round((row["last_seen"].timestamp() * 1000 - start) / DAY_S / 1000) for row in rows] == [0, 20, 20]


def test_before_the_first_list_the_listing_times_speak_and_say_so(source: Session, clock: ManualClock) -> None:
    board = Board(source, A, ("NEWUSDT", at(clock, -5)))
    with pytest.warns(UserWarning, match=r"No list of 2026-11-10.*Those delisted in between are missing"):
        seen = board.seen(at="2026-11-10")
    assert seen.table.column("symbol").to_pylist() == ["AUSDT"]
    assert seen.basis == "listing times"


def test_offline_the_newest_list_is_given_with_its_age_or_what_to_run(
    connect: Connect, session_of: SessionOf, clock: ManualClock
) -> None:
    offline = Board(session_of(connect(offline=True)), A)
    with pytest.raises(OfflineError, match=r"no list of spot symbols is kept.*client.symbols\(market='spot'\)"):
        offline.seen()
    Board(session_of(connect()), A).seen()
    clock.advance(DAY_S)
    seen = offline.seen()
    assert seen.words(clock.now_ms())["age_s"] == DAY_S
    assert offline.seen(at=at(clock, -0.5)).basis == "seen before"
    assert offline.asked == 0


def test_a_young_list_is_given_without_asking(source: Session, clock: ManualClock) -> None:
    board = Board(source, A)
    board.seen()
    clock.advance(59)
    board.seen(max_age=60)
    assert board.asked == 1
    clock.advance(2)
    board.seen(max_age=60)
    assert board.asked == 2


def test_a_list_that_lost_its_rows_for_a_moment_is_not_believed(source: Session, clock: ManualClock) -> None:
    board = Board(source, A, B)
    board.seen()
    clock.advance(1)
    board.lies = [[], []]
    assert board.symbols() == ["AUSDT", "BUSDT"]
    board.rows = []
    with pytest.raises(BadResponse, match="empty 3 times and had 2 rows"):
        board.seen()


def test_a_market_that_never_listed_anything_has_an_empty_list(source: Session, clock: ManualClock) -> None:
    board = Board(source)
    assert board.symbols() == []
    clock.advance(60)
    assert board.symbols(max_age=3600) == []
    board.rows = [A]
    assert board.symbols() == ["AUSDT"]


def test_an_older_look_that_comes_late_undoes_nothing(source: Session, clock: ManualClock) -> None:
    board = Board(source, A, B)
    board.seen()
    clock.advance(10)
    asked = threading.Event()

    def old_answer() -> pa.Table:
        """Ask; before the answer is kept, another process sees a newer list."""
        table = Board(source, A, B).ask()
        if not asked.is_set():
            asked.set()
            clock.advance(5)
            board.rows = [B]
            board.seen()
        clock.advance(5)
        return table

    listed(source, "symbols", "spot", old_answer)
    assert board.symbols(max_age=3600) == ["BUSDT"]


def test_the_lists_of_markets_and_kinds_lie_apart(source: Session) -> None:
    for place, symbol in ((("symbols", "spot"), "A"), (("coins", "spot"), "B"), (("symbols", "usdt-futures"), "C")):
        listed(source, *place, Board(source, (symbol, 1)).ask)
    assert ever_listed(source, "symbols", "spot").column("symbol").to_pylist() == ["A"]


def test_wrong_moments_are_refused(source: Session) -> None:
    with pytest.raises(InvalidInput, match=r"at: 2999-01-01T00:00:00Z is in the future"):
        Board(source, A).seen(at="2999-01-01")


def test_the_exchange_s_own_lists_as_they_were(connect: Connect, clock: ManualClock) -> None:
    client = connect()
    now = clock.now_ms()
    clock.jump(GONE_MS - 10 * DAY_S * 1000 - now)
    before = client.symbols("usdt-futures")
    clock.jump(now - clock.now_ms())
    after = client.symbols("usdt-futures")
    assert set(before.symbol) - set(after.symbol) == {GONE}
    old = client.symbols("usdt-futures", at=GONE_MS - 9 * DAY_S * 1000)
    assert GONE in set(old.symbol)
    assert old.attrs["bgresearch"]["basis"] == "seen before"
    ever = client.listings("usdt-futures")
    assert list(ever[ever.gone].symbol) == [GONE]
    assert set(ever[~ever.gone].symbol) == set(after.symbol)
    offline = connect(offline=True)
    assert list(offline.symbols("usdt-futures").symbol) == list(after.symbol)
    assert offline.requests_sent == 0
