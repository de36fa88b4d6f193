"""``bgresearch store`` and ``bgresearch uninstall``: what is stored where, how large it is, and removing it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bgresearch
from bgresearch.core.user_folders import SUBFOLDERS
from bgresearch.sandbox import Exchange
from tests.cli.conftest import Converse, Run


@pytest.fixture
def stored(environment: dict[str, str], model: Exchange) -> Path:
    """A data folder with candles of three markets, account records, a pin, and a file that is not ours."""
    root = Path(environment["BGRESEARCH_DATA_DIR"])
    client = bgresearch.connect(sandbox=model, data_dir=root, progress=False)
    for symbol, market in (("BTCUSDT", "spot"), ("ETHUSDT", "spot"), ("BTCUSDT", "usdt-futures")):
        client.candles(symbol, "1d", last="20d", market=market)
    client.account.fills(last="5d")
    client.pin("paper")
    (root / "mine.txt").write_text("not of this package", encoding="utf-8")
    return root


def kept(run: Run, root: Path, *arguments: str) -> set[tuple[str, str, str]]:
    listed = run("store", "list", *arguments, "--json", "--data-dir", str(root)).json()["parts"]
    return {(one["kind"], one["market"], one["symbol"]) for one in listed}


def test_the_contents_are_listed_with_sizes(run: Run, stored: Path) -> None:
    assert {("candles", "spot", "BTCUSDT"), ("candles", "spot", "ETHUSDT"), ("account fills", "spot", "")} <= kept(
        run, stored
    )
    assert kept(run, stored, "btc-usdt", "--kind", "candles") == {
        ("candles", market, "BTCUSDT") for market in ("spot", "usdt-futures")
    }
    assert kept(run, stored, "BTCUSDT_UMCBL") == {("candles", "usdt-futures", "BTCUSDT")}
    measured = run("store", "du", "--json", "--data-dir", str(stored)).json()
    assert measured["bytes"] == sum(measured["kinds"].values()) > measured["kinds"]["candles"] > 0
    assert " kB in " in run("store", "list", "--data-dir", str(stored)).out


@pytest.mark.slow
def test_a_part_is_removed_after_it_was_shown_and_agreed_to(run: Run, converse: Converse, stored: Path) -> None:
    whole = kept(run, stored)
    command = ("store", "rm", "ETHUSDT", "--data-dir", str(stored))
    refused = converse(command, [("Delete 1 files?", "n")])
    assert refused.status == 1
    assert kept(run, stored) == whole
    assert converse(command, [("Delete 1 files?", "y")]).status == 0
    assert whole - kept(run, stored) == {("candles", "spot", "ETHUSDT")}
    assert run("store", "rm", "--kind", "account", "--yes", "--data-dir", str(stored)).status == 0
    assert not [one for one in kept(run, stored) if one[0].startswith("account")]
    frozen = stored / ".pins" / "paper" / "candles" / "market=spot" / "price=last" / "symbol=ETHUSDT"
    assert list(frozen.rglob("*.parquet"))
    assert (stored / "mine.txt").exists()


@pytest.mark.parametrize("subfolder", SUBFOLDERS)
def test_the_folder_of_made_up_data_is_found_again_after_a_move(
    environment: dict[str, str], model: Exchange, run: Run, tmp_path: Path, subfolder: str
) -> None:
    own = Path(environment["BGRESEARCH_DATA_DIR"]) / subfolder
    bgresearch.connect(sandbox=model, data_dir=own, progress=False).candles("BTCUSDT", "1d", last="20d")
    moved = run("store", "move", "other", "--data-dir", str(own))
    assert f"BGRESEARCH_DATA_DIR={tmp_path / 'other'}\n" in moved.out
    served = {"BGRESEARCH_BASE_URL": "http://127.0.0.1:1", "BGRESEARCH_DATA_DIR": str(tmp_path / "other")}
    found = run("store", "list", *(() if subfolder == ".sandbox" else ("--data-dir", f"other/{subfolder}")), **served)
    assert "BTCUSDT" in found.out


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "words"), [
    (("rm",), "SYMBOL: nothing is chosen"), (("rm", "XRPUSDT", "--yes"), "SYMBOL: nothing of it is stored"),
    (("rm", "--kind", "candels", "--yes"), "--kind: nothing of it is stored"),
    (("rm", "--market", "coin-futures", "--yes"), "--market: nothing of it is stored"),
    (("move", "{root}"), "exists already"), (("move", "{root}/inside"), "is inside"),
])  # fmt: skip
def test_what_cannot_be_done_is_said(run: Run, stored: Path, arguments: tuple[str, ...], words: str) -> None:
    refused = run("store", *(one.format(root=stored) for one in arguments), "--data-dir", str(stored))
    assert refused.status == 2
    assert words in refused.err


def test_what_asks_names_the_option_where_there_is_no_terminal(run: Run, stored: Path) -> None:
    for command in (("store", "rm", "ETHUSDT", "--data-dir", str(stored)), ("uninstall",)):
        refused = run(*command)
        assert refused.status == 1
        assert "no terminal to ask on. With --yes nothing is asked." in refused.err
        assert "--yes" in run(command[0], *command[1:2][: command[0] == "store"], "--help").out


def test_the_folder_moves_whole(run: Run, stored: Path, tmp_path: Path) -> None:
    before = kept(run, stored)
    target = tmp_path / "other" / "disk"
    moved = run("store", "move", str(target), "--data-dir", str(stored))
    assert f"BGRESEARCH_DATA_DIR={target}" in moved.out
    assert not stored.exists()
    assert kept(run, target) == before


def test_uninstalling_says_what_lies_where_and_leaves_what_is_not_of_this_package(
    run: Run, stored: Path, vault: str, environment: dict[str, str]
) -> None:
    result = run("uninstall", "--dry-run", "--json").json()
    assert {str(stored), environment["BGRESEARCH_VAULT"]} <= {one["where"] for one in result["places"]}
    assert result["removed"] == []
    done = run("uninstall", "--yes")
    assert "Delete the keys on the exchange as well" in done.out
    assert [one.name for one in stored.iterdir()] == ["mine.txt"]
    assert Path(environment["BGRESEARCH_VAULT"]).exists()
    assert "keys" in json.loads(run("uninstall", "--yes", "--vault", "--json").out)["removed"]
    assert not Path(environment["BGRESEARCH_VAULT"]).exists()
    assert "Nothing of bgresearch is stored" in run("uninstall", "--yes").out


def test_uninstalling_asks_for_each_place_and_for_the_vault_by_name(
    converse: Converse, stored: Path, vault: str, environment: dict[str, str]
) -> None:
    shown = converse(
        ("uninstall",),
        [("Delete data (BGRESEARCH_DATA_DIR)?", "y"), ("Delete state?", "n"), ("with every key in it", "n")],
    )
    assert shown.status == 0
    assert "Removed: data (BGRESEARCH_DATA_DIR)." in " ".join(shown.out.split())
    assert Path(environment["BGRESEARCH_VAULT"]).exists()
