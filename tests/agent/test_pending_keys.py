"""A typed key is saved only by an agent that examined it and saw it pass; whatever the caller says."""

from __future__ import annotations

import dataclasses

import pytest

from bgresearch.agent.pending_keys import MOST_STAGED, STAGED_S
from bgresearch.agent.requests import (
    Audit,
    Check,
    Discard,
    Edit,
    Examine,
    Fetch,
    Keep,
    Offer,
    Open,
    Remove,
    Rename,
    Search,
    Status,
)
from bgresearch.errors import AgentError, AgentUnavailable
from bgresearch.sandbox import SANDBOX_KEYS
from tests.agent.conftest import HERE, PASSWORD, ServiceDriver, triple_of
from vault import (
    BoxRefused,
    DuplicateKey,
    HostNotAllowed,
    InvalidField,
    UnknownKey,
    VaultChanged,
    VaultError,
    seal_box,
)

WRONG = {
    "secret_key": {"secret_key": "0" * 64},
    "passphrase": {"passphrase": "notthisone"},
    "api_key": {"api_key": "bg_" + "0" * 32},
}


def test_a_key_that_was_examined_and_passed_is_kept(driver: ServiceDriver) -> None:
    kept = driver.open().keep(driver.examined("readonly"), note="for research")
    assert (kept["label"], kept["host"], kept["note"], kept["last_verdict"]) == (
        "readonly", HERE, "for research", "read-only"
    )  # fmt: skip
    assert kept["has_addresses"] is True
    with driver.vault() as vault:
        assert vault.names() == ["readonly"]
        assert [event.event for event in vault.audit().events] == ["vault made", "added", "checked"]
    header = driver.ask(Fetch("readonly", HERE, "spot.account_assets", {}))
    assert header["attempts"] == 1


def test_nothing_is_saved_before(driver: ServiceDriver) -> None:
    staged = driver.open().stage("readonly")["staged"]
    before = driver.path.read_bytes()
    with pytest.raises(AgentError, match="not examined"):
        driver.keep(staged)
    driver.ask(Examine(staged, "reach"))
    with pytest.raises(AgentError, match="not examined"):
        driver.keep(staged)
    driver.ask(Examine(staged, "key"))
    assert driver.path.read_bytes() == before
    assert not driver.ask(Status())["keys"]


@pytest.mark.parametrize("field", WRONG)
def test_a_key_that_the_exchange_refuses_is_not_kept(driver: ServiceDriver, field: str) -> None:
    driver.open()
    staged = driver.stage("readonly", **WRONG[field])["staged"]
    answer = driver.ask(Examine(staged, "key"))
    assert answer["permissions"] is None
    assert any(finding["passed"] is False for finding in answer["findings"])
    with pytest.raises(AgentError, match="the exchange refused it"):
        driver.keep(staged, accept_trade=True)


def test_a_key_that_passed_once_must_pass_the_last_time_too(driver: ServiceDriver) -> None:
    driver.open()
    staged = driver.examined("readonly")
    driver.exchange.restrict("classic")
    driver.ask(Examine(staged, "key"))
    with pytest.raises(AgentError, match="the exchange refused it"):
        driver.keep(staged)


@pytest.mark.parametrize("agreed", [False, True])
def test_a_key_that_can_withdraw_is_never_kept(driver: ServiceDriver, agreed: bool) -> None:
    staged = driver.open().examined("withdrawer")
    with pytest.raises(AgentError, match=r"can withdraw, and such a key is never kept\. Delete it"):
        driver.keep(staged, accept_trade=agreed)
    assert not driver.ask(Status())["keys"]


@pytest.mark.parametrize("name", ["trader"])
def test_a_key_that_can_write_needs_a_yes(driver: ServiceDriver, name: str) -> None:
    staged = driver.open().examined(name)
    with pytest.raises(AgentError, match="this key can trade, and research needs a read-only one"):
        driver.keep(staged)
    assert driver.keep(staged, accept_trade=True)["last_verdict"] == "can trade"


@pytest.mark.parametrize("name", ["readonly", "unified", "no_address_list", "spot_only", "demo"])
def test_every_reading_key_of_the_sandbox_can_be_kept(driver: ServiceDriver, name: str) -> None:
    kept = driver.open().keep(driver.examined(name))
    assert kept["last_verdict"] == "read-only"
    assert kept["has_addresses"] is (name != "no_address_list")
    assert kept["demo"] is (name == "demo")


def test_a_staged_key_is_forgotten_after_a_while_and_by_wish_and_once_kept(driver: ServiceDriver) -> None:
    driver.open()
    late, unwanted, kept = driver.examined("readonly"), driver.examined("unified"), driver.examined("spot_only")
    driver.ask(Discard(unwanted))
    driver.ask(Discard(unwanted))
    driver.keep(kept)
    driver.clock.advance(STAGED_S)
    for gone in (late, unwanted, kept, "", "x"):
        for request in (Keep(gone, "", "", "", False), Examine(gone, "reach"), Examine(gone, "key")):
            with pytest.raises(AgentError, match="is not waiting"):
                driver.ask(request)


def test_only_so_many_keys_wait(driver: ServiceDriver) -> None:
    driver.open()
    staged = [driver.stage("readonly", f"key {number}")["staged"] for number in range(MOST_STAGED)]
    with pytest.raises(AgentError, match="8 keys wait"):
        driver.stage("readonly", "one more")
    again = driver.stage("readonly", "key 0")["staged"]
    assert again not in staged, "a key that is typed again replaces the first"
    with pytest.raises(AgentError, match="typed again"):
        driver.ask(Examine(staged[0], "reach"))
    driver.ask(Discard(staged[1]))
    assert driver.stage("readonly", "one more")["staged"]


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"secret_key": "f00d feed" * 8}, "secret_key", "has a space at position 5"),
        ({"api_key": "bg_1234\u200b"}, "api_key", "has an invisible character (U+200B) at position 8"),
        ({"passphrase": "swordfish9\n"}, "passphrase", "has a line break"),
        ({"passphrase": ""}, "passphrase", "is empty"),
        ({"secret_key": "-----BEGIN PRIVATE KEY-----\nx"}, "secret_key", "looks like PEM"),
    ],
)
def test_what_was_pasted_wrongly_is_named_and_not_staged(
    driver: ServiceDriver, changed: dict[str, str], field: str, words: str
) -> None:
    answer = driver.open().stage("readonly", **changed)
    assert answer["staged"] is None
    assert [finding["field"] for finding in answer["findings"]] == [field]
    assert answer["findings"][0]["words"].startswith(words)


def test_swapped_fields_are_named_and_go_on(driver: ServiceDriver) -> None:
    key = SANDBOX_KEYS["readonly"]
    answer = driver.open().stage("readonly", api_key=key.secret_key, secret_key=key.api_key)
    assert answer["staged"]
    assert {finding["field"] for finding in answer["findings"]} >= {"api_key"}
    assert b"secret" not in driver.said or key.secret_key.encode() not in driver.said


@pytest.mark.parametrize(
    ("label", "host", "kind"),
    [
        ("a/b", HERE, InvalidField),
        ("", HERE, InvalidField),
        ("x" * 65, HERE, InvalidField),
        ("x", "https://elsewhere.example", HostNotAllowed),
        ("x", "http://api.bitget.com", HostNotAllowed),
    ],
)
def test_an_offer_for_an_odd_label_or_host_is_refused(
    driver: ServiceDriver, label: str, host: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        driver.open().offer("key", label, host)


def test_a_label_that_is_a_secret_is_refused(driver: ServiceDriver) -> None:
    with pytest.raises(InvalidField, match="the name contains the passphrase"):
        driver.open().stage("readonly", triple_of("readonly")["passphrase"])


def test_a_name_or_a_key_that_is_there_already_is_refused(driver: ServiceDriver) -> None:
    driver.open().keep(driver.examined("readonly"))
    for name, label in (("unified", "readonly"), ("readonly", "another")):
        with pytest.raises(DuplicateKey):
            driver.keep(driver.examined(name, label))


def test_a_locked_agent_takes_nothing(driver: ServiceDriver) -> None:
    box = seal_box(driver.offer("key")["offer"], triple_of("readonly"))
    requests = [
        Open(box), Check("a"), Rename("a", "b"), Edit("a", None, None, None), Remove("a"), Audit(), Search(b""),
        Fetch("a", HERE, "spot.account_info", {}),
    ]  # fmt: skip
    for request in requests:
        with pytest.raises(AgentUnavailable, match="there is no vault yet"):
            driver.ask(request)
    assert not driver.path.exists()


def test_rotation_puts_the_new_key_in_the_place_of_the_old(driver: ServiceDriver) -> None:
    driver.open().keep(driver.examined("readonly"), note="mine")
    before = driver.ask(Status())["keys"][0]
    staged = driver.examined("spot_only", "readonly", "rotate")
    assert driver.ask(Status())["keys"][0]["fingerprint"] == before["fingerprint"]
    kept = driver.keep(staged)
    assert kept["fingerprint"] != before["fingerprint"]
    assert (kept["label"], kept["note"], kept["last_verdict"]) == ("readonly", "mine", "read-only")
    assert driver.keep(driver.examined("readonly", "readonly", "rotate"), note="newer")["note"] == "newer"
    with driver.vault() as vault:
        assert vault.names() == ["readonly"]


def test_a_rotation_never_brings_in_a_key_that_can_withdraw(driver: ServiceDriver) -> None:
    driver.open().keep(driver.examined("readonly"))
    with pytest.raises(AgentError, match="never kept"):
        driver.keep(driver.examined("withdrawer", "readonly", "rotate"), accept_trade=True)


def test_only_a_stored_key_is_rotated_and_only_at_its_own_host(driver: ServiceDriver) -> None:
    driver.open()
    with pytest.raises(UnknownKey):
        driver.stage("readonly", "nobody", "rotate")
    driver.keep(driver.examined("readonly"))
    offer = driver.offer("rotate", "readonly", "http://127.0.0.1:2")["offer"]
    staged = driver.ask(Open(seal_box(offer, triple_of("spot_only"))))["staged"]
    driver.ask(Examine(staged, "key"))
    assert driver.keep(staged)["host"] == HERE


def test_a_rotation_into_a_key_that_was_bound_elsewhere_meanwhile_is_refused(driver: ServiceDriver) -> None:
    driver.open().keep(driver.examined("readonly"))
    staged = driver.examined("spot_only", "readonly", "rotate")
    with driver.vault() as vault:
        vault.remove("readonly")
        vault.add("readonly", **triple_of("readonly"), host="http://127.0.0.1:2")
    with pytest.raises(VaultChanged, match="another host"):
        driver.keep(staged)
    with driver.vault() as vault:
        assert [info.host for info in vault.describe()] == ["http://127.0.0.1:2"]


def test_a_box_serves_the_purpose_of_its_offer_alone(driver: ServiceDriver) -> None:
    """Every offer's box, sealed with the words of every other offer, opens nothing and changes nothing."""
    driver.open().keep(driver.examined("readonly"))
    driver.new_code()
    fields = {"password": PASSWORD, "recovery_code": "x", "code": "x", "first": "x", "second": "x"}
    fields |= triple_of("unified")
    purposes = ["unlock", "recover", "keyring", "create", "strength", "recovery", "confirm", "key", "rotate"]
    before, tried = driver.path.read_bytes(), 0
    for made_for in purposes:
        for used_as in purposes:
            offer, other = (driver.offer(purpose, "readonly")["offer"] for purpose in (made_for, used_as))
            lying = {**other, "nonce": offer["nonce"]}
            box = seal_box(lying, {name: fields[name] for name in lying["fields"]})
            if made_for == used_as or {made_for, used_as} == {"key", "rotate"}:
                continue  # the same label and fields: what tells them apart is below
            with pytest.raises(BoxRefused):
                driver.ask(Open(box))
            with pytest.raises(BoxRefused):
                driver.ask(Open({**box, "nonce": other["nonce"]}))
            tried += 1
    assert tried == 70
    assert driver.path.read_bytes() == before
    box = seal_box(driver.offer("rotate", "readonly")["offer"], triple_of("unified"))
    staged = driver.ask(Open(box))["staged"]
    assert driver.service._staging._found(staged).purpose == "rotate"
    with pytest.raises(BoxRefused):
        driver.ask(Open(box))


def test_offers_of_one_purpose_leave_room_for_the_others(driver: ServiceDriver) -> None:
    first = driver.open().offer("unlock")["offer"]
    for _ in range(200):
        driver.offer("strength")
    assert driver.ask(Open(seal_box(first, {"password": PASSWORD})))["unlocked"]
    oldest = driver.offer("strength")["offer"]
    for _ in range(7):
        driver.offer("strength")
    with pytest.raises(BoxRefused):
        driver.ask(Open(seal_box(oldest, {"password": "x"})))


def test_a_check_of_a_stored_key_is_written_down(driver: ServiceDriver) -> None:
    driver.open()
    with driver.vault() as vault:
        vault.add("mine", **triple_of("trader"), host=HERE)
    answer = driver.ask(Check("mine"))
    assert all(finding["passed"] for finding in answer["findings"])
    assert driver.ask(Status())["keys"][0]["last_verdict"] == "can trade"
    driver.exchange.restrict("classic")
    assert driver.ask(Check("mine"))["permissions"] is None
    assert driver.ask(Status())["keys"][0]["last_verdict"] == "can trade"


def test_no_answer_about_keys_holds_a_secret(driver: ServiceDriver) -> None:
    driver.open()
    for name in ("readonly", "trader", "withdrawer"):
        staged = driver.examined(name)
        try:
            driver.keep(staged, accept_trade=True)
        except AgentError:
            continue
    driver.stage("unified", **WRONG["secret_key"])
    for name in SANDBOX_KEYS:
        for text in triple_of(name).values():
            assert text.encode() not in driver.said
    assert PASSWORD.encode() not in driver.said


def test_a_staged_key_shows_nothing(driver: ServiceDriver) -> None:
    staged = driver.open().stage("readonly")["staged"]
    waiting = driver.service._staging._found(staged)
    shown = [repr(waiting), repr(waiting.key), f"{waiting.key}", repr(waiting.sender), repr(waiting.key.credential())]
    assert not any(text in one for one in shown for text in triple_of("readonly").values())
    with pytest.raises(VaultError, match="neither pickled nor copied"):
        dataclasses.replace(Offer("unlock", "", "", False), label=waiting.key.__reduce__())  # type: ignore[arg-type]
