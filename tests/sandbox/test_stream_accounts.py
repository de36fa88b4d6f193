"""What private streams push of an account is what REST has of it."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, Request

from .conftest import signed
from .streaming import V2_PRIVATE, V3_PRIVATE, Listener, login, pushes

DAY_S = 86_400
START_MS = 1_795_132_800_000  # 2026-11-20 00:00: a day with trades in spot and contracts
CROSSED = {"productType": "USDT-FUTURES"}


@pytest.fixture(scope="module")
def model() -> Exchange:
    return Exchange(clock=ManualClock(START_MS), limits=False)


@pytest.fixture
def exchange(model: Exchange) -> Exchange:
    exchange = Exchange(clock=ManualClock(START_MS), limits=False)
    exchange.world, exchange.accounts = model.world, model.accounts
    return exchange


def rest(exchange: Exchange, path: str, key: str = "readonly", **params: object) -> Any:
    target = path + "".join(f"{'&' if at else '?'}{name}={value}" for at, (name, value) in enumerate(params.items()))
    headers = signed(SANDBOX_KEYS[key], str(exchange.clock.now_ms()), "GET", target)
    answer = exchange.handle(Request("GET", target, headers, "127.0.0.1"))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["data"]


def logged_in(exchange: Exchange, key: str = "readonly") -> Listener:
    path = V3_PRIVATE if key.startswith("unified") else V2_PRIVATE
    headers = {"paptrading": "1"} if key == "demo" else {}
    listener = Listener(exchange, path, **headers)
    assert listener.send(login(key, exchange.clock.now_ms() // 1000))[0]["event"] == "login"
    return listener


def a_day(listener: Listener) -> list[dict[str, Any]]:
    """Let a day pass in steps short enough for the pings; return the pushes."""
    return pushes(listener.wait(DAY_S - 60, step_s=20))


ORDERS = {"instType": "SPOT", "channel": "orders", "instId": "default"}
FUTURES_ORDERS = {**ORDERS, "instType": "USDT-FUTURES"}


def test_spot_fills_of_a_day_are_those_of_rest(exchange: Exchange) -> None:
    listener = logged_in(exchange)
    assert (
        len(listener.subscribe({"instType": "SPOT", "channel": "fill", "instId": "default"})) == 1
    )  # nothing at first
    rows = [row for push in a_day(listener) for row in push["data"]]
    came = {
        row["tradeId"]: row for row in rest(exchange, "/api/v2/spot/trade/fills", startTime=START_MS + 1, limit=100)
    }
    assert len(rows) == len(came) > 3
    for row in rows:
        same = came[row["tradeId"]]
        [detail] = row["feeDetail"]
        assert {**row, "feeDetail": detail} == {name: same[name] for name in row}


def test_contract_fills_of_a_day_are_those_of_rest(exchange: Exchange) -> None:
    listener = logged_in(exchange)
    listener.subscribe({"instType": "USDT-FUTURES", "channel": "fill", "instId": "default"})
    rows = [row for push in a_day(listener) for row in push["data"]]
    answer = rest(exchange, "/api/v2/mix/order/fills", **CROSSED, startTime=START_MS + 1, limit=100)
    came = {row["tradeId"]: row for row in answer["fillList"]}
    assert len(rows) == len(came) > 3
    own = {"clientOid", "orderType", "uTime"}
    for row in rows:
        assert {name: value for name, value in row.items() if name not in own} == {
            name: came[row["tradeId"]][name] for name in row if name not in own
        }


def test_unified_fills_of_a_day_are_those_of_rest(exchange: Exchange) -> None:
    listener = logged_in(exchange, "unified")
    listener.subscribe({"instType": "UTA", "topic": "fill"})
    rows = [row for push in a_day(listener) for row in push["data"]]
    answer = rest(exchange, "/api/v3/trade/fills", key="unified", startTime=START_MS + 1, limit=100)
    came = {row["execId"]: row for row in answer["list"]}
    assert len(rows) == len(came) > 6
    assert {row["category"] for row in rows} == {"SPOT", "USDT-FUTURES"}
    own = {"holdSide", "execTime", "isRPI", "tradeSide"}
    for row in rows:
        assert {name: value for name, value in row.items() if name not in own} == {
            name: came[row["execId"]][name] for name in row if name not in own
        }
        assert row["execTime"] == row["createdTime"]


SAME_IN_SPOT = {
    "orderId": "orderId", "clientOid": "clientOid", "priceAvg": "priceAvg", "accBaseVolume": "baseVolume",
    "status": "status", "side": "side", "orderType": "orderType", "cTime": "cTime", "uTime": "uTime",
}  # fmt: skip
SAME_IN_CONTRACTS = {
    **SAME_IN_SPOT, "posSide": "posSide", "tradeSide": "tradeSide", "size": "size", "totalProfits": "totalProfits",
    "reduceOnly": "reduceOnly",
}  # fmt: skip


@pytest.mark.parametrize("argument", [ORDERS, FUTURES_ORDERS], ids=["spot", "contracts"])
def test_the_last_push_of_an_order_is_what_rest_says_of_it(exchange: Exchange, argument: dict[str, str]) -> None:
    listener = logged_in(exchange)
    assert len(listener.subscribe(argument)) == 1
    rows = [row for push in a_day(listener) for row in push["data"]]
    if argument is ORDERS:
        came, same = (
            rest(exchange, "/api/v2/spot/trade/history-orders", startTime=START_MS + 1, limit=100),
            SAME_IN_SPOT,
        )
    else:
        answer = rest(exchange, "/api/v2/mix/order/orders-history", **CROSSED, startTime=START_MS + 1, limit=100)
        came, same = answer["entrustedList"], SAME_IN_CONTRACTS
    latest = {row["orderId"]: row for row in rows}
    ended = {known: row for known, row in latest.items() if row["status"] not in ("live", "partially_filled")}
    assert ended.keys() == {row["orderId"] for row in came}
    assert ended
    for row in came:
        pushed = ended[row["orderId"]]
        assert {name: pushed[name].lower() for name in same} == {
            name: row[rest_].lower() for name, rest_ in same.items()
        }
    states = [row["status"] for row in rows if row["orderId"] == rows[0]["orderId"]]
    assert states[0] == "live"
    assert states[-1] == "filled"


def test_the_last_push_of_a_unified_order_is_what_rest_says_of_it(exchange: Exchange) -> None:
    listener = logged_in(exchange, "unified")
    listener.subscribe({"instType": "UTA", "topic": "order"})
    rows = [row for push in a_day(listener) for row in push["data"]]
    came = {}
    for category in ("SPOT", "USDT-FUTURES"):
        asked = {"category": category, "startTime": START_MS + 1, "limit": 100}
        answer = rest(exchange, "/api/v3/trade/history-orders", key="unified", **asked)
        came |= {row["orderId"]: row for row in answer["list"]}
    latest = {row["orderId"]: row for row in rows}
    assert len(came) > 6
    names = ("category", "symbol", "qty", "side", "orderType", "cumExecQty", "cumExecValue", "avgPrice", "orderStatus",
             "feeDetail", "createdTime", "updatedTime", "reduceOnly")  # fmt: skip
    for known, row in came.items():
        assert {name: latest[known][name] for name in names} == {name: row[name] for name in names}


def test_a_symbol_narrows_orders_and_fills(exchange: Exchange) -> None:
    listener = logged_in(exchange)
    every = {"instType": "USDT-FUTURES", "channel": "fill", "instId": "default"}
    one = {**every, "instId": "BTCUSDT"}
    listener.subscribe(every, one)
    came = a_day(listener)
    symbols = [{row["symbol"] for push in came if push["arg"] == arg for row in push["data"]} for arg in (every, one)]
    assert len(symbols[0]) > 1
    assert symbols[1] == {"BTCUSDT"}


def test_balances_of_a_spot_wallet_are_pushed_whole_and_then_as_they_change(exchange: Exchange) -> None:
    listener = logged_in(exchange)
    _, first = listener.subscribe({"instType": "SPOT", "channel": "account", "coin": "default"})
    names = ("coin", "available", "frozen", "locked", "limitAvailable", "uTime")
    held = {row["coin"]: row for row in first["data"]}
    assert held == {
        row["coin"]: {name: row[name] for name in names} for row in rest(exchange, "/api/v2/spot/account/assets")
    }
    came = a_day(listener)
    assert len(came) > 3
    for push in came:
        held.update({row["coin"]: row for row in push["data"]})
    assert held == {row["coin"]: row for row in rest(exchange, "/api/v2/spot/account/assets")}


def test_a_contract_wallet_is_that_of_rest(exchange: Exchange) -> None:
    listener = logged_in(exchange)
    _, first = listener.subscribe({"instType": "USDT-FUTURES", "channel": "account", "coin": "default"})
    [row] = first["data"]
    [same] = rest(exchange, "/api/v2/mix/account/accounts", **CROSSED)
    for name, rest_name in (("available", "available"), ("equity", "accountEquity"), ("frozen", "locked"),
                            ("unrealizedPL", "unrealizedPL"), ("maxTransferOut", "maxTransferOut")):  # fmt: skip
        assert row[name] == same[rest_name]


def test_positions_are_those_of_rest_until_the_last_one_is_closed(exchange: Exchange) -> None:
    listener = logged_in(exchange)
    _, first = listener.subscribe({"instType": "USDT-FUTURES", "channel": "positions", "instId": "default"})
    counts = [len(first["data"])]
    same_names = ("marginCoin", "marginSize", "holdSide", "total", "available", "openPriceAvg", "achievedProfits",
                  "unrealizedPL", "markPrice", "keepMarginRate", "cTime", "uTime")  # fmt: skip
    for _ in range(4 * 24):
        for push in pushes(listener.wait(900, step_s=20)):
            counts.append(len(push["data"]))
            moment = Exchange(clock=ManualClock(push["ts"]), limits=False)
            moment.world, moment.accounts = exchange.world, exchange.accounts
            came = rest(moment, "/api/v2/mix/position/all-position", **CROSSED)
            shown = [{name: row[name] for name in same_names} for row in push["data"]]
            assert shown == [{name: row[name] for name in same_names} for row in came]
            assert len({row["posId"] for row in push["data"]}) == len(came)
    assert len(set(counts)) > 2


def test_a_unified_account_is_pushed_every_five_seconds(exchange: Exchange) -> None:
    listener = logged_in(exchange, "unified")
    answers = listener.subscribe({"instType": "UTA", "topic": "account"}, {"instType": "UTA", "topic": "position"})
    first = {push["arg"]["topic"]: push for push in pushes(answers)}
    assert set(first) == {"account", "position"}
    [row] = first["account"]["data"]
    same = rest(exchange, "/api/v3/account/assets", key="unified")
    assert row["totalEquity"] == same["accountEquity"]
    assert {each["coin"]: (each["balance"], each["available"], each["equity"]) for each in row["coin"]} == {
        each["coin"]: (each["balance"], each["available"], each["equity"]) for each in same["assets"]
    }
    came = pushes(listener.wait(31, step_s=1))
    assert [push["ts"] for push in came if push["arg"]["topic"] == "account"] == [
        START_MS + 5000 * at for at in range(1, 7)
    ]


def test_a_closed_unified_position_is_pushed_as_ended_once(exchange: Exchange) -> None:
    listener = logged_in(exchange, "unified")
    listener.subscribe({"instType": "UTA", "topic": "position"})
    held: set[tuple[str, str, str]] = set()
    ended = 0
    for _ in range(24):
        for push in pushes(listener.wait(3600, step_s=100)):
            rows = {(row["symbol"], row["posSide"], row["createdTime"]): row for row in push["data"]}
            now = {known for known, row in rows.items() if row["positionStatus"] == "normal"}
            gone = {known for known, row in rows.items() if row["positionStatus"] == "ended"}
            assert gone == held - now
            assert all(rows[known]["size"] == "0" for known in gone)
            held, ended = now, ended + len(gone)
    assert ended > 1


@pytest.mark.parametrize("channel", ["orders-algo", "positions-history", "equity", "adl-noti"])
def test_channels_of_what_never_happens_here_are_accepted(exchange: Exchange, channel: str) -> None:
    listener = logged_in(exchange)
    argument = {"instType": "USDT-FUTURES", "channel": channel} | ({} if channel == "equity" else {"instId": "default"})
    assert [answer["event"] for answer in listener.subscribe(argument)] == ["subscribe"]


def test_a_demo_account_lives_another_life(exchange: Exchange) -> None:
    rows = {}
    for key in ("readonly", "demo"):
        _, first = logged_in(exchange, key).subscribe({"instType": "SPOT", "channel": "account", "coin": "default"})
        rows[key] = first["data"]
    assert rows["readonly"] != rows["demo"]


def test_an_rsa_key_logs_in_with_its_signature_and_with_no_other() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    modulus = private.public_key().public_numbers().n
    key = dataclasses.replace(SANDBOX_KEYS["readonly"], secret_key="", rsa_modulus=modulus)
    exchange = Exchange(clock=ManualClock(START_MS), keys=[key])
    stamp = START_MS // 1000
    made = private.sign(f"{stamp}GET/user/verify".encode(), padding.PKCS1v15(), hashes.SHA256())
    right = base64.b64encode(made).decode()
    assert Listener(exchange, V2_PRIVATE).send(login(key, stamp, sign=right))[0]["event"] == "login"
    for wrong in (right[:-4] + "AAA=", "AAAA", "no base64"):
        assert Listener(exchange, V2_PRIVATE).send(login(key, stamp, sign=wrong))[0]["code"] == 30015
