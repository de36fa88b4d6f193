"""``bgresearch check``: what a key may do, as the exchange says it now."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from bgresearch.cli import report
from bgresearch.cli.agent import holds
from bgresearch.cli.asking import PasswordFile, VaultPath, opened
from bgresearch.cli.words import AsJson, tell
from bgresearch.errors import ConfigurationError

if TYPE_CHECKING:
    from bgresearch.onboarding.finding import Finding
    from bgresearch.permissions import Permissions
    from vault import Vault

CAN_WRITE, CAN_WITHDRAW = 3, 4


def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's label.", show_default=False)],
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Ask the exchange what a key may do, through the agent if it runs. Exit status 3: it can write. 4: withdraw."""
    if not password_file and holds(path):
        findings, found, reminder = _through_the_agent(name)
    else:
        findings = ()
        found, reminder = _by_itself(name, path, password_file)
    words = [*map(report.stage, findings), *([""] if findings else []), report.report(found)]
    words += [f"-> {reminder}"] if reminder else []
    tell({**report.as_values(found, findings), "reminder": reminder}, as_json, lambda: "\n".join(words))
    raise typer.Exit(status_of(found))


def status_of(found: Permissions) -> int:
    """Return the exit status for a key that may do this."""
    return CAN_WITHDRAW if found.can_withdraw else 0 if found.read_only else CAN_WRITE


def refused(findings: tuple[Finding, ...]) -> ConfigurationError:
    """Return the error for a key that the exchange did not accept: the stage that failed, in words."""
    failed = next((one for one in findings if one.passed is False), None)
    if failed is None:
        return ConfigurationError("The check did not come to an end.", hint="Check the key again.")
    code = f" ({failed.code})" if failed.code else ""
    return ConfigurationError(f"{failed.words}{code}", hint=failed.hint)


def _through_the_agent(name: str) -> tuple[tuple[Finding, ...], Permissions, str]:
    from bgresearch.agent.client import Agent

    with Agent() as agent:
        findings, found = agent.check(name)
        if found is None:
            raise refused(findings)
        reminder = next((key.reminder for key in agent.status().keys if key.label == name), "")
    return findings, found, reminder


def _by_itself(name: str, path: VaultPath, password_file: str) -> tuple[Permissions, str]:
    from bgresearch.connect import connect

    with opened(path, password_file) as vault:
        address = os.environ.get("BGRESEARCH_BASE_URL") or vault.get(name).host
        with connect(key=name, vault=vault, base_url=address) as client:
            found = client.permissions()
        return found, _noted(vault, name, found)


def _noted(vault: Vault, name: str, found: Permissions) -> str:
    """Note in the vault what the exchange said; return what there is to do about the key's age."""
    vault.record_check(name, found.verdict, bool(found.addresses))
    vault.record_use(name)
    info = next(one for one in vault.describe() if one.label == name)
    return info.reminder(time.time_ns() // 1_000_000)
