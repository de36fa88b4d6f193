"""Every frame of every verb goes through pandas' own writers: SQLite digit by digit, Parquet with its types."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

import pandas as pd
import pytest

import bgresearch
from bgresearch.catalogue import load
from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.frames import to_frame, to_table
from bgresearch.research.pnl.tax_ledger import tax_table
from bgresearch.sandbox import Exchange
from tests.completeness.test_false_empty import VERBS
from tests.conftest import NOW, NOW_MS

KEYS = ("readonly", "unified_trader")
SINCE = pd.Timestamp(NOW).floor("D") - pd.Timedelta(days=5)


def frames_of(thing: object) -> dict[str, pd.DataFrame]:
    """Return the frames that an object has as attributes."""
    named = {name: getattr(thing, name) for name in dir(type(thing)) + list(vars(thing)) if not name.startswith("_")}
    return {name: value for name, value in named.items() if isinstance(value, pd.DataFrame)}


def reckoned(client: Client) -> dict[str, pd.DataFrame]:
    """Return the frames that are reckoned from those of several verbs."""
    statement = client.statement(SINCE)
    parts = {"statement": statement, "reconciled": statement.reconciled, "pnl": statement.pnl()}
    found = {f"{name}.{each}": frame for name, part in parts.items() for each, frame in frames_of(part).items()}
    return found | {"statement.equity": statement.equity(), "tax_table": tax_table(statement.ledger)}


def kept(client: Client) -> dict[str, pd.DataFrame]:
    """Return the frames about candles and about what is kept."""
    candles = client.candles("BTCUSDT", "1h", SINCE, SINCE + pd.Timedelta(days=2))
    client.recorder("open-interest", "BTCUSDT", every="1h").run(count=1)
    client.symbols()
    found = {
        "candles": candles, "resampled": candles.bg.resample("4h"),
        "panel": client.panel(["BTCUSDT", "ETHUSDT"], "1h", SINCE, SINCE + pd.Timedelta(days=1)),
        "listings": client.listings(), "recorded": client.recorded("open-interest", "BTCUSDT", SINCE),
        "raw": client.api.spot.tickers(), "sql": client.lens.sql("SELECT * FROM candles"),
    }  # fmt: skip
    return {name: frame for name, frame in found.items() if isinstance(frame, pd.DataFrame)}


@pytest.fixture(scope="module", params=KEYS)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    clock = ManualClock(NOW_MS)
    sandbox = Exchange(clock=clock, limits=False)
    folder = tmp_path_factory.mktemp("data")
    with bgresearch.connect(
        sandbox=sandbox, key=request.param, data_dir=folder, clock=clock, progress=False
    ) as connected:
        yield connected


def in_sqlite(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        frame.to_sql("rows", connection)
        return connection.execute("SELECT * FROM rows").fetchall()


def check(frame: pd.DataFrame) -> None:
    """Hold what SQLite and Parquet give back against a frame."""
    rows = in_sqlite(frame)
    assert len(rows) == len(frame)
    levels = frame.index.nlevels
    for place, name in enumerate(frame.columns):
        for value, back in zip(frame[name], (row[levels + place] for row in rows), strict=True):
            if isinstance(value, Decimal):
                assert back == f"{value:f}"
    written = io.BytesIO()
    frame.to_parquet(written)
    again = pd.read_parquet(io.BytesIO(written.getvalue()))
    assert again.dtypes.map(str).to_dict() == frame.dtypes.map(str).to_dict()
    assert str(again.index.dtype) == str(frame.index.dtype)
    void = {name: kind for name, kind in frame.dtypes.items() if kind == "category" and not len(kind.categories)}
    pd.testing.assert_frame_equal(again.astype(void), frame, check_freq=False)


def valueless() -> dict[str, Callable[[], pd.DataFrame]]:
    """Return every schema, of verbs and of rows of the table, as a frame without rows and as one without values."""
    shapes = {getattr(owner, name).shape for owner in (Client, AccountVerbs) for name in dir(owner)
              if hasattr(getattr(owner, name), "shape")}  # fmt: skip
    found: dict[str, Callable[[], pd.DataFrame]] = {}
    for shape in sorted(shapes, key=lambda one: one.verb):
        for name, rows in {"no rows": [], "no values": [{}]}.items():
            found[f"{shape.verb}, {name}"] = partial(lambda shape, rows: shape.frame(shape.table(rows)), shape, rows)
    for row in load():
        for name, rows in {"no rows": [], "no values": [{}]}.items():
            data = [[] for _ in rows] if row.response == "array-rows" else rows
            data = {row.rows_at: data} if row.rows_at else data
            found[f"{row.id}, {name}"] = partial(lambda row, data: to_frame(to_table(row, data)), row, data)
    return found


@pytest.mark.slow
def test_categories_without_values_stay_categories_of_text() -> None:
    frames, wrong = valueless(), []
    assert len(frames) > 600
    for name, made in frames.items():
        frame, written = made(), io.BytesIO()
        if frame.columns.empty:
            continue
        frame.reset_index(drop=True).to_parquet(written)
        back = pd.read_parquet(io.BytesIO(written.getvalue()))
        for column, kind in frame.dtypes.items():
            if kind == "category" and (kind.categories.dtype != "str" or back[column].dtype != "category"):
                wrong.append((name, column))
    assert wrong == []


@pytest.mark.quick_cases(15)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_s_frame_is_written_whole(client: Client, verb: str) -> None:
    check(VERBS[verb][0](client))


@pytest.mark.slow
@pytest.mark.parametrize("group", [reckoned, kept], ids=lambda group: group.__name__)
def test_frames_that_are_made_of_others_are_written_whole(
    client: Client, group: Callable[[Client], dict[str, pd.DataFrame]]
) -> None:
    frames = group(client)
    assert len(frames) >= 7
    exact = [
        name for name, frame in frames.items() if any(isinstance(one, Decimal) for part in frame for one in frame[part])
    ]
    assert group is kept or len(exact) >= 3
    for name, frame in frames.items():
        try:
            check(frame)
        except (AssertionError, sqlite3.Error) as error:
            raise AssertionError(name) from error
