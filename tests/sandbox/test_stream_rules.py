"""The rules of the sockets, each as strict as the exchange has it: messages, limits, refusals, pings, login."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.streams import connection_limits as limits
from bgresearch.sandbox.streams.served_connection import PATHS, ServedConnection

from .streaming import V2, V2_PRIVATE, V3, V3_PRIVATE, Listener, login, pushes, sign, v2, v3

NOW_MS = 1_795_165_230_000  # 2026-11-20
NOW_S = NOW_MS // 1000


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(clock=ManualClock(NOW_MS))


# paths and addresses


@pytest.mark.parametrize("path", PATHS)
def test_a_ping_is_answered_on_every_path(exchange: Exchange, path: str) -> None:
    assert Listener(exchange, path).send("ping") == ["pong"]


@pytest.mark.parametrize("path", ["/", "/v1/ws/public", "/v2/ws", "/v2/ws/public/", "/v3/ws/public/sbe"])
def test_other_paths_are_not_found(exchange: Exchange, path: str) -> None:
    assert exchange.connect(path, {}, "127.0.0.1") == 404


def test_an_address_connects_300_times_in_five_minutes(exchange: Exchange) -> None:
    for _ in range(limits.CONNECTS):
        connection = exchange.connect(V2, {}, "127.0.0.1")
        assert isinstance(connection, ServedConnection)
        connection.close()
    assert exchange.connect(V2, {}, "127.0.0.1") == 429
    assert isinstance(exchange.connect(V2, {}, "127.0.0.2"), ServedConnection)
    exchange.clock.sleep(limits.CONNECTS_WINDOW_S)
    assert isinstance(exchange.connect(V2, {}, "127.0.0.1"), ServedConnection)


def test_an_address_has_100_connections_open(exchange: Exchange) -> None:
    held = [exchange.connect(V2, {}, "127.0.0.1") for _ in range(limits.CONNECTIONS)]
    assert exchange.connect(V2, {}, "127.0.0.1") == 429
    held[7].close()  # type: ignore[union-attr]
    held[7].close()  # type: ignore[union-attr]  # twice counts once
    assert isinstance(exchange.connect(V2, {}, "127.0.0.1"), ServedConnection)
    assert exchange.connect(V2, {}, "127.0.0.1") == 429


def test_without_limits_nothing_is_counted() -> None:
    exchange = Exchange(clock=ManualClock(NOW_MS), limits=False)
    assert all(isinstance(exchange.connect(V2, {}, "127.0.0.1"), ServedConnection) for _ in range(400))
    listener = Listener(exchange)
    assert [listener.send("ping") for _ in range(50)] == [["pong"]] * 50


# heartbeat and length


@pytest.mark.parametrize("path", [V2, V3, V2_PRIVATE, V3_PRIVATE])
def test_no_ping_for_two_minutes_and_the_connection_is_gone_without_a_word(exchange: Exchange, path: str) -> None:
    listener = Listener(exchange, path)
    listener.clock.advance(119)
    listener.send("ping")
    listener.clock.advance(120)
    listener.connection.due()
    assert not listener.connection.ended
    listener.clock.advance(0.1)
    assert [one.ending for one in listener.connection.due()] == ["abort"]
    assert listener.connection.ended
    assert listener.send("ping") == []


@pytest.mark.parametrize("text", ["Ping", '"ping"', " ping", '{"op":"ping"}', "pong"])
def test_only_the_bare_text_counts_as_a_ping(exchange: Exchange, text: str) -> None:
    listener = Listener(exchange)
    listener.clock.advance(119)
    [answer] = listener.send(text)
    assert answer["code"] in (30002, 30003)
    listener.clock.advance(2)
    assert [one.ending for one in listener.connection.due()] == ["abort"]


def test_data_and_other_messages_do_not_keep_a_connection_alive(exchange: Exchange) -> None:
    listener = Listener(exchange)
    listener.subscribe(v2("books"))
    for second in range(120):
        listener.clock.advance(1)
        if second % 10 == 0:
            listener.send({"op": "unsubscribe", "args": [v2("trade")]})
        assert listener.connection.due()
    listener.clock.advance(0.5)
    assert [one.ending for one in listener.connection.due()] == ["abort"]


def test_a_connection_lasts_a_day(exchange: Exchange) -> None:
    listener = Listener(exchange)
    for _ in range(863):
        listener.clock.advance(100)
        listener.send("ping")
        assert listener.connection.due() == []
    listener.clock.advance(100)
    listener.send("ping")
    assert [one.ending for one in listener.connection.due()] == ["expired"]


# limits of a connection


def test_ten_messages_a_second_pings_among_them(exchange: Exchange) -> None:
    listener = Listener(exchange)
    for _ in range(9):
        listener.send({"op": "unsubscribe", "args": [v2("trade")]})
    assert listener.send("ping") == ["pong"]
    listener.clock.advance(1)
    assert [listener.send("ping") for _ in range(10)] == [["pong"]] * 10
    [error] = listener.send("ping")
    assert (error["code"], listener.endings, listener.connection.ended) == (30007, ["over_limit"], True)


def test_240_subscribe_messages_an_hour(exchange: Exchange) -> None:
    listener = Listener(exchange)
    for _ in range(limits.SUBSCRIBES_PER_H):
        listener.subscribe(v2("no such channel"))
        listener.clock.advance(1)
        listener.send("ping")
    listener.send({"op": "unsubscribe", "args": [v2("trade")]})
    assert not listener.connection.ended
    [error] = listener.subscribe(v2("trade"))
    assert (error["code"], listener.endings) == (30007, ["over_limit"])


def test_a_subscribe_message_has_4096_bytes(exchange: Exchange) -> None:
    listener = Listener(exchange)
    message = json.dumps({"op": "subscribe", "args": [v2("ticker")]}, separators=(",", ":"))
    assert listener.send(message + " " * (limits.LARGEST_SUBSCRIBE - len(message)))[0]["event"] == "subscribe"
    [error] = listener.send(message + " " * (limits.LARGEST_SUBSCRIBE - len(message) + 1))
    assert (error["code"], listener.endings) == (30007, ["over_limit"])


def test_its_length_is_in_bytes_and_not_in_letters(exchange: Exchange) -> None:
    listener = Listener(exchange)
    message = json.dumps({"op": "subscribe", "args": [v2("ticker", "龙" * 1400)]}, ensure_ascii=False)
    assert len(message) < limits.LARGEST_SUBSCRIBE < len(message.encode())
    assert listener.send(message)[0]["code"] == 30007


def test_a_thousand_channels(exchange: Exchange) -> None:
    listener = Listener(exchange)
    names = [f"orders-{place}" for place in range(limits.CHANNELS + 1)]
    arguments = [v2("auction", "BTCUSDT", f"X{name}") for name in names]  # real symbol, wrong product: silent
    for start in range(0, limits.CHANNELS, 40):
        listener.subscribe(*arguments[start : start + 40])
        listener.clock.advance(0.2)
    assert not listener.connection.ended
    assert listener.subscribe(arguments[-1])[0]["code"] == 30007
    assert listener.endings == ["over_limit"]


@pytest.mark.parametrize("channel", ["books", "books1", "books5", "books50"])
def test_more_than_ten_books_in_a_v3_message_and_the_connection_is_gone(exchange: Exchange, channel: str) -> None:
    symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "BNBUSDT", "ADAUSDT", "TRXUSDT", "LINKUSDT",
               "AVAXUSDT", "DOTUSDT"]  # fmt: skip
    listener = Listener(exchange, V3)
    answers = listener.subscribe(*(v3(channel, symbol) for symbol in symbols[:10]))
    assert len(pushes(answers)) == 10
    assert listener.subscribe(*(v3(channel, symbol) for symbol in symbols)) == []
    assert listener.endings == ["abort"]


def test_v2_and_other_topics_take_more_than_ten_arguments(exchange: Exchange) -> None:
    for path, arguments in ((V2, [v2("books5")] * 30), (V3, [v3("ticker")] * 30)):
        listener = Listener(exchange, path)
        assert len([one for one in listener.subscribe(*arguments) if one.get("event") == "subscribe"]) == 30
        assert listener.endings == []


# messages


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", 30002), ("null", 30002), ("[]", 30002), ("{}", 30002), ('{"op":7}', 30002), ("{", 30002),
        ('{"op":"subscribe"}', 30002), ('{"op":"subscribe","args":[]}', 30002), ('{"op":"subscribe","args":{}}', 30002),
        ('{"op":"SUBSCRIBE","args":[{}]}', 30003), ('{"op":"trade","args":[{}]}', 30003),
        ('{"op":"place-order","args":[{"channel":"place-order"}]}', 30003), ('{"op":"cancel-order"}', 30003),
        ('{"op":"batch-modify","args":[{}]}', 30003), ('{"op":"order.place"}', 30003),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_request_is_refused_and_the_connection_lives(
    exchange: Exchange, path: str, message: str, code: int
) -> None:
    listener = Listener(exchange, path)
    [error] = listener.send(message)
    assert (error["event"], error["code"]) == ("error", code)
    assert ("connId" in error) is path.startswith("/v3")
    assert listener.send("ping") == ["pong"]


@pytest.mark.parametrize("key", ["trader", "unified_trader"])
def test_no_message_of_a_key_that_may_trade_places_an_order(exchange: Exchange, key: str) -> None:
    listener = Listener(exchange, V3_PRIVATE if key.startswith("unified") else V2_PRIVATE)
    listener.send(login(key, NOW_S))
    for op in ("trade", "place-order", "batch-place", "modify-order", "batch-modify", "cancel-order", "batch-cancel"):
        [error] = listener.send({"op": op, "id": "1", "topic": op, "args": [{"symbol": "BTCUSDT", "side": "buy"}]})
        assert error["code"] == 30003
        listener.clock.advance(0.2)


def test_every_argument_is_acknowledged_before_the_first_push(exchange: Exchange) -> None:
    for path, arguments in (
        (V2, [v2("trade"), v2("books"), v2("candle1m"), v2("ticker")]),
        (V3, [v3("publicTrade"), v3("books"), v3("kline", interval="1m"), v3("ticker")]),
    ):
        answers = Listener(exchange, path).subscribe(*arguments)
        assert [one["arg"] for one in answers[:4]] == [one["arg"] for one in answers[4:]] == arguments
        assert {one["event"] for one in answers[:4]} == {"subscribe"}
        assert {one["action"] for one in answers[4:]} == {"snapshot"}
        assert {"connId" in one for one in answers[:4]} == {path == V3}
        assert all(isinstance(one["ts"], int) for one in answers[4:])


def test_what_is_subscribed_already_is_acknowledged_and_not_pushed_again(exchange: Exchange) -> None:
    listener = Listener(exchange)
    assert len(listener.subscribe(v2("books"))) == 2
    assert len(listener.subscribe(v2("books"))) == 1


def test_after_an_unsubscribe_nothing_comes_and_a_new_subscription_begins_with_an_image(exchange: Exchange) -> None:
    listener = Listener(exchange)
    listener.subscribe(v2("books"))
    assert pushes(listener.wait(1))
    assert listener.send({"op": "unsubscribe", "args": [v2("books")]}) == [{"event": "unsubscribe", "arg": v2("books")}]
    assert listener.wait(2) == []
    _, image = listener.subscribe(v2("books"))
    assert (image["action"], image["data"][0]["pseq"]) == ("snapshot", 0)
    later = pushes(listener.wait(1))
    assert [one["data"][0]["pseq"] for one in later] == [
        one["data"][0]["seq"] for one in (image, *later[:-1])
    ]  # one feed, not two


# refusals of arguments


def test_an_unknown_symbol_is_30001_in_the_shape_of_its_version(exchange: Exchange) -> None:
    [error] = Listener(exchange).subscribe(v2("books", "NOPEUSDT", "USDT-FUTURES"))
    assert error == {
        "event": "error", "arg": {"instType": "USDT-FUTURES", "channel": "books", "instId": "NOPEUSDT"}, "code": 30001,
        "msg": "instType:USDT-FUTURES,channel:books,instId:NOPEUSDT,precision:null doesn't exist", "op": "subscribe",
    }  # fmt: skip
    [error] = Listener(exchange, V3).subscribe(v3("books", "NOPEUSDT", "usdt-futures"))
    assert error.pop("connId")
    assert error == {
        "event": "error", "code": 30001,
        "msg": '{"instType":"usdt-futures","symbol":"NOPEUSDT","topic":"books"} doesn\'t exist',
    }  # fmt: skip


@pytest.mark.parametrize(
    "argument",
    [
        v2("books50"), v2("publicTrade"), v2("candle2m"), v2("candle"), v2("candle1Dutcx"), v2("BOOKS"), v2("orders"),
        v2("account"), v2("trade", ""), {"instType": "SPOT", "channel": "trade"}, {"channel": "trade", "instId": "BTC"},
        {"instType": "SPOT", "instId": "BTCUSDT"}, {"instType": "SPOT", "topic": "trade", "symbol": "BTCUSDT"},
        {"instType": "SPOT", "channel": "trade", "symbol": "BTCUSDT"}, v2("candle3m"), v2("candle2H"), "trade", None, 7,
        {"instType": "SPOT", "channel": "trade", "instId": 7}, {**v2("trade"), "extra": "1"},
    ],
)  # fmt: skip
def test_a_bad_v2_argument_is_30016_with_the_argument_back(exchange: Exchange, argument: object) -> None:
    [error] = Listener(exchange).send({"op": "subscribe", "args": [argument]})
    assert error == {"event": "error", "arg": argument, "code": 30016, "msg": "Param error", "op": "subscribe"}


@pytest.mark.parametrize(
    "argument",
    [
        v3("books15"), v3("trade"), v3("kline"), v3("kline", interval="2m"), v3("kline", interval="1W"), v3("order"),
        v3("account"), v3("ticker", ""), {"instType": "spot", "topic": "ticker", "instId": "BTCUSDT"},
        {"instType": "spot", "channel": "ticker", "instId": "BTCUSDT"}, v3("liquidation", "BTCUSDT", "usdt-futures"),
        v3("publicTrade", interval="1m"), {"topic": "ticker", "symbol": "BTCUSDT"}, "ticker", None,
    ],
)  # fmt: skip
def test_a_bad_v3_argument_is_30016_without_the_argument(exchange: Exchange, argument: object) -> None:
    [error] = Listener(exchange, V3).send({"op": "subscribe", "args": [argument]})
    assert (error["event"], error["code"]) == ("error", 30016)
    assert set(error) == {"event", "code", "msg", "connId"}


@pytest.mark.parametrize(
    ("path", "argument"),
    [
        (V2, v2("trade", product="spot")), (V2, v2("trade", product="SP")), (V2, v2("books", product="USDC-FUTURES")),
        (V2, v2("trade", "BTCPERP", "USDT-FUTURES")), (V2, v2("ticker", "BTCUSD", "SPOT")),
        (V2, v2("books", product="MARGIN")),
        (V3, v3("books", product="SPOT")), (V3, v3("books", product="USDT-FUTURES")),
        (V3, v3("publicTrade", "BTCPERP", "usdt-futures")), (V3, v3("ticker", "BTCUSD_CM", "usdt-futures")),
        (V3, v3("kline", product="margin", interval="1m")),
    ],
)  # fmt: skip
def test_a_wrong_product_of_a_real_symbol_is_acknowledged_and_then_silent(
    exchange: Exchange, path: str, argument: dict[str, str]
) -> None:
    listener = Listener(exchange, path)
    [answer] = listener.subscribe(argument)
    assert (answer["event"], answer["arg"]) == ("subscribe", argument)
    assert listener.wait(90, step_s=1) == []


@pytest.mark.parametrize("symbol", ["BTCUSD", "ETHUSD"])
def test_contracts_in_the_coin_have_other_names_on_v3(exchange: Exchange, symbol: str) -> None:
    listener = Listener(exchange, V3)
    assert listener.subscribe(v3("books1", symbol, "coin-futures"))[0]["code"] == 30001
    acknowledged, image = listener.subscribe(v3("books1", f"{symbol}_CM", "coin-futures"))
    assert (acknowledged["event"], image["arg"]["symbol"]) == ("subscribe", f"{symbol}_CM")


@pytest.mark.parametrize("symbol", ["btcusdt", "GONEUSDT", "BTC/USDT", "BTCUSDT "])
def test_symbols_of_other_letters_and_those_gone_do_not_exist(exchange: Exchange, symbol: str) -> None:
    assert Listener(exchange).subscribe(v2("trade", symbol))[0]["code"] == 30001


# login


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("path", [V2_PRIVATE, V3_PRIVATE])
def test_private_channels_need_a_login(exchange: Exchange, path: str) -> None:
    listener = Listener(exchange, path)
    argument = v2("orders", "default") if path == V2_PRIVATE else {"instType": "UTA", "topic": "order"}
    [error] = listener.subscribe(argument)
    assert error["code"] == 30004
    assert not listener.connection.ended
    listener.send(login("readonly" if path == V2_PRIVATE else "unified", NOW_S))
    assert listener.subscribe(argument)[0]["event"] == "subscribe"


@pytest.mark.parametrize(("path", "key"), [(V2_PRIVATE, "readonly"), (V3_PRIVATE, "unified")])
def test_a_login_is_answered_with_a_number_as_measured_on_both_versions(
    exchange: Exchange, path: str, key: str
) -> None:
    [answer] = Listener(exchange, path).send(login(key, NOW_S))
    assert answer.pop("connId")
    assert answer == {"event": "login", "code": 0}
    assert isinstance(answer["code"], int)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"timestamp": str(NOW_MS)}, 30013), ({"timestamp": f"{NOW_S}.5"}, 30013), ({"timestamp": ""}, 30013),
        ({"timestamp": "now"}, 30013), ({"timestamp": str(NOW_S - 31)}, 30014), ({"timestamp": str(NOW_S + 31)}, 30014),
        ({"apiKey": ""}, 30011), ({"apiKey": "bg_" + "0" * 32}, 30011), ({"sign": ""}, 30015),
        ({"sign": "AAAA"}, 30015), ({"passphrase": "wrong"}, 30012), ({"passphrase": ""}, 30012),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [V2_PRIVATE, V3_PRIVATE])
def test_a_failed_login_has_its_code_and_ends_the_connection(
    exchange: Exchange, path: str, changes: dict[str, str], code: int
) -> None:
    listener = Listener(exchange, path)
    [error] = listener.send(login("readonly", NOW_S, **changes))
    assert (error["event"], error["code"]) == ("error", code)
    assert (listener.endings, listener.connection.ended) == (["refused"], True)


@pytest.mark.parametrize("argument", [None, "key", 7, [], {}])
def test_a_login_that_is_no_object_of_texts_fails(exchange: Exchange, argument: object) -> None:
    listener = Listener(exchange, V2_PRIVATE)
    assert listener.send({"op": "login", "args": [argument]})[0]["code"] == 30013
    assert listener.endings == ["refused"]


def test_a_signature_over_milliseconds_or_another_path_fails(exchange: Exchange) -> None:
    for stamp, path in ((str(NOW_MS), "/user/verify"), (str(NOW_S), "/users/verify")):
        message = login("readonly", NOW_S, sign=sign(SANDBOX_KEYS["readonly"], f"{stamp}GET{path}"))
        assert Listener(exchange, V2_PRIVATE).send(message)[0]["code"] == 30015


def test_half_a_minute_off_is_still_in_time(exchange: Exchange) -> None:
    for seconds in (NOW_S - 30, NOW_S + 30):
        assert Listener(exchange, V2_PRIVATE).send(login("readonly", seconds))[0]["event"] == "login"


def test_a_key_from_another_address_is_refused(exchange: Exchange) -> None:
    listener = Listener(exchange, V2_PRIVATE)
    assert listener.send(login("other_address", NOW_S))[0]["code"] == 40018
    assert listener.endings == ["refused"]


@pytest.mark.parametrize(
    ("key", "headers", "code"),
    [
        ("demo", {}, 40099), ("readonly", {"paptrading": "1"}, 40099),
        ("readonly", {"Host": "wspap.bitget.com"}, 40099),
        ("demo", {"paptrading": "1"}, None), ("demo", {"Host": "wspap.bitget.com"}, None),
        ("demo", {"paptrading": "0"}, 40099),
        ("readonly", {}, None),
    ],
)  # fmt: skip
def test_demo_keys_and_the_demo_host_belong_together(
    exchange: Exchange, key: str, headers: dict[str, str], code: int | None
) -> None:
    [answer] = Listener(exchange, V2_PRIVATE, **headers).send(login(key, NOW_S))
    assert answer.get("code", "0") == (code or 0)


def test_public_sockets_take_no_login(exchange: Exchange) -> None:
    for path in (V2, V3):
        assert Listener(exchange, path).send(login("readonly", NOW_S))[0]["code"] == 30002


def test_private_sockets_have_no_public_channels_and_public_ones_no_private(exchange: Exchange) -> None:
    listener = Listener(exchange, V2_PRIVATE)
    listener.send(login("readonly", NOW_S))
    assert listener.subscribe(v2("trade"))[0]["code"] == 30016
    assert Listener(exchange).subscribe(v2("orders", "default"))[0]["code"] == 30016


def test_a_restricted_account_receives_nothing(exchange: Exchange) -> None:
    listener = Listener(exchange, V2_PRIVATE)
    listener.send(login("readonly", NOW_S))
    exchange.restrict("classic", "40023")
    assert listener.subscribe(v2("orders", "default"))[0]["code"] == 40023


@pytest.mark.parametrize(
    ("path", "key", "argument", "code"),
    [
        (V2_PRIVATE, "unified", v2("orders", "default"), 40085),
        (V3_PRIVATE, "readonly", {"instType": "UTA", "topic": "order"}, 40084),
        (V2_PRIVATE, "spot_only", v2("orders", "default", "USDT-FUTURES"), 40014),
        (V2_PRIVATE, "spot_only", v2("positions", "default", "USDT-FUTURES"), 40014),
        (V2_PRIVATE, "spot_only", v2("orders", "default"), None),
        (V2_PRIVATE, "trader", v2("fill", "default", "USDT-FUTURES"), None),
        (V2_PRIVATE, "readonly", v2("orders", "NOPEUSDT"), 30001),
        (V2_PRIVATE, "readonly", {"instType": "SPOT", "channel": "account", "instId": "default"}, 30016),
        (V2_PRIVATE, "readonly", v2("positions", "default"), None),
        (V3_PRIVATE, "unified", {"instType": "UTA", "topic": "order", "symbol": "BTCUSDT"}, 30016),
        (V3_PRIVATE, "unified", {"instType": "usdt-futures", "topic": "order"}, None),
    ],
)  # fmt: skip
def test_permissions_and_modes_are_those_of_rest(
    exchange: Exchange, path: str, key: str, argument: dict[str, str], code: int | None
) -> None:
    listener = Listener(exchange, path)
    listener.send(login(key, NOW_S))
    answer = listener.subscribe(argument)[0]
    assert answer.get("code") == code


def test_a_key_without_any_permission_left_reads_nothing_of_a_unified_account() -> None:
    key = dataclasses.replace(SANDBOX_KEYS["unified"], authorities=("uta_other",))
    exchange = Exchange(clock=ManualClock(NOW_MS), keys=[key])
    listener = Listener(exchange, V3_PRIVATE)
    listener.send(login(key, NOW_S))
    for topic in ("account", "position", "order", "fill"):
        assert listener.subscribe({"instType": "UTA", "topic": topic})[0]["code"] == 40014
