"""``bgresearch export ledger``: an account's history as the one file that tax tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgresearch.cli.archive import connected
from bgresearch.cli.export import ARGUMENTS, Force, Offline
from bgresearch.cli.options import DataDir, Since, Until, as_an_option
from bgresearch.cli.output import AsJson, print_result
from bgresearch.cli.prompts import PasswordFile, VaultPath
from bgresearch.errors import BgresearchError

if TYPE_CHECKING:
    from bgresearch.research.pnl.reconcile import Reconciliation

To = Annotated[Path, typer.Option(metavar="FILE", help="The file; tax tools read a name that ends in .csv.")]


class LedgerDiffers(BgresearchError):
    """The file was written, but the account's records do not match its ledger."""

    def __init__(self, path: Path, found: Reconciliation) -> None:
        super().__init__(f"{path} is written, but the records do not match the ledger. {found}")


def ledger(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's label.", show_default=False)],
    *,
    since: Since,
    to: To,
    until: Until = None,
    internal: Annotated[
        bool, typer.Option("--internal", help="Include transfers between wallets of this account.")
    ] = False,
    force: Force = False,
    offline: Offline = False,
    data_dir: DataDir = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Write trades, fees, funding, deposits, withdrawals and rewards to one file, and report whether they add up."""
    from bgresearch.exports import export
    from bgresearch.exports.export import checked_target
    from bgresearch.research.pnl.tax_ledger import tax_table

    with as_an_option(*ARGUMENTS):
        checked_target(to, {"verb": "account.ledger"}, force=force)
        with connected(name, path, password_file, data_dir, offline=offline) as client:
            statement = client.statement(since, until)
        table = tax_table(statement.ledger, internal=internal)
        table.attrs["bgresearch"] = statement.ledger.attrs["bgresearch"]
        written = export(table, to, force=force)
    found = statement.reconciled
    result = {"file": str(written), "rows": len(table), "adds_up": found.ok, "problems": len(found.problems)}
    print_result(result, as_json, lambda: f"{written}: {len(table):,} rows. {found}")
    if not found.ok:
        raise LedgerDiffers(written, found)
