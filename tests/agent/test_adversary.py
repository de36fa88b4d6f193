"""Another program of the same user that speaks to the agent: what it must not bring about."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from bgresearch.agent.client import Agent
from bgresearch.agent.protocol import decode_header
from bgresearch.agent.requests import Audit, Check, Discard, Fetch, Open, Rename, Status
from bgresearch.agent.service import MOST_EVENTS
from bgresearch.agent.socket_path import Place
from bgresearch.agent.vault_session import MOST_HOSTS
from bgresearch.catalogue import Endpoint
from bgresearch.errors import AgentError
from bgresearch.http.sender import Reply, Sender
from tests.agent.conftest import HERE, ServiceDriver, Start, triple_of
from vault import TooManyKeys, VaultMissing, seal_box
from vault.entries import Slot
from vault.trail import Happening


class Meanwhile:
    """A sender during whose first request of an account's rights something else happens."""

    def __init__(self, sender: Sender, deed: list[Callable[[], object]]) -> None:
        self._sender, self._deed = sender, deed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sender, name)

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        reply = self._sender.send(endpoint, params)
        if endpoint.id == "spot.account_info" and self._deed:
            self._deed.pop()()
        return reply


@pytest.fixture
def stored(driver: ServiceDriver) -> ServiceDriver:
    """With a key that can trade, and one that only reads."""
    driver.open()
    with driver.vault() as vault:
        vault.add("mine", **triple_of("trader"), host=HERE)
        vault.add("decoy", **triple_of("readonly"), host=HERE)
    return driver


@pytest.mark.parametrize("request_", [Fetch("decoy", HERE, "spot.account_info", {}), Check("decoy")])
def test_names_that_change_places_meanwhile_give_no_key_anothers_verdict(stored: ServiceDriver, request_: Any) -> None:
    def swap() -> None:
        for old, new in (("mine", "x"), ("decoy", "mine"), ("x", "decoy")):
            stored.ask(Rename(old, new))

    deed: list[Callable[[], object]] = [swap]
    make = stored.service._session._make_sender
    stored.service._session._make_sender = lambda *given: Meanwhile(make(*given), deed)
    stored.ask(request_)
    assert not deed
    stored.ask(Check("mine"))
    verdicts = {key["label"]: key["last_verdict"] for key in stored.ask(Status())["keys"]}
    assert verdicts == {"decoy": "", "mine": "read-only"}
    stored.ask(Check("decoy"))
    assert {key["label"]: key["last_verdict"] for key in stored.ask(Status())["keys"]}["decoy"] == "can trade"


def test_a_rotation_replaces_the_key_that_it_was_started_for_or_none(stored: ServiceDriver) -> None:
    staged = stored.examined("spot_only", "decoy", "rotate")
    for old, new in (("mine", "x"), ("decoy", "mine"), ("x", "decoy")):
        stored.ask(Rename(old, new))
    before = stored.ask(Status())["keys"]
    with pytest.raises(AgentError, match="the name 'decoy' belongs to another key now"):
        stored.keep(staged)
    assert stored.ask(Status())["keys"] == before


def test_keys_for_ever_new_hosts_are_refused_after_a_while(driver: ServiceDriver) -> None:
    """Each host has a budget of its own, in memory for as long as the agent lives."""
    driver.open()

    def stage(number: int) -> None:
        offer = driver.offer("key", "x", f"http://127.0.0.1:{number}")["offer"]
        driver.ask(Discard(driver.ask(Open(seal_box(offer, triple_of("readonly"))))["staged"]))

    for number in range(1, MOST_HOSTS + 1):
        stage(number)
    with pytest.raises(AgentError, match=f"{MOST_HOSTS} addresses"):
        stage(MOST_HOSTS + 1)
    assert len(driver.service._session._limiters) == MOST_HOSTS
    assert driver.examined("readonly"), "an address that is known goes on"


def test_an_agent_whose_vault_has_vanished_says_so_and_can_be_locked(
    begin: Start, place: Place, vault_file: Any, folder: Any
) -> None:
    begin()
    hidden = vault_file.with_name("gone")
    with Agent(place) as agent:
        vault_file.rename(hidden)
        try:
            assert agent.is_there()
            with pytest.raises(VaultMissing, match="there is no vault"):
                agent.status()
            with pytest.raises(VaultMissing, match="there is no vault"):
                begin(None)
        finally:
            hidden.rename(vault_file)
        assert agent.status().unlocked, "it comes back with its file"
        agent.lock()


def test_a_full_vault_file_is_no_reason_to_refuse_an_answer(stored: ServiceDriver) -> None:
    """Who may edit notes can fill it; that a key was used cannot be written down then."""

    def grown(slots: tuple[Slot, ...], size: int) -> tuple[Slot, ...]:
        return (*slots[:-1], replace(slots[-1], verdict=slots[-1].verdict + "x" * size))

    with stored.vault() as vault:
        for power in reversed(range(20)):
            with suppress(TooManyKeys):
                vault._change_slots(functools.partial(grown, size=2**power))
        with pytest.raises(TooManyKeys):
            vault.record_use("decoy")
    assert stored.ask(Fetch("decoy", HERE, "spot.account_assets", {}))["attempts"] == 1
    assert stored.ask(Fetch("decoy", HERE, "spot.account_info", {}))["attempts"] == 1


@pytest.mark.slow
def test_a_trail_that_somebody_made_long_still_crosses(stored: ServiceDriver) -> None:
    with stored.vault() as vault:
        vault._change_slots(lambda slots: slots, *[Happening("edited")] * 80_000)
    answer = stored.service.answer(Audit())
    header, _, body = answer.partition(b"\n")
    assert decode_header(header).result == {"problems": []}
    events = json.loads(body)
    assert (len(events), events[-1]["number"]) == (MOST_EVENTS, 80_003)
