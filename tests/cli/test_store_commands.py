"""``plan``, ``verify`` and ``pin`` as they are typed: what they say, and the status they end with."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

FILE = "candles/market=spot/price=last/symbol=BTCUSDT/interval=1h/2026.parquet"
WHAT = ("BTCUSDT", "--interval", "1h", "--since", "2026-09-01", "--until", "2026-09-03")


def test_a_plan_is_what_the_download_does_and_then_nothing(run: Run, url: str, tmp_path: Path) -> None:
    places = {"BGRESEARCH_BASE_URL": url, "BGRESEARCH_DATA_DIR": str(tmp_path)}
    [before] = run("plan", *WHAT, "--json", **places).json()["plans"]
    assert (before["rows"], before["rows_kept"], before["requests"]) == (48, 0, {"spot.candles": 1})
    [done] = run("download", "candles", *WHAT, "--json", **places).json()["series"]
    assert done["requests"] == 1
    after = run("plan", *WHAT, **places)
    assert after.status == 0
    assert "48" in after.out
    assert "none" in after.out


def test_verify_and_pin_tell_what_is_wrong_and_what_has_changed(run: Run, url: str, tmp_path: Path) -> None:
    places = {"BGRESEARCH_BASE_URL": url, "BGRESEARCH_DATA_DIR": str(tmp_path)}
    run("download", "candles", *WHAT, **places)
    sound = run("verify", **places)
    assert (sound.status, "all sound" in sound.out) == (0, True)
    frozen = run("pin", "paper-v1", **places)
    assert (frozen.status, "paper-v1" in frozen.out) == (0, True)
    assert run("pin", "paper-v1", **places).status == 2  # a pin never changes
    assert "Nothing has changed" in run("pin", "diff", "paper-v1", **places).out

    path = tmp_path / ".sandbox" / FILE
    path.write_bytes(path.read_bytes()[:-50])
    assert run("pin", "verify", "paper-v1", **places).status == 1  # the same file, spoiled in place
    flawed = run("verify", "--json", **places)
    assert flawed.status == 1
    assert [(flaw["path"], flaw["kind"]) for flaw in flawed.json()["flaws"]] == [(FILE, "damaged")]
    repaired = run("verify", "--repair", **places)
    assert (repaired.status, "repaired" in repaired.out) == (0, True)
    assert run("verify", "--against-exchange", "--since", "2026-09-01", "--until", "2026-09-03", **places).status == 0

    assert [one["pin"] for one in run("pin", "list", "--json", **places).json()["pins"]] == ["paper-v1"]
    assert run("pin", "remove", "paper-v1", **places).status == 0
    missing = run("pin", "diff", "paper-v1", **places)
    assert (missing.status, "no pin" in missing.err) == (2, True)
