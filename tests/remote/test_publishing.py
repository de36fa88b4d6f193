"""What is published is read back exactly, by old manifests and new ones, and never half."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.errors import ConfigurationError, InvalidInput, OfflineError, StoreError
from bgresearch.store import pins
from bgresearch.store.remote.manifest import from_json
from bgresearch.store.remote.object_storage import Absent, Remote
from bgresearch.store.remote.remote_store import PublishedStore
from bgresearch.store.remote.upload import Choice, chosen, copy
from tests.remote.conftest import (
    DAY_MS,
    END,
    HOST,
    MONTHS,
    START,
    SYMBOLS,
    Listening,
    fill,
    keep_fills,
    series_of,
)

FILES = len(SYMBOLS) * len(MONTHS)
SPANS = [(START, "2025-12-03"), ("2026-01-01", "2026-01-03"), ("2026-02-01", END)]


def reader(url: str, tmp_path: Path, **options: object) -> Client:
    return bg.connect(store=url, data_dir=tmp_path / "reader", progress=False, **options)


def everything(client: Client, symbols: tuple[str, ...] = SYMBOLS) -> pd.DataFrame:
    frames = {(symbol, span): client.candles(symbol, "1m", *span) for symbol in symbols for span in SPANS}
    return pd.concat(frames)


@pytest.mark.quick_cases(2)
def test_what_was_published_is_read_back_exactly(url: str, local: Client, tmp_path: Path) -> None:
    done = local.publish(url)
    assert (done.files, done.sent, done.rows) == (FILES, FILES, FILES * 2 * 1440)
    far = reader(url, tmp_path)
    pd.testing.assert_frame_equal(everything(far), everything(local), check_exact=True)
    about = far.candles("BTCUSDT", "1m", *SPANS[0]).attrs["bgresearch"]
    assert (about["pin"], about["host"]) == (f"{url} {done.digest}", HOST)
    assert about["endpoints"] == ["spot.candles"]
    assert far.verify().sound


@pytest.mark.quick_cases(1)
def test_publishing_again_sends_only_what_has_changed(url: str, local: Client, folder: Path, tmp_path: Path) -> None:
    first = local.publish(url)
    assert local.publish(url).sent == 0
    fill(folder, "BTCUSDT", MONTHS[2] + 2 * DAY_MS, MONTHS[2] + 3 * DAY_MS)
    second = local.publish(url)
    assert (second.sent, second.files, second.rows) == (1, FILES, first.rows + 1440)
    assert len(reader(url, tmp_path).candles("BTCUSDT", "1m", "2026-02-01", "2026-02-04")) == 3 * 1440


@pytest.mark.slow
def test_a_reader_stays_with_the_publication_it_began_with(
    url: str, local: Client, folder: Path, tmp_path: Path
) -> None:
    first = local.publish(url)
    old = reader(url, tmp_path)
    before = everything(local)
    fill(folder, "BTCUSDT", MONTHS[0], MONTHS[0] + 2 * DAY_MS, base=500.0)
    second = local.publish(url)
    pd.testing.assert_frame_equal(everything(old), before)
    pd.testing.assert_frame_equal(everything(reader(url, tmp_path)), everything(local))
    pd.testing.assert_frame_equal(everything(reader(url, tmp_path, pin=first.digest)), before)
    assert first.digest != second.digest
    with pytest.raises(InvalidInput, match="there is no publication"):
        reader(url, tmp_path, pin="0" * 64)


def test_the_digest_is_that_of_a_pin_of_the_same_files(memory: str, local: Client, folder: Path) -> None:
    assert local.publish(memory).digest == pins.create(folder, "x", 0).digest
    pinned = bg.connect(pin="x", data_dir=folder, progress=False)
    assert pinned.publish(f"{memory}-pin").digest == pins.load(folder, "x").digest


@pytest.mark.slow
def test_pruning_deletes_what_only_older_publications_need(
    url: str, local: Client, folder: Path, tmp_path: Path
) -> None:
    local.publish(url)
    old = reader(url, tmp_path)
    fill(folder, "BTCUSDT", MONTHS[0], MONTHS[0] + 2 * DAY_MS, base=500.0)
    assert local.publish(url).removed == 0
    assert local.publish(url, prune=True).removed == 2  # an object and a manifest
    assert len(Remote(url).found()) == FILES + 3
    pd.testing.assert_frame_equal(everything(reader(url, tmp_path)), everything(local))
    with pytest.raises(StoreError, match=r"is gone.*connect again"):
        old.candles("BTCUSDT", "1m", *SPANS[0])


def test_a_part_is_added_to_what_was_published_unless_it_is_to_be_all(memory: str, local: Client) -> None:
    assert local.publish(memory, symbols="btcusdt").files == 3
    assert local.publish(memory, symbols=["ETHUSDT"], market="spot").files == 6
    assert local.publish(memory, symbols=["ETHUSDT"], exact=True).files == 3
    with pytest.raises(StoreError, match="nothing of NOSUCH that is public is kept"):
        local.publish(memory, symbols=["ETHUSDT", "NOSUCH"])
    with pytest.raises(InvalidInput, match="the list is empty"):
        local.publish(memory, symbols=[])
    with pytest.raises(StoreError, match="nothing that is public"):
        local.publish(memory, market="coin-futures")


def test_only_the_objects_of_the_symbol_and_the_months_are_opened(memory: str, local: Client, tmp_path: Path) -> None:
    local.publish(memory)
    asked = []
    for _ in range(2):  # the second time it is another process that has the same folder
        remote = Listening(memory)
        client = Client(local._source.sender, PublishedStore(remote, tmp_path / "cache"), offline=True, progress=False)
        for end in ("2026-01-03", "2026-01-02"):
            client.candles("ETHUSDT", "1m", "2026-01-01", end)
        asked.append(remote.asked)
    [first, second], third = asked
    assert (first, third) == ("manifest.json", ["manifest.json"])
    assert re.fullmatch(r"candles/.*/symbol=ETHUSDT/interval=1m/2026-01-[0-9a-f]{16}\.parquet", second)


def test_what_is_not_published_is_named_and_nobody_is_asked(memory: str, local: Client, tmp_path: Path) -> None:
    local.publish(memory)
    far = reader(memory, tmp_path)
    with pytest.raises(OfflineError, match=r"not all in memory://.*without store= to fetch") as caught:
        far.candles("BTCUSDT", "1m", "2025-12-02", "2025-12-04")
    assert [str(span) for span in caught.value.missing] == ["[2025-12-03T00:00:00Z, 2025-12-04T00:00:00Z)"]
    assert far.requests_sent == 0
    with pytest.raises(StoreError, match="only read"):
        far._source.store.replace_file("x", b"", private=False)
    with pytest.raises(InvalidInput, match="is a publication itself"):
        far.publish(f"{memory}-2")


def test_other_verbs_answer_of_what_was_published(memory: str, tmp_path: Path) -> None:
    with bg.connect(sandbox=True, data_dir=tmp_path / "sandbox", progress=False) as near:
        week = ("2026-10-01", "2026-10-08")
        near.symbols("usdt-futures")
        near.funding_rates("BTCUSDT", *week)
        near.download(["BTCUSDT", "ETHUSDT"], "1h", *week, market="usdt-futures")
        near.publish(memory)
    far = reader(memory, tmp_path)
    with bg.connect(sandbox=True, offline=True, data_dir=tmp_path / "sandbox", progress=False) as near:
        for ask in (
            lambda client: client.symbols("usdt-futures"),
            lambda client: client.listings("usdt-futures"),
            lambda client: client.funding_rates("BTCUSDT", *week),
        ):
            pd.testing.assert_frame_equal(ask(far), ask(near))
    assert far.download("ALL", "1h", *week, market="usdt-futures")["candles"].tolist() == [168, 168]
    assert not far.plan("ETHUSDT", "1h", *week, market="usdt-futures").missing
    with pytest.raises(OfflineError):
        far.tickers()
    written = [path for path in (tmp_path / "reader").rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".lock", ".parquet"}


def test_what_an_account_did_is_never_published(memory: str, local: Client, folder: Path) -> None:
    keep_fills(folder)
    assert (folder / "account").is_dir()
    (folder / "notes" / "of=me").mkdir(parents=True)
    first = next(path for path in folder.rglob("2025-12.parquet"))
    (folder / "notes" / "of=me" / "2025-12.parquet").write_bytes(first.read_bytes())
    local.publish(memory)
    names = Remote(memory).found()
    assert {name.partition("/")[0] for name in names} == {"bgresearch.json", "candles", "manifest.json", "manifests"}
    everything_sent = b"".join(Remote(memory).read(name) for name in names)
    assert b"4711" not in everything_sent
    assert all(path.startswith("candles/") for path in chosen(folder, Choice()))


@pytest.mark.parametrize(
    "account",
    [
        "account/4711/fills/2025-12.parquet",
        "account/of=4711/2025-12.parquet",
        "candles/../x/2025.parquet",
        "/etc/x.parquet",
        "candles/a=b/2025.parquet",
        "candles/market=spot/price=last/symbol=../interval=1m/../2025-12.parquet",
        "candles/market=spot/price=last/symbol=%42TCUSDT/interval=1m/2025-12.parquet",
        "candles/market=spot/price=last/symbol=BTCUSDT/interval=1m/2025-12 (1).parquet",
        "candles/market=spot/price=last/symbol=BTCUSDT/interval=1m/2025-12.parquet\n",
        4711,
    ],
)
def test_a_manifest_that_names_what_is_not_public_is_not_believed(
    memory: str, local: Client, tmp_path: Path, account: object
) -> None:
    local.publish(memory)
    reported = json.loads(Remote(memory).read("manifest.json"))
    reported["files"][0][0] = account
    Remote(memory).write("manifest.json", json.dumps(reported).encode())
    with pytest.raises(StoreError, match="no public file"):
        reader(memory, tmp_path)


def test_whenever_publishing_fails_readers_see_the_old_and_the_next_try_sends_the_rest(
    local: Client, folder: Path, tmp_path: Path
) -> None:
    local.publish("memory://steps")
    before = everything(local)
    for symbol in SYMBOLS[:2]:
        fill(folder, symbol, MONTHS[0], MONTHS[0] + 2 * DAY_MS, base=500.0)
    paths, after = chosen(folder, Choice()), everything(local)
    for step in range(4):  # two objects, two manifests
        url = f"memory://steps-{step}"
        for name in Remote("memory://steps").found():
            Remote(url).write(name, Remote("memory://steps").read(name))
        with pytest.raises(ConnectionError):
            copy(folder, Listening(url, fail_at=step), paths, host=HOST, now_ms=1)
        pd.testing.assert_frame_equal(everything(reader(url, tmp_path)), before)
        assert copy(folder, Listening(url), paths, host=HOST, now_ms=1).sent <= max(0, 2 - step) + 1
        pd.testing.assert_frame_equal(everything(reader(url, tmp_path)), after)


def test_a_first_publication_that_was_not_finished_is_said_to_be_one(memory: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store is published at"):
        reader(memory, tmp_path)
    with pytest.raises(ConnectionError):
        copy(folder, Listening(memory, fail_at=3), chosen(folder, Choice()), host=HOST, now_ms=1)
    with pytest.raises(StoreError, match=r"first publication .* was not finished"):
        reader(memory, tmp_path)
    assert copy(folder, Remote(memory), chosen(folder, Choice()), host=HOST, now_ms=1).files == FILES


def test_two_who_publish_at_once_do_not_undo_each_other(memory: str, local: Client, folder: Path) -> None:
    local.publish(memory, symbols="BTCUSDT")

    class Overtaken(Listening):
        def write(self, name: str, data: bytes) -> str:
            if not self.written:
                local.publish(memory, symbols="ETHUSDT")
            return super().write(name, data)

    with pytest.raises(StoreError, match="another process has published"):
        copy(folder, Overtaken(memory), chosen(folder, Choice(("XRPUSDT",))), host=HOST, now_ms=1)
    assert {one.keys["symbol"] for one in from_json(Remote(memory).read("manifest.json")).files} == {
        "BTCUSDT",
        "ETHUSDT",
    }


def test_who_prunes_next_to_somebody_who_publishes_does_not_tear_their_publication(
    memory: str, local: Client, folder: Path, tmp_path: Path
) -> None:
    local.publish(memory, symbols="BTCUSDT")

    class Pruned(Listening):
        def read(self, name: str) -> bytes:
            if name == "manifest.json" and len(self.written) == len(MONTHS):  # all are there, and in no manifest yet
                removed.append(local.publish(memory, symbols="BTCUSDT", prune=True).removed)
            return super().read(name)

    removed: list[int] = []
    xrp = chosen(folder, Choice(("XRPUSDT",)))
    with pytest.raises(StoreError, match="another process has published"):
        copy(folder, Pruned(memory), xrp, host=HOST, now_ms=1)
    assert removed == [len(MONTHS)]
    assert copy(folder, Remote(memory), xrp, host=HOST, now_ms=1).sent == len(MONTHS)
    assert reader(memory, tmp_path).verify().sound


@pytest.mark.slow
def test_what_is_something_else_s_is_left_alone(url: str, local: Client, folder: Path, tmp_path: Path) -> None:
    Remote(url).write("thesis.txt", b"mine")
    with pytest.raises(InvalidInput, match=r"not empty and no publication: 'thesis\.txt'"):
        local.publish(url)
    assert [*Remote(url).found()] == ["thesis.txt"]
    inner = f"{url}/inner"
    local.publish(inner)
    mine = ("notes.txt", "candles/notes.txt", "candles/market=spot/all.parquet", "manifests/read me.json")
    for name in mine:
        Remote(inner).write(name, b"mine")
    fill(folder, "BTCUSDT", MONTHS[0], MONTHS[0] + 2 * DAY_MS, base=500.0)
    assert local.publish(inner, prune=True).removed == 2
    assert [Remote(inner).read(name) for name in mine] == [b"mine"] * len(mine)


def test_an_address_belongs_to_one_exchange(memory: str, local: Client, tmp_path: Path) -> None:
    local.publish(memory)
    with bg.connect(sandbox=True, data_dir=tmp_path / "sandbox", progress=False) as other:
        other.candles("BTCUSDT", "1d", "2026-01-01", "2026-01-10")
        with pytest.raises(ConfigurationError, match=r"holds data of .*, not of loopback"):
            other.publish(memory)
        other.publish(f"{memory}-sandbox")
        there = reader(f"{memory}-sandbox", tmp_path)
        pd.testing.assert_frame_equal(
            there.candles("BTCUSDT", "1d", "2026-01-01", "2026-01-10"),
            other.candles("BTCUSDT", "1d", "2026-01-01", "2026-01-10"),
        )
        assert there.host == other.host


def test_a_damaged_file_of_the_store_is_not_published(memory: str, local: Client, folder: Path) -> None:
    path = next(iter(sorted(folder.rglob("*.parquet"))))
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3] ^= 1
    path.write_bytes(whole)
    with pytest.raises(StoreError, match=r"is damaged.*verify --repair"):
        local.publish(memory)
    with pytest.raises(Absent):
        Remote(memory).read("manifest.json")


@pytest.mark.parametrize("bring", [shutil.copyfile, lambda file, place: place.symlink_to(file)], ids=["copy", "link"])
def test_an_account_s_file_under_a_public_name_is_refused(
    memory: str, local: Client, folder: Path, bring: Callable[[Path, Path], object]
) -> None:
    keep_fills(folder)
    [private] = (folder / "account").rglob("*.parquet")
    place = folder / series_of("EVILUSDT").folder / "2025-12.parquet"
    place.parent.mkdir(parents=True)
    bring(private, place)
    with pytest.raises(StoreError, match="was written for another place"):
        local.publish(memory)
    assert not any("EVIL" in name for name in Remote(memory).found())


def test_what_others_made_of_the_files_is_not_published_and_does_no_harm_to_the_address(
    memory: str, local: Client, folder: Path, tmp_path: Path
) -> None:
    first = next(iter(sorted(folder.rglob("2025-12.parquet"))))
    for name in ("2025-12 (1).parquet", "copy.parquet", "../2025-12.parquet"):
        shutil.copyfile(first, first.parent / name)
    shutil.copyfile(first, folder / "candles" / "2025-12.parquet")
    assert local.publish(memory).files == FILES
    assert reader(memory, tmp_path).verify().sound
    assert local.publish(memory).sent == 0


@pytest.mark.parametrize("place", ["created_ms", "size"])
def test_a_manifest_with_numbers_beyond_all_bounds_is_damaged(
    memory: str, local: Client, tmp_path: Path, place: str
) -> None:
    local.publish(memory)
    reported = json.loads(Remote(memory).read("manifest.json"))
    if place == "size":
        reported["files"][0][2] = float("inf")
    else:
        reported[place] = float("inf")
    Remote(memory).write("manifest.json", json.dumps(reported).encode())
    with pytest.raises(StoreError, match="is damaged"):
        reader(memory, tmp_path)


def test_what_a_killed_writer_left_in_a_folder_is_pruned(local: Client, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/far"
    local.publish(url)
    first = next(iter(sorted((tmp_path / "far").rglob("2025-12-*.parquet"))))
    begun = first.with_name(f".{first.name}.4711.0a1b2c3d.tmp")
    begun.write_bytes(b"half")
    assert local.publish(url, prune=True).removed == 1
    assert not begun.exists()


@pytest.mark.parametrize("host", ["", 5, None, "\x1b[31mhttps://x", "https://u:p@place", "somebody"])
def test_a_publication_of_nobody_s_data_is_refused_in_words(
    memory: str, local: Client, tmp_path: Path, host: object
) -> None:
    local.publish(memory)
    reported = json.loads(Remote(memory).read("manifest.json")) | {"host": host}
    Remote(memory).write("manifest.json", json.dumps(reported).encode())
    with pytest.raises(StoreError, match=r"does not say which exchange|is no exchange") as caught:
        reader(memory, tmp_path)
    assert str(caught.value).isprintable()
