"""Rows of the exchange as verbs read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgresearch.catalogue.answer_row import AnswerRow, Problems


def answer_row(values: Mapping[str, Any], endpoint: str = "spot.trade_fills", *, money: bool = True) -> AnswerRow:
    """Return a row of an answer, by default of an account's records."""
    return AnswerRow(values, Problems(endpoint, money=money))
