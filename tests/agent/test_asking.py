"""What a kernel gets through the agent is what its own wire would get, errors included."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import socket
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bgresearch
from bgresearch.agent.agent_sender import AgentSender, find_key
from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start, unlock
from bgresearch.agent.requests import Fetch
from bgresearch.agent.socket_path import Place
from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from bgresearch.errors import (
    AgentError,
    AgentUnavailable,
    ConfigurationError,
    InvalidInput,
    ParameterRejected,
)
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Wire
from tests.agent.conftest import KEY, PASSWORD, SECRETS, Start, wait_for_end
from vault import FLOOR, BoxRefused, Vault, VaultError, WrongPassword
from vault.hidden import Hidden
from vault.intake import Intake, seal_box

ACCOUNT, ASSETS, SERVER_TIME = (load()[name] for name in ("spot.account_info", "spot.account_assets", "common.time"))
ROUTE = {"BGRESEARCH_DATA_DIR": "data", "BGRESEARCH_AGENT_DIR": "agent"}


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.delenv("BGRESEARCH_BASE_URL", raising=False)
    for name, inside in ROUTE.items():
        monkeypatch.setenv(name, str(folder / inside))


def direct(vault_file: Path) -> Wire:
    clock = SystemClock()
    with Vault.open(vault_file, PASSWORD) as vault:
        key = vault.get("research")
    return Wire(key.host, limiter=LocalLimiter(clock), clock=clock, signer=key)


@pytest.mark.slow
def test_the_body_is_the_same_to_the_byte(sender: AgentSender, vault_file: Path) -> None:
    with direct(vault_file) as wire:
        expected = wire.send(ASSETS, {"coin": "BTC"})
    reply = sender.send(ASSETS, {"coin": "BTC"})
    assert (reply.endpoint, reply.data) == (ASSETS, expected.data)
    assert len(reply.body) == len(expected.body)  # the envelope's requestTime differs
    assert reply.attempts == 1
    assert 0 < reply.asked_ms <= reply.received_ms
    assert sender.sent == 2, "one for the exchange's clock, one for the assets"
    assert (sender.label, sender.demo) == ("research", False)


def test_public_rows_need_no_agent(sender: AgentSender, agent: Agent) -> None:
    agent.lock()
    assert sender.send(SERVER_TIME, {}).attempts == 1
    assert sender.sent == 1


def test_an_error_of_the_exchange_crosses_whole(sender: AgentSender, vault_file: Path) -> None:
    row = load()["spot.trade_fills"]
    with direct(vault_file) as wire:
        with pytest.raises(ParameterRejected) as expected:
            wire.send(row, {"limit": "many"})
        sent = wire.sent
    with pytest.raises(ParameterRejected) as received:
        sender.send(row, {"limit": "many"})
    assert (str(received.value), vars(received.value)) == (str(expected.value), vars(expected.value))
    assert sender.sent == sent


def test_values_that_cannot_be_sent_are_refused_here(sender: AgentSender) -> None:
    with pytest.raises(InvalidInput, match=r"coin: 0\.5 is a binary fraction"):
        sender.send(ASSETS, {"coin": 0.5})
    assert sender.sent == 0


@pytest.mark.slow
def test_many_threads_share_one_sender(sender: AgentSender) -> None:
    coins = ["BTC", "ETH", "USDT"] * 8
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda coin: sender.send(ASSETS, {"coin": coin}), coins))
    for coin, reply in zip(coins, replies, strict=True):
        assert {row["coin"] for row in reply.data} <= {coin}
    assert sender.sent == len(coins) + 1


def test_connect_uses_the_agent(agent: Agent) -> None:
    with bgresearch.connect(key="research") as client:
        assert client.permissions().verdict == "read-only"
        assert len(client.account.assets())
        assert client.label == "research"
        assert repr(client).startswith("<Client of http://127.0.0.1:")


def test_what_is_kept_is_read_offline_while_locked(agent: Agent, exchange_url: str) -> None:
    with bgresearch.connect(key="research") as client:
        assets = client.account.assets()
    agent.lock()
    with bgresearch.connect(key="research", offline=True, base_url=exchange_url) as client:
        assert client.account.assets().equals(assets)


def test_a_key_for_another_host_is_refused(agent: Agent) -> None:
    with pytest.raises(ConfigurationError, match=r"'live' is bound to https://api\.bitget\.com and is never sent to"):
        bgresearch.connect(key="live", base_url="http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=r"no key 'other'\. It has: 'live', 'research'"):
        bgresearch.connect(key="other")


def test_a_killed_agent_is_said_and_another_one_goes_on(sender: AgentSender, agent: Agent, begin: Start) -> None:
    before = sender.send(ASSETS, {}).data
    pid = agent.status().pid
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    with pytest.raises(AgentUnavailable, match="no agent is running"):
        sender.send(ASSETS, {})
    assert agent.place.socket.exists(), "what a killed agent leaves behind"
    assert begin().pid != pid
    assert sender.send(ASSETS, {}).data == before


def test_another_agent_that_came_meanwhile_is_simply_used(sender: AgentSender, agent: Agent, begin: Start) -> None:
    before = sender.send(ASSETS, {}).data
    pid = agent.status().pid
    agent.lock()
    wait_for_end(pid)
    begin()
    assert sender.send(ASSETS, {}).data == before
    (stale,) = agent._idle
    stale._socket.shutdown(socket.SHUT_RDWR)  # as if the agent had dropped a silent caller
    assert sender.send(ASSETS, {}).data == before


def test_after_a_lock_nothing_is_left(agent: Agent) -> None:
    pid = agent.status().pid
    agent.lock()
    wait_for_end(pid)
    assert not agent.place.socket.exists()
    with pytest.raises(AgentUnavailable, match="no agent is running"):
        agent.status()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order(agent: Agent, number: signal.Signals) -> None:
    pid = agent.status().pid
    os.kill(pid, number)
    wait_for_end(pid)
    assert not agent.place.socket.exists()


@pytest.mark.slow
@pytest.mark.parametrize("limits", [{"idle_s": 0.5}, {"longest_s": 3.0}])
def test_an_agent_whose_time_is_over_ends(begin: Start, place: Place, limits: dict[str, float]) -> None:
    wait_for_end(begin(**limits).pid)
    assert not place.socket.exists()


def test_a_locked_agent_opens_with_a_sealed_password(begin: Start, place: Place) -> None:
    status = begin(None)
    assert (status.unlocked, status.keys) == (False, ())
    with Agent(place) as agent:
        with pytest.raises(AgentUnavailable, match="the vault is locked"):
            find_key(agent, "research")
        opened = unlock(agent, Hidden(PASSWORD))
        assert (opened.pid, opened.unlocked, opened.fingerprint) == (status.pid, True, status.fingerprint)
        assert begin().pid == status.pid


def test_starting_with_the_password_opens_a_locked_agent(begin: Start) -> None:
    locked = begin(None)
    opened = begin()
    assert (opened.pid, opened.unlocked) == (locked.pid, True)


def test_a_box_opens_once_and_only_here(begin: Start, place: Place) -> None:
    begin(None)
    with Agent(place) as agent:
        offer = agent.offer()
        foreign = Intake().offer("unlock", 60, fields=("password",))
        for box in (seal_box(foreign, {"password": PASSWORD}), {"nonsense": 1}):
            with pytest.raises(BoxRefused):
                agent.unlock(box)
        box = seal_box(offer["offer"], {"password": PASSWORD})
        assert agent.unlock(box).unlocked
        with pytest.raises(BoxRefused):
            agent.unlock(box)


def test_a_wrong_password_has_to_wait(begin: Start, place: Place) -> None:
    begin(None)
    with Agent(place) as agent:
        with pytest.raises(WrongPassword):
            unlock(agent, Hidden("not the password"))
        with pytest.raises(AgentError, match=r"a wrong password was typed before\. Wait 0\.\d s"):
            unlock(agent, Hidden(PASSWORD))


def test_a_key_that_is_added_or_removed_meanwhile_counts(folder: Path, place: Place, exchange_url: str) -> None:
    path = folder / "keys" / "vault"
    triple = {"api_key": KEY.api_key, "secret_key": KEY.secret_key, "passphrase": KEY.passphrase}
    clock = SystemClock()
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault, Agent(place) as agent:
        start(path, Hidden(PASSWORD), place=place)
        vault.add("new", **triple, host=exchange_url)
        with Wire(exchange_url, limiter=LocalLimiter(clock), clock=clock) as public:
            sender = AgentSender(find_key(agent, "new"), agent=agent, public=public)
            assert sender.send(ASSETS, {}).data
            vault.remove("new")
            with pytest.raises(Exception, match="no key named 'new'"):
                sender.send(ASSETS, {})


def test_the_first_use_of_a_day_is_noted_once(folder: Path, place: Place, exchange_url: str) -> None:
    path = folder / "keys" / "vault"
    triple = {"api_key": KEY.api_key, "secret_key": KEY.secret_key, "passphrase": KEY.passphrase}
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault, Agent(place) as agent:
        vault.add("new", **triple, host=exchange_url)
        start(path, Hidden(PASSWORD), place=place)
        assert not vault.describe()[0].used
        for _ in range(3):
            header, _ = agent.fetch(Fetch("new", exchange_url, ASSETS.id, {}))
            assert header.error is None
        saved = path.stat().st_mtime_ns
        assert vault.reload()
        assert vault.describe()[0].used
        agent.fetch(Fetch("new", exchange_url, ASSETS.id, {}))
        assert path.stat().st_mtime_ns == saved


@pytest.mark.slow
def test_an_agent_whose_password_was_changed_ends(folder: Path, place: Place) -> None:
    path = folder / "keys" / "vault"
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault, Agent(place) as agent:
        pid = start(path, Hidden(PASSWORD), place=place).pid
        vault.change_password(PASSWORD, "an entirely new one")
        with pytest.raises(VaultError, match="password was changed"):
            agent.status()
        wait_for_end(pid)
        assert start(path, Hidden("an entirely new one"), place=place).unlocked


def test_a_sender_shows_a_label_and_stays_in_its_process(sender: AgentSender) -> None:
    assert repr(sender) == f"<AgentSender for {sender.host}, key 'research'>"
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="belongs to its process"):
            copied(sender)


def test_a_child_of_a_fork_has_connections_of_its_own(sender: AgentSender, agent: Agent) -> None:
    expected = sender.send(ASSETS, {}).data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking next to threads, since Python 3.12
        child = os.fork()
    if child == 0:
        (parents,) = agent._idle
        is_right = sender.send(ASSETS, {}).data == expected and parents not in agent._idle
        os._exit(int(not is_right))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sender.send(ASSETS, {}).data == expected


def test_no_answer_holds_a_secret(sender: AgentSender, agent: Agent) -> None:
    said = [repr(agent.status()), repr(agent.offer()), repr(sender.send(ACCOUNT, {}).body)]
    assert not any(secret in words for secret in (*SECRETS, PASSWORD) for words in said)
