"""A key comes out of a plain file unchanged, and its only copy goes when the exchange has accepted it, or by a yes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bgresearch.sandbox import SANDBOX_KEYS
from tests.cli.conftest import Ran
from tests.cli.sandboxed import PASSWORD, triple, with_password
from vault import FLOOR, Vault

KEY = triple(SANDBOX_KEYS["readonly"])
NOBODY = "http://127.0.0.1:9"
Import = Callable[..., Ran]


@pytest.fixture
def bring(path: Path, tmp_path: Path) -> Import:
    """Import a source; with ``--yes --remove-source`` if nothing else is said."""
    Vault.create(path, PASSWORD, profile=FLOOR).close()
    command = with_password(path, tmp_path, str(tmp_path / "agent"))

    def run(source: Path, host: str, *words: str) -> Ran:
        return command("keys", "import", str(source), "--host", host, *(words or ("--yes", "--remove-source")))

    return run


def names(path: Path) -> list[str]:
    with Vault.open(path, PASSWORD) as vault:
        return vault.names()


def dotenv(folder: Path, passphrase: str = KEY["passphrase"]) -> Path:
    source = folder / ".env"
    lines = [f"BITGET_API_KEY={KEY['api_key']}", f"BITGET_SECRET_KEY={KEY['secret_key']}"]
    source.write_text("\n".join(["A=1", *lines, f"BITGET_PASSPHRASE={passphrase}", ""]))
    return source


@pytest.mark.slow
def test_what_the_exchange_accepted_is_saved_and_taken_out(bring: Import, path: Path, tmp_path: Path, url: str) -> None:
    ran = bring(dotenv(tmp_path), url)
    assert (ran.status, json.loads(ran.out)["removed"], names(path)) == (0, True, ["bitget"])
    assert (tmp_path / ".env").read_text() == "A=1\n"


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("passphrase", ["Tr0ub4dor#3x", r'"pa\"ss\\wd9"', "${NO_SUCH}", "pa$$word", "notthisone"])
def test_what_it_does_not_accept_is_not_saved_and_stays(
    passphrase: str, bring: Import, path: Path, tmp_path: Path, url: str
) -> None:
    source = dotenv(tmp_path, passphrase)
    before = source.read_text()
    ran = bring(source, url)
    assert (ran.status, json.loads(ran.out)["removed"], names(path)) == (1, False, [])
    assert source.read_text() == before


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("passphrase", ["Tr0ub4dor#3x", r'"pa\"ss\\wd9"', "${NO_SUCH}"])
@pytest.mark.parametrize("options", [(), ("--yes", "--remove-source", "--unchecked")])
def test_a_doubtful_text_is_not_saved_without_the_exchange(
    passphrase: str, options: tuple[str, ...], bring: Import, path: Path, tmp_path: Path
) -> None:
    source = dotenv(tmp_path, passphrase)
    before = source.read_text()
    ran = bring(source, NOBODY, *options)
    assert (ran.status, json.loads(ran.out)["saved"], names(path)) == (1, [], [])
    assert source.read_text() == before


def test_a_doubtful_text_that_the_exchange_accepts_is_the_right_one(
    bring: Import, path: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_WORDS", KEY["passphrase"])
    ran = bring(dotenv(tmp_path, "${MY_WORDS}"), url)
    assert (ran.status, names(path)) == (0, ["bitget"])


def test_what_could_not_be_checked_is_saved_and_its_copy_stays(bring: Import, path: Path, tmp_path: Path) -> None:
    source = dotenv(tmp_path)
    before = source.read_text()
    ran = bring(source, NOBODY)
    assert (ran.status, json.loads(ran.out)["saved"], names(path)) == (1, ["bitget"], ["bitget"])
    assert "could not be checked" in json.loads(ran.out)["source_kept_because"]
    assert source.read_text() == before


def test_a_yes_that_it_was_not_checked_takes_it_out(bring: Import, path: Path, tmp_path: Path) -> None:
    ran = bring(dotenv(tmp_path), NOBODY, "--yes", "--remove-source", "--unchecked")
    assert (ran.status, json.loads(ran.out)["removed"], names(path)) == (0, True, ["bitget"])


def test_a_link_is_followed_and_hard_links_are_refused(bring: Import, tmp_path: Path, url: str) -> None:
    (tmp_path / "real").mkdir()
    target = dotenv(tmp_path / "real")
    link = tmp_path / "link"
    link.symlink_to(target)
    (tmp_path / "real" / ".env~").write_text(target.read_text())
    (tmp_path / "real" / "other").hardlink_to(target)
    refused = bring(link, url)
    assert (refused.status, "hard links" in json.loads(refused.out)["source_kept_because"]) == (1, True)
    assert KEY["secret_key"] in target.read_text()


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("text", ["bitget:\n  api_key: bg_1\n", "BITGET_API_KEY=bg_1\n", '{"a": '])
def test_what_is_not_understood_or_not_whole_is_an_error(text: str, bring: Import, tmp_path: Path) -> None:
    (tmp_path / "source").write_text(text)
    for options in (("--yes",), ("--demo",)):
        assert bring(tmp_path / "source", NOBODY, *options).status == 1


def test_nothing_there_is_no_error(bring: Import, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("COLOUR=red\n")
    ran = bring(tmp_path / "source", NOBODY, "--yes")
    assert (ran.status, json.loads(ran.out)["keys"]) == (0, [])
