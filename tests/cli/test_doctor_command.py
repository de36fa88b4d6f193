"""``bgresearch doctor`` as its users meet it, on a served sandbox."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from bgresearch.cli import app
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server


def test_doctor_prints_a_table_and_writes_a_report(model: Exchange, tmp_path: Path) -> None:
    exchange = Exchange()
    exchange.world, exchange.accounts = model.world, dict(model.accounts)
    with Server(exchange) as server:
        environment = {
            "BGRESEARCH_BASE_URL": server.url, "BGRESEARCH_ARCHIVE_URL": f"{server.url}/online",
            "BGRESEARCH_DATA_DIR": str(tmp_path / "data"),
        }  # fmt: skip
        report = tmp_path / "report.json"
        done = CliRunner().invoke(app, ["doctor", "--no-streams", "--report", str(report)], env=environment)
        again = CliRunner().invoke(app, ["doctor", "--no-streams", "--report", str(report), "--json"], env=environment)
    assert done.exit_code == 0, done.exception
    assert "candles.page_rows                holds" in done.stdout
    assert f"The report is in {report}" in done.stdout
    assert json.loads(again.stdout) == json.loads(report.read_text())
    assert not [one for one in json.loads(again.stdout)["findings"] if one["status"] == "differs"]
