"""Whatever an answer holds in any field: only this package's errors leave a verb, and what could not be read is named.

Every verb is asked once to see which endpoints answer it; then every place of each of those answers (fields, objects,
lists, ``data`` itself) is dropped and replaced by everything in `altered.WRONG`, one at a time.
"""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.client.contract_events import ContractEventVerbs
from bgresearch.connect import SANDBOX_URL
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, BgresearchError, UndocumentedData
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Signer, Wire
from bgresearch.keys.permissions import Permissions
from bgresearch.market.recorder.series import RECORDABLE
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, SandboxAdapter
from bgresearch.store import Store
from tests.conftest import NOW_MS
from tests.quick import quick_of
from tests.verbs import test_account_verbs, test_market_verbs
from tests.verbs.altered import SHAPELESS, WRONG, Altering, altered, is_scalar, places
from vault import loopback_credential

Ask = Callable[[Client], Any]
SINCE = "2026-11-18"
FUTURES = "usdt-futures"

PUBLIC: dict[str, Ask] = {
    **test_market_verbs.CALLS,
    "symbols of contracts": lambda c: c.symbols(FUTURES), "tickers of contracts": lambda c: c.tickers(market=FUTURES),
    "ticker of a contract": lambda c: c.tickers("BTCUSDT", market=FUTURES), "prices of all": lambda c: c.prices(),
    "trades of a contract": lambda c: c.trades("BTCUSDT", market=FUTURES),
    "past trades": lambda c: c.trades("BTCUSDT", "2026-11-20 08:50", "2026-11-20 08:54"),
    "past trades of a contract": lambda c: c.trades("BTCUSDT", "2026-11-20 08:50", "2026-11-20 08:54", market=FUTURES),
    "open_interest of all": lambda c: c.open_interest(), "fee_rates of contracts": lambda c: c.fee_rates(FUTURES),
    "discount_rates classic": lambda c: c.discount_rates("classic"),
    "interest_rates before": lambda c: c.interest_rates("USDT", history=True),
    "long_short of accounts": lambda c: c.long_short("BTCUSDT", of="accounts"),
    "long_short of positions": lambda c: c.long_short("BTCUSDT", of="positions"),
    "long_short of margin": lambda c: c.long_short("BTCUSDT", of="margin", period="24h"),
    "net_flow of whales": lambda c: c.net_flow("BTCUSDT", whales=True), "server_time": lambda c: c.server_time(),
    "raw tickers": lambda c: c.api.spot.tickers(), "raw coins": lambda c: c.api.spot.coins(),
    "raw funding rates": lambda c: c.api.futures.history_fund_rate.all(symbol="BTCUSDT", productType="USDT-FUTURES"),
    "raw candles": lambda c: c.api.spot.candles.all(symbol="BTCUSDT", granularity="1h", startTime="2026-11-19"),
    **{
        f"recorder {name}": lambda c, name=name: c.recorder(name, "BTCUSDT", every="1m").run(count=1)
        for name in RECORDABLE
    },
}  # fmt: skip
PRIVATE: dict[str, Ask] = {
    **{name: lambda c, ask=ask: ask(c.account) for name, ask in test_account_verbs.CALLS.items()},
    "fills": lambda c: c.account.fills(SINCE, market=FUTURES),
    "fills in spot": lambda c: c.account.fills(SINCE, market="spot"),
    "orders": lambda c: c.account.orders(SINCE, market=FUTURES),
    "orders in spot": lambda c: c.account.orders(SINCE, market="spot"),
    "closed_positions": lambda c: c.account.closed_positions("2026-11-16", market=FUTURES),
    "plan_orders in spot": lambda c: c.account.plan_orders(SINCE, market="spot"),
    "bills": lambda c: c.account.bills(SINCE, book=FUTURES),
    "bills in spot": lambda c: c.account.bills(SINCE, book="spot"),
    "tax_records of contracts": lambda c: c.account.tax_records(SINCE, book=FUTURES),
    "fee_rates of a contract": lambda c: c.account.fee_rates("BTCUSDT", market=FUTURES),
    "raw fills": lambda c: c.api.spot.trade_fills.all(startTime="2026-11-19"),
    "assets": lambda c: c.account.assets(), "permissions": lambda c: c.permissions(),
}  # fmt: skip
KEYS = {"readonly": "classic", "unified_trader": "unified"}
CURSORS = {"cursor", "endId"}  # what asks for the next page: the list has no end then
NOT_TOLD = {("unified_trader", "plan_orders in spot"), ("unified_trader", "raw fills")}
CASES = [
    case
    for case in [*(("", verb) for verb in PUBLIC), *((key, verb) for key in KEYS for verb in PRIVATE)]
    if case not in NOT_TOLD
]
EXCEPTED = {"uta.account_settings", "spot.account_info", "uta.account_info"}  # asked by every call: swept once


class Bench:
    """Asks one verb again and again, each time a new client of an exchange whose answers are altered."""

    def __init__(self, model: Exchange, folder: Path, key: str, ask: Ask) -> None:
        self._folder, self._key, self._ask, self._count = folder, key, ask, itertools.count()
        self.exchange = Altering(model, ManualClock(NOW_MS))
        self._session = requests.Session()
        self._session.mount(SANDBOX_URL, SandboxAdapter(self.exchange))

    def ask(self, endpoint: str, at: tuple[str | int, ...], wrong: Any) -> tuple[Any, str, dict[str, Any]]:
        """Return frame or error, all that was said, and what the exchange would have answered."""
        clock, exchange = ManualClock(NOW_MS), self.exchange
        exchange.clock, exchange.alter = clock, (
            lambda row_id, data: altered(data, at, wrong) if row_id == endpoint else data
        )  # fmt: skip
        wire = Wire(SANDBOX_URL, limiter=LocalLimiter(clock), clock=clock, signer=signer(self._key),
                    session=self._session)  # fmt: skip
        store = Store(self._folder / str(next(self._count)), clock=clock, host=SANDBOX_URL)
        client = Client(wire, store, clock=clock, progress=False)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                found = self._ask(client)
            except BgresearchError as error:
                found = error
        words = [str(one.message) for one in said if issubclass(one.category, UndocumentedData)]
        return found, " ".join([*words, str(found) if isinstance(found, Exception) else ""]), exchange.answers


def signer(name: str) -> Signer | None:
    if not name:
        return None
    key = SANDBOX_KEYS[name]
    return loopback_credential(
        name, api_key=key.api_key, secret_key=key.secret_key, passphrase=key.passphrase, host=SANDBOX_URL, demo=key.demo
    )


def same(one: Any, other: Any) -> bool:
    return isinstance(one, pd.DataFrame) and isinstance(other, pd.DataFrame) and one.equals(other)


def sweep(bench: Bench, share: float, seed: str) -> tuple[int, list[str]]:
    """Return how many altered answers were tried, and what went wrong.

    Frames of the raw namespace keep what no column can hold as text.
    """
    named = " raw " not in f" {seed}"
    plain, _, answers = bench.ask("", (), None)
    answers = dict(answers)
    assert not isinstance(plain, Exception), plain
    rng, tried, wrongs = random.Random(seed), 0, []  # noqa: S311 - reproducible
    for endpoint, data in answers.items():
        if endpoint in EXCEPTED and not isinstance(plain, Permissions):
            continue
        for at, (name, wrong) in itertools.product(places(data), WRONG.items()):
            if rng.random() >= share:
                continue
            case = f"{endpoint} {'.'.join(map(str, at)) or 'data'}: {name}"
            tried += 1
            try:
                found, said, _ = bench.ask(endpoint, at, wrong)
            except Exception as error:  # noqa: BLE001 - any is the defect that is looked for
                wrongs.append(f"{case}: {type(error).__name__} {error}")
                continue
            unread = same(found, plain) or not isinstance(found, pd.DataFrame | BadResponse)
            field = next((str(part) for part in reversed(at) if isinstance(part, str)), "")
            expected = field if is_scalar(data, at) and field not in CURSORS else ""
            if named and name in SHAPELESS and at and not unread and (not said or expected not in said):
                wrongs.append(f"{case}: not named ({said[:200]})")
    return tried, wrongs


def test_every_verb_is_swept() -> None:
    public = {name for cls in ContractEventVerbs.__mro__ for name, verb in vars(cls).items() if hasattr(verb, "shape")}
    private = {name for cls in AccountVerbs.__mro__ for name, verb in vars(cls).items() if hasattr(verb, "shape")}
    assert public <= set(PUBLIC)
    assert private <= set(PRIVATE)


@pytest.mark.parametrize("case", quick_of(*CASES, every=3, name=" ".join))
def test_some_altered_answers_end_in_a_frame_or_in_an_error_of_this_package(
    model: Exchange, tmp_path: Path, case: tuple[str, str]
) -> None:
    key, verb = case
    bench = Bench(model, tmp_path, key, (PRIVATE if key else PUBLIC)[verb])
    _, wrongs = sweep(bench, 0.02, f"{key} {verb}")
    assert not wrongs, "\n".join(wrongs)


@pytest.mark.slow
@pytest.mark.parametrize(("key", "verb"), CASES)
def test_many_altered_answers_end_in_a_frame_or_in_an_error_of_this_package(
    model: Exchange, tmp_path: Path, key: str, verb: str
) -> None:
    bench = Bench(model, tmp_path, key, (PRIVATE if key else PUBLIC)[verb])
    tried, wrongs = sweep(bench, 0.3, f"{verb} {key}")
    print(f"\n{tried} altered answers")
    assert not wrongs, "\n".join(wrongs)
