from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server
from tests.cli.conftest import PASSWORD, TRIPLE, Converse, Run

NEW = {"api_key": "bg_fedcba9876543210", "secret_key": "beefbeefbeefbeef", "passphrase": "marlin-777"}
SECRETS = (*TRIPLE.values(), *NEW.values(), PASSWORD)


def names(run: Run, vault: str) -> list[str]:
    return [key["name"] for key in run("vault", "list", "--json", "--password-file", vault).json()["keys"]]


def clean(*texts: str) -> bool:
    return not any(secret in text for secret in SECRETS for text in texts)


@pytest.mark.slow
def test_a_key_is_renamed_described_and_audited(run: Run, vault: str) -> None:
    assert run("vault", "rename", "research", "main", "--password-file", vault).status == 0
    assert (
        run("vault", "edit", "main", "--note", "charts", "--rotate-by", "2020-01-31", "--password-file", vault).status
        == 0
    )
    listed = run("vault", "list", "--password-file", vault)
    assert "main: rotate it: due since 2020-01-31" in listed.out
    assert "charts" in listed.out
    result = run("vault", "audit", "--password-file", vault)
    assert result.status == 0
    assert [line.split()[2] for line in result.out.splitlines()[1:]] == ["vault", "added", "renamed", "edited"]
    assert clean(listed.out, result.out)


def test_a_changed_trail_ends_with_status_1(run: Run, vault: str, environment: dict[str, str]) -> None:
    Path(environment["BGRESEARCH_VAULT"] + ".audit").write_text("")
    result = run("vault", "audit", "--json", "--password-file", vault)
    assert result.status == 1
    assert "missing" in result.json()["problems"][0]


@pytest.mark.slow
def test_a_key_rotates_when_the_exchange_accepts_the_new_one(run: Run, password_file: str) -> None:
    old, new, wrong = SANDBOX_KEYS["readonly"], SANDBOX_KEYS["trader"], NEW
    with Server(Exchange()) as server:
        run("vault", "init", "--password-file", password_file)

        def typed(key: object) -> str:
            return json.dumps({field: getattr(key, field) for field in TRIPLE})

        secrets = ["--stdin", "--password-file", password_file]
        assert run("vault", "add", "k", "--host", server.url, *secrets, stdin=typed(old)).status == 0
        refused = run("vault", "rotate", "k", *secrets, stdin=json.dumps(wrong))
        assert (refused.status, names(run, password_file)) == (1, ["k"])
        refused = run("vault", "rotate", "k", "--json", *secrets, stdin=typed(new))
        assert (refused.status, refused.json()) == (3, {"rotated": None, "verdict": "can trade"})
        done = run("vault", "rotate", "k", "--accept-trade", "--json", *secrets, stdin=typed(new))
        assert (done.status, done.json()["verdict"]) == (0, "can trade")
        unchecked = run("keys", "rotate", "k", "--unchecked", *secrets, stdin=typed(old))
        assert f"'k' is bound to {server.url}: " in unchecked.out
        assert names(run, password_file) == ["k"]


@pytest.mark.slow
def test_a_new_data_key_keeps_the_keys(run: Run, vault: str) -> None:
    assert run("vault", "rotate", "--data-key", "--password-file", vault).status == 0
    assert names(run, vault) == ["research"]
    assert run("vault", "rotate", "--password-file", vault).status == 2


@pytest.mark.slow
def test_a_copy_goes_out_and_comes_in(run: Run, vault: str, tmp_path: Path) -> None:
    copy, words = str(tmp_path / "copy"), json.dumps({"copy_password": "for the copy only"})
    assert run("vault", "export", copy, "--stdin", "--password-file", vault, stdin=words).status == 0
    run("vault", "remove", "research", "--password-file", vault)
    shown = run("vault", "import", copy, "--stdin", "--password-file", vault, stdin=words)
    assert "Nothing was saved; add --yes" in shown.out
    assert names(run, vault) == []
    saved = run(
        "vault", "import", copy, "--yes", "--unchecked", "--stdin", "--json", "--password-file", vault, stdin=words
    )
    assert saved.json()["saved"] == names(run, vault) == ["research"]
    assert clean(shown.out, saved.out)


@pytest.mark.slow
def test_a_plain_file_is_shown_first_then_saved_then_emptied(run: Run, vault: str, tmp_path: Path) -> None:
    source = tmp_path / ".env"
    source.write_text("A=1\n" + "".join(f"BITGET_{field.upper()}={text}\n" for field, text in NEW.items()))
    shown = run("vault", "import", str(source), "--password-file", vault)
    assert (shown.status, names(run, vault)) == (0, ["research"])
    kept = run("vault", "import", str(source), "--yes", "--unchecked", "--password-file", vault)
    assert "still there (BITGET_API_KEY, BITGET_PASSPHRASE, BITGET_SECRET_KEY)" in kept.out
    run("vault", "remove", "bitget", "--password-file", vault)
    blind = ("--yes", "--unchecked", "--remove-source", "--password-file", vault)
    assert run("vault", "import", str(source), *blind).status == 0
    assert source.read_text() == "A=1\n"
    assert names(run, vault) == ["bitget", "research"]
    assert clean(shown.out, kept.out)


def test_a_generation_comes_back(run: Run, vault: str) -> None:
    run("vault", "remove", "research", "--password-file", vault)
    kept = run("vault", "restore", "--json").json()["kept"]
    assert [one["generation"] for one in kept] == ["2", "1"]
    back = run("vault", "restore", "2", "--json", "--password-file", vault)
    assert back.json() == {"restored": 2, "generation": 4, "keys": ["research"]}


def test_an_older_file_is_warned_of_in_one_line(run: Run, vault: str, environment: dict[str, str]) -> None:
    place = Path(environment["BGRESEARCH_VAULT"])
    place.write_bytes(Path(f"{place}.1.kept").read_bytes())
    listed = run("vault", "list", "--password-file", vault)
    assert listed.status == 0
    assert re.fullmatch(r"bgresearch: the vault .* is generation 1, but generation 2 .*\n", listed.err)


@pytest.mark.slow
def test_a_recovery_code_is_asked_back_and_opens(
    converse: Converse, run: Run, vault: str, environment: dict[str, str]
) -> None:
    made = converse(["vault", "recovery"], [("Master password:", PASSWORD), ("of the code:", "WRONG")])
    assert made.status == 1
    assert "This group does not match" in made.out
    from vault import Vault, new_code  # noqa: PLC0415

    code = new_code().value
    with Vault.open(environment["BGRESEARCH_VAULT"], PASSWORD) as opened:
        opened.set_recovery(PASSWORD, code)
    given = json.dumps({"recovery_code": code.lower(), "new_password": "an entirely new one"})
    assert run("vault", "recovery", "--open", "--stdin", stdin=given).status == 0
    refused = run("vault", "list", "--password-file", vault)
    assert "does not open it" in refused.err


def test_a_scan_finds_what_the_vault_knows(run: Run, vault: str, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "fine.py").write_text("fine")
    assert run("scan", str(folder), "--password-file", vault).status == 0
    (folder / "bad.py").write_text(f"\nkey = '{TRIPLE['secret_key']}'")
    found = run("scan", str(folder), "--password-file", vault)
    assert found.status == 1
    assert re.search(r"bad\.py +line 2 +research +secret_key +plain", found.out)
    hits = run("scan", str(folder), "--json", "--password-file", vault).json()["hits"]
    assert [(hit["label"], hit["field"]) for hit in hits] == [("research", "secret_key")]
    subprocess.run(["git", "-C", str(folder), "init", "-q"], check=True)  # noqa: S603, S607
    subprocess.run(["git", "-C", str(folder), "add", "bad.py"], check=True)  # noqa: S603, S607
    staged = run("scan", str(folder), "--staged", "--password-file", vault)
    assert staged.status == 1
    assert clean(found.out, staged.out)
