"""Export against a served sandbox: candles, funding rates, account records; each command a process of its own."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server
from tests.cli.conftest import PASSWORD, Run
from tests.completeness.test_damaged_files import HOW
from tests.conftest import NOW
from vault import FLOOR, Vault

WEEK = ("--since", "2026-01-01", "--until", "2026-01-08")
HOURS = ("export", "candles", "BTCUSDT", "--interval", "1h", *WEEK)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Exchange(limits=False)) as started:
        yield started


def test_candles_are_fetched_once_and_written(run: Run, server: Server, tmp_path: Path) -> None:
    first = run(*HOURS, "--to", "btc.parquet", "--json", BGRESEARCH_BASE_URL=server.url)
    assert (first.status, first.err) == (0, "")
    written = tmp_path / "btc.parquet"
    assert first.json() == {"file": str(written), "rows": 168, "bytes": written.stat().st_size, "gaps": 0}
    frame = pd.read_parquet(written)
    assert (len(frame), frame.index.name, str(frame.index[0])) == (168, "open_time", "2026-01-01 00:00:00+00:00")
    again = run(*HOURS, "--to", "btc.csv", "--offline", BGRESEARCH_BASE_URL=server.url)
    assert (again.status, again.err) == (0, "")
    assert again.out.splitlines()[1].split() == [str(tmp_path / "btc.csv"), "168", "0.0", "0"]
    plain = pd.read_csv(tmp_path / "btc.csv", index_col="open_time", parse_dates=True)
    assert plain.to_numpy().tolist() == frame.to_numpy().tolist()
    assert frame.attrs["bgresearch"]["gaps"] == []
    assert frame.attrs["bgresearch"]["asked"] == ["2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z"]


def test_freqtrade_s_folder_gets_files_under_its_names(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    to = ("--to", "data", "--format", "freqtrade")
    for arguments in (
        (*HOURS, *to),
        (*HOURS, *to, "--market", "usdt-futures", "--price", "mark"),
        ("export", "funding-rates", "BTCUSDT", *WEEK, *to),
    ):
        assert run(*arguments, BGRESEARCH_BASE_URL=server.url).err == ""
    folder = tmp_path / "data"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.feather")) == [
        "BTC_USDT-1h.feather", "futures/BTC_USDT_USDT-1h-funding_rate.feather", "futures/BTC_USDT_USDT-1h-mark.feather",
    ]  # fmt: skip


@pytest.mark.slow
def test_records_of_an_account_are_for_its_owner_alone(
    run: Run, server: Server, environment: dict[str, str], password_file: str, tmp_path: Path
) -> None:
    key = SANDBOX_KEYS["readonly"]
    with Vault.create(Path(environment["BGRESEARCH_VAULT"]), PASSWORD, profile=FLOOR) as vault:
        triple = {"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}
        vault.add("mine", **triple, host=server.url)
    since = str(pd.Timestamp(NOW).floor("D") - pd.Timedelta(days=3))
    common = ("--since", since, "--password-file", password_file)
    fills = run("export", "account", "mine", "fills", *common, "--to", "fills.csv", "--json")
    assert (fills.status, fills.err) == (0, "")
    assert fills.json()["rows"] == len(pd.read_csv(tmp_path / "fills.csv")) > 0
    for name in ("fills.csv", "fills.csv.provenance.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        text = (tmp_path / name).read_text("utf-8")
        assert not any(secret in text for secret in (*triple.values(), PASSWORD))
    wrong = run("export", "account", "mine", "deposits", *common, "--to", "x.csv", "--market", "spot")
    assert (wrong.status, wrong.err) == (2, "bgresearch: --market: deposits have none. Leave it out.\n")
    unknown = run("export", "account", "mine", "moods", *common, "--to", "x.csv")
    assert unknown.status == 2
    assert "KIND: 'moods' is unknown. Use one of fills, orders" in unknown.err


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["page", "footer"])
def test_damaged_records_are_not_exported_as_fewer(
    run: Run, server: Server, environment: dict[str, str], password_file: str, *, tmp_path: Path, damage: str
) -> None:
    key = SANDBOX_KEYS["readonly"]
    with Vault.create(Path(environment["BGRESEARCH_VAULT"]), PASSWORD, profile=FLOOR) as vault:
        triple = {"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}
        vault.add("mine", **triple, host=server.url)
    day = pd.Timestamp(NOW).floor("D")
    span = ("--since", str(day - pd.Timedelta(days=3)), "--until", str(day - pd.Timedelta(days=1)))
    common = ("export", "account", "mine", "fills", *span, "--password-file", password_file, "--data-dir", "kept")
    whole = run(*common, "--to", "whole.csv", "--json")
    assert (whole.status, whole.err) == (0, "")
    files = [path for path in (tmp_path / "kept" / "account").rglob("*.parquet") if HOW[damage](path)]
    assert files
    for _ in range(2):
        less = run(*common, "--offline", "--to", "less.csv", "--json")
        assert less.status not in (0, 2)
        assert ".damaged-" in less.err
        assert "2026-11-1" in less.err
        assert not (tmp_path / "less.csv").exists()
    again = run(*common, "--to", "again.csv", "--json")
    assert again.status == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--to", "there.csv"), 1, "there.csv exists already. Choose another name, or pass --force."),
        (("--to", "rows"), 2, "--to: 'rows' has no suffix of a known format. Use one of"),
        (("--to", "rows.csv", "--format", "hdf"), 2, "--format: 'hdf' is unknown. Use one of csv"),
        (("--to", "rows.csv", "--until", "2025-01-01"), 2, "--until: 2025-01-01T00:00:00Z is before"),
        (("--to", "rows.csv", "--offline"), 1, "is missing. Connect without --offline to fetch it."),
        (("--interval", "1h"), 2, "--to"),
    ],
)
def test_wrong_input_is_said_in_words_before_the_work(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    shown = run("export", "candles", "BTCUSDT", *WEEK, *arguments, BGRESEARCH_BASE_URL="http://127.0.0.1:9")
    assert (shown.status, shown.out) == (status, "")
    assert words in " ".join(shown.err.split())
    assert (tmp_path / "there.csv").read_text("utf-8") == "mine"
    assert not list(tmp_path.glob("rows*"))


def test_force_replaces(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "btc.csv").write_text("old", encoding="utf-8")
    assert run(*HOURS, "--to", "btc.csv", "--force", BGRESEARCH_BASE_URL=server.url).status == 0
    assert len(pd.read_csv(tmp_path / "btc.csv")) == 168
