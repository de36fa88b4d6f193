"""The same over a real socket: an agent that is started locked, without a vault, and asked everything there is."""

from __future__ import annotations

import json
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bgresearch.agent.client import Agent, AgentStatus
from bgresearch.agent.launcher import start
from bgresearch.agent.protocol import Header, encode_answer
from bgresearch.agent.requests import Fetch, Request
from bgresearch.agent.server import listen
from bgresearch.agent.socket_path import Place, prepare
from bgresearch.errors import AgentError, AgentUnavailable
from bgresearch.keys.onboarding.finding import STAGES
from tests.agent.conftest import PASSWORD, triple_of, wait_for_end
from vault import FLOOR, Leak, NoRecovery, UnknownKey, Vault, VaultExists, VaultMissing, new_code, open_reply, seal_box
from vault.hidden import Hidden
from vault.leaks import OVERLAP

STATUS = encode_answer({
    "pid": 1, "vault": "/x", "exists": True, "unlocked": False, "unlocks": [], "keys": [], "fingerprint": "x",
    "uptime_s": 0, "locks_in_s": 0, "weak": [],
})  # fmt: skip


class Heard(Agent):
    """An agent's client that remembers everything it received."""

    said = b""

    def _ask(self, request: Request, patience_s: float) -> tuple[Header, bytes]:
        header, body = super()._ask(request, patience_s)
        self.said += (
            repr((header.result, str(header.error), vars(header.error) if header.error else {})).encode() + body
        )
        return header, body

    def seal(self, purpose: Any, label: str = "x", host: str = "", **texts: str) -> dict[str, Any]:
        return self.open(seal_box(self.offer(purpose, label, host=host)["offer"], texts))


@pytest.fixture
def fresh(place: Place, folder: Path) -> Iterator[Heard]:
    """An agent without a vault."""
    start(folder / "keys" / "vault", None, place=place)
    with Heard(place) as agent:
        yield agent


@pytest.fixture
def opened(place: Place, folder: Path, exchange_url: str) -> Iterator[Heard]:
    """An agent with a small vault of its own: the keys ``mine`` and ``writing``."""
    path = folder / "keys" / "vault"
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault:
        vault.add("mine", **triple_of("readonly"), host=exchange_url)
        vault.add("writing", **triple_of("trader"), host=exchange_url)
    start(path, Hidden(PASSWORD), place=place)
    with Heard(place) as agent:
        yield agent


def test_from_nothing_to_a_first_answer(fresh: Heard, exchange_url: str) -> None:
    status = fresh.status()
    assert (status.exists, status.unlocked, status.unlocks) == (False, False, ())
    with pytest.raises(VaultMissing):
        fresh.seal("unlock", password=PASSWORD)
    assert fresh.seal("strength", password=PASSWORD)["score"] >= 3
    status = fresh.unlock(seal_box(fresh.offer("create")["offer"], {"password": PASSWORD}))
    assert (status.exists, status.unlocked, status.unlocks, status.keys) == (True, True, ("password",), ())

    offer, private_key = fresh.offer("recovery")["offer"], secrets.token_bytes(32)
    answer = fresh.open(seal_box(offer, {"password": PASSWORD}, private_key=private_key))
    code = open_reply(offer, answer["reply"], private_key=Hidden(private_key))["recovery_code"].value
    confirming = fresh.offer("confirm")
    first, second = (code.split("-")[number - 1] for number in confirming["asked"])
    assert fresh.open(seal_box(confirming["offer"], {"first": first, "second": second})) == {"confirmed": True}

    staged = fresh.seal("key", "research", exchange_url, **triple_of("readonly"))
    assert staged["findings"] == []
    with pytest.raises(AgentError, match="not examined"):
        fresh.keep(staged["staged"])
    examination = fresh.examine(staged["staged"])
    assert examination.permissions is None
    assert [finding.stage for finding in examination if finding.passed] == list(STAGES)
    assert examination.permissions is not None
    assert examination.permissions.verdict == "read-only"
    kept = fresh.keep(staged["staged"], note="for research", rotate_by="2031-01-31")
    status = fresh.status()
    assert status.keys == (kept,)
    assert (kept.label, kept.note, kept.rotate_by, kept.last_verdict, kept.has_addresses) == (
        "research", "for research", "2031-01-31", "read-only", True,
    )  # fmt: skip
    header, body = fresh.fetch(Fetch("research", exchange_url, "spot.account_assets", {}))
    assert header.error is None
    assert body
    _no_secret(fresh, code)


@pytest.mark.slow
def test_a_refused_key_is_examined_and_not_kept(fresh: Heard, exchange_url: str) -> None:
    fresh.seal("create", password=PASSWORD)
    wrong = {**triple_of("readonly"), "passphrase": "notthisone"}
    staged = fresh.seal("key", "research", exchange_url, **wrong)["staged"]
    examination = fresh.examine(staged)
    verdicts = {finding.stage: finding.passed for finding in examination}
    assert (verdicts["reach"], verdicts["passphrase"], verdicts["permissions"]) == (True, False, None)
    assert examination.permissions is None
    with pytest.raises(AgentError, match="the exchange refused it"):
        fresh.keep(staged, accept_trade=True)
    fresh.discard(staged)
    with pytest.raises(AgentError, match="is not waiting"):
        next(fresh.examine(staged))
    assert fresh.status().keys == ()
    _no_secret(fresh, "notthisone")


@pytest.mark.slow
def test_a_stored_key_is_checked_renamed_edited_rotated_and_removed(opened: Heard) -> None:
    findings, permissions = opened.check("writing")
    assert [finding.passed for finding in findings] == [True] * len(STAGES)
    assert permissions is not None
    assert permissions.verdict == "can trade"
    assert "can trade" in {key.last_verdict for key in opened.status().keys}
    assert [key.label for key in opened.rename("writing", "second").keys] == ["mine", "second"]
    edited = opened.edit("second", account="main").keys[1]
    assert (edited.account, edited.note) == ("main", "")
    staged = opened.seal("rotate", "second", **triple_of("spot_only"))["staged"]
    assert list(opened.examine(staged))[-1].passed
    rotated = opened.keep(staged)
    assert (rotated.account, rotated.last_verdict) == ("main", "read-only")
    assert rotated.fingerprint != edited.fingerprint
    assert [key.label for key in opened.remove("second").keys] == ["mine"]
    with pytest.raises(UnknownKey):
        opened.remove("second")
    with pytest.raises(UnknownKey):
        opened.check("second")
    trail = opened.trail()
    assert trail.problems == ()
    assert [event.event for event in opened.audit()][-5:] == [
        "checked", "renamed", "edited", "rotated", "removed"
    ]  # fmt: skip
    _no_secret(opened)


def test_a_vault_is_not_made_twice_and_has_no_recovery_code_unasked(opened: Heard) -> None:
    with pytest.raises(VaultExists):
        opened.seal("create", password="another password")
    with pytest.raises(NoRecovery):
        opened.seal("recover", recovery_code=new_code().value)


@pytest.mark.slow
def test_a_secret_is_found_wherever_long_data_is_cut(opened: Heard) -> None:
    secret = triple_of("readonly")["secret_key"].encode()
    scattered = b'",\n    "'.join(secret[at : at + 7] for at in range(0, len(secret), 7))
    for before in (0, 1, OVERLAP, 192 * 1024 - 20, 192 * 1024, 256 * 1024, 3 * 192 * 1024 + 7):
        noise = (b"0123456789\n" * (1 + before // 11))[:before]
        assert opened.search(noise + secret + noise) == [Leak("mine", "secret_key", "plain", before)]
        (leak,) = opened.search(b"\n" * before + scattered + noise)
        assert (leak.label, leak.field, leak.offset) == ("mine", "secret_key", -1)
    for data in (b"", b"x", b"x" * (3 * OVERLAP), b"\x00" * (192 * 1024 + 1)):
        assert opened.search(data) == []
    _no_secret(opened)


@pytest.mark.parametrize("way", ["deleted", "replaced", "folder"])
def test_an_agent_that_nobody_can_reach_ends(begin: Any, place: Place, folder: Path, way: str) -> None:
    pid = begin(None).pid
    if way == "deleted":
        place.socket.unlink()
    elif way == "replaced":
        place.socket.unlink()
        place.socket.write_text("mine", encoding="ascii")
    else:
        place.folder.rename(folder / "elsewhere")
    wait_for_end(pid)
    assert place.socket.exists() == (way == "replaced"), "what is not its own it leaves alone"
    with pytest.raises(AgentError):
        Agent(place).status()
    assert begin(None).pid != pid


class Deserter:
    """Answers its first request, then takes every other one and hangs up."""

    def __init__(self, place: Place) -> None:
        prepare(place)
        self._listener = listen(place)
        self._listener.setblocking(True)
        self.heard: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            threading.Thread(target=self._answer, args=(self._listener.accept()[0],), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                self.heard.append(json.loads(line)["op"])
                if self.heard != ["status"]:
                    return
                connection.sendall(STATUS)


CHANGES: list[Callable[[Agent], object]] = [
    lambda agent: agent.rename("mine", "x"),
    lambda agent: agent.remove("mine"),
    lambda agent: agent.keep("x"),
    lambda agent: agent.edit("mine", note="x"),
    lambda agent: agent.open({}),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_may_have_been_done_is_not_asked_for_twice(place: Place, change: Callable[[Agent], object]) -> None:
    deserter = Deserter(place)
    with Agent(place) as agent:
        assert agent.status().pid == 1
        with pytest.raises(AgentUnavailable, match="closed the connection"):
            change(agent)
        assert len(deserter.heard) == 2
        place.socket.unlink()


def test_the_agents_status_says_all_that_may_be_said_of_a_key(opened: Heard) -> None:
    status = opened.status()
    assert isinstance(status, AgentStatus)
    mine = status.keys[0]
    assert (mine.label, mine.note, mine.last_checked, mine.last_verdict, mine.has_addresses, mine.last_used) == (
        "mine", "", "", "", None, "",
    )  # fmt: skip
    assert mine.created
    assert mine.rotate_by > mine.created[:10]
    assert mine.reminder == ""


def _no_secret(agent: Heard, *more: str) -> None:
    texts = [
        PASSWORD,
        *more,
        *(text for name in ("readonly", "trader", "spot_only") for text in triple_of(name).values()),
    ]
    assert len(agent.said) > 100
    assert not [number for number, text in enumerate(texts) if text.encode() in agent.said]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment of a process from /proc")
def test_a_relative_folder_is_the_same_for_the_agent_which_runs_elsewhere(
    place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BGRESEARCH_STATE_DIR", "state")
    pid = start(folder / "keys" / "vault", None, place=place).pid
    assert f"\0BGRESEARCH_STATE_DIR={folder / 'state'}\0" in Path(f"/proc/{pid}/environ").read_text("utf-8")
