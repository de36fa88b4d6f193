"""Whose time a client goes by: a sandbox can be given its time, no client of the exchange can be fooled by that."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

import bgresearch
from bgresearch.connect import EXCHANGE_URL
from bgresearch.core.clock import AHEAD, ManualClock, SandboxClock, SystemClock, clock_of
from bgresearch.errors import ConfigurationError
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server
from tests.conftest import NOW_MS, PATIENCE_S

DAYS_S = 400 * 86_400
NEAR_S = 3600  # the machine may be slow, and a test must not depend on that


@pytest.fixture(autouse=True)
def _ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AHEAD, str(DAYS_S))


def ahead_s(now_ms: float) -> float:
    return now_ms / 1000 - time.time()


@pytest.mark.parametrize("url", [EXCHANGE_URL, "https://127.0.0.1:9", "https://localhost:9"])
def test_a_client_of_any_other_host_goes_by_the_machine_whatever_is_said_to_sandboxes(url: str, tmp_path: Path) -> None:
    with bgresearch.connect(base_url=url, data_dir=tmp_path) as client:
        assert abs(ahead_s(client.now.timestamp() * 1000)) < NEAR_S
    assert type(clock_of(url)) is SystemClock


def test_a_served_sandbox_and_its_clients_agree_on_the_time_that_they_are_reported(tmp_path: Path) -> None:
    with Server() as server, bgresearch.connect(base_url=server.url, data_dir=tmp_path) as client:
        server_ms = int(
            requests.get(f"{server.url}/api/v2/public/time", timeout=PATIENCE_S).json()["data"]["serverTime"]
        )
        assert abs(ahead_s(server_ms) - DAYS_S) < NEAR_S
        assert abs(ahead_s(client.now.timestamp() * 1000) - DAYS_S) < NEAR_S


def test_a_sandbox_in_the_process_hands_its_clock_to_its_client(tmp_path: Path) -> None:
    with bgresearch.connect(sandbox=Exchange(clock=ManualClock(NOW_MS)), data_dir=tmp_path) as client:
        assert client.now.value == NOW_MS * 10**6
    with bgresearch.connect(sandbox=True, data_dir=tmp_path) as client:
        assert abs(ahead_s(client.now.timestamp() * 1000) - DAYS_S) < NEAR_S


@pytest.mark.parametrize("text", ["soon", "inf", "nan", "1e400"])
def test_what_is_no_number_of_seconds_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AHEAD, text)
    with pytest.raises(ConfigurationError, match=AHEAD):
        SandboxClock()
