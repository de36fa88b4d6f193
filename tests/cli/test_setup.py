"""The wizard on a real terminal, against the served sandbox: from no vault to a key that works, or to a stop."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bgresearch.keys.onboarding.messages import SANDBOX
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.server import Server
from tests.cli.conftest import Answer, Converse, Kept, Run
from tests.cli.sandboxed import PASSWORD, Dialogue, as_json, clean, open_vault, texts

CTRL_C = "\x03"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def _asks_the_sandbox(environment: dict[str, str], server: Server) -> None:
    environment["BGRESEARCH_BASE_URL"] = server.url


@pytest.fixture
def opened(environment: dict[str, str], agent_folder: str) -> Path:
    """A vault that is there, and an agent that has it open."""
    path = Path(environment["BGRESEARCH_VAULT"])
    open_vault(path, agent_folder)
    return path


READONLY = SANDBOX_KEYS["readonly"]
UP_TO_THE_KEY: Dialogue = [
    ("Numbers, with commas", "2"), ("classic/unified", "classic"), ("(Enter for none)", "192.168.1.5"),
    ("(Enter for none)", "8.8.8.8"),
]  # fmt: skip
LABEL: Dialogue = [("it is not secret.", "")]


def test_the_whole_wizard_ends_with_a_key_in_the_vault_and_balances(converse: Converse, kept: Kept) -> None:
    vault = [("New master password:", PASSWORD), ("again:", PASSWORD), ("Make one? [Y/n]", "n")]
    ran = converse(["setup"], [*UP_TO_THE_KEY, *vault, *LABEL, *texts(READONLY)])
    assert ran.status == 0, ran.out
    assert ran.out.index(SANDBOX) < ran.out.index("Numbers, with commas"), "before anything is typed"
    assert ran.out.count(SANDBOX) == 2, "and again before the key"
    assert "192.168.1.5 is a private address" in ran.out
    assert "spot trade: " in ran.out
    assert ran.out.count("✓ OK") == 9
    assert "Green: this key only reads" in ran.out
    assert "API status: connected" in ran.out
    assert 'client = bg.connect(key="research")' in ran.out
    assert "USDT" in ran.out, "the first balances"
    assert clean(ran, READONLY)
    (key,) = kept().values()
    assert (key.label, key.last_verdict, key.has_addresses) == ("research", "read-only", True)


def test_market_data_needs_no_key_and_starts_nothing(converse: Converse, run: Run) -> None:
    ran = converse(["setup"], [("Numbers, with commas", "1")])
    assert ran.status == 0, ran.out
    assert "need no key" in ran.out
    assert run("vault", "status").out.startswith("No agent is running")


def group(shown: str) -> str:
    """The group of the recovery code that is asked for."""
    code = re.findall(r"(?:[0-9A-Z]{4}-){7}[0-9A-Z]{4}", shown)[-1]
    return str(code.split("-")[int(re.findall(r"Group ([0-9])", shown)[-1]) - 1])


@pytest.mark.slow
def test_a_recovery_code_is_asked_back_and_opens_the_vault_after_the_wizard_was_left(
    converse: Converse, run: Run
) -> None:
    codes: list[str] = []

    def noted(shown: str) -> str:
        codes.extend(re.findall(r"(?:[0-9A-Z]{4}-){7}[0-9A-Z]{4}", shown))
        return CTRL_C

    vault: list[tuple[str, Answer]] = [
        ("New master password:", "password1"), ("again:", "password1"), ("Use it anyway? [y/N]", "n"),
        ("New master password:", PASSWORD), ("again:", PASSWORD), ("Make one? [Y/n]", ""),
        ("Group ", "AAAA"), ("Group ", "AAAA"), ("tries left", ""), ("Group ", group), ("Group ", group),
        ("it is not secret.", noted),
    ]  # fmt: skip
    vault = [one for one in vault if one[0] != "tries left"]
    ran = converse(["setup", "--for", "tax", "--mode", "classic", "--addresses", "8.8.8.8"], vault)
    assert "could be guessed" in ran.out
    assert "not the one that was shown" in ran.out
    assert ran.status == 1
    assert "Start again with the same command" in ran.out
    assert run("vault", "lock").status == 0
    wrong = run("vault", "unlock", "--recovery", "--stdin", stdin=json.dumps({"recovery_code": "A" * 32}))
    assert wrong.status == 1
    back = run("vault", "unlock", "--recovery", "--stdin", "--json", stdin=json.dumps({"recovery_code": codes[0]}))
    assert (back.status, back.err) == (0, "")
    assert back.json()["unlocked"] is True
    assert codes[0] not in back.out


@pytest.mark.slow
@pytest.mark.parametrize("agrees", [False, True])
def test_a_trading_key_is_refused_unless_somebody_says_so_on_purpose(
    converse: Converse, kept: Kept, opened: Path, agrees: bool
) -> None:
    trader = SANDBOX_KEYS["trader"]
    end = [("research does not need it", "y" if agrees else ""), *([] if agrees else [("another key? [y/N]", "")])]
    command = ["setup", "bot", "--for", "spot", "--mode", "classic", "--addresses", "8.8.8.8"]
    ran = converse(command, [*texts(trader), *end])
    assert "Red: this key can trade." in ran.out
    assert "futures orders, spot trade" in ran.out, "the boxes to take away"
    assert ran.status == (0 if agrees else 3), ran.out
    assert clean(ran, trader)
    assert list(kept()) == (["bot"] if agrees else [])


@pytest.mark.slow
def test_a_withdrawing_key_is_never_kept_and_another_can_be_typed(converse: Converse, kept: Kept, opened: Path) -> None:
    withdrawer = SANDBOX_KEYS["withdrawer"]
    command = ["setup", "research", "--for", "spot", "--mode", "classic", "--addresses", "8.8.8.8", "--accept-trade"]
    refused = converse(command, [*texts(withdrawer), ("another key? [y/N]", "n")])
    assert refused.status == 4, refused.out
    assert "never kept" in refused.out
    assert kept() == {}
    again = converse(command, [*texts(withdrawer), ("another key? [y/N]", "y"), *texts(READONLY)])
    assert again.status == 0, again.out
    assert clean(again, withdrawer, READONLY)


WRONG = {
    "secret": (replace(READONLY, secret_key="0" * 64), "SecretKey does not match"),
    "passphrase": (replace(READONLY, passphrase="not the right one"), "Either the passphrase is wrong"),
    "key": (replace(READONLY, api_key="bg_" + "0" * 32), "Take one of the sandbox's keys"),
    "address": (SANDBOX_KEYS["other_address"], "other network addresses only"),
    "environment": (SANDBOX_KEYS["demo"], "Demo and live are mixed"),
}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("name", WRONG)
def test_what_the_exchange_refuses_is_said_at_its_stage_and_nothing_is_saved(
    converse: Converse, kept: Kept, opened: Path, name: str
) -> None:
    key, words = WRONG[name]
    command = ["setup", "research", "--for", "spot", "--mode", "classic", "--addresses", "8.8.8.8"]
    ran = converse(command, [*texts(key), ("Type the key again? [Y/n]", "n")])
    assert ran.status == 1, ran.out
    assert words in ran.out
    assert "✗ failed" in ran.out
    assert clean(ran, key)
    assert kept() == {}


@pytest.mark.slow
def test_after_a_mistake_the_key_can_be_typed_again(converse: Converse, opened: Path) -> None:
    command = ["setup", "research", "--for", "spot", "--mode", "classic", "--addresses", "8.8.8.8"]
    swapped = replace(READONLY, api_key=READONLY.secret_key, secret_key=READONLY.api_key)
    ran = converse(command, [*texts(swapped), ("Type the key again? [Y/n]", ""), *texts(READONLY)])
    assert ran.status == 0, ran.out
    assert "API key looks like a SecretKey" in ran.out
    assert clean(ran, READONLY)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "purpose"), [("demo", "demo"), ("unified", "unified"), ("no_address_list", "spot")])
def test_other_kinds_of_keys_are_brought_in_by_a_script(
    run: Run, kept: Kept, opened: Path, name: str, purpose: str
) -> None:
    key = SANDBOX_KEYS[name]
    ran = run("setup", name, "--for", purpose, "--stdin", "--note", "by a script", "--json", stdin=as_json(key))
    assert (ran.status, ran.err) == (0, "")
    result = ran.json()
    assert (result["saved"], result["verdict"], result["lacking"]) == (name, "read-only", [])
    assert result["colour"] == ("amber" if name == "no_address_list" else "green")
    assert clean(ran, key)
    assert (kept()[name].demo, kept()[name].note) == (name == "demo", "by a script")


@pytest.mark.parametrize(
    ("name", "options", "ended"),
    [
        ("trader", [], (3, None)), ("trader", ["--accept-trade"], (0, "research")),
        ("withdrawer", ["--accept-trade"], (4, None)),
    ],
)  # fmt: skip
def test_a_script_is_held_to_the_same_verdicts(
    run: Run, opened: Path, name: str, options: list[str], ended: tuple[int, str | None]
) -> None:
    ran = run("setup", "--stdin", "--json", *options, stdin=as_json(SANDBOX_KEYS[name]))
    assert (ran.status, ran.json()["saved"]) == ended, ran.err


@pytest.mark.slow
def test_a_script_gets_errors_as_json_and_can_make_the_vault(run: Run, tmp_path: Path) -> None:
    wrong = as_json(replace(READONLY, secret_key="1" * 64))
    ran = run("setup", "--stdin", "--json", "--password-file", "-", stdin=f"{PASSWORD}\n{wrong}")
    assert ran.status == 1
    assert "SecretKey does not match" in json.loads(ran.err)["error"]["message"]
    assert clean(ran, READONLY)
    assert "1" * 64 not in ran.out + ran.err
    again = run("setup", "--stdin", "--json", stdin=as_json(READONLY))
    assert again.status == 0, "the vault was made and is unlocked: what is done is skipped"
    taken = run("setup", "--stdin", "--json", stdin=as_json(READONLY))
    assert "There is already a key with this name" in taken.err


def test_a_text_that_cannot_be_a_key_s_is_named_without_being_shown(run: Run, opened: Path) -> None:
    ran = run("setup", "--stdin", stdin=as_json(replace(READONLY, secret_key=READONLY.secret_key + "\u200b")))
    assert ran.status == 1
    assert "SecretKey has an invisible character (U+200B) at position 65" in ran.err
    assert clean(ran, READONLY)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--for", "riches"], "--for: 'riches' is no purpose"), (["--addresses", "10.0.0.1"], "private address"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_wrong_usage(run: Run, options: list[str], words: str) -> None:
    ran = run("setup", "--stdin", *options, stdin="{}")
    assert ran.status == 2
    assert words in ran.err


def test_without_a_terminal_it_says_what_to_do(run: Run) -> None:
    ran = run("setup")
    assert ran.status == 1
    assert "There is no terminal to ask on. Use --stdin" in ran.err


def test_a_restricted_account_is_distinguished_from_a_wrong_key(run: Run, opened: Path, server: Server) -> None:
    server.exchange.restrict("unified", "40023")
    try:
        ran = run("setup", "--stdin", stdin=as_json(SANDBOX_KEYS["unified"]))
    finally:
        server.exchange.restrict("unified", "")
    assert ran.status == 1
    assert "the exchange has restricted the account" in ran.err
