"""The explorer, pressed without a browser, on the sandbox exchange in this process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.forms.background import at_once
from bgresearch.forms.explorer import Explorer
from bgresearch.market.candles.plan import priced
from bgresearch.sandbox import Exchange
from tests.forms.reading import buttons, press, text_of

NOW = dt.datetime(2026, 11, 20, 9, 0, 30, tzinfo=dt.UTC)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    clock = ManualClock(int(NOW.timestamp() * 1000))
    with bgresearch.connect(sandbox=Exchange(clock=clock), data_dir=tmp_path / "data", clock=clock) as client:
        yield client


@pytest.fixture
def explorer(client: Client, tmp_path: Path) -> Explorer:
    return Explorer(client, run=at_once, folder=tmp_path, today=NOW.date())


def test_symbols_of_the_chosen_market_are_offered(explorer: Explorer) -> None:
    assert "BTCUSDT" in explorer.fields["symbol"].control.options
    explorer.fields["market"].control.value = "usdc-futures"
    assert "BTCPERP" in explorer.fields["symbol"].control.options


def test_the_cost_is_reported_before_anything_is_downloaded(explorer: Explorer, client: Client) -> None:
    sent = client.requests_sent
    assert buttons(explorer) == ["Show the cost"]
    press(explorer, "Show the cost")
    assert client.requests_sent == sent
    assert "168 candles are missing" in text_of(explorer.cost)
    assert "1 request (1 to spot.candles): less than a second" in text_of(explorer.cost)
    assert buttons(explorer) == ["Download", "Show the cost"]


def test_another_choice_takes_the_cost_and_the_download_back(explorer: Explorer) -> None:
    press(explorer, "Show the cost")
    explorer.fields["interval"].control.value = "1m"
    assert (buttons(explorer), text_of(explorer.cost)) == (["Show the cost"], "")


def test_a_download_ends_in_a_frame_a_chart_and_a_table(explorer: Explorer, client: Client) -> None:
    explorer.fields["symbol"].control.value = "ethusdt "
    press(explorer, "Show the cost")
    press(explorer, "Download")
    assert explorer.frame is not None
    pd.testing.assert_frame_equal(explorer.frame, client.candles("ETHUSDT", "1h", "2026-11-13", "2026-11-20"))
    assert "168 closed candles of ETHUSDT, 1h" in text_of(explorer.result)
    boxes = [child.children for child in explorer.result.children if "bg-chart" in child._dom_classes]
    ((_, chart),) = boxes
    assert (chart.layout.width, chart._config["responsive"]) == (None, True)
    assert text_of(explorer.result).count("2026-11-13 00:00") == 1
    press(explorer, "Show the cost")
    assert "no request is needed" in text_of(explorer.cost)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("start", None, "is not a time"),
        ("end", dt.date(2026, 11, 1), "is before the start"),
        ("symbol", "", "is not a symbol"),
    ],
)
def test_what_means_nothing_is_said_next_to_its_field(
    explorer: Explorer, field: str, value: object, problem: str
) -> None:
    explorer.fields[field].control.value = value
    press(explorer, "Show the cost")
    assert problem in text_of(explorer.fields[field])
    assert buttons(explorer) == ["Show the cost"]
    assert problem in explorer.guide.said


def test_an_unknown_symbol_is_named_with_near_ones_and_can_be_put_right(explorer: Explorer) -> None:
    explorer.fields["symbol"].control.value = "BTCUSDTT"
    press(explorer, "Show the cost")
    assert "BTCUSDTT is not in the exchange's list for spot. Did you mean BTCUSDT" in text_of(explorer.cost)
    assert "is not in the exchange's list" in explorer.guide.said
    press(explorer, "Download")
    assert "Did you mean BTCUSDT" in text_of(explorer.result)
    assert buttons(explorer) == ["Download", "Show the cost"]


def test_a_download_can_be_stopped_and_what_was_complete_is_kept(explorer: Explorer, client: Client) -> None:
    explorer.fields["interval"].control.value = "5m"  # the archive has only minutes
    explorer.fields["start"].control.value = dt.date(2026, 1, 1)
    press(explorer, "Show the cost")
    before = client.plan(**explorer.asked).rows
    explorer.bar.observe(lambda change: press(explorer, "Stop") if change["new"] else None, "value")
    press(explorer, "Download")
    assert explorer.frame is None
    assert "Stopped." in text_of(explorer.result)
    assert 0 < client.plan(**explorer.asked).rows < before


@pytest.mark.parametrize(("kind", "read"), [("CSV", pd.read_csv), ("Parquet", pd.read_parquet)])
def test_the_frame_is_saved_and_never_over_another_file(
    explorer: Explorer, tmp_path: Path, kind: str, read: object
) -> None:
    press(explorer, "Show the cost")
    press(explorer, "Download")
    press(explorer, f"Save as {kind}")
    saved = tmp_path / f"BTCUSDT-spot-1h-2026-11-13-2026-11-20.{kind.lower()}"
    assert explorer.frame is not None
    assert read(saved).reset_index()["close"].tolist() == explorer.frame["close"].tolist()  # type: ignore[operator]
    before = saved.read_bytes()
    press(explorer, f"Save as {kind}")
    assert "exists already" in text_of(explorer.result)
    assert saved.read_bytes() == before


def test_many_requests_are_priced_in_seconds(client: Client) -> None:
    words = " ".join(priced(client.plan("BTCUSDT", "1m", "2026-01-01", "2026-11-01", source="rest")))
    assert "to spot.history_candles" in words
    assert "about " in words
