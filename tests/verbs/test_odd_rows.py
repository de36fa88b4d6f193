"""One odd row of a list: the others are given, what could not be read is missing and named, amounts booked are not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, UndocumentedData
from bgresearch.sandbox import Exchange
from tests.conftest import NOW_MS
from tests.verbs.altered import DROPPED, Altering, altered
from tests.verbs.altered import Path as Place
from tests.verbs.test_odd_answers import FUTURES, SINCE

Ask = Callable[[Client], pd.DataFrame]
ODD = ["", None, "NaN", "Infinity", "1e400", "9" * 400, "abc", True, [1], {"a": 1}]
FILLED = [one for one in ODD if one not in ("", None)]
TICKERS: tuple[str, Ask] = "spot.tickers", lambda c: c.tickers()
SYMBOLS: tuple[str, Ask] = "spot.symbols", lambda c: c.symbols("spot")
CONTRACTS: tuple[str, Ask] = "futures.contracts", lambda c: c.symbols(FUTURES)
COINS: tuple[str, Ask] = "spot.coins", lambda c: c.coins()
BOOK: tuple[str, Ask] = "uta.orderbook", lambda c: c.order_book("BTCUSDT", levels=5)
RAW: tuple[str, Ask] = "spot.tickers", lambda c: c.api.spot.tickers()
Case = tuple[tuple[str, Ask], Place, str]
FIELDS: list[Case] = [
    (SYMBOLS, (0, "pricePrecision"), "price_places"), (SYMBOLS, (0, "quantityPrecision"), "amount_places"),
    (CONTRACTS, (0, "volumePlace"), "amount_places"), (CONTRACTS, (0, "pricePlace"), "price_step"),
    (TICKERS, (0, "lastPr"), "last"),
]  # fmt: skip
OPTIONAL: list[Case] = [
    (COINS, (0, "chains", 0, "depositConfirm"), "deposit_confirmations"), (TICKERS, (0, "bidPr"), "bid"),
    (COINS, (0, "chains", 0, "withdrawFee"), "withdraw_fee"), (BOOK, ("b", 0, 0), "price"),
    (RAW, (0, "lastPr"), "lastPr"),
]  # fmt: skip


def name_of(case: Case) -> str:
    return f"{case[0][0]} {case[1]}"


class Change(NamedTuple):
    """What is put where in the answers of one endpoint."""

    endpoint: str
    at: Place
    wrong: Any


class Asks:
    """Asks a verb of an exchange whose answers are changed, and returns the frame and this package's warnings."""

    def __init__(self, model: Exchange, folder: Path) -> None:
        self._model, self._folder = model, folder

    def __call__(
        self, ask: Ask, change: Change | None = None, *, key: str = "readonly", folder: str = ""
    ) -> tuple[pd.DataFrame, list[str]]:  # fmt: skip
        clock = ManualClock(NOW_MS)
        exchange = Altering(self._model, clock)
        if change is not None:
            exchange.alter = lambda row_id, data: (
                altered(data, change.at, change.wrong) if row_id == change.endpoint else data
            )
        place = self._folder / (folder or ("odd" if change else "plain"))
        client = bgresearch.connect(sandbox=exchange, key=key, data_dir=place, clock=clock, progress=False)
        with client, warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            frame = ask(client)
        return frame, [str(one.message) for one in said if issubclass(one.category, UndocumentedData)]


@pytest.fixture
def asked(model: Exchange, tmp_path: Path) -> Asks:
    return Asks(model, tmp_path)


@pytest.mark.quick_cases(18)
@pytest.mark.parametrize("wrong", [DROPPED, *ODD])
@pytest.mark.parametrize("case", FIELDS, ids=name_of)
def test_a_needed_value_that_cannot_be_read_is_missing_and_named(asked: Asks, case: Case, wrong: Any) -> None:
    said = one_is_missing(asked, case, wrong)
    assert said.startswith(f"{case[0][0]}: row 1 (symbol ")


@pytest.mark.quick_cases(13)
@pytest.mark.parametrize("wrong", FILLED)
@pytest.mark.parametrize("case", OPTIONAL, ids=name_of)
def test_any_value_that_cannot_be_read_is_missing_and_named(asked: Asks, case: Case, wrong: Any) -> None:
    one_is_missing(asked, case, wrong)


def test_every_call_says_it_again(asked: Asks) -> None:
    def twice(client: Client) -> pd.DataFrame:
        client.api.spot.tickers()
        return client.api.spot.tickers()

    _, said = asked(twice, Change("spot.tickers", (0, "lastPr"), "Infinity"))
    assert len(said) == 2
    assert "lastPr is not of kind decimal: Infinity" in said[1]


def one_is_missing(asked: Asks, case: Case, wrong: Any) -> str:
    (endpoint, ask), at, column = case
    plain, _ = asked(ask)
    frame, said = asked(ask, Change(endpoint, at, wrong))
    assert len(frame) == len(plain)
    assert frame[column].isna().sum() == plain[column].isna().sum() + 1
    assert len(said) == 1, said
    assert next(str(part) for part in reversed(at) if isinstance(part, str)) in said[0]
    return said[0]


@pytest.mark.parametrize("value", ["7.0", 7, "7"])
def test_a_whole_number_is_read_however_it_is_spelled(asked: Asks, value: Any) -> None:
    frame, said = asked(SYMBOLS[1], Change("spot.symbols", (0, "pricePrecision"), value))
    changed = frame["price_places"] != asked(SYMBOLS[1])[0]["price_places"]
    assert (frame["price_places"][changed].tolist(), said) == ([7], [])
    frame, said = asked(COINS[1], Change("spot.coins", (0, "chains", 0, "depositConfirm"), "12.0"))
    changed = frame["deposit_confirmations"] != asked(COINS[1])[0]["deposit_confirmations"]
    assert (set(frame["deposit_confirmations"][changed]) <= {12}, said) == (True, [])


@pytest.mark.quick_cases(12)
@pytest.mark.parametrize("wrong", [DROPPED, None, "", [1], {"a": 1}, True], ids=str)
@pytest.mark.parametrize(
    ("asks", "at"),
    [(TICKERS, (0, "symbol")), (SYMBOLS, (0, "symbol")), (CONTRACTS, (0, "symbol")), (COINS, (0, "coin"))],
    ids=["tickers", "symbols", "contracts", "coins"],
)
def test_a_row_that_does_not_say_what_it_is_about_is_left_out_and_named(
    asked: Asks, asks: tuple[str, Ask], at: Place, wrong: Any
) -> None:
    endpoint, ask = asks
    plain, _ = asked(ask)
    frame, said = asked(ask, Change(endpoint, at, wrong))
    name = frame.columns[0]
    assert set(frame[name]) < set(plain[name])
    assert frame[name].nunique() == plain[name].nunique() - 1
    assert len(said) == 1
    assert f"{endpoint}: row 1" in said[0]
    assert "the row is skipped" in said[0]


@pytest.mark.parametrize("wrong", [None, 7, "row", [1]], ids=str)
def test_a_row_that_is_none_is_left_out_and_named(asked: Asks, wrong: Any) -> None:
    plain, _ = asked(TICKERS[1])
    frame, said = asked(TICKERS[1], Change("spot.tickers", (0,), wrong))
    assert len(frame) == len(plain) - 1
    assert len(said) == 1
    assert "spot.tickers: row 1 is not an object" in said[0]


def test_a_list_of_which_no_row_can_be_read_is_an_error(asked: Asks) -> None:
    with pytest.raises(BadResponse, match="no row can be read: row 1 is not an object"):
        asked(TICKERS[1], Change("spot.tickers", (), [None, 7]))


RECORDS: dict[str, tuple[str, Ask, str, Place]] = {
    "fills": ("uta.trade_fills", lambda c: c.account.fills(SINCE, market=FUTURES), "unified_trader",
              ("list", 0, "execPrice")),
    "fills in spot": ("spot.trade_fills", lambda c: c.account.fills(SINCE, market="spot"), "readonly", (0, "size")),
    "fees": ("spot.trade_fills", lambda c: c.account.fills(SINCE, market="spot"), "readonly",
             (0, "feeDetail", "totalFee")),
    "bills": ("spot.account_bills", lambda c: c.account.bills(SINCE, book="spot"), "readonly", (0, "size")),
    "deposits": ("spot.wallet_deposit_records", lambda c: c.account.deposits("2026-11-01"), "readonly", (0, "size")),
    "withdrawals": ("spot.wallet_withdrawal_records", lambda c: c.account.withdrawals("2026-11-01"), "readonly",
                    (0, "fee")),
    "orders": ("spot.trade_history_orders", lambda c: c.account.orders(SINCE, market="spot"), "readonly",
               (0, "baseVolume")),
}  # fmt: skip


@pytest.mark.quick_cases(19)
@pytest.mark.parametrize("wrong", FILLED)
@pytest.mark.parametrize("name", RECORDS)
def test_an_amount_that_was_booked_and_cannot_be_read_is_an_error_that_names_record_and_field(
    asked: Asks, name: str, wrong: Any
) -> None:
    endpoint, ask, key, at = RECORDS[name]
    with pytest.raises(BadResponse, match=rf"{endpoint}: row 1 \(.*Id .*{at[-1]} .*client\.api\.{endpoint}\.raw"):
        asked(ask, Change(endpoint, at, wrong), key=key)


def test_a_record_with_another_unreadable_field_is_given_and_asked_for_again(asked: Asks) -> None:
    ask: Ask = lambda c: c.account.fills(SINCE, market="spot")  # noqa: E731
    plain, _ = asked(ask)
    for _ in range(2):
        frame, said = asked(ask, Change("spot.trade_fills", (0, "tradeScope"), [1]))
        assert len(frame) == len(plain)
        assert "tradeScope [1] is not a text" in said[0]
    frame, said = asked(ask, folder="odd")
    assert said == []
    pd.testing.assert_frame_equal(frame, plain)


def test_a_public_trade_with_an_unreadable_price_is_given_and_asked_for_again(asked: Asks) -> None:
    ask: Ask = lambda c: c.trades("BTCUSDT", "2026-11-20 08:40", "2026-11-20 08:50")  # noqa: E731
    plain, _ = asked(ask)
    for _ in range(2):
        frame, said = asked(ask, Change("spot.fills_history", (0, "price"), "abc"))
        assert len(frame) == len(plain)
        assert frame["price"].isna().sum() == 1
        assert "price abc is not a number" in said[0]
    frame, said = asked(ask, folder="odd")
    assert said == []
    pd.testing.assert_frame_equal(frame, plain)
