"""The main job from a key to a chart, offline: a served sandbox, a throw-away vault, a cache, a page, a notebook.

Everything but the page is in a temporary folder that is removed afterwards, also after Ctrl-C.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bgresearch.charts.chart import chart
from bgresearch.charts.equity import equity_figure
from bgresearch.charts.html_page import Panel, page, write_page
from bgresearch.cli.run_notebook import execute
from bgresearch.client.client import Client
from bgresearch.connect import connect
from bgresearch.core.version import notebooks
from bgresearch.errors import BgresearchError, InvalidInput
from bgresearch.exports.output_path import checked_place
from bgresearch.keys.onboarding.messages import SANDBOX
from bgresearch.research.backcast_equity import holdings, spot_equity, unvalued
from bgresearch.research.resample import resample
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.server import Server
from vault import Forgetful, Surroundings, Vault

SYMBOLS = ("BTCUSDT", "ETHUSDT")
DAYS = 30
QUOTE = "USDT"
LABEL = "research"
NOTEBOOK = notebooks() / "01_quickstart.ipynb"


class CacheMissed(BgresearchError):
    """Requests were sent for data that should have come from the cache."""


@dataclass(frozen=True)
class DemoAccount:
    """The account's balances, fills and value over time."""

    assets: pd.DataFrame
    fills: pd.DataFrame
    curve: pd.DataFrame
    left_out: tuple[str, ...]


class Demo:
    """One run of the main job.

    Parameters
    ----------
    console : Console
        Where progress is printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.figures: dict[str, Any] = {}

    def run(self, page_path: Path, notebook: Path) -> dict[str, Any]:
        """Do the job and return its figures.

        Parameters
        ----------
        page_path : Path
            Where the report page goes.
        notebook : Path
            Executed at the end, in a temporary copy.
        """
        checked_place(page_path)
        if not notebook.is_file():
            hint = "Leave it out to run the quickstart."
            raise InvalidInput("--notebook", f"there is no file {notebook}.", hint=hint)
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="bgresearch-demo-") as folder, Server() as server:
            self._step(
                "Exchange", f"sandbox at {server.url}; its data is synthetic, nothing leaves this machine", SANDBOX
            )
            with self._vault(Path(folder), server.url) as vault:
                client = connect(key=LABEL, vault=vault, base_url=server.url, data_dir=Path(folder) / "data")
            with client:
                self._check(client)
                candles = self._candles(client, server)
                account = self._account(client, candles)
            self._page(page_path, candles, account)
            self._notebook(notebook, Path(folder))
        self.figures["seconds"] = round(time.perf_counter() - started, 1)
        self._step("Done", f"in {self.figures['seconds']:.0f} s; the vault, the data and the exchange are removed")
        return self.figures

    @contextmanager
    def _vault(self, folder: Path, url: str) -> Iterator[Vault]:
        key = SANDBOX_KEYS["readonly"]
        around = Surroundings(memory=Forgetful())  # it exists for a minute only
        with Vault.create(folder / "keys" / "vault", secrets.token_urlsafe(24), surroundings=around) as vault:
            vault.add(LABEL, api_key=key.api_key, secret_key=key.secret_key, passphrase=key.passphrase, host=url)
            self._step("Vault", f"a throw-away one, encrypted; key {LABEL!r} added, bound to {url}")
            yield vault

    def _check(self, client: Client) -> None:
        found = client.permissions()
        addresses = ", ".join(found.addresses) or "any address"
        self.figures["verdict"] = found.verdict
        text = f"{found.verdict}; {len(found.authorities)} authorities, {found.mode} account, usable from {addresses}"
        self._step("Permissions", text, *found.advice)

    def _candles(self, client: Client, server: Server) -> dict[str, pd.DataFrame]:
        end = client.now.floor("D")
        start = end - pd.Timedelta(days=DAYS)
        sent = client.requests_sent
        with self._bar() as bar:
            clock = time.perf_counter()
            candles = {symbol: _with_bar(client, bar, symbol, start, end) for symbol in SYMBOLS}
            first_s = time.perf_counter() - clock
        first, sent = client.requests_sent - sent, client.requests_sent
        clock = time.perf_counter()
        again = {symbol: client.candles(symbol, "1m", start, end, progress=False) for symbol in SYMBOLS}
        second_s, second = time.perf_counter() - clock, client.requests_sent - sent
        if second or not all(again[symbol].equals(candles[symbol]) for symbol in SYMBOLS):
            raise CacheMissed(f"{second} requests were sent for data that is in the cache.", hint="Please report this.")
        rows = sum(map(len, candles.values()))
        self._step(
            "Download", f"{rows:,} one-minute candles of {' and '.join(SYMBOLS)}: {first_s:.1f} s, {first} requests"
        )
        self._step("Cache", f"the same again from Parquet: {second_s:.2f} s, {second} requests")
        self.figures |= {"candles": rows, "download_s": round(first_s, 2), "download_requests": first}
        self.figures |= {"cache_s": round(second_s, 3), "cache_requests": second}
        return candles

    def _account(self, client: Client, candles: dict[str, pd.DataFrame]) -> DemoAccount:
        start = candles[SYMBOLS[0]].index[0]
        assets, fills = client.account.assets(), client.account.fills(start)
        hourly = {symbol.removesuffix(QUOTE): resample(frame, "1h") for symbol, frame in candles.items()}
        listed = client.api.spot.symbols()
        amounts = holdings(assets)
        names = {*listed["symbol"].astype("str")}
        for coin in sorted({*amounts} - {*hourly, QUOTE}):
            if f"{coin}{QUOTE}" in names:
                hourly[coin] = client.candles(
                    f"{coin}{QUOTE}", "1h", start, candles[SYMBOLS[0]].index[-1], progress=False
                )
        curve = spot_equity(assets, fills, hourly, listed, quote=QUOTE)
        left_out = unvalued(amounts, pd.DataFrame(columns=list(hourly)), quote=QUOTE)
        self.figures |= {"coins": len(amounts), "fills": len(fills)}
        value = f"value {curve['equity'].iloc[-1]:,.2f} {QUOTE} in the spot account"
        self._step("Account", f"{len(amounts)} coins, {len(fills)} fills since {start:%Y-%m-%d}, {value}")
        return DemoAccount(assets, fills, curve, left_out)

    def _page(self, path: Path, candles: dict[str, pd.DataFrame], account: DemoAccount) -> None:
        gone = f" Without a price and left out: {', '.join(account.left_out)}." if account.left_out else ""
        facts = {
            "Key": f"{LABEL!r}, {self.figures['verdict']}",
            "Candles": f"{self.figures['candles']:,}, fetched with {self.figures['download_requests']} requests in "
            f"{self.figures['download_s']:.1f} s, read again with none in {self.figures['cache_s']:.2f} s",
            "Fills": f"{len(account.fills):,}",
            "Equity": "present balances, computed back through the fills and priced with hourly closes; deposits, "
            f"withdrawals and transfers are not included.{gone}",
        }
        panels = [
            Panel({symbol: chart(frame) for symbol, frame in candles.items()}),
            Panel({"equity": equity_figure(account.curve, title="Value of the spot account, in USDT", quote=QUOTE)}),
            Panel(facts=facts),
        ]
        written = write_page(path, page("bgresearch demo", panels, lead=_LEAD, footer=_FOOTER))
        self.figures["page"] = str(written)
        self._step("Page", f"{written}", "Open it in a browser: it needs no network.")

    def _notebook(self, path: Path, folder: Path) -> None:
        clock = time.perf_counter()
        places = {"BGRESEARCH_DATA_DIR": str(folder / "notebook-data"), "IPYTHONDIR": str(folder / "ipython")}
        execute(path, folder, places)
        self.figures["notebook_s"] = round(time.perf_counter() - clock, 1)
        self._step("Notebook", f"{path.name} ran from top to bottom in {self.figures['notebook_s']:.0f} s")

    def _step(self, name: str, text: str, *more: str) -> None:
        self._console.print(f"[bold cyan]{name:<12}[/] ", end="")
        self._console.print(text, markup=False, soft_wrap=True)
        for line in more:
            self._console.print(f"{'':<13}{line}", markup=False, soft_wrap=True)

    def _bar(self) -> Progress:
        columns = (TextColumn("[bold cyan]Download    [/] {task.description}"), BarColumn(), MofNCompleteColumn())
        return Progress(*columns, TimeElapsedColumn(), console=self._console, transient=self._console.is_terminal)


_LEAD = (
    "Two markets and an account of the sandbox exchange: synthetic data from a seed, not real prices. "
    "Drag to pan, scroll to zoom, double-click to reset."
)
_FOOTER = "Made by bgresearch on this machine. This page loads nothing from the network."


def _with_bar(client: Client, bar: Progress, symbol: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    task = bar.add_task(symbol, total=None)
    return client.candles(
        symbol, "1m", start, end, progress=lambda done, total: bar.update(task, completed=done, total=total)
    )
