"""Tab in a notebook: symbols, intervals, markets and labels, in IPython's own completer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.intervals import INTERVALS
from bgresearch.forms.completion import activate, suggestions


@pytest.fixture
def shell(client: Client) -> Iterator[InteractiveShell]:
    """IPython as a kernel runs it, with a client among its variables."""
    new = InteractiveShell.instance()
    activate()
    activate()  # importing and connecting both do
    assert new.Completer is not None
    new.Completer.use_jedi = False
    new.user_ns.update(c=client, bg=bgresearch, other={"candles": len})
    yield new
    InteractiveShell.clear_instance()


def completed(shell: InteractiveShell, text: str) -> list[str]:
    """Return the lines that Tab would make of one."""
    completer: Any = shell.Completer
    with provisionalcompleter():
        found = list(completer.completions(text, len(text)))
    return [text[: one.start] + one.text + text[one.end :] for one in found]


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ('c.candles("BTCUS', 'c.candles("BTCUSDT'),
        ('c.candles("btc-us', 'c.candles("BTCUSDT'),
        ('c.tickers("BTCU', 'c.tickers("BTCUSDT'),
        ('x = c.candles("BTCUSDT", "1', 'x = c.candles("BTCUSDT", "1h'),
        ('c.candles("BTCUSDT", interval="', 'c.candles("BTCUSDT", interval="1h'),
        ('c.candles("BTCUSDT", "1h", market="usdt-', 'c.candles("BTCUSDT", "1h", market="usdt-futures'),
        (
            'c.candles(market="usdc-futures", interval="1h", symbol="BTC',
            'c.candles(market="usdc-futures", interval="1h", symbol="BTCPERP',
        ),
        ('c.download(["BTCUSDT", "ETHU', 'c.download(["BTCUSDT", "ETHUSDT'),
        ('c.panel(["BTCUSDT"], "1', 'c.panel(["BTCUSDT"], "1h'),
        ("c.account.fills(symbol='BTCU", "c.account.fills(symbol='BTCUSDT"),
        ('c.funding_rates("BTCU', 'c.funding_rates("BTCUSDT'),
        ('bg.connect(sandbox=True, key="read', 'bg.connect(sandbox=True, key="readonly'),
        ('c.candles("BTCUSDT", "1h", price="', 'c.candles("BTCUSDT", "1h", price="mark'),
        ('c.long_short("BTCUSDT", period="', 'c.long_short("BTCUSDT", period="15m'),
    ],
)  # fmt: skip
def test_tab_completes_what_stands_in_quotes(shell: InteractiveShell, typed: str, line: str) -> None:
    assert line in completed(shell, typed)


@pytest.mark.parametrize(
    "typed", ['print("BTC', 'other["candles"]("BTC', 'c.candles("BTCUSDT', 'c.candles(f(1), "BTC', '"c.']
)
def test_what_is_no_argument_of_this_package_is_left_alone(client: Client, typed: str) -> None:
    found = suggestions(typed, {"c": client, "other": {"candles": len}})
    assert found is None or typed.startswith("c.candles(")


def test_every_interval_is_offered_and_none_but_those(client: Client) -> None:
    found = suggestions('c.candles("BTCUSDT", "', {"c": client})
    assert found is not None
    assert found.words == list(INTERVALS)


def test_a_list_of_symbols_is_asked_for_once_a_day(client: Client) -> None:
    for _ in range(3):
        assert suggestions('c.candles("BTC', {"c": client}) is not None
    assert client.requests_sent == 1


def test_labels_need_no_agent(client: Client) -> None:
    found = suggestions('bg.connect(key="', {"bg": bgresearch})
    assert found is None or not found.words
