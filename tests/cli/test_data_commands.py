"""Download and check against a served sandbox; every command is a process of its own."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.server import Server
from tests.cli.conftest import PASSWORD, PATIENCE_S, Converse, Run, started
from vault import FLOOR, Vault


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture(scope="module")
def keys(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options that name a vault with some of the sandbox's keys."""
    folder = tmp_path_factory.mktemp("keys")
    with Vault.create(folder / "own" / "vault", PASSWORD, profile=FLOOR) as vault:
        for name in ("readonly", "trader", "withdrawer", "unified", "unified_trader", "no_address_list"):
            key = SANDBOX_KEYS[name]
            triple = {"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}
            vault.add(name, **triple, host=server.url)
    password = folder / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    return ("--vault", str(folder / "own" / "vault"), "--password-file", str(password))


WEEK = ("--since", "2026-01-01", "--until", "2026-01-02")


def test_candles_are_downloaded_once(run: Run, server: Server) -> None:
    arguments = ("download", "candles", "BTCUSDT", "ETHUSDT", "--interval", "5m", *WEEK, "--json")
    first = run(*arguments, BGRESEARCH_BASE_URL=server.url)
    assert (first.status, first.err) == (0, "")
    for one in first.json()["series"]:
        assert (one["candles"], one["first"], one["last"]) == (288, "2026-01-01T00:00:00Z", "2026-01-01T23:55:00Z")
        assert one["requests"] > 0
    second = run(*arguments, BGRESEARCH_BASE_URL=server.url).json()
    assert [one["requests"] for one in second["series"]] == [0, 0]


def test_a_person_reads_a_table(run: Run, server: Server) -> None:
    shown = run("download", "candles", "BTCUSDT", "--interval", "1h", *WEEK, BGRESEARCH_BASE_URL=server.url)
    heading, row, _, place = shown.out.splitlines()
    assert heading.split() == ["symbol", "candles", "first", "last", "gaps", "requests"]
    assert row.split()[:4] == ["BTCUSDT", "24", "2026-01-01T00:00:00Z", "2026-01-01T23:00:00Z"]
    assert place.startswith("Kept in ")


@pytest.mark.quick_cases(5)
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("BTCUSDT", *WEEK, "--interval", "7m"), 2, "--interval: '7m' is unknown. Use one of 1m, 3m"),
        (("BTCUSDT", *WEEK, "--market", "moon"), 2, "--market: 'moon' is unknown. Use one of spot"),
        (("BTCUSDT", *WEEK, "--price", "mark"), 2, "--price: the spot market has no mark price"),
        (("BTCUSDT", "--since", "2026-01-02", "--until", "2026-01-01"), 2, "--until: 2026-01-01T00:00:00Z is before"),
        (("BTCUSDT", "--since", "2999-01-01"), 2, "--since: 2999-01-01T00:00:00Z is in the future"),
        (("BTCUSDT", "--since", "yesterday"), 2, "--since: 'yesterday' is not a time. Write"),
        (("BTCUSDT", *WEEK, "--data-dir", "/dev/null"), 1, "choose another folder with --data-dir"),
        (("", *WEEK), 2, "symbol: '' is not a symbol. Write it as"),
        (("BTCUSD", *WEEK), 1, "is not listed in the spot market"),
        (("BTCUSDT",), 2, "--since"),
        (WEEK, 2, "no symbol is named. Name some, or all of a market: --symbols ALL."),
        (("BTCUSDT", "--symbols", "ALL", *WEEK), 2, "ALL excludes other symbols"),
    ],
)
def test_wrong_input_is_said_in_words(
    run: Run, server: Server, arguments: tuple[str, ...], status: int, words: str
) -> None:
    refused = run("download", "candles", *arguments, BGRESEARCH_BASE_URL=server.url)
    assert refused.status == status
    assert words in refused.err
    assert "Traceback" not in refused.err


def test_a_symbol_that_fails_does_not_stop_the_others(run: Run, server: Server) -> None:
    arguments = ("download", "candles", "BTCUSDT", "NOPEUSDT", "ETHUSDT", "--interval", "1h", *WEEK)
    shown = run(*arguments, BGRESEARCH_BASE_URL=server.url)
    assert (shown.status, shown.err.count("\n")) == (1, 1)
    assert [line.split()[:2] for line in shown.out.splitlines()[1:3]] == [["BTCUSDT", "24"], ["ETHUSDT", "24"]]
    assert "1 of 3 symbols failed. NOPEUSDT: " in shown.err

    result = run(*arguments, "--json", BGRESEARCH_BASE_URL=server.url)
    assert result.status == 1
    assert [one["symbol"] for one in result.json()["series"]] == ["BTCUSDT", "ETHUSDT"]
    assert [(one["symbol"], one["kind"]) for one in result.json()["failed"]] == [("NOPEUSDT", "UnknownSymbol")]
    assert json.loads(result.err)["error"]["kind"] == "SymbolsFailed"


def test_all_symbols_of_a_market_come_with_one_word(run: Run, server: Server) -> None:
    asked = ("--interval", "1d", "--since", "2026-11-01", "--until", "2026-11-10", "--market", "coin-futures")
    result = run("download", "candles", "--symbols", "ALL", *asked, "--json", BGRESEARCH_BASE_URL=server.url)
    assert (result.status, result.err) == (0, "")
    series = result.json()["series"]
    assert {"BTCUSD", "ETHUSD"} <= {one["symbol"] for one in series}
    assert {one["candles"] for one in series} == {9}
    both = run("download", "candles", "BTCUSD", "--symbols", "ETHUSD,BTCUSD", *asked, "--json",
               BGRESEARCH_BASE_URL=server.url)  # fmt: skip
    assert [(one["symbol"], one["requests"]) for one in both.json()["series"]] == [("BTCUSD", 0), ("ETHUSD", 0)]


def test_an_address_that_is_refused_is_named_as_it_was_given(run: Run) -> None:
    refused = run("download", "candles", "BTCUSDT", *WEEK, BGRESEARCH_BASE_URL="nonsense")
    assert refused.status == 1
    assert refused.err.startswith("bgresearch: BGRESEARCH_BASE_URL 'nonsense' is refused")


def test_an_interrupted_download_ends_quietly_with_130(environment: dict[str, str], tmp_path: Path) -> None:
    exchange = socket.create_server(("127.0.0.1", 0))
    exchange.settimeout(PATIENCE_S)
    places = {**environment, "BGRESEARCH_BASE_URL": f"http://127.0.0.1:{exchange.getsockname()[1]}"}
    with exchange, started(places, tmp_path, "download", "candles", "BTCUSDT", *WEEK) as process:
        asked, _ = exchange.accept()
        process.send(signal.SIGINT)
        asked.close()
        exchange.close()
        assert process.status() == 130, process.said
    assert "Traceback" not in process.said


@pytest.mark.slow
def test_an_exchange_that_does_not_answer_is_said_in_one_line(run: Run) -> None:
    refused = run("download", "candles", "BTCUSDT", *WEEK, BGRESEARCH_BASE_URL="http://127.0.0.1:1")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "could not be fetched" in refused.err


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(
    ("name", "status", "verdict"),
    [
        ("readonly", 0, "read-only"),
        ("no_address_list", 0, "read-only"),
        ("unified", 0, "read-only"),
        ("trader", 3, "can trade"),
        ("unified_trader", 4, "can withdraw"),
        ("withdrawer", 4, "can withdraw"),
    ],
)
def test_the_exit_status_tells_what_a_key_can_do(
    run: Run, keys: tuple[str, ...], name: str, status: int, verdict: str
) -> None:
    checked = run("check", name, "--json", *keys)
    found = checked.json()
    assert (checked.status, found["verdict"]) == (status, verdict)
    assert found["read_only"] == (status == 0)
    assert found["can_withdraw"] == (status == 4)
    key = SANDBOX_KEYS[name]
    assert not any(secret in checked.out for secret in (key.api_key, key.secret_key, key.passphrase))


@pytest.mark.slow
def test_the_password_can_be_typed(converse: Converse, keys: tuple[str, ...]) -> None:
    checked = converse(["check", "trader", *keys[:2]], [("Master password:", PASSWORD)])
    assert checked.status == 3
    assert "can trade" in checked.out
    assert PASSWORD not in checked.out


@pytest.mark.slow
def test_a_key_without_an_address_list_is_reported_to_get_one(run: Run, keys: tuple[str, ...]) -> None:
    assert "bind it to yours" in run("check", "no_address_list", *keys).out


def test_a_key_is_never_sent_to_another_host_than_its_own(run: Run, keys: tuple[str, ...]) -> None:
    refused = run("check", "readonly", *keys, BGRESEARCH_BASE_URL="http://127.0.0.1:1")
    assert refused.status == 1
    assert "127.0.0.1:1" in refused.err
    assert "Traceback" not in refused.err


def test_an_unknown_key_is_named_with_those_there_are(run: Run, keys: tuple[str, ...]) -> None:
    refused = run("check", "nobody", *keys)
    assert refused.status == 1
    assert "'nobody'" in refused.err
    assert "'trader'" in refused.err
