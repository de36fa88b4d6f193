"""The command line. Commands use the same client as a notebook; here are only messages, questions and exit statuses.

Exit status: 0 done, 1 the work failed, 2 wrong usage; ``check`` ends 3 for a key that can write, 4 for one that can
withdraw. No secret is ever given as an argument.
"""

from __future__ import annotations

import signal
import sys
import warnings
from types import FrameType
from typing import Annotated, TextIO

import typer

from bgresearch.cli import download as data
from bgresearch.cli import export, keys, serve, store, store_folder
from bgresearch.cli import vault as keeping
from bgresearch.cli.archive import archive
from bgresearch.cli.check import check
from bgresearch.cli.doctor import doctor
from bgresearch.cli.explore import explore
from bgresearch.cli.import_files import import_files
from bgresearch.cli.ledger import ledger
from bgresearch.cli.options import NoArguments
from bgresearch.cli.output import FAILED, WrongUsage, complain, misused
from bgresearch.cli.record import record
from bgresearch.cli.scan import scan
from bgresearch.cli.setup import setup
from bgresearch.cli.sql import sql
from bgresearch.cli.uninstall import uninstall
from bgresearch.core.version import release
from bgresearch.errors import BgresearchError
from vault import ReducedProtection, RollbackWarning, VaultError

# Pretty exceptions would print local variables, and with them any secret that a frame holds.
app = typer.Typer(
    name="bgresearch",
    help="Read-only research toolkit for the Bitget exchange.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # no SIGHUP on Windows


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(release().replace("/", " "))
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read-only research toolkit for the Bitget exchange."""


app.command()(serve.demo)
app.command()(serve.sandbox)
app.command()(serve.lab)
app.command(cls=NoArguments)(setup)
app.command(cls=NoArguments)(check)
app.command()(doctor)
app.command()(explore)
app.command()(record)
app.command(cls=NoArguments)(archive)
app.command()(scan)
app.command("import")(import_files)
app.command()(store.plan)
app.command()(store.verify)
app.command()(store.pin)
app.command()(sql)
app.command()(store.publish)
app.add_typer(data.download, name="download")
export.app.command()(ledger)
app.command()(uninstall)
app.add_typer(export.app, name="export")
app.add_typer(store_folder.store, name="store")
app.add_typer(keys.app, name="keys")
app.add_typer(keeping.app, name="vault")


def main() -> None:
    """Run the command line; every expected failure becomes one line and an exit status."""
    warnings.showwarning = _say
    for ending in _ENDINGS:
        signal.signal(ending, _leave)
    as_json = "--json" in sys.argv
    try:
        status = app(standalone_mode=False)
    except WrongUsage as error:
        status = misused(error, as_json=as_json)
    except (BgresearchError, VaultError, OSError) as error:
        status = complain(error, as_json=as_json)
    except typer.Abort:  # standard input ended in the middle of a question
        status = FAILED
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    sys.exit(status)


def _say(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    """Print a warning of the vault as one line; any other one as Python does."""
    if issubclass(category, (ReducedProtection, RollbackWarning)):
        sys.stderr.write(f"bgresearch: {message}\n")
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def _leave(number: int, frame: FrameType | None) -> None:
    """End as an exception does, so that servers are stopped and temporary folders removed."""
    sys.exit(128 + number)
