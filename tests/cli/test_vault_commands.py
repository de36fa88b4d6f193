from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, TRIPLE, Converse, Run

SECRETS = (*TRIPLE.values(), PASSWORD)


def test_a_key_goes_in_and_shows_only_its_label(run: Run, vault: str) -> None:
    listed = run("vault", "list", "--password-file", vault)
    assert listed.status == 0
    assert "research" in listed.out
    assert "https://api.bitget.com" in listed.out
    assert not any(secret in listed.out + listed.err for secret in SECRETS)


def test_the_list_for_a_machine_has_the_same(run: Run, vault: str) -> None:
    (key,) = run("vault", "list", "--json", "--password-file", vault).json()["keys"]
    assert (key["name"], key["environment"], key["host"]) == ("research", "live", "https://api.bitget.com")
    assert not any(secret in json.dumps(key) for secret in SECRETS)


def test_password_and_key_both_come_through_standard_input(run: Run, vault: str) -> None:
    other = {**TRIPLE, "api_key": "bg_another_one_000"}
    typed = f"{PASSWORD}\n{json.dumps(other)}"
    assert run("vault", "add", "second", "--stdin", "--unchecked", "--password-file", "-", stdin=typed).status == 0
    assert [key["name"] for key in run("vault", "list", "--json", "--password-file", vault).json()["keys"]] == [
        "research",
        "second",
    ]


def test_a_removed_key_is_gone(run: Run, vault: str) -> None:
    assert run("vault", "remove", "research", "--password-file", vault).status == 0
    assert run("vault", "list", "--json", "--password-file", vault).json() == {"keys": []}
    again = run("vault", "remove", "research", "--password-file", vault)
    assert again.status == 1
    assert "no key named 'research'" in again.err


def test_the_password_changes(run: Run, vault: str, tmp_path: Path) -> None:
    words = {"password": PASSWORD, "new_password": "an entirely new one"}
    assert run("vault", "passwd", "--stdin", stdin=json.dumps(words)).status == 0
    refused = run("vault", "list", "--password-file", vault)
    assert refused.status == 1
    assert "the password does not open it" in refused.err
    renewed = tmp_path / "renewed"
    renewed.write_text("an entirely new one", encoding="utf-8")
    assert "research" in run("vault", "list", "--password-file", str(renewed)).out


def test_a_second_vault_never_replaces_the_first(run: Run, vault: str) -> None:
    again = run("vault", "init", "--password-file", vault)
    assert again.status == 1
    assert "research" in run("vault", "list", "--password-file", vault).out


def test_an_error_is_one_line_without_a_traceback(run: Run, password_file: str) -> None:
    missing = run("vault", "list", "--password-file", password_file)
    assert missing.status == 1
    assert missing.err.startswith("bgresearch: ")
    assert missing.err.count("\n") == 1
    assert "Traceback" not in missing.err


def test_an_error_for_a_machine_is_an_object(run: Run, password_file: str) -> None:
    missing = run("vault", "list", "--json", "--password-file", password_file)
    error = json.loads(missing.err)["error"]
    assert (missing.status, missing.out, error["kind"]) == (1, "", "VaultMissing")


def test_a_missing_password_file_is_named(run: Run, vault: str) -> None:
    missing = run("vault", "list", "--password-file", "nowhere.txt")
    assert (missing.status, missing.err) == (1, "bgresearch: nowhere.txt: No such file or directory\n")


def test_without_a_terminal_nothing_is_asked(run: Run) -> None:
    refused = run("vault", "init", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert refused.status == 1
    assert "no terminal to ask on. Use --password-file" in refused.err
    assert PASSWORD not in refused.out + refused.err


def test_a_secret_given_as_an_argument_is_refused_and_not_repeated(run: Run, vault: str) -> None:
    for arguments in (
        ["vault", "add", "third", *TRIPLE.values()],
        ["vault", "list", PASSWORD],
        ["vault", "list", f"--password={PASSWORD}"],
        ["vault", "add", "third", "--secret-key", TRIPLE["secret_key"]],
        ["vault", "passwd", f"--stdin={PASSWORD}"],
    ):
        refused = run(*arguments, "--password-file", vault)
        assert refused.status == 2, arguments
        assert not any(secret in refused.out + refused.err for secret in SECRETS), arguments


def test_broken_json_on_standard_input_is_not_repeated(run: Run, vault: str) -> None:
    texts = (
        f"{TRIPLE['secret_key']} not json",
        json.dumps([TRIPLE["secret_key"]]),
        json.dumps({**TRIPLE, "api_key": 1}),
    )
    for text in texts:
        refused = run("vault", "add", "third", "--stdin", "--password-file", vault, stdin=text)
        assert refused.status == 2
        assert '{"api_key": "...", "secret_key": "...", "passphrase": "..."}' in refused.err
        assert not any(secret in refused.out + refused.err for secret in SECRETS)


def test_a_key_with_a_typing_error_names_the_field_alone(run: Run, vault: str) -> None:
    text = json.dumps({**TRIPLE, "secret_key": TRIPLE["secret_key"] + "\n"})
    refused = run("vault", "add", "third", "--stdin", "--password-file", vault, stdin=text)
    assert refused.status == 1
    assert "SecretKey has a line break (U+000A) at position" in refused.err
    assert not any(secret in refused.out + refused.err for secret in SECRETS)


@pytest.mark.slow
def test_nothing_typed_at_a_prompt_is_echoed(converse: Converse) -> None:
    made = converse(["vault", "init"], [("New master password:", PASSWORD), ("New master password, again:", PASSWORD)])
    assert made.status == 0, made.out
    answers = [
        ("Master password:", PASSWORD),
        ("API key:", TRIPLE["api_key"]),
        ("Secret key:", TRIPLE["secret_key"]),
        ("Passphrase:", TRIPLE["passphrase"]),
    ]
    added = converse(["vault", "add", "research", "--unchecked"], answers)
    assert added.status == 0, added.out
    assert "Saved 'research'" in added.out
    assert not any(secret in made.out + added.out for secret in SECRETS)
    assert "research" in converse(["vault", "list"], [("Master password:", PASSWORD)]).out


def test_two_different_answers_make_no_vault(converse: Converse, environment: dict[str, str]) -> None:
    answers = [("New master password:", PASSWORD), ("New master password, again:", PASSWORD + "!")]
    refused = converse(["vault", "init"], answers)
    assert refused.status == 1
    assert "The two answers differ" in refused.out
    assert PASSWORD not in refused.out
    assert not Path(environment["BGRESEARCH_VAULT"]).exists()
