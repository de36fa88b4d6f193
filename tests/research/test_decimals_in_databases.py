"""Frames of decimals go into SQLite, digit by digit, and other code's decimals are not touched."""

from __future__ import annotations

import contextlib
import io
import pickle
import sqlite3
from decimal import Decimal

import pandas as pd
import pytest

from bgresearch.research.pnl.decimals import with_amounts

EXACT = [Decimal("0.12345678901234567890"), Decimal("1E-8"), None]


def test_decimals_are_written_as_texts_that_name_every_digit() -> None:
    frame = with_amounts(pd.DataFrame({"amount": EXACT}))
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        frame.to_sql("ledger", connection, index=False)
        kept = connection.execute("SELECT amount FROM ledger").fetchall()
    assert kept == [("0.12345678901234567890",), ("0.00000001",), (None,)]


def test_other_decimals_of_the_process_are_what_they_were() -> None:
    with_amounts(pd.DataFrame({"amount": EXACT}))
    with (
        contextlib.closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises((sqlite3.ProgrammingError, sqlite3.InterfaceError)),
    ):
        connection.execute("SELECT ?", (Decimal("0.1"),))


def test_amounts_are_decimals_in_every_other_way() -> None:
    frame = with_amounts(pd.DataFrame({"amount": EXACT[:2], "name": ["a", "b"]}))
    written = io.BytesIO()
    frame.to_parquet(written)
    assert pd.read_parquet(io.BytesIO(written.getvalue()))["amount"].tolist() == EXACT[:2]
    assert frame["amount"].tolist() == EXACT[:2]
    assert pickle.loads(pickle.dumps(frame))["amount"].tolist() == EXACT[:2]  # noqa: S301 - our own
    assert type(frame["amount"].sum()) is Decimal
