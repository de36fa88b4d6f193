"""Frames of decimals go into SQLite, digit by digit."""

from __future__ import annotations

import contextlib
import sqlite3
from decimal import Decimal

import pandas as pd

import bgresearch.research.pnl.decimals  # noqa: F401 - tells SQLite how to write decimals


def test_decimals_are_written_as_texts_that_name_every_digit() -> None:
    frame = pd.DataFrame({"amount": [Decimal("0.12345678901234567890"), Decimal("1E-8"), None]})
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        frame.to_sql("ledger", connection, index=False)
        kept = connection.execute("SELECT amount FROM ledger").fetchall()
    assert kept == [("0.12345678901234567890",), ("0.00000001",), (None,)]
