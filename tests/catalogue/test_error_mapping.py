"""Every code that a reader can meet becomes its typed error and says what to do next."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from bgresearch.catalogue import load
from bgresearch.catalogue.response import retry_of, unwrap
from bgresearch.errors import (
    AddressRejected,
    AuthenticationError,
    BadResponse,
    ExchangeError,
    ExchangeUnavailable,
    ParameterRejected,
    PermissionDenied,
    RateLimited,
    TimestampError,
    UnknownSymbol,
)

FACTS = Path(__file__).parents[3] / "shared" / "bitget"
KINDS = {
    "auth": AuthenticationError, "timestamp": TimestampError, "permission": PermissionDenied, "ip": AddressRejected,
    "rate": RateLimited, "param": ParameterRejected, "symbol": UnknownSymbol, "maintenance": ExchangeUnavailable,
    "other": ExchangeError,
}  # fmt: skip
RETRY = {"no": "no", "yes": "yes", "after-resync": "resync", "after-cooldown": "cooldown"}
# A group of its own hint has none where nothing can be said that is true of all of them.
WITHOUT_HINT = {"other"}

pytestmark = pytest.mark.skipif(not FACTS.exists(), reason=f"no fact base at {FACTS}")


def facts(name: str) -> list[dict[str, str]]:
    with (FACTS / name).open(encoding="utf-8", newline="") as file:
        return [line for line in csv.DictReader(file) if line["code"] != "00000"]


def refusal(row_id: str, code: str, status: int = 400) -> ExchangeError:
    body = json.dumps({"code": code, "msg": "said so", "requestTime": 1, "data": None}).encode()
    with pytest.raises(ExchangeError) as caught:
        unwrap(load()[row_id], status, body)
    return caught.value


@pytest.mark.parametrize("name", ["errors.csv", "errors_rare.csv"])
@pytest.mark.parametrize("row_id", ["spot.account_assets", "futures.candles", "uta.trade_fills"])
def test_every_code_of_the_rest_api_becomes_its_typed_error_with_a_hint(name: str, row_id: str) -> None:
    met: Counter[str] = Counter()
    wrong = []
    for line in facts(name):
        if line["channel"] != "rest":
            continue
        for status in (200, 400, int(line["http_status"] or 400)):
            error = refusal(row_id, line["code"], status)
            right = (
                type(error) is KINDS[line["group"]] and (error.code, error.endpoint) == (line["code"], row_id)
                and retry_of(error) == RETRY[line["retryable"]] and "said so" in str(error)
                and (bool(error.hint) or line["group"] in WITHOUT_HINT) and error.hint in str(error)
            )  # fmt: skip
            if not right:
                wrong.append((line["code"], line["group"], type(error).__name__, error.hint))
        met[line["group"]] += 1
    print(f"\n{met.total()} codes of {name} for {row_id}: {dict(met)}")
    assert not wrong
    assert met.total() in (104, 126)


def test_plain_statuses_without_a_body_become_typed_errors_too() -> None:
    kinds = {
        "HTTP403": AddressRejected, "HTTP404": ExchangeError, "HTTP405": ExchangeError, "HTTP429": RateLimited,
        "HTTP500": ExchangeUnavailable, "HTTP400": BadResponse, "HTTP401": BadResponse, "HTTP415": BadResponse,
    }  # fmt: skip
    listed = {line["code"] for line in facts("errors_rare.csv") if line["channel"] == "http"}
    assert listed == set(kinds)
    for code, kind in kinds.items():
        with pytest.raises((ExchangeError, BadResponse)) as caught:
            unwrap(load()["spot.tickers"], int(code[4:]), b"<html>no</html>")
        assert type(caught.value) is kind, code
        assert caught.value.hint or kind is ExchangeError, code
    print(f"\n{len(kinds)} plain statuses")


def test_what_is_left_is_met_on_sockets_alone() -> None:
    left = {line["channel"] for name in ("errors.csv", "errors_rare.csv") for line in facts(name)} - {"rest", "http"}
    assert left == {"ws"}
