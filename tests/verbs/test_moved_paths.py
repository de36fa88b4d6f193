"""Paths of the exchange that were moved: the new one is asked, then the old one."""

from __future__ import annotations

import pytest

from bgresearch.catalogue import load
from bgresearch.client.client import Client
from bgresearch.errors import ExchangeError, RateLimited
from bgresearch.http.sender import Reply
from bgresearch.market.sentiment import margin_series

NEW, OLD = "data.margin_isolated_borrow_rate", "data.futures_isolated_borrow_rate"


class Sent:
    """A sender that has not every path."""

    label, host, demo, sent, confirms = None, "", False, 0, True

    def __init__(self, client: Client, error: ExchangeError | None) -> None:
        self.asked: list[str] = []
        self._inner, self._error = client._source.sender, error

    def send(self, endpoint: object, params: dict[str, object]) -> Reply:
        self.asked.append(endpoint.id)  # type: ignore[attr-defined]
        if endpoint.id == NEW and self._error is not None:  # type: ignore[attr-defined]
            raise self._error
        return self._inner.send(endpoint, params)  # type: ignore[arg-type]


def test_the_new_path_is_asked(client: Client) -> None:
    sent = Sent(client, None)
    assert margin_series(sent, "BTCUSDT", "24h")  # type: ignore[arg-type]
    assert (NEW in sent.asked, OLD in sent.asked) == (True, False)


@pytest.mark.parametrize("code", ["404", "40404"])
def test_the_old_path_is_asked_where_the_new_one_is_not(client: Client, code: str) -> None:
    sent = Sent(client, ExchangeError(NEW, code, "not found"))
    rows = margin_series(sent, "BTCUSDT", "24h")  # type: ignore[arg-type]
    assert rows
    assert all("borrow_rate" in row for row in rows)
    assert OLD in sent.asked
    assert load()[NEW].columns == load()[OLD].columns


def test_another_error_is_no_reason_for_the_old_path(client: Client) -> None:
    with pytest.raises(RateLimited):
        margin_series(Sent(client, RateLimited(NEW, "429", "slower")), "BTCUSDT", "24h")  # type: ignore[arg-type]
