"""`bgresearch publish` and `bgresearch verify URL`, as commands of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bgresearch.client.client import Client
from tests.conftest import PATIENCE_S, inherited
from tests.remote.conftest import MONTHS, SYMBOLS

FILES = len(SYMBOLS) * len(MONTHS)


def ran(*arguments: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    places = {"HOME": str(tmp_path), "BGRESEARCH_DATA_DIR": str(tmp_path / "data"), "PYTHONWARNINGS": "default"}
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "bgresearch", *arguments], capture_output=True, text=True, timeout=PATIENCE_S,
        check=False, env={**inherited(), **places}, cwd=tmp_path,
    )  # fmt: skip


@pytest.mark.slow
def test_what_was_sent_is_said_to_people_and_to_machines(folder: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/far"
    done = ran("publish", url, "--symbols", "BTCUSDT, ETHUSDT", "--market", "spot", tmp_path=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 files, 17,280 rows" in done.stdout
    assert f"bg.connect(store='{url}')" in done.stdout
    result = json.loads(ran("publish", url, "--json", tmp_path=tmp_path).stdout)
    assert (result["url"], result["files"], result["sent"], result["removed"]) == (url, FILES, 3, 0)
    exact = json.loads(
        ran("publish", url, "--symbols", "BTCUSDT", "--exact", "--prune", "--json", tmp_path=tmp_path).stdout
    )
    assert (exact["files"], exact["removed"]) == (3, 6 + 2)


@pytest.mark.slow
def test_a_published_store_is_looked_at_object_by_object(local: Client, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/far"
    local.publish(url)
    sound = ran("verify", url, tmp_path=tmp_path)
    assert (sound.returncode, sound.stdout) == (0, f"{FILES} files in {url}: all sound.\n")
    hurt = next(path for path in sorted((tmp_path / "far").rglob("*.parquet")))
    hurt.write_bytes(hurt.read_bytes()[:-1])
    flawed = ran("verify", url, "--json", tmp_path=tmp_path)
    assert flawed.returncode == 1
    [flaw] = json.loads(flawed.stdout)["flaws"]
    assert flaw["kind"] == "damaged"
    assert hurt.name in flaw["words"]
    assert f"bgresearch publish {url}" in json.loads(flawed.stderr)["error"]["hint"]


@pytest.mark.slow
def test_wrong_usage_has_its_status(tmp_path: Path) -> None:
    for arguments in (("publish", "nowhere"), ("verify", "memory://x", "--repair")):
        refused = ran(*arguments, tmp_path=tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")
