"""The vault is made, opened and given a recovery code by sealed boxes; wrong ones have to wait."""

from __future__ import annotations

import json

import pytest

from bgresearch.agent.password_strength import strength
from bgresearch.agent.requests import Open, Status
from bgresearch.agent.unlocking import MOST_TRIES, PENDING_S
from bgresearch.errors import AgentError, AgentUnavailable
from tests.agent.conftest import PASSWORD, ServiceDriver
from vault import BoxRefused, InvalidField, NoRecovery, Vault, VaultExists, VaultMissing, WrongPassword, seal_box
from vault.hidden import Hidden

CODE = "0000-0000-0000-0000-0000-0000-0000-0000"


def confirm(driver: ServiceDriver, code: str, *, wrong: str = "") -> dict[str, object]:
    """Type the groups that are asked for, one of them wrongly if that is wished."""
    answer = driver.offer("confirm")
    first, second = (code.split("-")[number - 1] for number in answer["asked"])
    texts = {"first": first, "second": second} | ({wrong: "WRNG"} if wrong else {})
    return driver.ask(Open(seal_box(answer["offer"], texts)))


def test_without_a_vault_it_can_be_made_and_is_open_then(driver: ServiceDriver) -> None:
    before = driver.ask(Status())
    assert (before["exists"], before["unlocked"], before["unlocks"]) == (False, False, [])
    with pytest.raises(VaultMissing):
        driver.seal("unlock", password=PASSWORD)
    made = driver.seal("create", password=PASSWORD)
    assert (made["exists"], made["unlocked"], made["unlocks"], made["keys"]) == (True, True, ["password"], [])
    with Vault.open(driver.path, PASSWORD) as vault:
        assert vault.names() == []


def test_a_vault_is_never_made_over_another(driver: ServiceDriver) -> None:
    driver.open()
    before = driver.path.read_bytes()
    with pytest.raises(VaultExists, match="unlock it"):
        driver.seal("create", password="another password")
    assert driver.path.read_bytes() == before


def test_a_password_that_is_too_short_makes_nothing(driver: ServiceDriver) -> None:
    with pytest.raises(InvalidField, match="shorter than 8"):
        driver.seal("create", password="short")
    assert not driver.ask(Status())["exists"]


def test_a_recovery_code_opens_the_vault_once_two_groups_were_confirmed(driver: ServiceDriver) -> None:
    driver.open()
    code = driver.new_code()
    assert driver.ask(Status())["unlocks"] == ["password"]
    with pytest.raises(NoRecovery):
        driver.seal("recover", recovery_code=code)
    assert confirm(driver, code.lower()) == {"confirmed": True}
    assert driver.ask(Status())["unlocks"] == ["password", "recovery"]
    other = ServiceDriver(driver.path)
    assert other.seal("recover", recovery_code=f" {code} ")["unlocked"]
    assert code.encode() not in driver.said + other.said


def test_each_code_is_new_and_the_last_one_counts(driver: ServiceDriver) -> None:
    driver.open()
    codes = [driver.new_code() for _ in range(3)]
    assert len(set(codes)) == 3
    with pytest.raises(InvalidField, match="is not the one that was shown"):
        confirm(driver, codes[0])
    confirm(driver, codes[2])
    with pytest.raises(AgentError, match="no new recovery code waits"):
        driver.offer("confirm")


def test_a_wrong_group_is_named_and_five_of_them_are_enough(driver: ServiceDriver) -> None:
    driver.open()
    code = driver.new_code()
    for left in range(MOST_TRIES - 1, 0, -1):
        field = "first" if left % 2 else "second"
        with pytest.raises(InvalidField, match=rf"group \d .*{left} tries left") as refusal:
            confirm(driver, code, wrong=field)
        assert refusal.value.field == field
    with pytest.raises(InvalidField, match="ask for a new recovery code"):
        confirm(driver, code, wrong="first")
    with pytest.raises(AgentError, match="no new recovery code waits"):
        confirm(driver, code)
    assert driver.ask(Status())["unlocks"] == ["password"]


def test_a_code_that_waits_too_long_is_forgotten(driver: ServiceDriver) -> None:
    driver.open()
    code = driver.new_code()
    box = seal_box(driver.offer("confirm")["offer"], {"first": "x", "second": "x"})
    driver.clock.advance(PENDING_S + 1)
    with pytest.raises(AgentError, match="no new recovery code waits"):
        driver.ask(Open(box))
    assert driver.service._opening._pending is None, "the password that it was asked for with is gone too"
    assert code.encode() not in driver.said


def test_a_recovery_code_needs_the_password_and_an_open_vault(driver: ServiceDriver) -> None:
    with pytest.raises(AgentUnavailable, match="there is no vault yet"):
        driver.new_code()
    driver.open()
    with pytest.raises(WrongPassword):
        driver.new_code("not the password")
    with pytest.raises(AgentError, match="a wrong password was typed before"):
        driver.new_code()
    driver.clock.advance(10)
    assert driver.new_code()


@pytest.mark.slow
def test_every_way_in_waits_after_a_wrong_one(driver: ServiceDriver) -> None:
    driver.open()
    confirm(driver, driver.new_code())
    ways = [("unlock", {"password": "wrong"}), ("recover", {"recovery_code": CODE}), ("keyring", {"code": CODE})]
    wrong = {"password": "not the password"}
    waited = 0
    for _ in range(3):
        with pytest.raises(WrongPassword):
            driver.seal("unlock", **wrong)
        for purpose, texts in [*ways, ("recovery", wrong)]:
            with pytest.raises(AgentError, match=r"typed before\. Wait \d"):
                driver.seal(purpose, **texts)
            waited += 1
        driver.clock.advance(10)
    assert waited == 12
    assert driver.seal("unlock", password=PASSWORD)["unlocked"]


def test_what_is_no_guess_neither_counts_nor_clears_the_count(driver: ServiceDriver) -> None:
    driver.open()
    for expected_s in (0.5, 1.0, 2.0):
        with pytest.raises(WrongPassword):
            driver.seal("unlock", password="not the password")
        with pytest.raises(AgentError, match=rf"Wait {expected_s} s"):
            driver.seal("unlock", password=PASSWORD)
        driver.clock.advance(expected_s)
        with pytest.raises(InvalidField, match="not a recovery code"):
            driver.seal("recover", recovery_code="mistyped")


def test_the_strength_of_a_password_is_said_without_it(driver: ServiceDriver) -> None:
    weak, strong = (
        driver.seal("strength", password="password1"),
        driver.seal("strength", password="viola drum 84 kestrel"),
    )
    assert (weak["score"], weak["guesses_log10"] < 4) == (0, True)
    assert strong["score"] == 4
    assert weak["words"]
    assert set(weak) == {"score", "guesses_log10", "words"}
    assert driver.seal("strength", password="")["score"] == 0
    assert driver.seal("strength", password="x" * 2000)["score"] == 0


@pytest.mark.parametrize(
    "password",
    ["Kestrel", "drowssap", "p4ssw0rd", "qwertyuiop", "zzzzzzzz", "kitkitkit", "23456789", "2019", "13.02.1987",
     "Miller", "KESTREL", "Straße", "\ud800x", "correct horse"],
    ids=repr,
)  # fmt: skip
def test_the_words_about_a_password_have_no_part_of_it(password: str) -> None:
    said = json.dumps(strength(Hidden(password))["words"]).lower()
    assert password.lower() not in said


def test_boxes_for_the_strength_meter_open_once_too(driver: ServiceDriver) -> None:
    box = seal_box(driver.offer("strength")["offer"], {"password": "typed"})
    driver.ask(Open(box))
    with pytest.raises(BoxRefused):
        driver.ask(Open(box))
    assert not driver.ask(Status())["exists"]
