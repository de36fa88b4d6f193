"""Answers about now: given again while young, offline with their age, never mixed up, private where they must be."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from bgresearch.errors import InvalidInput, OfflineError, ParameterRejected
from bgresearch.session.cached_sender import CachedSender
from tests.conftest import Connect, SessionOf

TICKERS, ASSETS = load()["spot.tickers"], load()["spot.account_assets"]
BTC = {"symbol": "BTCUSDT"}


def test_an_answer_is_given_again_while_it_is_young_enough(
    connect: Connect, session_of: SessionOf, clock: ManualClock
) -> None:
    client = connect()
    first = CachedSender(session_of(client)).send(TICKERS, BTC)
    clock.advance(60)
    answers = CachedSender(session_of(client), 60.5)
    again = answers.send(TICKERS, BTC)
    assert (again.body, again.data, again.received_ms) == (first.body, first.data, first.received_ms)
    assert client.requests_sent == 1
    assert answers.words() == {"asked": "2026-11-20T09:00:30Z", "age_s": 60.0}
    clock.advance(1)
    newer = CachedSender(session_of(client), 60.5)
    assert newer.send(TICKERS, BTC).body != first.body
    assert client.requests_sent == 2
    assert newer.words()["age_s"] == 0


def test_by_default_every_call_asks(connect: Connect, session_of: SessionOf) -> None:
    client = connect()
    for _ in range(2):
        CachedSender(session_of(client)).send(TICKERS, BTC)
    assert client.requests_sent == 2
    assert CachedSender(session_of(client)).words() == {}


def test_the_age_of_several_answers_is_that_of_the_oldest(
    connect: Connect, session_of: SessionOf, clock: ManualClock
) -> None:
    source = session_of(connect())
    CachedSender(source).send(TICKERS, BTC)
    clock.advance(30)
    answers = CachedSender(source, 3600)
    answers.send(TICKERS, {"symbol": "ETHUSDT"})
    answers.send(TICKERS, BTC)
    assert answers.words()["age_s"] == 30


def test_questions_are_distinguished_by_their_parameters(connect: Connect, session_of: SessionOf) -> None:
    source = session_of(connect())
    bodies = {CachedSender(source, 3600).send(TICKERS, {"symbol": s}).body for s in ("BTCUSDT", "ETHUSDT", "BTCUSDT")}
    assert len(bodies) == 2


def test_offline_what_was_kept_is_answered_with_its_age_and_the_rest_names_what_to_run(
    connect: Connect, session_of: SessionOf, clock: ManualClock
) -> None:
    first = CachedSender(session_of(connect())).send(TICKERS, BTC)
    clock.advance(86_400)
    client = connect(offline=True)
    answers = CachedSender(session_of(client), 1)
    assert answers.send(TICKERS, BTC).body == first.body
    assert answers.words()["age_s"] == 86_400
    with pytest.raises(OfflineError, match=r"spot.tickers \(symbol=ETHUSDT\) is stored.* Run client.tickers\('ETH"):
        CachedSender(session_of(client), again="client.tickers('ETHUSDT')").send(TICKERS, {"symbol": "ETHUSDT"})
    with pytest.raises(OfflineError, match=r"spot.account_assets is stored.*client.api.spot.account_assets"):
        CachedSender(session_of(client)).send(ASSETS, {})
    assert client.requests_sent == 0


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff" * 900, b"null\n{}"])
def test_a_damaged_answer_is_asked_for_again(
    connect: Connect, session_of: SessionOf, tmp_path: Path, damage: bytes
) -> None:
    client = connect()
    CachedSender(session_of(client)).send(TICKERS, BTC)
    (path,) = (tmp_path / "data").rglob("*.answer")
    whole = path.read_bytes()
    for text in (damage, whole[:-1], whole.replace(b"BTCUSDT", b"ETHUSDT")):
        path.write_bytes(text)
        before = client.requests_sent
        CachedSender(session_of(client), 3600).send(TICKERS, BTC)
        assert client.requests_sent == before + 1


def test_answers_about_an_account_are_private_and_apart(
    connect: Connect, session_of: SessionOf, tmp_path: Path
) -> None:
    for key in ("readonly", "trader"):
        CachedSender(session_of(connect(key=key))).send(ASSETS, {})
    paths = list((tmp_path / "data").rglob("*.answer"))
    assert all(path.relative_to(tmp_path / "data").parts[0] == "account" for path in paths)
    for path in (tmp_path / "data" / "account").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_refusal_is_not_kept(connect: Connect, session_of: SessionOf, tmp_path: Path) -> None:
    source = session_of(connect())
    with pytest.raises(ParameterRejected):
        CachedSender(source).send(TICKERS, {"symbol": "NOPEUSDT"})
    assert not list(tmp_path.rglob("*.answer"))


def test_an_age_is_a_number_of_seconds(connect: Connect, session_of: SessionOf) -> None:
    for age in (-1, float("nan")):
        with pytest.raises(InvalidInput, match=r"max_age: .* is negative"):
            CachedSender(session_of(connect()), age)


def test_the_raw_namespace_keeps_an_answer_when_it_is_given_how_old_it_may_be(
    connect: Connect, clock: ManualClock, tmp_path: Path
) -> None:
    client, offline = connect(), connect(offline=True)
    client.api.spot.tickers(symbol="BTCUSDT")
    assert not list(tmp_path.rglob("*.answer"))
    first = client.api.spot.tickers(symbol="BTCUSDT", max_age=60)
    clock.advance(30)
    before = client.requests_sent
    again = client.api.spot.tickers(symbol="BTCUSDT", max_age=60)
    assert again.equals(first)
    assert (first.attrs["bgresearch"]["age_s"], again.attrs["bgresearch"]["age_s"]) == (0, 30)
    assert client.api.spot.tickers.raw(symbol="BTCUSDT", max_age=60)[0]["symbol"] == "BTCUSDT"
    assert client.requests_sent == before
    clock.advance(3600)
    assert offline.api.spot.tickers(symbol="BTCUSDT").equals(first)
    with pytest.raises(OfflineError, match=r"Run client.api.spot.tickers\(\.\.\., max_age=0\) once"):
        offline.api.spot.tickers()
    assert offline.requests_sent == 0


def test_no_endpoint_has_a_parameter_of_that_name() -> None:
    assert not [endpoint.id for endpoint in load() if endpoint.param("max_age")]
