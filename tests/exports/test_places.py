"""Where an export may go, what is refused and in which words, and that nothing half-written stays."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from bgresearch.exports import FORMATS, export
from bgresearch.exports.excel import MOST_ROWS
from tests.conftest import PATIENCE_S, search_path

SUFFIXES = (".csv", ".parquet", ".feather", ".sqlite", ".duckdb", ".xlsx", ".json")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_not_replaced_unless_that_is_said(candles: pd.DataFrame, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    export(candles.head(2), path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"rows.* exists already\. Choose another name, or pass force=True"):
        export(candles, path)
    assert path.read_bytes() == before
    assert candles.bg.export(path, force=True) == path
    assert path.read_bytes() != before


def test_a_file_next_to_is_not_replaced_either(candles: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "rows.csv.provenance.json").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match=r"provenance\.json exists already"):
        export(candles, tmp_path / "rows.csv")
    assert names(tmp_path) == ["rows.csv.provenance.json"]


@pytest.mark.parametrize(
    ("name", "format_", "words"),
    [
        ("rows", None, "path: 'rows' has no suffix of a known format. Use one of .arrow, .csv"),
        ("rows.txt", None, "has no suffix of a known format"),
        ("rows.csv", "hdf", "format: 'hdf' is unknown. Use one of csv, feather, excel"),
        (
            "rows.csv",
            "parquet",
            "is not a valid name for a parquet file. End it with .parquet or .pq.",
        ),
        ("rows.csv", "freqtrade", "is not a valid name for a freqtrade file. End it with .feather."),
    ],
)
def test_a_wrong_name_is_said_in_words(
    candles: pd.DataFrame, name: str, format_: str | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as caught:
        export(candles, tmp_path / name, format=format_)
    assert words in str(caught.value)
    assert names(tmp_path) == []


def test_the_suffix_is_read_in_any_case_of_letters(candles: pd.DataFrame, tmp_path: Path) -> None:
    assert len(pd.read_csv(export(candles, tmp_path / "ROWS.CSV"))) == len(candles)


def test_a_folder_that_is_not_there_is_named(candles: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"rows\.csv cannot be written: the folder .*nowhere does not exist\. Choose another"
    ):
        export(candles, tmp_path / "nowhere" / "rows.csv")


def test_a_folder_of_that_name_is_refused(candles: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").mkdir()
    with pytest.raises(StoreError, match=r"rows\.csv is a folder\. Name a file in it"):
        export(candles, tmp_path / "rows.csv", force=True)


SOMEWHERE_ELSE = """
import json, os, resource, signal, sys
import numpy as np, pandas as pd
from pathlib import Path
from bgresearch.errors import BgresearchError
from bgresearch.exports import export
folder, suffixes, limit, user = Path(sys.argv[1]), sys.argv[2].split(), int(sys.argv[3]), int(sys.argv[4])
rng = np.random.default_rng(1)
index = pd.date_range("2024", periods=20_000, freq="min", tz="UTC", name="open_time")
names = ("open", "high", "low", "close", "volume")
frame = pd.DataFrame({name: rng.uniform(1, 2, len(index)) for name in names}, index=index)
export(frame.head(1), folder / "warm.duckdb", force=True)
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
if user:
    os.setuid(user)
said = {}
for suffix in suffixes:
    try:
        export(frame, folder / f"rows{suffix}", force=True)
    except BgresearchError as error:
        said[suffix] = f"{type(error).__name__}: {error}"
sys.stdout.write(json.dumps(said))
"""


def elsewhere(folder: Path, limit: int = 0, user: int = 0) -> dict[str, str]:
    """What exports of 20,000 rows say in a process that may write no larger file, or is somebody else."""
    command = [sys.executable, "-W", "error", "-c", SOMEWHERE_ELSE, str(folder), " ".join(SUFFIXES)]
    done = subprocess.run(  # noqa: S603
        [*command, str(limit), str(user)], capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        env={**os.environ, "TMPDIR": "/tmp", "PYTHONPATH": search_path(Path(__file__).parents[2])},  # noqa: S108
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said: dict[str, str] = json.loads(done.stdout)
    return said


def test_a_disk_that_takes_no_more_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    old = {f"rows{suffix}": f"old {suffix}".encode() for suffix in SUFFIXES}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    said = elsewhere(tmp_path, limit=100_000)
    for suffix in SUFFIXES:
        assert said[suffix].startswith(f"StoreError: cannot write {tmp_path}/rows{suffix}: "), said[suffix]
        assert "(ulimit -f)" in said[suffix] or "Look whether the disk is full" in said[suffix], said[suffix]
    (tmp_path / "warm.duckdb").unlink()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_folder_that_may_not_be_written_is_named_with_the_next_step(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("theirs")
    folder.chmod(0o755)
    for parent in folder.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o111)
    said = elsewhere(folder, user=65534)
    for suffix in SUFFIXES:
        assert said[suffix].startswith(f"StoreError: cannot write {folder}/rows{suffix}: Permission denied."), suffix
        assert "choose another place" in said[suffix]
    assert names(folder) == ["warm.duckdb"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_interruption_half_way_leaves_nothing(candles: pd.DataFrame, suffix: str, tmp_path: Path) -> None:
    from bgresearch.exports import export_pieces  # noqa: PLC0415

    def pieces():
        yield candles.head(100)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_pieces(pieces(), tmp_path / f"rows{suffix}", rows=200, about=candles.attrs["bgresearch"])
    assert names(tmp_path) == []


@pytest.mark.slow
def test_what_is_public_may_be_read_by_others_and_nothing_else(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        for verb, frame in {**frames, "unknown": pd.DataFrame({"a": [1]})}.items():
            for suffix in (".csv", ".parquet", ".feather", ".sqlite", ".duckdb", ".xlsx"):
                written = export(frame, tmp_path / f"{verb}{suffix}")
                wanted = 0o600 if verb in ("fills", "raw", "unknown") else 0o644
                extra = [Path(f"{written}.provenance.json")] if suffix == ".csv" else []
                for path in (written, *extra):
                    assert stat.S_IMODE(path.stat().st_mode) == wanted, path.name
    finally:
        os.umask(umask)


@pytest.mark.quick_cases(8)
@pytest.mark.parametrize(
    ("frame", "name", "words"),
    [
        (pd.DataFrame(), "rows.csv", "it has no columns"),
        (pd.DataFrame({"a": [[1]]}), "rows.csv", "the column a holds values of type list<"),
        (pd.DataFrame({"a": [1, "x"]}), "rows.parquet", "Conversion failed for column a"),
        (pd.DataFrame({"a": [pd.Timedelta(1)]}), "rows.sqlite", "the column a holds values of type duration"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "rows.csv", "two columns have the name a"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([5], name="a")), "rows.csv", "two columns have the name a"),
        (pd.DataFrame([[1, 2]], columns=["a", "A"]), "rows.sqlite", "a database does not distinguish a and A"),
        (pd.DataFrame([[1, 2]], columns=["a", "A"]), "rows.duckdb", "a database does not distinguish a and A"),
        (pd.DataFrame({"a": ["\x01"]}), "rows.xlsx", "control character '\\x01', which Excel does not allow"),
        (pd.DataFrame({"a": ["x" * 32_768]}), "rows.xlsx", "a holds a text of 32,768 characters"),
        (pd.DataFrame(np.zeros((1, 16_385))), "rows.xlsx", "16,385 columns are more than the 16,384"),
        (pd.DataFrame({"a": [1]}), "rows.json", "candles: no column open, high, low, close, volume"),
        (pd.DataFrame({"a": ["\ud800"]}, dtype=object), "rows.parquet", "surrogates not allowed"),
    ],
)  # fmt: skip
def test_what_a_format_cannot_carry_is_said_in_words(
    frame: pd.DataFrame, name: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as caught:
        export(frame, tmp_path / name)
    assert words in str(caught.value)
    assert names(tmp_path) == []


def test_more_rows_than_excel_can_hold_are_refused_before_the_work(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.zeros(MOST_ROWS)})
    with pytest.raises(InvalidInput, match=r"1,048,576 rows and a header are more than the 1,048,576 rows"):
        export(frame, tmp_path / "rows.xlsx")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("module", "suffix"), [("duckdb", ".duckdb"), ("openpyxl", ".xlsx")])
def test_a_missing_extra_is_named_with_how_to_install_it(
    candles: pd.DataFrame, module: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bgresearch\[(duckdb|excel)\]'"):
        export(candles, tmp_path / f"rows{suffix}")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_frame_without_rows_is_written_too(candles: pd.DataFrame, name: str, tmp_path: Path) -> None:
    suffix = next(iter(FORMATS[name].writers))
    assert export(candles.head(0), tmp_path / f"rows{suffix}", format=name).exists()


def test_nothing_secret_comes_along_in_what_else_a_frame_carries(candles: pd.DataFrame, tmp_path: Path) -> None:
    frame = candles.head(1)
    frame.attrs["mine"] = "f00dfeedf00dfeed"
    for suffix in SUFFIXES:
        written = export(frame, tmp_path / f"rows{suffix}")
        assert b"f00dfeed" not in written.read_bytes()


@pytest.mark.parametrize("name", ["~nobody-of-that-name/rows.csv", "ring.csv", "zero\0byte.csv", f"{'x' * 300}.csv"])
def test_a_name_that_no_file_can_have_is_said_in_words(candles: pd.DataFrame, name: str, tmp_path: Path) -> None:
    (tmp_path / "ring.csv").symlink_to("ring.csv")
    path = name if name.startswith("~") else tmp_path / name
    with pytest.raises(StoreError, match=r"(cannot be written|cannot write).*(Choose another pl?a(ce|th)|too long)"):
        export(candles, path)
    assert names(tmp_path) == ["ring.csv"]


def test_whole_numbers_that_sqlite_cannot_hold_are_refused_in_words(tmp_path: Path) -> None:
    frame = pd.DataFrame({"few": np.array([1], dtype="uint64"), "many": np.array([2**63], dtype="uint64")})
    with pytest.raises(InvalidInput, match="above 9,223,372,036,854,775,807, which SQLite cannot"):
        export(frame, tmp_path / "rows.sqlite")
    assert names(tmp_path) == []
    assert export(frame[["few"]], tmp_path / "rows.sqlite").exists()


def test_fills_are_nothing_for_freqtrade(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    fills = frames["fills"].copy()
    for symbol in (None, "BTCUSDT"):
        fills.attrs["bgresearch"]["symbol"] = symbol
        with pytest.raises(InvalidInput, match=r"(does not name its market|this is account\.fills)"):
            export(fills, tmp_path, format="freqtrade")
