"""``bgresearch check``: what a key may do, according to the exchange now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from bgresearch.cli import permission_report as report
from bgresearch.cli.agent_session import session
from bgresearch.cli.output import AsJson, print_result
from bgresearch.cli.prompts import PasswordFile, VaultPath
from bgresearch.errors import ConfigurationError
from vault.hosts import normalise_host

if TYPE_CHECKING:
    from bgresearch.keys.onboarding.finding import Finding
    from bgresearch.keys.permissions import Permissions

CAN_WRITE, CAN_WITHDRAW = 3, 4


class NotReached(ConfigurationError):
    """The exchange did not answer, so nothing is known about the key."""


def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's label.", show_default=False)],
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Ask the exchange what a key may do, through the agent if it runs. Exit status 3: it can write. 4: withdraw."""
    with session(path, password_file) as agent:
        if vault := getattr(agent, "vault", None):  # of an agent in this process; another one has its own variables
            _check_address(vault.get(name).host)
        findings, found = agent.check(name)
        if found is None:
            raise refused(findings)
        reminder = next((key.reminder for key in agent.status().keys if key.label == name), "")
    lines = [*map(report.stage, findings), "", report.report(found)]
    lines += [f"-> {reminder}"] if reminder else []
    print_result({**report.as_values(found, findings), "reminder": reminder}, as_json, lambda: "\n".join(lines))
    raise typer.Exit(status_of(found))


def _check_address(host: str) -> None:
    asked = os.environ.get("BGRESEARCH_BASE_URL")
    if asked and normalise_host(asked) != host:
        raise ConfigurationError(
            f"The key is bound to {host} and is never sent to {asked}.", hint="Unset BGRESEARCH_BASE_URL."
        )


def status_of(found: Permissions) -> int:
    """Return the exit status for a key that may do this."""
    return CAN_WITHDRAW if found.can_withdraw else 0 if found.read_only else CAN_WRITE


def refused(findings: tuple[Finding, ...]) -> ConfigurationError:
    """Return the error for a key that the exchange did not accept: the stage that failed."""
    failed = next((one for one in findings if one.passed is False), None)
    if failed is None:
        return ConfigurationError("The check did not finish.", hint="Check the key again.")
    code = f" ({failed.code})" if failed.code else ""
    kind = NotReached if failed.stage == "reach" else ConfigurationError
    return kind(f"{failed.words}{code}", hint=failed.hint)
