"""Each stage of the check fails by itself on the sandbox, says so and says what helps."""

from __future__ import annotations

import pytest

from bgresearch.catalogue.error_codes import error_codes
from bgresearch.errors import (
    AuthenticationError,
    BgresearchError,
    ConfigurationError,
    ExchangeError,
    InvalidInput,
    NetworkError,
)
from bgresearch.keys.onboarding.error_explanations import RESTRICTED, cause_of
from bgresearch.keys.onboarding.finding import STAGES, Finding
from bgresearch.keys.onboarding.key_check import findings_of, passed
from bgresearch.keys.onboarding.messages import STAGE_TITLES
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from tests.onboarding.conftest import Examined, Look

UNKNOWN = "bg_" + "0" * 32


def verdicts(findings: list[Finding]) -> dict[str, bool | None]:
    return {one.stage: one.passed for one in findings}


def failed(examined: Examined) -> Finding:
    findings, permissions = examined
    assert permissions is None
    (one,) = (finding for finding in findings if finding.passed is False)
    assert one.words
    assert one.hint
    return one


@pytest.mark.parametrize(
    "name", ["readonly", "trader", "withdrawer", "no_address_list", "spot_only", "unified", "demo"]
)
def test_a_key_that_works_passes_every_stage_in_order(look: Look, name: str) -> None:
    findings, permissions = look(name)
    assert [(one.stage, one.passed) for one in findings] == [(stage, True) for stage in STAGES]
    assert passed(findings)
    assert permissions is not None
    assert permissions.verdict in findings[-1].words


def test_an_unknown_or_deleted_key_is_named_as_such(look: Look) -> None:
    one = failed(look(api_key=UNKNOWN))
    assert (one.stage, one.code) == ("key", "40037")
    assert "Take one of the sandbox's keys" in one.hint
    real = next(
        one for one in findings_of(AuthenticationError("spot.account_info", "40037", "")) if one.passed is False
    )
    assert "deleted" in real.hint


def test_a_text_that_is_no_api_key_is_named_as_such(look: Look) -> None:
    one = failed(look(api_key="research"))
    assert (one.stage, one.code) == ("key", "40006")
    assert "Take one of the sandbox's keys" in one.hint
    real = next(
        one for one in findings_of(AuthenticationError("spot.account_info", "40006", "")) if one.passed is False
    )
    assert "Another field" in real.hint


def test_a_wrong_secret_fails_the_signature_and_the_key_is_known(look: Look) -> None:
    examined = look(secret_key="0" * 64)
    one = failed(examined)
    assert (one.stage, one.code) == ("signature", "40009")
    assert verdicts(examined[0])["key"] is True
    assert verdicts(examined[0])["passphrase"] is None


def test_a_wrong_passphrase_is_said_with_the_doubt_that_the_exchange_leaves(look: Look) -> None:
    examined = look(passphrase="another one")
    one = failed(examined)
    assert (one.stage, one.code) == ("passphrase", "40012")
    assert "passphrase" in one.words
    assert "API key" in one.words
    assert verdicts(examined[0])["key"] is None


def test_a_code_of_the_passphrase_alone_leaves_no_doubt() -> None:
    findings = findings_of(AuthenticationError("spot.account_info", "40036", ""))
    assert verdicts(list(findings))["signature"] is True
    assert verdicts(list(findings))["passphrase"] is False


def test_another_address_fails_the_address(look: Look) -> None:
    examined = look("other_address")
    one = failed(examined)
    assert (one.stage, one.code) == ("address", "40018")
    assert verdicts(examined[0])["signature"] is None  # which is checked first is not documented


@pytest.mark.parametrize(("name", "demo"), [("readonly", True), ("demo", False)])
def test_demo_and_live_mixed_fail_the_environment(look: Look, name: str, demo: bool) -> None:
    one = failed(look(name, demo=demo))
    assert (one.stage, one.code) == ("environment", "40099")


@pytest.mark.parametrize("code", ["40022", "40023", "40024", "25006"])
def test_a_restricted_account_is_distinguished_from_a_wrong_key(look: Look, exchange: Exchange, code: str) -> None:
    exchange.restrict("classic", code)
    examined = look()
    one = failed(examined)
    assert (one.stage, one.code, one.words) == ("mode", code, RESTRICTED.words)
    assert verdicts(examined[0])["passphrase"] is True
    exchange.restrict("classic", "")
    assert passed(look()[0])


def test_an_account_that_changes_its_mode_is_asked_to_wait(look: Look, exchange: Exchange) -> None:
    exchange.restrict("unified", "40115")
    one = failed(look("unified"))
    assert (one.stage, one.code) == ("mode", "40115")


def test_a_key_that_may_not_read_about_itself_fails_the_permissions(look: Look, exchange: Exchange) -> None:
    exchange.restrict("classic", "40014")
    assert failed(look()).stage == "permissions"


@pytest.mark.parametrize("fault", ["reset", "html", "http500", "maintenance", "rate429"])
def test_an_exchange_that_does_not_answer_fails_the_reach_and_nothing_of_the_key_is_reported(
    look: Look, exchange: Exchange, fault: str
) -> None:
    exchange.faults.inject(fault)  # type: ignore[arg-type]
    examined = look()
    assert failed(examined).stage == "reach"
    assert [one.stage for one in examined[0]] == list(STAGES)
    assert {one.passed for one in examined[0][1:]} == {None}


@pytest.mark.parametrize(("off_ms", "words"), [(-600_000, "10 min ahead of"), (45_000, "45 s behind")])
def test_a_wrong_clock_is_measured_corrected_and_said(look: Look, exchange: Exchange, off_ms: int, words: str) -> None:
    exchange.faults.inject("clock_skew", amount=off_ms)
    findings, permissions = look()
    assert permissions is not None
    assert findings[1].passed is True
    assert words in findings[1].words
    assert findings[1].hint


def test_a_clock_that_is_right_needs_no_advice(look: Look) -> None:
    assert look()[0][1].hint == ""


def test_a_time_that_the_exchange_refuses_after_all_fails_the_clock(look: Look, exchange: Exchange) -> None:
    exchange.restrict("classic", "40008")
    findings, _ = look()
    assert [(one.passed, one.code) for one in findings if one.stage == "clock"] == [(True, ""), (False, "40008")]
    assert not passed(findings)


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_every_code_of_the_table_fails_exactly_one_stage_and_has_a_remedy(code: str) -> None:
    findings = findings_of(ExchangeError("spot.account_info", code, ""))
    assert [one.stage for one in findings] == list(STAGES)
    (one,) = (finding for finding in findings if finding.passed is False)
    assert one.hint
    assert one.code == code
    assert all(other.passed is None for other in findings[STAGES.index(one.stage) + 1 :])


@pytest.mark.parametrize("group", ["auth", "ip", "timestamp"])
def test_what_concerns_the_triple_is_never_called_a_matter_of_rights(group: str) -> None:
    codes = [code for code, known in error_codes().items() if known.group == group]
    stages = {cause_of(ExchangeError("x", code, "")).stage for code in codes}
    assert codes
    assert "permissions" not in stages


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (NetworkError("common.time", "refused"), "reach"),
        (ConfigurationError("bound to another host"), "key"),
        (InvalidInput("x", "y"), "permissions"),
        (ExchangeError("x", "98765", "new"), "permissions"),
        (ExchangeError("x", "502", "", http_status=502), "reach"),
    ],
)
def test_errors_that_are_no_known_code_have_a_stage_too(error: BgresearchError, stage: str) -> None:
    assert [one.stage for one in findings_of(error) if one.passed is False] == [stage]


def test_a_stranger_s_words_never_reach_a_finding() -> None:
    findings = findings_of(ExchangeError("x", "swordfish9", "swordfish9 \x1b[2J"))
    assert "swordfish" not in repr(findings)


def test_no_finding_repeats_a_text_of_the_key(look: Look) -> None:
    key = SANDBOX_KEYS["readonly"]
    wrong = {"api_key": UNKNOWN, "secret_key": "f" * 64, "passphrase": "sword fish"}
    reported = [repr(look(**{name: text})) for name, text in wrong.items()] + [repr(look())]
    texts = {*wrong.values(), key.api_key, key.secret_key, key.passphrase}
    assert [text for text in texts for words in reported if text in words] == []


def test_no_stage_is_left_without_a_title_or_passes_when_nothing_was_examined() -> None:
    assert list(STAGE_TITLES) == list(STAGES)
    assert not passed([])
