"""No verb gives fewer rows than were kept: what is damaged is fetched again, or an error with spans.

Damaged are data pages, by one flipped bit, or footers.
"""

from __future__ import annotations

import datetime as dt
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.account.kinds import KINDS
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span, iso
from bgresearch.errors import BgresearchError, IncompleteData, OfflineError, StoreError
from bgresearch.store import StoreWarning, pins
from bgresearch.store import parquet_file as partition
from bgresearch.store.store import Store

NOW = dt.datetime(2026, 11, 20, 9, 0, 30, tzinfo=dt.UTC)
START, END = NOW - dt.timedelta(days=30), NOW - dt.timedelta(days=1)
DAY = NOW - dt.timedelta(days=2)
Verb = Callable[[Client], pd.DataFrame]
Connect = Callable[..., Client]
SLOW = pytest.mark.slow

VERBS: dict[str, tuple[str, Verb]] = {
    "candles": ("candles", lambda c: c.candles("BTCUSDT", "1h", START, END)),
    "trades": ("trades", lambda c: c.trades("BTCUSDT", END - dt.timedelta(minutes=20), END)),
    "funding_rates": ("funding_rates", lambda c: c.funding_rates("BTCUSDT", START, END, market="usdt-futures")),
    "fills": ("account", lambda c: c.account.fills(START, END)),
    "orders": ("account", lambda c: c.account.orders(START, END)),
    "plan_orders": ("account", lambda c: c.account.plan_orders(START, END)),
    "closed_positions": ("account", lambda c: c.account.closed_positions(START, END)),
    "bills": ("account", lambda c: c.account.bills(START, END)),
    "transfers": ("account", lambda c: c.account.transfers(START, END)),
    "deposits": ("account", lambda c: c.account.deposits(START, END)),
    "withdrawals": ("account", lambda c: c.account.withdrawals(START, END)),
}
FROM_THEN_ON: dict[str, Verb] = {  # more than before, so that newer rows are written into the same files
    "candles": lambda c: c.candles("BTCUSDT", "1h", START, END + dt.timedelta(hours=6)),
    "trades": lambda c: c.trades("BTCUSDT", END - dt.timedelta(minutes=20), END + dt.timedelta(minutes=5)),
    "funding_rates": lambda c: c.funding_rates("BTCUSDT", START, END + dt.timedelta(hours=9), market="usdt-futures"),
}
QUICK = {  # of each way in which something is kept one, and every kind of damage
    ("candles", "page"), ("trades", "footer"), ("deposits", "page"), ("withdrawals", "footer"),
    ("funding_rates", "page"), ("closed_positions", "footer"),
}  # fmt: skip
LENSES: dict[str, Callable[[Client], Any]] = {
    "sql": lambda c: c.lens.sql("SELECT sum(price) FROM trades"),
    "duckdb": lambda c: c.lens.duckdb().sql("SELECT sum(price) FROM trades").fetchall(),
    "polars": lambda c: c.lens.polars().trades().collect(),
    "dask": lambda c: c.lens.dask("trades").compute(scheduler="sync"),
}


@pytest.fixture
def keyed(connect: Connect, clock: ManualClock) -> Callable[..., Client]:
    return lambda **options: connect(key="readonly", **options)


def partitions(root: Path, folder: str) -> list[Path]:
    return sorted(path for path in (root / folder).rglob("*.parquet") if "assets" not in path.parts)


def flip(path: Path) -> bool:
    """Flip one bit of a data page that means something, and not the footer; return False of a file without rows."""
    data = path.read_bytes()
    pages = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for place in range(4 + (pages - 4) * 2 // 5, pages):
        flipped = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
        try:
            partition.decode_any(io.BytesIO(flipped))
        except partition.DamagedFile:
            path.write_bytes(flipped)
            return True
    return False


def cut(path: Path) -> bool:
    """Make a footer unreadable; return False of a file without rows."""
    if not partition.decode_any(io.BytesIO(path.read_bytes()))[0].num_rows:
        return False
    path.write_bytes(path.read_bytes()[:-6])
    return True


HOW = {"page": flip, "footer": cut}


EVERY = [pytest.param(name, how, marks=() if (name, how) in QUICK else SLOW) for name in VERBS for how in HOW]


def hurt(root: Path, folder: str, how: str = "page") -> list[Path]:
    """Damage every kept file of a folder that has rows."""
    found = [path for path in partitions(root, folder) if HOW[how](path)]
    assert found
    return found


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        yield


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("name", "how"), EVERY)
def test_online_the_rows_are_fetched_again(keyed: Callable[..., Client], tmp_path: Path, name: str, how: str) -> None:
    folder, verb = VERBS[name]
    before = verb(keyed())
    hurt(tmp_path / "data", folder, how)
    after = verb(keyed())
    pd.testing.assert_frame_equal(after, before)
    flaws = keyed().verify().flaws
    assert {flaw.kind for flaw in flaws} <= {"lost"}  # the rest of what a file may have held, if its footer is gone
    assert how == "footer" or flaws == []


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_file_that_newer_rows_are_written_into_is_fetched_again(
    keyed: Callable[..., Client], clock: ManualClock, tmp_path: Path, name: str, how: str
) -> None:
    folder, verb = VERBS[name]
    verb(keyed())
    clock.jump(3_600_000)
    hurt(tmp_path / "data", folder, how)
    later = FROM_THEN_ON.get(name, lambda c: getattr(c.account, name)(START, END + dt.timedelta(hours=6)))
    pd.testing.assert_frame_equal(later(keyed()), later(keyed(data_dir=tmp_path / "other")))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("how", HOW)
def test_a_download_fetches_again_what_is_damaged(connect: Connect, tmp_path: Path, how: str) -> None:
    connect().candles("BTCUSDT", "1h", START, END)
    hurt(tmp_path / "data", "candles", how)
    connect().download(["BTCUSDT"], "1h", START, END + dt.timedelta(hours=6))
    assert len(connect(offline=True).candles("BTCUSDT", "1h", START, END + dt.timedelta(hours=6))) == 29 * 24 + 6


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("name", "how"), EVERY)
def test_offline_it_is_an_error_with_the_spans_every_time(
    keyed: Callable[..., Client], tmp_path: Path, name: str, how: str
) -> None:
    folder, verb = VERBS[name]
    verb(keyed())
    try:
        verb(keyed(offline=True))
        whole = True
    except OfflineError:  # of what is not over, nothing is kept: offline that is an error without any damage
        whole = False
    hurt(tmp_path / "data", folder, how)
    for _ in range(2):
        with pytest.raises((IncompleteData, OfflineError, StoreError)) as caught:
            verb(keyed(offline=True))
        assert caught.value.missing
        assert not whole or ".damaged-" in str(caught.value)
    flaws = keyed(offline=True).verify().flaws
    assert {flaw.kind for flaw in flaws} <= {"lost", "damaged"}
    assert not whole or any(flaw.kind == "lost" and flaw.span for flaw in flaws)


@pytest.mark.quick_cases(3)
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("aside", [False, True], ids=["in place", "set aside"])
@pytest.mark.parametrize("name", LENSES)
def test_lenses_name_the_file_instead_of_reading_less(connect: Connect, tmp_path: Path, name: str, aside: bool) -> None:
    client = connect()
    client.trades("BTCUSDT", END - dt.timedelta(minutes=20), END)
    LENSES[name](connect(offline=True))
    (path,) = hurt(tmp_path / "data", "trades")
    if aside:
        with pytest.raises(OfflineError):
            connect(offline=True).trades("BTCUSDT", END - dt.timedelta(minutes=20), END)
        assert not path.exists()
    with pytest.raises(StoreError, match="damaged"):
        LENSES[name](connect(offline=True))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("aside", [False, True], ids=["in place", "set aside"])
def test_a_pin_and_a_publication_are_not_made_of_less(connect: Connect, tmp_path: Path, aside: bool) -> None:
    connect().trades("BTCUSDT", END - dt.timedelta(minutes=20), END)
    hurt(tmp_path / "data", "trades")
    if aside:
        with pytest.raises(OfflineError):
            connect(offline=True).trades("BTCUSDT", END - dt.timedelta(minutes=20), END)
    with pytest.raises(StoreError, match="damaged"):
        pins.create(tmp_path / "data", "frozen", 1)
    with pytest.raises(StoreError, match="damaged"):
        connect(offline=True).publish(f"file://{tmp_path}/there")


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("how", HOW)
def test_a_list_is_an_error_where_it_cannot_be_asked_again(
    connect: Connect, tmp_path: Path, clock: ManualClock, how: str
) -> None:
    connect().symbols()
    first = clock.now_ms()
    hurt(tmp_path / "data", "lists", how)
    for _ in range(2):
        with pytest.raises(BgresearchError) as caught:
            connect(offline=True).symbols()
        assert caught.value.missing or "no list" in str(caught.value)  # type: ignore[attr-defined]
    clock.advance(7_200)
    assert len(connect().symbols())  # asked again, and kept
    assert len(connect(offline=True).symbols())
    for verb in (lambda c: c.symbols(at=first), lambda c: c.listings()):
        with pytest.raises(StoreError, match="damaged") as lost:
            verb(connect())
        assert lost.value.missing


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("how", HOW)
def test_a_recording_is_an_error_as_its_instants_cannot_be_asked_again(
    connect: Connect, tmp_path: Path, clock: ManualClock, how: str
) -> None:
    connect().recorder("open-interest", "BTCUSDT", every="1h").run(count=3)
    before = connect().recorded("open-interest", "BTCUSDT", NOW)
    assert len(before) == 3
    hurt(tmp_path / "data", "recorded", how)
    for client in (connect(), connect(offline=True)):
        with pytest.raises(StoreError, match=r"damaged") as caught:
            client.recorded("open-interest", "BTCUSDT", NOW)
        assert caught.value.missing
    connect().recorder("open-interest", "BTCUSDT", every="1h").run(count=2)  # goes on
    later = connect(offline=True).recorded("open-interest", "BTCUSDT", clock.now_ms() - 5_400_000)
    assert len(later) == 2
    with pytest.raises(StoreError, match=r"damaged"):
        connect().recorded("open-interest", "BTCUSDT", NOW)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", [pytest.param("fills", marks=SLOW), pytest.param("bills", marks=SLOW), "deposits"])
def test_records_that_the_exchange_has_forgotten_are_an_error_and_the_archive_names_them(
    keyed: Callable[..., Client], tmp_path: Path, clock: ManualClock, name: str, how: str
) -> None:
    verb = VERBS[name][1]
    assert len(verb(keyed()))
    clock.jump(100 * 86_400_000)
    hurt(tmp_path / "data", "account", how)
    for options in ({}, {"offline": True}) * 2:
        with pytest.raises((IncompleteData, OfflineError), match=r"\.damaged-.*verify --repair") as caught:
            verb(keyed(**options))
        assert caught.value.missing
    (line, *_) = [line for line in keyed().account.archive(kinds=[name]).lines if line.lost]
    assert line.lost[0][0] < NOW.isoformat()


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("kinds", "how"),
    [
        (["deposits", "transfers"], "page"), pytest.param(["fills", "bills"], "page", marks=SLOW),
        pytest.param(["fills", "bills"], "footer", marks=SLOW),
    ],
    ids=["page", "page of many", "footer"],
)  # fmt: skip
def test_an_archive_run_fetches_again_what_is_damaged(
    keyed: Callable[..., Client], tmp_path: Path, kinds: list[str], how: str
) -> None:
    before = {(line.kind, line.lot): line.rows for line in keyed().account.archive(kinds=kinds).lines}
    hurt(tmp_path / "data", "account", how)
    lines = keyed().account.archive(kinds=kinds).lines
    assert {(line.kind, line.lot): line.rows for line in lines} == before
    flaws = keyed().verify().flaws
    assert {flaw.kind for flaw in flaws} <= {"lost"}
    if how == "page":  # the exchange has forgotten the first seconds meanwhile: no more is lost, and that is named
        named = {start for line in lines for start, _end in line.lost}
        assert {iso(flaw.span.start_ms) for flaw in flaws if flaw.span} <= named
        assert all(flaw.span and flaw.span.duration_ms < 60_000 for flaw in flaws)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", ["candles", "trades"])
def test_a_damaged_pin_is_an_error(keyed: Callable[..., Client], tmp_path: Path, name: str) -> None:
    folder, verb = VERBS[name]
    verb(keyed())
    pin = pins.create(tmp_path / "data", "frozen", 1)
    hurt(pin.folder, folder)
    with pytest.raises(StoreError, match="of this pin is damaged"):
        verb(
            bgresearch.connect(pin="frozen", data_dir=tmp_path / "data", clock=ManualClock(int(NOW.timestamp() * 1000)))
        )


@pytest.mark.usefixtures("quiet")
def test_damaged_records_of_a_pin_are_an_error(keyed: Callable[..., Client], tmp_path: Path) -> None:
    keyed().account.fills(START, END)
    pin = pins.create(tmp_path / "data", "frozen", 1, private=True)
    (uid,) = [folder.name for folder in (pin.folder / "account").iterdir()]
    series, span = KINDS["fills"].series(uid, "spot"), Span(int(START.timestamp() * 1000), int(END.timestamp() * 1000))
    assert Store(pin.folder, pin=pin.name).read(series, span) is not None
    hurt(pin.folder, "account")
    with pytest.raises(StoreError, match="of this pin is damaged"):
        Store(pin.folder, pin=pin.name).read(series, span)


@pytest.mark.usefixtures("quiet")
def test_a_sound_file_that_was_set_aside_gives_its_rows_back(keyed: Callable[..., Client], tmp_path: Path) -> None:
    before = keyed().account.fills(START, END)
    root = tmp_path / "data"
    for path in partitions(root, "account"):
        path.rename(path.with_name(f"{path.name}.damaged-20261120T000000Z"))
    found = keyed(offline=True).verify()
    assert not found.sound
    assert {flaw.kind for flaw in found.flaws} == {"lost"}
    assert keyed(offline=True).verify(repair=True).sound
    pd.testing.assert_frame_equal(keyed(offline=True).account.fills(START, END), before)
    assert keyed(offline=True).verify().flaws == []
