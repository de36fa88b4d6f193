"""One rule behind every entry point by which a key comes into the vault: one that can withdraw never does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bgresearch.cli import app
from bgresearch.keys.permissions import Permissions, classify
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.traders.keys import SandboxKey
from tests.cli.conftest import Ran
from tests.cli.sandboxed import PASSWORD, as_json, open_vault, triple, with_password
from vault import FLOOR, Checked, KeyRefused, Staged, Vault, from_found, read_copy
from vault.hidden import Hidden
from vault.keys import CAN_WITHDRAW
from vault.sources import from_environment

COPY_PASSWORD = "a password for the copy"
Command = Callable[..., Ran]


@pytest.fixture
def command(path: Path, url: str, agent_folder: str, tmp_path: Path) -> Command:
    with Vault.create(path, PASSWORD, profile=FLOOR) as made:
        made.add("old", **triple(SANDBOX_KEYS["spot_only"]), host=url)
    return with_password(path, tmp_path, agent_folder)


def dotenv(folder: Path, key: SandboxKey) -> Path:
    source = folder / ".env"
    source.write_text("".join(f"BITGET_{field.upper()}={text}\n" for field, text in triple(key).items()))
    return source


def copy_of(folder: Path, key: SandboxKey, url: str) -> Path:
    with Vault.create(folder / "other" / "vault", PASSWORD, profile=FLOOR) as other:
        other.add("bitget", **triple(key), host=url)
        other.export(folder / "copy", COPY_PASSWORD)
    return folder / "copy"


ENTRIES: dict[str, Callable[[Command, Path, SandboxKey, str], Ran]] = {
    "keys add": lambda run, _, key, url: run("keys", "add", "new", "--stdin", "--host", url, stdin=as_json(key)),
    "vault add": lambda run, _, key, url: run("vault", "add", "new", "--stdin", "--host", url, stdin=as_json(key)),
    "keys rotate": lambda run, _, key, _url: run("keys", "rotate", "old", "--stdin", stdin=as_json(key)),
    "vault rotate": lambda run, _, key, _url: run("vault", "rotate", "old", "--stdin", stdin=as_json(key)),
    "keys import": lambda run, folder, key, url: run(
        "keys", "import", str(dotenv(folder, key)), "--yes", "--remove-source", "--host", url
    ),
    "vault import": lambda run, folder, key, url: run(
        "vault", "import", str(dotenv(folder, key)), "--yes", "--host", url
    ),
    "vault import of a copy": lambda run, folder, key, url: run(
        "vault", "import", str(copy_of(folder, key, url)), "--yes", "--stdin",
        stdin=json.dumps({"copy_password": COPY_PASSWORD}),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [("withdrawer", 4), ("unified_trader", 4), ("trader", 3)])
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_key_that_can_do_more_than_read_stays_outside(  # noqa: PLR0917 - fixtures
    entry: str, name: str, status: int, command: Command, path: Path, tmp_path: Path, url: str
) -> None:
    with Vault.open(path, PASSWORD) as vault:
        before = vault.describe()
    ran = ENTRIES[entry](command, tmp_path, SANDBOX_KEYS[name], url)
    assert ran.status == status, ran
    with Vault.open(path, PASSWORD) as vault:
        assert [(one.label, one.fingerprint) for one in vault.describe()] == [
            (one.label, one.fingerprint) for one in before
        ]
    if (tmp_path / ".env").exists():
        assert SANDBOX_KEYS[name].secret_key in (tmp_path / ".env").read_text(), "the only copy stays"


@pytest.mark.slow
@pytest.mark.parametrize("words", [("add", "new"), ("rotate", "old")], ids=" ".join)
def test_a_key_that_can_trade_is_refused_with_the_option_that_keeps_it(  # noqa: PLR0917 - fixtures
    words: tuple[str, str], command: Command, path: Path, tmp_path: Path, agent_folder: str, url: str
) -> None:
    assert command("keys", "list").status == 0
    variables = {"BGRESEARCH_VAULT": str(path), "BGRESEARCH_AGENT_DIR": agent_folder, "HOME": str(tmp_path)}
    done = CliRunner().invoke(
        app, ["keys", *words, "--stdin", "--password-file", str(tmp_path / "password")],
        input=as_json(SANDBOX_KEYS["trader"]), env={**variables, "BGRESEARCH_BASE_URL": url},
    )  # fmt: skip
    assert (done.exit_code, "use --accept-trade" in done.stdout) == (3, True), done.stdout


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_key_that_only_reads_comes_in_with_its_verdict(
    entry: str, command: Command, path: Path, tmp_path: Path, url: str
) -> None:
    ran = ENTRIES[entry](command, tmp_path, SANDBOX_KEYS["readonly"], url)
    assert ran.status == 0, ran
    with Vault.open(path, PASSWORD) as vault:
        assert "read-only" in {one.verdict for one in vault.describe()}


def test_the_vault_itself_takes_no_key_that_was_found_to_withdraw(path: Path, url: str, tmp_path: Path) -> None:
    key = SANDBOX_KEYS["withdrawer"]
    texts = {field: Hidden(text) for field, text in triple(key).items()}
    found = Checked(CAN_WITHDRAW)
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault:
        vault.add("old", **triple(SANDBOX_KEYS["readonly"]), host=url)
        incoming = from_found(from_environment({f"BITGET_{name.upper()}": text for name, text in triple(key).items()}))
        for entry in (
            lambda: Staged("new", texts, host=url).save(vault, checked=found),
            lambda: Staged("old", texts, host=url).replace(vault, checked=found),
            lambda: vault.rotate("old", **triple(key), check=lambda _: found),
            lambda: vault.import_keys(incoming, checked={"bitget": found}),
        ):
            with pytest.raises(KeyRefused, match="never kept"):
                entry()
        assert [(one.label, one.verdict) for one in vault.describe()] == [("old", "")]
        vault.record_check("old", CAN_WITHDRAW)
        vault.export(tmp_path / "copy", COPY_PASSWORD)
        assert "never kept" in vault.preview(read_copy(tmp_path / "copy", COPY_PASSWORD))[0].problem


def test_the_vault_and_the_exchange_check_mean_the_same_verdict() -> None:
    found = Permissions(classify(["wwow"], unified=False), (), "classic", demo=False, uid="1", label="")
    assert found.verdict == CAN_WITHDRAW


def test_a_wrong_text_is_not_saved_and_the_old_key_stays(command: Command, path: Path, url: str) -> None:
    wrong = json.dumps({**triple(SANDBOX_KEYS["readonly"]), "passphrase": "notthisone"})
    assert command("keys", "add", "new", "--stdin", "--host", url, stdin=wrong).status == 1
    assert command("vault", "rotate", "old", "--stdin", stdin=wrong).status == 1
    with Vault.open(path, PASSWORD) as vault:
        assert vault.names() == ["old"]


@pytest.mark.slow
def test_where_the_exchange_cannot_be_reached_a_new_key_is_kept_unchecked_and_no_old_one_replaced(
    command: Command, path: Path
) -> None:
    nobody = "http://127.0.0.1:9"
    added = command("keys", "add", "new", "--stdin", "--host", nobody, stdin=as_json(SANDBOX_KEYS["readonly"]))
    assert added.status == 0, added
    assert json.loads(added.out) == {"added": "new", "checked": False, "verdict": None}
    rotated = command("keys", "rotate", "new", "--stdin", stdin=as_json(SANDBOX_KEYS["trader"]))
    assert rotated.status == 1
    with Vault.open(path, PASSWORD) as vault:
        new = next(one for one in vault.describe() if one.label == "new")
        assert (new.checked, new.verdict) == ("", "")


@pytest.mark.slow
def test_the_agent_is_used_where_it_runs_and_takes_no_unchecked_key(
    command: Command, path: Path, agent_folder: str, tmp_path: Path
) -> None:
    path.unlink()
    for kept in path.parent.glob("vault.*"):
        kept.unlink()
    open_vault(path, agent_folder)
    variables = {"BGRESEARCH_VAULT": str(path), "BGRESEARCH_AGENT_DIR": agent_folder, "HOME": str(tmp_path)}
    words = ["keys", "add", "new", "--stdin", "--host", "http://127.0.0.1:9"]
    done = CliRunner().invoke(app, words, input=as_json(SANDBOX_KEYS["readonly"]), env=variables)
    assert "cannot be reached" in str(done.exception)
    with Vault.open(path, PASSWORD) as vault:
        assert vault.names() == []
