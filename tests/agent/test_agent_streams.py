"""Private streams of a key that the agent holds: it logs in, relays frames, and sends nothing but subscriptions."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

import bgresearch
from bgresearch.agent.agent_sender import AgentSender
from bgresearch.agent.agent_stream import AgentLogin
from bgresearch.agent.client import Agent
from bgresearch.agent.lifetime import Lifetime
from bgresearch.agent.live_sockets import MOST_SOCKETS
from bgresearch.agent.requests import CloseSocket, OpenSocket, UseSocket
from bgresearch.agent.server import AgentServer, listen
from bgresearch.agent.service import Service
from bgresearch.agent.socket_path import Place, prepare
from bgresearch.client.client import Client
from bgresearch.core.clock import SystemClock
from bgresearch.errors import AgentError, AgentUnavailable, ConfigurationError, InvalidInput
from tests.agent.conftest import KEY, PASSWORD, SECRETS
from tests.conftest import PATIENCE_S
from vault import Vault, loopback_credential

SUBSCRIBE = '{"op":"subscribe","args":[{"instType":"SPOT","channel":"account","coin":"default"}]}'


@pytest.fixture
def client(agent: Agent, exchange_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("BGRESEARCH_AGENT_DIR", str(agent.place.folder))
    with bgresearch.connect(key="research", data_dir=tmp_path, progress=False) as client:
        yield client


def ws(exchange_url: str) -> str:
    return exchange_url.replace("http:", "ws:")


def opened(agent: Agent, exchange_url: str, version: str = "v2") -> str:
    return agent.open_socket(OpenSocket("research", exchange_url, ws(exchange_url), version))


def frames_of(agent: Agent, name: str, message: str = "", count: int = 1) -> list[str]:
    found: list[str] = []
    until_s = time.monotonic() + PATIENCE_S
    while len(found) < count:
        _, body = agent.use_socket(UseSocket(name, message, waits=True))
        message, found = "", [*found, *json.loads(body)]
        assert time.monotonic() < until_s
    return found


def test_a_private_stream_comes_through_the_agent_and_ends_when_it_is_locked(agent: Agent, client: Client) -> None:
    with client.stream("account") as stream:
        frame = next(stream)
        assert set(frame.account) == {"spot"}
        assert len(frame) == len(client.account.assets().query("account == 'spot'"))
        agent.lock()
        with pytest.raises(AgentUnavailable):
            list(stream)


def test_no_frame_and_no_answer_of_the_agent_has_a_secret(agent: Agent, exchange_url: str) -> None:
    name = opened(agent, exchange_url)
    said = "".join(frames_of(agent, name, SUBSCRIBE, count=2))
    assert '"available"' in said
    assert secrets_in(said) == set()
    triple = {"api_key": KEY.api_key, "secret_key": KEY.secret_key, "passphrase": KEY.passphrase}
    login = loopback_credential("research", **triple, host=exchange_url).login(1_795_165_230_000).value
    assert secrets_in(login) == {KEY.api_key, KEY.passphrase}  # what the agent sent: the search finds what is there
    agent.close_socket(CloseSocket(name))
    assert agent.use_socket(UseSocket(name, "", waits=False))[0].result["ended"]


def secrets_in(text: str) -> set[str]:
    return {secret for secret in (*SECRETS, KEY.api_key) if secret in text}


NOT_SENT = (
    "login", '{"op":"login","args":[{}]}', '{"op":"trade","args":[{"channel":"orders","instType":"SPOT"}]}',
    SUBSCRIBE.replace("account", "place-order"), "[]",
)  # fmt: skip
OTHER_ADDRESSES = ("wss://ws.bitget.com", "wss://elsewhere.example", "ws://127.0.0.1:9", "http://127.0.0.1:9", "")


def test_the_agent_sends_only_pings_and_subscriptions_and_logs_in_at_the_key_s_own_exchange_alone(
    agent: Agent, exchange_url: str
) -> None:
    name = opened(agent, exchange_url)
    for message in NOT_SENT:
        with pytest.raises(InvalidInput, match="only pings"):
            agent.use_socket(UseSocket(name, message, waits=False))
    assert frames_of(agent, name, "ping") == ["pong"]
    for base in OTHER_ADDRESSES:
        with pytest.raises(ConfigurationError):
            agent.open_socket(OpenSocket("research", exchange_url, base, "v2"))
    with pytest.raises(ConfigurationError, match="bound"):
        agent.open_socket(OpenSocket("research", "https://api.bitget.com", ws(exchange_url), "v2"))
    with pytest.raises(InvalidInput):
        opened(agent, exchange_url, "v4")


def test_a_vault_that_changes_ends_its_connections_and_the_next_one_is_logged_in_again(
    agent: Agent, exchange_url: str, vault_file: Path
) -> None:
    name = opened(agent, exchange_url)
    frames_of(agent, name, "ping")
    with Vault.open(vault_file, PASSWORD) as vault:
        vault.edit("research", note="changed")
    assert agent.use_socket(UseSocket(name, "", waits=False))[0].result["ended"] == "the vault was changed"
    frames_of(agent, opened(agent, exchange_url), "ping")


def test_an_agent_has_so_many_streams_and_those_of_callers_that_are_gone_make_room(
    agent: Agent, sender: AgentSender, exchange_url: str
) -> None:
    login = AgentLogin(sender, lambda: ws(exchange_url))
    sockets = [login.open("v2") for _ in range(MOST_SOCKETS)]
    with pytest.raises(AgentError, match="private streams"):
        login.open("v2")
    sockets[0].close()
    sockets[0].close()
    login.open("v2").send("ping")


class Sweeping:
    """A service that notes when it is to close unused streams."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def close_unused_sockets(self) -> None:
        self.asked.set()


def test_streams_that_nothing_uses_are_closed_without_another_request(place: Place) -> None:
    service, clock = Sweeping(), SystemClock()
    prepare(place)
    server = AgentServer(
        listen(place), cast(Service, service), lifetime=Lifetime(clock, slept_s=lambda: 0.0), clock=clock
    )
    serving = threading.Thread(target=server.run)
    serving.start()
    try:
        assert service.asked.wait(PATIENCE_S)
    finally:
        server.end("the test is over")
        serving.join()
        place.socket.unlink()
