"""The ledger for tax tools against a served sandbox, in a process of its own."""

from __future__ import annotations

import csv
import stat
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.cli.ledger import LedgerDiffers
from bgresearch.research.pnl.reconcile import reconcile
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server
from tests.cli.conftest import PASSWORD, Run
from tests.conftest import NOW
from vault import FLOOR, Vault


@pytest.mark.slow
def test_the_ledger_is_written_for_its_owner_alone_and_said_to_add_up(
    run: Run, environment: dict[str, str], password_file: str, tmp_path: Path
) -> None:
    key = SANDBOX_KEYS["readonly"]
    since = str(pd.Timestamp(NOW).floor("D") - pd.Timedelta(days=1))
    with Server(Exchange(limits=False)) as server:
        with Vault.create(Path(environment["BGRESEARCH_VAULT"]), PASSWORD, profile=FLOOR) as vault:
            triple = {"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}
            vault.add("mine", **triple, host=server.url)
        common = ("export", "ledger", "mine", "--since", since, "--password-file", password_file)
        spoken = run(*common, "--to", "tax.csv")
        assert (spoken.status, spoken.err) == (0, "")
        assert "all explained, difference 0." in spoken.out
        done = run(*common, "--to", "tax.csv", "--force", "--internal", "--json")
        assert (done.status, done.err) == (0, "")
    result = done.json()
    assert (result["file"], result["adds_up"], result["problems"]) == (str(tmp_path / "tax.csv"), True, 0)
    with (tmp_path / "tax.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result["rows"]
    assert Counter(row["Label"] for row in rows)["realized gain"] > 5
    for name in ("tax.csv", "tax.csv.provenance.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        text = (tmp_path / name).read_text("utf-8")
        assert not any(secret in text for secret in (*triple.values(), PASSWORD))


def test_a_ledger_that_does_not_fit_is_said_in_one_line_with_what_is_wrong() -> None:
    time = pd.DatetimeIndex([pd.Timestamp("2026-10-01", tz="UTC")], name="time")
    line = {
        "bill_id": "7",
        "account": "spot",
        "symbol": None,
        "coin": "BTC",
        "kind": "trade",
        "amount": 1.0,
        "fee": 0.0,
    }
    found = reconcile(pd.DataFrame(columns=["market", "symbol"]), pd.DataFrame([line | {"balance": 1.0}], index=time))
    said = str(LedgerDiffers(Path("tax.csv"), found))
    assert said.startswith(
        "tax.csv is written, but the records do not match the ledger. 1 line of the ledger in 1 balance"
    )
    assert "1 problem; unexplained 1 BTC in spot." in said
    assert "line 7 (spot, trade) is 1 BTC, and has no record." in said
