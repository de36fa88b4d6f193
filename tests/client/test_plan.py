"""What a download would cost, before it."""

from __future__ import annotations

import pytest

import bgresearch
from bgresearch.client.client import Client

ASKED = ("BTCUSDT", "1h", "2026-10-01", "2026-11-01")


def test_a_plan_asks_nobody_and_names_what_the_download_then_needs(client: Client) -> None:
    plan = client.plan(*ASKED)
    assert client.requests_sent == 0
    assert plan.rows == len(client.candles(*ASKED)) == 31 * 24
    assert sum(plan.requests.values()) == client.requests_sent
    assert plan.seconds > 0


def test_what_is_kept_costs_nothing(client: Client) -> None:
    client.candles(*ASKED)
    again = client.plan(*ASKED)
    assert (again.rows, again.requests, again.seconds) == (0, {}, 0.0)
    more = client.plan("BTCUSDT", "1h", "2026-09-30", "2026-11-01")
    assert more.rows == 24


def test_candles_that_are_made_of_shorter_ones_are_priced_as_those(client: Client) -> None:
    assert client.plan("BTCUSDT", "2h", "2026-11-01", "2026-11-02").rows == 24


def test_what_means_nothing_is_refused(client: Client) -> None:
    with pytest.raises(bgresearch.InvalidInput, match="interval"):
        client.plan("BTCUSDT", "7m", "2026-11-01")
