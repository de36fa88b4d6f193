"""Ctrl-C at every step: whatever the moment, no frame of the traceback holds a secret. Counted steps."""

from __future__ import annotations

import gc
import itertools
import linecache
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bgresearch.catalogue import load
from bgresearch.http.sender import Wire
from tests.security.conftest import Street, credential, secrets_in, with_secrets
from vault import EXCHANGE_HOST, FLOOR, Intake, Staged, Surroundings, Vault, open_reply
from vault.boxes import content_of
from vault.contents import State, believed_slots, sealed
from vault.encryption import decrypt_file, key_from_password, wrap_data_key
from vault.envelope import parse
from vault.hidden import Hidden
from vault.intake import sealed_content
from vault.recovery import code_bytes, is_group
from vault.sources import from_text, without_keys

PRIVATE = load()["spot.account_assets"]
TESTS = str(Path(__file__).parent)
# Where headers and secrets pass; not where files and locks are held, which a raise between two lines would leave held.
WALKED = re.compile(
    r"/bgresearch/(http/(sender|transport|query)|catalogue/response)\.py$|/vault/(?!storage)[^/]+\.py$"
    r"|/(requests|urllib3)/[^/]+\.py$|/(client|hmac|elsewhere)\.py$"
)
BOXING = {("__init__", "value"), *(("add", name) for name in ("api_key", "secret_key", "passphrase"))}
NOTHING = Hidden("nothing else")
Leaks = list[tuple[str, str]]  # function and variable


class Stop(BaseException):
    """A key press."""


def in_locking(frame: FrameType) -> bool:
    """Return whether a raise here would leave a lock held: just after the start of its ``with``, or before its exit.

    A key press does not, as it is noticed between other instructions. The container of connection pools sees no secret.
    """
    if frame.f_code.co_qualname.startswith("RecentlyUsedContainer."):
        return True
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return line.startswith("with ") and "lock" in line


class Interrupter:
    """Raises at one step of a call: a step is a line that runs in a file that secrets pass through."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def __call__(self, frame: FrameType, event: str, _arg: object) -> Any:
        if not WALKED.search(frame.f_code.co_filename):
            return self
        if event == "line" and not in_locking(frame):
            self.steps += 1
            if self.steps == self.at:
                raise Stop
        return self

    def run(self, call: Callable[[], object]) -> BaseException | None:
        """Run it in a thread of its own: one that is interrupted in a handler goes on as if it were still in there."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._traced, call).result()

    def _traced(self, call: Callable[[], object]) -> BaseException | None:
        before = sys.gettrace()
        sys.settrace(self)
        try:
            call()
        except Stop as error:
            return error
        finally:
            sys.settrace(before)
        return None


def steps_of(call: Callable[[], object]) -> int:
    counter = Interrupter(0)
    counter.run(call)
    return counter.steps


def leaks_of(error: BaseException | None, also: Hidden[str] = NOTHING) -> Leaks:
    found, chain = [], [error]
    while chain and (current := chain.pop()) is not None:
        chain += [current.__cause__, current.__context__]
        trace = current.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if not code.co_filename.startswith(TESTS):
                values = [(name, shown(value)) for name, value in trace.tb_frame.f_locals.items()]
                found += [(code.co_qualname, name) for name, text in values if secrets_in(text) or also.value in text]
            trace = trace.tb_next
    return found


def shown(value: object) -> str:
    try:
        return repr(value)
    except AttributeError:  # it was interrupted while it was made, and cannot show itself
        return ""


def all_leaks(call: Callable[[], object], *, stride: int = 1, also: Hidden[str] = NOTHING) -> tuple[int, Leaks]:
    tried, leaks = 0, []
    for at in range(1, steps_of(call) + 1, stride):
        error = Interrupter(at).run(call)
        leaks += leaks_of(error, also)
        tried += error is not None
    return tried, leaks


def test_signing_can_be_interrupted_anywhere() -> None:
    key = credential(EXCHANGE_HOST)
    tried, leaks = all_leaks(lambda: key.headers("GET", f"{PRIVATE.path}?coin=BTC", timestamp_ms=1_780_000_000_000))
    assert tried > 50
    assert leaks == []


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_request_on_a_socket_can_be_interrupted_anywhere(street: Street, wires: Callable[..., Wire]) -> None:
    """Through requests, urllib3 and the standard library down to the socket, on a new connection each time."""

    def send() -> None:
        with wires(street.bound.url, signer=credential(street.bound.url)) as wire:
            wire._offset_ms = 0
            wire.send(PRIVATE, {"coin": "BTC"})

    send()

    tried, leaks = all_leaks(send, stride=17)
    gc.collect()
    assert tried > 100
    assert leaks == []


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_saving_a_key_can_be_interrupted_anywhere_once_it_is_boxed(tmp_path: Path) -> None:
    """The one moment left: the call that hands the three texts over has them as its arguments until they are boxed."""
    vault = Vault.create(tmp_path / "keys" / "vault", "a password of the tests", profile=FLOOR)
    numbers = itertools.count()

    def add() -> None:
        number, triple = next(numbers), Hidden(with_secrets())
        triple.value["api_key"] += str(number)
        vault.add(f"key {number}", **triple.value, account=f"account {number}")

    tried, leaks = all_leaks(add, stride=7)
    gc.collect()
    assert tried > 100
    assert {(function.rpartition(".")[2], name) for function, name in leaks} <= BOXING


@pytest.fixture
def written(tmp_path: Path) -> tuple[bytes, Hidden[bytes], State]:
    """A vault with one key: its file, its key-encryption key, and what was believed of it."""
    path = tmp_path / "keys" / "vault"
    Vault.create(path, "a password of the tests", profile=FLOOR).add("one", **with_secrets())
    raw = path.read_bytes()
    key = key_from_password(Hidden(b"a password of the tests"), parse(raw).header.password_wrap)
    opened = decrypt_file(raw, lambda _: key)
    return raw, key, State(opened.envelope, opened.data_key, opened.body, believed_slots(opened.body))


def test_sealing_and_unsealing_can_be_interrupted_anywhere(written: tuple[bytes, Hidden[bytes], State]) -> None:
    raw, key, state = written
    around, header = Surroundings(), state.envelope.header

    def seal() -> None:
        sealed(header, state.data_key, state.body, state.slots, around)

    def unseal() -> None:
        believed_slots(decrypt_file(raw, lambda _: key).body)

    def wrap() -> None:
        wrap_data_key(state.data_key, header.password_wrap, header.vault_id, lambda _: key, time_s=1)

    for call in (seal, unseal, wrap):
        tried, leaks = all_leaks(call, also=Hidden(state.data_key.value.hex()))
        assert tried > 20
        assert leaks == []


@pytest.mark.slow
def test_boxes_replies_codes_and_pasted_keys_can_be_interrupted_anywhere() -> None:
    texts = {name: Hidden(text) for name, text in with_secrets().items()}
    private_key, now = Hidden(bytes(range(1, 33))), [0]
    around = Surroundings(now_ms=lambda: now[0])
    intake = Intake(around)

    def reply() -> None:
        now[0] += 3_600_000  # offers of calls that were interrupted are over
        offer = intake.offer("one", 60)
        content = content_of(Hidden({name: text.value for name, text in texts.items()}))
        assert content is not None
        opened, reply = intake.open_to_reply(sealed_content(offer, content, private_key))
        open_reply(offer, reply.seal(opened), private_key=private_key)

    def stage() -> None:
        Staged("one", texts, surroundings=around).credential().headers(
            "GET", PRIVATE.path, timestamp_ms=1_780_000_000_000
        )

    def found() -> None:
        lines = Hidden("".join(f"BITGET_{name.upper()}={text.value}\n" for name, text in texts.items()))
        without_keys(lines, from_text(lines))

    for call in (reply, stage, found):
        tried, leaks = all_leaks(call)
        assert tried > 20
        assert {(function.rpartition(".")[2], name) for function, name in leaks} <= {("__init__", "value")}


def test_a_recovery_code_can_be_interrupted_anywhere() -> None:
    code = Hidden("WQRN-7V5R-46TE-4AMW-GCRD-01M5-BWVH-N3R0")
    for part in (code, Hidden("46TE"), Hidden(code.value.replace("-", ""))):
        tried, leaks = all_leaks(lambda: (code_bytes(code), is_group(code, 3, Hidden("46te"))), also=part)
        assert tried > 20
        assert {(function.rpartition(".")[2], name) for function, name in leaks} <= {("__init__", "value")}


def test_a_full_stack_shows_no_secret_of_a_signature() -> None:
    key, found, full = credential(EXCHANGE_HOST), [], 0

    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        else:
            key.headers("GET", PRIVATE.path)

    depth = sys.getrecursionlimit() - len(_frames())
    for left in range(depth - 60, depth):
        try:
            deeper(left)
        except RecursionError as error:
            full += 1
            found += leaks_of(error)
    assert full > 5
    assert found == []


def _frames() -> list[FrameType]:
    frame: FrameType | None = sys._getframe()
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def test_the_search_finds_what_a_frame_holds() -> None:
    code = compile("def held(secret):\n    return secret + ''\nheld(given)", "/elsewhere.py", "exec")
    scope = {"given": with_secrets()["passphrase"]}
    _, leaks = all_leaks(lambda: exec(code, dict(scope)))  # noqa: S102 - our own text
    assert ("held", "secret") in leaks
