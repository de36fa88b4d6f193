"""A history in pieces is the history: the same rows, the same gaps, and little of it in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.client.client import Client
from bgresearch.core.spans import Span, iso
from bgresearch.errors import StoreError
from bgresearch.exports import export, export_pieces
from bgresearch.exports.chunked import ChunkedCandles
from tests.exports.conftest import NOW, START
from tests.exports.reading import provenance

MINUTE_MS = 60_000


def asked(length: int, holes: list[tuple[int, int]], counts: list[int] | None = None) -> Any:
    """What answers like ``client.candles`` for so many minutes from the epoch, some of them absent."""
    absent = {minute for start, end in holes for minute in range(start, end)}

    def ask(start_ms: int, end_ms: int) -> pd.DataFrame:
        minutes = range(-(-start_ms // MINUTE_MS), min(-(-end_ms // MINUTE_MS), length))
        there = [minute for minute in minutes if minute not in absent]
        index = pd.DatetimeIndex(pd.to_datetime([minute * MINUTE_MS for minute in there], unit="ms", utc=True))
        frame = pd.DataFrame({"close": [float(minute) for minute in there]}, index=index.rename("open_time"))
        cut = [(max(a * MINUTE_MS, start_ms), min(b * MINUTE_MS, end_ms)) for a, b in holes]
        gaps = [{"start": iso(a), "end": iso(b), "cause": "exchange has none"} for a, b in cut if a < b]
        frame.attrs["bgresearch"] = {
            "verb": "candles", "asked": [iso(start_ms), iso(end_ms)], "closed": [iso(start_ms), iso(end_ms)],
            "endpoints": ["spot.candles"], "requests": {"spot.candles": 1}, "gaps": gaps,
        }  # fmt: skip
        if counts is not None:
            counts.append(len(frame))
        return frame

    return ask


@settings(max_examples=60)
@given(length=st.integers(1, 60), piece=st.integers(1, 70), cuts=st.lists(st.integers(0, 60), unique=True, max_size=6))
def test_pieces_together_are_the_whole(length: int, piece: int, cuts: list[int]) -> None:
    edges = sorted(cuts)
    holes = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False) if b <= length]
    ask, span = asked(length, holes), Span(0, length * MINUTE_MS)
    whole = ask(*span)
    history = ChunkedCandles(ask, span, MINUTE_MS, piece_rows=piece)
    assert pd.concat(list(history)).equals(whole)
    assert history.rows == len(whole)
    for name in ("asked", "closed", "gaps", "endpoints"):
        assert history.about[name] == whole.attrs["bgresearch"][name], name


def test_no_more_than_a_piece_is_in_memory() -> None:
    counts: list[int] = []
    history = ChunkedCandles(asked(1000, [], counts), Span(0, 1000 * MINUTE_MS), MINUTE_MS, piece_rows=100)
    assert sum(len(piece) for piece in history) == 1000
    assert max(counts) <= 100


def test_candles_that_came_meanwhile_are_not_written_under_a_provenance_that_does_not_know_them() -> None:
    answers = iter([asked(9, []), asked(10, [])])

    def ask(start_ms: int, end_ms: int) -> pd.DataFrame:
        return next(answers)(start_ms, end_ms)

    history = ChunkedCandles(ask, Span(0, 10 * MINUTE_MS), MINUTE_MS)
    with pytest.raises(StoreError, match=r"9 candles became 10 while exporting\. Export once more"):
        list(history)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather", ".sqlite", ".json"])
def test_a_file_of_pieces_is_the_file_of_the_whole(client: Client, suffix: str, tmp_path: Path) -> None:
    def ask(start: Any, end: Any) -> pd.DataFrame:
        return client.candles("BTCUSDT", "1h", start, end)

    span = Span(int(START.timestamp() * 1000), int(NOW.floor("D").timestamp() * 1000))
    whole = ask(*span)
    history = ChunkedCandles(ask, span, 3_600_000, piece_rows=100)
    about = {**history.about, "requests": {}}
    pieces = export_pieces(history, tmp_path / f"pieces{suffix}", rows=history.rows, about=about)
    whole.attrs["bgresearch"]["requests"] = {}
    alone = export(whole, tmp_path / f"whole{suffix}")
    if suffix in (".csv", ".json", ".sqlite"):
        assert pieces.read_bytes() == alone.read_bytes()
    else:
        read = pd.read_parquet if suffix == ".parquet" else pd.read_feather
        pd.testing.assert_frame_equal(read(pieces), read(alone))
    assert provenance(pieces)["gaps"] == provenance(alone)["gaps"]
    assert provenance(pieces)["asked"] == provenance(alone)["asked"]
