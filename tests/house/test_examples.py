"""Every example in a docstring runs on the sandbox, and prints what it says it prints."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bgresearch as bg
import vault
from bgresearch.sandbox.traders.keys import SANDBOX_KEYS
from tests.house.blocks import failures, not_installed
from vault import FLOOR, Vault

PASSWORD = "four words which nobody guesses together"
NOT_RUN = {
    "bgresearch.client.recordings.RecordingVerbs.recorder": "waits for an hour of the clock",
    "bgresearch.forms.entry_points.setup": "asks a person",
    "bgresearch.forms.sealed_input.SealedInput": "needs an agent that a person unlocks",
    "bgresearch.exports.backtesters.to_nautilus": "needs Nautilus Trader, which asks for an older pandas",
}
"""Examples that cannot run by themselves, by the dotted name of what they belong to, and why."""


def examples() -> Iterator[doctest.DocTest]:
    """Every docstring with an example, of every module that is imported and not run."""
    finder = doctest.DocTestFinder()
    for package in (bg, vault):
        modules = [one.name for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
        for name in [package.__name__, *modules]:
            if not name.endswith("__main__"):
                yield from (found for found in finder.find(importlib.import_module(name), name) if found.examples)


ALL = list(examples())


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """What an example may name without making it: a client of the sandbox, frames of it, a vault with a key."""
    home = tmp_path_factory.mktemp("reader")
    key = SANDBOX_KEYS["readonly"]
    triple = {name: getattr(key, name) for name in ("api_key", "secret_key", "passphrase")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("BGRESEARCH_DATA_DIR", str(home / "data"))
        patch.setenv("BGRESEARCH_STATE_DIR", str(home / "state"))
        patch.chdir(home)
        with (
            bg.connect(sandbox=True) as client,
            Vault.create(Path("~/.config/bgresearch/vault").expanduser(), PASSWORD, profile=FLOOR) as opened,
        ):
            opened.add("research", **triple)
            client.recorder("open-interest", "BTCUSDT", every="1s").run(count=1)
            candles = client.candles("BTCUSDT", "1m", "2026-01-01", "2026-01-03")
            yield {
                "bg": bg, "bgresearch": bg, "pd": pd, "np": np, "client": client, "candles": candles, "df": candles,
                "frame": candles, "vault": opened, "password": PASSWORD,
            }  # fmt: skip


def stands_alone(example: doctest.DocTest) -> bool:
    return example.name not in NOT_RUN and "s3://" not in (
        example.docstring or ""
    )  # nobody serves an object store here


def run(example: doctest.DocTest) -> Any:
    """Return an example as a parameter; one that asks for vectorbt compiles it for a minute."""
    return pytest.param(example, marks=[pytest.mark.slow] if "vectorbt" in example.name else [], id=example.name)


@pytest.mark.quick_cases(6)
@pytest.mark.parametrize("example", [run(one) for one in filter(stands_alone, ALL)])
def test_the_example_runs_and_shows_what_it_says(example: doctest.DocTest, names: Mapping[str, Any]) -> None:
    if gone := not_installed(one.source for one in example.examples):
        pytest.skip(f"{', '.join(gone)} of the group exports, for make test-all")
    space = {**names, **example.globs}
    if wrong := failures(example.docstring or "", space, example.name):
        pytest.fail(wrong, pytrace=False)


def test_what_is_not_run_still_exists_and_is_few() -> None:
    assert set(NOT_RUN) <= {example.name for example in ALL}
    assert len(list(filter(stands_alone, ALL))) > len(ALL) * 0.8
