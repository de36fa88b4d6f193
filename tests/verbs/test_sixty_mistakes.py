"""What newcomers type: each works as meant, or is answered with one line that names the fix.

In one process for every run of the tests; with ``-m slow`` each in a `python -c` of its own, in IPython, and on the
command line, as somebody would who types it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import bgresearch as bg
from bgresearch.errors import BgresearchError
from bgresearch.sandbox import Exchange
from tests.conftest import PATIENCE_S, Connect, inherited


class Mistake(NamedTuple):
    """One line of Python, and what has to be in the answer: in the result's first line, or in the error's."""

    line: str
    answer: str


HOURS = "(47, 6)"
MISTAKES = [
    Mistake(f'client.candles({symbol!r}, {interval!r}, last="2d").shape', HOURS)
    for symbol, interval in (
        ("BTCUSDT", "1H"), ("BTCUSDT", "60min"), ("BTCUSDT", "1hour"), ("BTC-USDT", "1h"), ("BTC_USDT", "1h"),
        ("btcusdt", "1h"), ("BTCUSDT_UMCBL", "1h"), ("BTC/USDT", "1h"), ("BTCUSDT.P", "60m"),
    )
] + [
    Mistake(f'client.candles("BTCUSDT", "1h", last="2d", market={market!r}).shape', HOURS)
    for market in ("futures", "perp", "USDT-FUTURES", "Spot", "usdt_futures")
] + [
    Mistake('client.candles("BTCUSDT", "1D", last="10d").shape', "(9, 6)"),
    Mistake('client.candles("BTCUSDT", "1min", last="2h").shape[0] in (118, 119)', "True"),
    Mistake('client.candles("BTCUSDT", "1h", start="3d").shape', "(71, 6)"),
    Mistake('client.candles("BTCUSDT", "1d", start="1mo").shape[1]', "6"),
    Mistake('client.candles("BTCUSDT", "1w", start="ytd").shape[1]', "6"),
    Mistake('client.candles("BTCUSDT", "1h", last="7 days").shape', "(167, 6)"),
    Mistake('client.panel(["BTC-USDT", "eth_usdt"], "1H", last="2d").shape', "(47, 2)"),
    Mistake('len(client.account.fills()) > 0', "True"),
    Mistake('client.account.assets().usd_value.notna().any()', "True"),
    Mistake('type(client.order_book("BTCUSDT").bg.chart()).__name__', "FigureChart"),
    Mistake('type(client.open_interest("BTCUSDT").bg.chart()).__name__', "FigureChart"),
    Mistake('type(client.funding_rates("BTCUSDT", last="10d").bg.chart()).__name__', "FigureChart"),
    Mistake('type(client.account.assets().bg.chart()).__name__', "FigureChart"),
    Mistake("client.klines", "candles"),
    Mistake('client.ohlcv("BTCUSDT", "1h")', "candles"),
    Mistake('client.fetch_ohlcv("BTC/USDT", "1h")', "candles"),
    Mistake('client.get_candles("BTCUSDT")', "candles"),
    Mistake('client.ticker("BTCUSDT")', "tickers"),
    Mistake("client.balance()", "account.balances"),
    Mistake("client.my_trades()", "account.fills"),
    Mistake('client.subscribe("trades", "BTCUSDT")', "stream"),
    Mistake('client.sql("select 1")', "lens"),
    Mistake('client.buy("BTCUSDT", 1)', "only reads"),
    Mistake('client.create_order("BTCUSDT")', "only reads"),
    Mistake('client.help()', "Press Tab"),
    Mistake('client.candles("BTCUSDT", "1h", since="2026-11-01")', "called start"),
    Mistake('client.candles("BTCUSDT", timeframe="1h", last="2d")', "called interval"),
    Mistake('client.candles("BTCUSDT", "1h", limit=100)', ".tail(n)"),
    Mistake('client.candles("BTCUSDT", "1h", last="2d", tz="Europe/Berlin")', "tz_convert"),
    Mistake('client.candles("BTCUSDT", last="2d")', "interval: candles() needs it"),
    Mistake('client.candles("BTCUSDT", "1h")', 'last="30d"'),
    Mistake('client.candles("1h", "BTCUSDT", last="2d")', "symbol comes first"),
    Mistake('client.candles(["BTCUSDT", "ETHUSDT"], "1h", last="2d")', "client.panel()"),
    Mistake('client.candles("BTCUSDT", "1h", "1d", None, "spot")', "by name"),
    Mistake('client.candles("BTCUSTD", "1h", last="2d")', "Did you mean BTCUSDT"),
    Mistake('client.candles("BTC", "1h", last="2d")', "Did you mean BTCUSDT"),
    Mistake('client.candles("BTCUSD", "1h", last="2d")', "market='coin-futures'"),
    Mistake('client.candles("BTCPERP", "1h", last="2d")', "market='usdc-futures'"),
    Mistake('client.order_book("BTCPERP", market="coin-futures")', "market='usdc-futures'"),
    Mistake("client.trades_history()", "It is called trades"),
    Mistake("client.account.trades()", "It is called fills"),
    Mistake('client.candles("BTCUSDT", "1T", last="2d")', "Use one of 1m"),
    Mistake('client.candles("BTCUSDT", "1h", start="01/02/2026")', "Write 2024-01-31"),
    Mistake('client.candles("BTCUSDT", "1h", start="yesterday")', '"30d"'),
    Mistake('client.candles("BTCUSDT", "1d", start=1760000000)', "milliseconds"),
    Mistake('client.candles("BTCUSDT", "1h", last=7)', '"30d"'),
    Mistake('client.candles("BTCUSDT", "1h", start="2026-11-10", end="2026-11-01")', "before the start"),
    Mistake('client.candles("BTCUSDT", "1h", start="2036-11-20")', "in the future"),
    Mistake('client.candles("BTCUSDT", "1h", start="5d", last="2d")', "Leave one of them out"),
    Mistake('client.candles("BTCUSDT", "1h", last="2d").bg.plot()', "chart"),
    Mistake('client.candles("BTCUSDT", "1h", last="2d").bg.to_csv("x.csv")', "export"),
    Mistake('client.candles("BTCUSDT", "1h", last="2d").bg.export("x.foo")', ".parquet"),
    Mistake('client.candles("BTCUSDT", "1h", last="2d").bg.export("no/such/folder/x.csv")', "does not exist"),
    Mistake('client.tickers(market="futures")', "usdt-futures, usdc-futures, coin-futures"),
    Mistake('client.stream("trade", "BTCUSDT")', "Use one of trades"),
    Mistake('bg.candles("BTCUSDT", "1h")', "bg.connect().candles"),
    Mistake("bg.login()", "bg.connect()"),
    Mistake("bg.Client()", "bg.connect()"),
    Mistake('bg.connect("research")', "key="),
    Mistake('bg.connect(api_key="bg_0", secret="x", passphrase="y")', "bg.setup()"),
    Mistake("bg.connect(testnet=True)", "sandbox=True"),
    Mistake('bg.connect(sandbox="yes")', "sandbox=True"),
    Mistake('bg.connect(key="research")', "bg.setup()"),
    Mistake('bg.check()', "name"),
]  # fmt: skip

COMMANDS = [
    (["klines", "BTCUSDT"], "bgresearch download candles"), (["key", "list"], "bgresearch keys list"),
    (["download", "BTC-USDT", "1H"], "bgresearch download candles BTC-USDT --since 30d"),
    (["download", "kline", "BTCUSDT"], "bgresearch download candles"),
    (["download", "candels", "BTCUSDT"], "Did you mean 'candles'"),
    (["download", "candles", "BTCUSDT", "1h", "--since", "2d"], "--interval 1h"),
    (["export", "btcusdt"], "bgresearch export candles btcusdt"), (["unlock"], "bgresearch vault unlock"),
    (["login"], "bgresearch setup"), (["version"], "bgresearch --version"), (["help"], "bgresearch --help"),
    (["-h"], "Read-only research toolkit"), (["download", "candles", "-h"], "--interval"),
    (["sql", "select", "1"], "in quotes"), (["explor"], "Did you mean 'explore'"),
    (["download", "candles", "BTCUSDT", "--start", "1d"], "--since"),
    (["vault", "unlock"], "bgresearch setup"), (["keys", "list"], "bgresearch setup"),
    (["check", "research"], "bgresearch setup"),
]  # fmt: skip


def answer(line: str, **names: Any) -> str:
    """Return what a line gives, or the message of its error, which has to be one line of this package's own."""
    try:
        said = str(eval(line, names))  # noqa: S307 - the lines above
    except (BgresearchError, AttributeError) as error:
        said = str(error)
    assert "\n" not in said
    return said


@pytest.fixture
def newcomer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The variables of somebody who has nothing yet."""
    tmp_path.chmod(0o700)
    own = {"BGRESEARCH_VAULT": "vault", "BGRESEARCH_AGENT_DIR": "agent", "BGRESEARCH_DATA_DIR": "data"}
    variables = {name: str(tmp_path / folder) for name, folder in own.items()}
    for name, folder in variables.items():
        monkeypatch.setenv(name, folder)
    return {**inherited(), **variables}


def test_sixty_lines_of_python_do_what_was_meant_or_name_the_fix(
    connect: Connect, exchange: Exchange, newcomer: dict[str, str]
) -> None:
    client = connect()
    assert len(MISTAKES) >= 60
    wrong = {
        one.line: said for one in MISTAKES if one.answer not in (said := answer(one.line, bg=bg, client=client))
    }  # fmt: skip
    assert wrong == {}


def run(command: list[str], newcomer: dict[str, str], folder: Path, text: str = "") -> str:
    """Return what a process printed."""
    done = subprocess.run(  # noqa: S603
        command, input=text, env=newcomer, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.stdout + done.stderr


BEGIN = "import bgresearch as bg\nclient = bg.connect(sandbox=True, progress=False)\n"


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.line)
def test_each_in_a_python_of_its_own(mistake: Mistake, newcomer: dict[str, str], tmp_path: Path) -> None:
    said = run([sys.executable, "-c", f"{BEGIN}print({mistake.line})"], newcomer, tmp_path)
    assert mistake.answer in said.strip().splitlines()[-1]


@pytest.mark.slow
def test_all_of_them_in_one_ipython(newcomer: dict[str, str], tmp_path: Path) -> None:
    typed = BEGIN + "".join(f"print('line {at}')\n{one.line}\n" for at, one in enumerate(MISTAKES))
    newcomer = {**newcomer, "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"}
    said = run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"],
        newcomer,
        tmp_path,
        typed,
    )
    for at, one in enumerate(MISTAKES):
        shown = said.partition(f"line {at}\n")[2].partition(f"line {at + 1}\n")[0]
        assert one.answer in shown, (one.line, shown)


@pytest.mark.parametrize(
    ("arguments", "right"),
    [pytest.param(*one, marks=[] if at < 2 else [pytest.mark.slow]) for at, one in enumerate(COMMANDS)],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_each_on_the_command_line(arguments: list[str], right: str, newcomer: dict[str, str], tmp_path: Path) -> None:
    said = run([sys.executable, "-m", "bgresearch", *arguments], newcomer, tmp_path)
    assert right in " ".join(said.split())
    assert "Traceback" not in said
