"""What a fetch learns about a key is written down, seldom; editing goes through the vault; searching has a budget."""

from __future__ import annotations

import base64
import itertools

import pytest

from bgresearch.agent.leak_search import BUDGET_BYTES, BUDGET_S
from bgresearch.agent.protocol import MAX_SEARCHED_BYTES
from bgresearch.agent.requests import Audit, Check, Edit, Fetch, Remove, Rename, Search, Status
from bgresearch.agent.vault_session import CHECK_PAUSE_S
from bgresearch.core.intervals import DAY_MS
from bgresearch.errors import AgentError
from tests.agent.conftest import HERE, ServiceDriver, triple_of
from vault import DuplicateKey, FileSystem, InvalidField, UnknownKey
from vault.storage import VaultFile

ROWS = {"readonly": "spot.account_info", "unified": "uta.account_info"}


@pytest.fixture
def stored(driver: ServiceDriver) -> ServiceDriver:
    """With the keys ``readonly`` and ``unified``, never checked."""
    driver.open()
    with driver.vault() as vault:
        for name in ROWS:
            vault.add(name, **triple_of(name), host=HERE)
    return driver


def fetch(driver: ServiceDriver, key: str, row: str = "") -> None:
    assert driver.ask(Fetch(key, HERE, row or ROWS[key], {}))["attempts"] == 1


def shown(driver: ServiceDriver, key: str) -> dict[str, object]:
    return next(one for one in driver.ask(Status())["keys"] if one["label"] == key)


@pytest.mark.parametrize("key", ROWS)
def test_what_the_exchange_says_of_a_key_is_written_down(stored: ServiceDriver, key: str) -> None:
    assert shown(stored, key)["last_verdict"] == ""
    fetch(stored, key, "spot.account_assets" if key == "readonly" else "uta.account_assets")
    assert shown(stored, key)["last_verdict"] == ""
    fetch(stored, key)
    found = shown(stored, key)
    assert (found["last_verdict"], found["has_addresses"]) == ("read-only", True)
    assert found["last_checked"]


def test_it_is_written_down_when_it_changed_or_a_day_passed_and_once_a_minute_at_most(stored: ServiceDriver) -> None:
    saved = itertools.pairwise(_generations(stored))
    assert [after - before for before, after in saved] == [0, 0, 1, 1, 0, 1]


def _generations(driver: ServiceDriver) -> list[int]:
    with driver.vault() as vault:

        def now() -> int:
            fetch(driver, "readonly")
            vault.reload()
            return vault.generation

        found = [now(), now()]
        driver.clock.advance(CHECK_PAUSE_S)
        found.append(now())  # the same verdict on the same day
        vault.record_check("readonly", "can trade", has_addresses=False)
        driver.clock.advance(CHECK_PAUSE_S / 2)
        found.append(now())  # changed, but within the minute: the one save is the line above
        driver.clock.advance(CHECK_PAUSE_S)
        found.append(now())
        found.append(now())
        driver.clock.jump(DAY_MS)
        driver.clock.advance(CHECK_PAUSE_S)
        vault.record_use("readonly")
        found.append(now())
    return found


def test_a_vault_that_cannot_be_saved_is_no_reason_to_refuse(stored: ServiceDriver) -> None:
    fetch(stored, "readonly", "spot.account_assets")
    with VaultFile(stored.path, FileSystem(), 1.0).locked():  # as a process that is saving
        fetch(stored, "readonly")
    assert shown(stored, "readonly")["last_verdict"] == ""


def test_a_key_is_renamed_edited_and_removed(stored: ServiceDriver) -> None:
    fetch(stored, "readonly")
    names = [key["label"] for key in stored.ask(Rename("readonly", "mine"))["keys"]]
    assert names == ["mine", "unified"]
    with pytest.raises(UnknownKey):
        fetch(stored, "readonly")
    fetch(stored, "mine", "spot.account_info")
    stored.ask(Edit("mine", "a note", None, "2031-01-31"))
    found = shown(stored, "mine")
    assert (found["note"], found["account"], found["rotate_by"]) == ("a note", "", "2031-01-31")
    stored.ask(Edit("mine", None, "main", ""))
    found = shown(stored, "mine")
    assert (found["note"], found["account"]) == ("a note", "main")
    assert found["rotate_by"] != "2031-01-31"
    assert [key["label"] for key in stored.ask(Remove("mine"))["keys"]] == ["unified"]
    with pytest.raises(UnknownKey):
        fetch(stored, "mine", "spot.account_info")
    events = [event.event for event in stored.vault().audit().events]
    assert events[-4:] == ["renamed", "edited", "edited", "removed"]


def test_what_the_vault_refuses_is_said(stored: ServiceDriver) -> None:
    refused = [
        (Rename("readonly", "unified"), DuplicateKey), (Rename("readonly", "a/b"), InvalidField),
        (Rename("nobody", "x"), UnknownKey), (Remove("nobody"), UnknownKey), (Check("nobody"), UnknownKey),
        (Edit("readonly", None, None, "soon"), InvalidField), (Edit("readonly", "a\nb", None, None), InvalidField),
        (Edit("readonly", f"my {triple_of('readonly')['secret_key']}", None, None), InvalidField),
    ]  # fmt: skip
    before = stored.path.read_bytes()
    for request, kind in refused:
        with pytest.raises(kind):
            stored.ask(request)
    assert stored.path.read_bytes() == before
    assert triple_of("readonly")["secret_key"].encode() not in stored.said


def test_the_audit_trail_crosses(stored: ServiceDriver) -> None:
    assert stored.ask(Audit()) == {"problems": []}
    assert stored.said.count(b'"event": "added"') == 2


def test_a_search_names_the_secret_and_never_shows_it(stored: ServiceDriver) -> None:
    secret = triple_of("readonly")["secret_key"].encode()
    encoded = base64.b64encode(b"xx" + triple_of("unified")["passphrase"].encode())
    leaks = stored.ask(Search(b"x" * 50 + secret + b"\n" + encoded))["leaks"]
    assert {(leak["label"], leak["field"], leak["form"]) for leak in leaks} >= {
        ("readonly", "secret_key", "plain"), ("unified", "passphrase", "base64"),
    }  # fmt: skip
    assert secret not in stored.said
    assert stored.ask(Search(b"nothing"))["leaks"] == []


def test_a_key_that_came_meanwhile_is_searched_for_too(stored: ServiceDriver) -> None:
    text = triple_of("trader")["secret_key"].encode()
    assert stored.ask(Search(text))["leaks"] == []
    with stored.vault() as vault:
        vault.add("trader", **triple_of("trader"), host=HERE)
    assert [leak["label"] for leak in stored.ask(Search(text))["leaks"]] == ["trader"]


@pytest.mark.slow
def test_what_can_be_searched_in_a_minute_is_limited(stored: ServiceDriver) -> None:
    part = b"x" * MAX_SEARCHED_BYTES
    for _ in range(BUDGET_BYTES // len(part)):
        stored.ask(Search(part))
    with pytest.raises(AgentError, match=r"more than 64 MiB were searched within a minute\. Wait 0\.\d s"):
        stored.ask(Search(part))
    stored.clock.advance(BUDGET_S / 100)
    for _ in range(3):
        stored.ask(Search(part))
    with pytest.raises(AgentError, match="within a minute"):
        stored.ask(Search(part))
