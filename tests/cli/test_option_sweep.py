"""Every combination of options acts or is refused; none is dropped without a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from bgresearch.cli import app
from bgresearch.errors import InvalidInput
from tests.cli.sandboxed import PASSWORD
from vault import FLOOR, InvalidField, Vault

KEY = {"api_key": "bg_0123456789abcdef", "secret_key": "f00dfeedf00dfeed", "passphrase": "swordfish9"}
REFUSED = [
    "vault passwd --stdin --password-file FILE",
    "vault rotate --data-key --stdin",
    "vault rotate --data-key --rsa-key FILE",
    "vault rotate --data-key --unchecked",
    "vault rotate --data-key --accept-trade",
    "vault rotate name --data-key",
    "vault recovery --stdin",
    "vault recovery --open --remove",
    "vault recovery --open --password-file FILE",
    "vault unlock --stdin",
    "vault unlock --recovery --keyring",
    "vault unlock --recovery --password-file FILE",
    "vault unlock --keyring --password-file FILE",
    "keys add name --unchecked --accept-trade",
    "vault add name --unchecked --accept-trade",
    "keys rotate name --unchecked --accept-trade",
    "keys import SOURCE --remove-source",
    "keys import SOURCE --accept-trade",
    "keys import SOURCE --unchecked",
    "keys import SOURCE --stdin",
    "keys import SOURCE --yes --unchecked --accept-trade",
    "keys import env --yes --remove-source",
    "vault import env --yes --remove-source",
    "keys import COPY --yes --remove-source",
    "keys import COPY --demo",
    "keys import COPY --host http://127.0.0.1:1",
    "setup --stdin --mode classic",
    "scan --staged --no-git",
    "scan --staged one two",
    "verify --since 2026-01-01",
    "verify --until 2026-01-01",
    "verify --symbol BTCUSDT",
    "pin list name",
    "pin diff name --account",
    "pin verify name --account",
    "pin remove name --account",
    "explore --search btc --export FILE",
    "explore --search btc --since 2026-01-01",
    "explore --search btc --until 2026-01-01",
    "explore --search btc --interval 1h",
    "explore --search btc --price mark",
    "explore --search btc --yes",
    "explore BTCUSDT --search btc",
    "sql SELECT --csv --json",
    "keys edit NAME",
    "vault edit NAME",
    "doctor --no-streams --password-file FILE",
]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    vault = tmp_path / "keys" / "vault"
    Vault.create(vault, PASSWORD, profile=FLOOR).close()
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "source").write_text("A=1\n")
    (tmp_path / "copy").write_text('{"format": "bgresearch-vault"}')
    return {
        "BGRESEARCH_VAULT": str(vault), "BGRESEARCH_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path),
        "BGRESEARCH_AGENT_DIR": str(tmp_path / "agent"), "FILE": str(tmp_path / "password"),
        "SOURCE": str(tmp_path / "source"), "COPY": str(tmp_path / "copy"),
    }  # fmt: skip


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("words", REFUSED)
def test_an_option_that_would_do_nothing_is_refused(words: str, places: dict[str, str]) -> None:
    done = CliRunner().invoke(app, [places.get(word, word) for word in words.split()], env=places)
    assert isinstance(done.exception, InvalidInput), done.output
    named = [word for word in words.split() if word.startswith("--")] + ["NAME", "pin", "env", "copy", "SOURCE"]
    assert any(name in str(done.exception) for name in named), done.exception


@pytest.fixture(scope="module")
def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["keys add", "vault add", "keys rotate", "vault rotate"])
def test_the_private_key_of_a_file_is_used_next_to_standard_input(
    command: str, places: dict[str, str], pem: str, tmp_path: Path
) -> None:
    path = Path(places["BGRESEARCH_VAULT"])
    if "rotate" in command:
        with Vault.open(path, PASSWORD) as vault:
            vault.add("name", **{**KEY, "api_key": "bg_old"})
    words = [*command.split(), "name", "--stdin", "--unchecked", "--password-file", places["FILE"], "--rsa-key"]
    typed = {field: KEY[field] for field in ("api_key", "passphrase")}

    missing = CliRunner().invoke(app, [*words, str(tmp_path / "no")], input=json.dumps(typed), env=places)
    assert isinstance(missing.exception, FileNotFoundError)
    (tmp_path / "empty").write_text("")
    empty = CliRunner().invoke(app, [*words, str(tmp_path / "empty")], input=json.dumps(typed), env=places)
    assert isinstance(empty.exception, InvalidField)
    (tmp_path / "key").write_text(pem)
    both = CliRunner().invoke(app, [*words, str(tmp_path / "key")], input=json.dumps(KEY), env=places)
    assert isinstance(both.exception, InvalidInput), "the secret_key would be dropped"
    done = CliRunner().invoke(app, [*words, str(tmp_path / "key")], input=json.dumps(typed), env=places)
    assert done.exit_code == 0, done.output
    with Vault.open(path, PASSWORD) as vault:
        assert [(one.label, one.kind) for one in vault.describe()] == [("name", "rsa")]


def test_a_field_on_standard_input_that_would_not_be_used_is_refused(places: dict[str, str]) -> None:
    words = ["keys", "add", "name", "--stdin", "--unchecked", "--password-file", places["FILE"]]
    done = CliRunner().invoke(app, words, input=json.dumps({**KEY, "pass_phrase": "x"}), env=places)
    assert isinstance(done.exception, InvalidInput)
    assert "x" not in json.dumps(str(done.exception)).split()
