"""Numbers of an answer keep their digits on every way through the package that promises them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

import bgresearch
from bgresearch.core import exact_json
from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.messages import Request, Response

LONG = "0.12345678901234567890"
BIG = 2**53 + 1
VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.decimals(allow_nan=False, allow_infinity=False)
    | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


@given(VALUES)
def test_what_is_written_is_read_again_digit_for_digit(value: Any) -> None:
    text = exact_json.dumps(value)
    assert exact_json.dumps(exact_json.loads(text)) == text
    json.loads(text)  # any other reader takes it for JSON


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (LONG, Decimal(LONG)), ("1.50", Decimal("1.50")), (str(BIG), BIG), ("1e400", Decimal("1e400")),
        ("9" * 1_001, "9" * 1_001), ("1e99999999999999999999", "1e99999999999999999999"), ("-0.0", Decimal("-0.0")),
    ],
)  # fmt: skip
def test_numbers_are_exact_and_those_that_are_none_stay_text(text: str, value: object) -> None:
    found = exact_json.loads(text)
    assert found == value
    assert type(found) is type(value)
    assert str(found).lower().replace("+", "") == text


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[1,]", ""])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        exact_json.loads(text)


class Numbers(Exchange):
    """The sandbox, whose order books come as numbers with many digits."""

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        if "merge-depth" not in request.target and "orderbook" not in request.target:
            return response
        whole = json.loads(response.body)
        for side in {"asks", "bids", "a", "b"} & whole["data"].keys():
            whole["data"][side] = [["<price>", "<size>"]]
        text = json.dumps(whole).replace('"<price>"', LONG).replace('"<size>"', str(BIG))
        return response._replace(body=text.encode())


@pytest.fixture
def numbers(model: Exchange, clock: ManualClock, tmp_path: Path) -> bgresearch.client.client.Client:
    exchange = Numbers(clock=clock)
    exchange.world, exchange.accounts = model.world, dict(model.accounts)
    return bgresearch.connect(sandbox=exchange, data_dir=tmp_path, clock=clock, progress=False)


BOOKS = {
    "spot": lambda client, **more: client.api.spot.orderbook.raw(symbol="BTCUSDT", **more)["asks"],
    "futures": lambda client, **more: client.api.futures.merge_depth.raw(
        symbol="BTCUSDT", productType="USDT-FUTURES", **more
    )["bids"],
    "uta": lambda client, **more: client.api.uta.orderbook.raw(symbol="BTCUSDT", category="SPOT", **more)["a"],
}


@pytest.mark.parametrize("book", BOOKS)
def test_raw_gives_the_digits_that_were_sent_also_from_what_is_kept(
    numbers: bgresearch.client.client.Client, book: str
) -> None:
    for more in ({}, {"max_age": 60.0}, {"max_age": 60.0}):
        (((price, size),), *_) = (BOOKS[book](numbers, **more),)
        assert (str(price), size) == (LONG, BIG)
        assert price == Decimal(LONG)


@pytest.mark.parametrize("call", ["frame", "pages", "all"])
def test_columns_of_text_keep_the_digits_too(numbers: bgresearch.client.client.Client, call: str) -> None:
    book = numbers.api.spot.orderbook
    frame = {"frame": book, "pages": lambda **of: next(book.pages(**of)), "all": book.all}[call](symbol="BTCUSDT")
    assert frame["asks"].iloc[0] == f"[[{LONG},{BIG}]]"


def test_verbs_read_numbers_without_quotes(numbers: bgresearch.client.client.Client) -> None:
    frame = numbers.order_book("BTCUSDT")
    assert frame["price"].tolist() == [float(LONG)] * 2
    assert frame["amount"].tolist() == [float(BIG)] * 2
