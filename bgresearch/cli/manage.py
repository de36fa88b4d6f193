"""``bgresearch keys``: the table of keys and what is done with one, all through the unlocked agent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bgresearch.cli.asking import PasswordFile, VaultPath, agreed
from bgresearch.cli.check import check
from bgresearch.cli.keys import Name, NoArguments
from bgresearch.cli.sealed import ready, unlock
from bgresearch.cli.setup import typed_until_kept
from bgresearch.cli.typed import Wanted
from bgresearch.cli.words import AsJson, table, tell
from bgresearch.errors import ConfigurationError
from bgresearch.moments import moment_ms
from bgresearch.onboarding import words
from vault import EXCHANGE_HOST

if TYPE_CHECKING:
    from bgresearch.agent.client import Agent, AgentKey

_DAY_MS = 86_400_000

app = typer.Typer(help="See, check, replace and remove the keys that the agent holds.", invoke_without_command=True)

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.callback()
def _group(ctx: typer.Context) -> None:
    """Show the table if no command is named."""
    if ctx.invoked_subcommand is None:
        list_keys()


@app.command("list", cls=NoArguments)
def list_keys(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """Show every key: account, environment, verdict, age, reminder, last use; nothing secret."""
    from dataclasses import asdict

    with unlocked(path, password_file) as agent:
        keys = agent.status().keys
    now_ms = time.time_ns() // 1_000_000
    rows = [_row(key, now_ms) for key in keys]
    reminders = [f"{key.label}: {key.reminder}" for key in keys if key.reminder]
    told = [{**asdict(key), "age_days": _age_days(key, now_ms)} for key in keys]
    lines = [table(rows), *reminders] if rows else ["There is no key yet. Next: bgresearch setup"]
    tell({"keys": told}, as_json, lambda: "\n".join(lines))


app.command("check", cls=NoArguments)(check)


@app.command(cls=NoArguments)
def rotate(
    name: Name,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='Ask nothing; read {"api_key", "secret_key", "passphrase"} as JSON.')
    ] = False,
    accept_trade: Annotated[
        bool, typer.Option("--accept-trade", help="Keep a key that can trade; never one that can withdraw.")
    ] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Put a new key in the place of an old one, after it was checked like every new key."""
    say: Callable[[str], object] = (lambda _words: None) if as_json else typer.echo
    with unlocked(path, password_file) as agent:
        old = _known(agent, name)
        for sentence in words.ROTATE:
            say(f"- {sentence}")
        if old.host != EXCHANGE_HOST:
            say(f"! {name!r} is bound to {old.host}: the new key is tried and used there, not at the exchange.")
        wanted = Wanted("rotate", name)
        outcome = typed_until_kept(agent, wanted, asks=not stdin, accept_trade=accept_trade, say=say)
    said = words.ROTATED.format(label=name) if outcome.kept else words.NOT_SAVED
    told = {"rotated": name if outcome.kept else None, "verdict": outcome.found.verdict}
    tell(told, as_json, lambda: said)
    raise typer.Exit(outcome.status)


@app.command(cls=NoArguments)
def rename(
    name: Name,
    new: Annotated[str, typer.Argument(help="The new label.", show_default=False)],
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Give a key another name."""
    with unlocked(path, password_file) as agent:
        agent.rename(name, new)
    tell({"renamed": name, "name": new}, as_json, lambda: f"{name!r} is now {new!r}.")


@app.command(cls=NoArguments)
def remove(
    name: Name, yes: Yes = False, path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False
) -> None:
    """Take a key out of the vault; the exchange knows it until you delete it there."""
    with unlocked(path, password_file) as agent:
        _known(agent, name)
        if not yes and not agreed(f"{words.REMOVE} Remove {name!r}?", default=False):
            raise ConfigurationError("Nothing was removed.")
        agent.remove(name)
    tell({"removed": name}, as_json, lambda: words.REMOVED.format(label=name))


@app.command(cls=NoArguments)
def compromised(
    name: Name, yes: Yes = False, path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False
) -> None:
    """Do what has to be done when somebody else may know a key: first delete it on the exchange, now."""
    say: Callable[[str], object] = (lambda _words: None) if as_json else typer.echo
    say(words.COMPROMISED_FIRST)
    with unlocked(path, password_file) as agent:
        key = _known(agent, name)
        say(f"It is {name!r} at {key.host}, added {key.created[:10]}.")
        if not yes and not agreed(words.COMPROMISED_DELETED, default=False):
            raise ConfigurationError(words.COMPROMISED_NOT_YET)
        for number, sentence in enumerate(words.COMPROMISED, start=1):
            say(f"{number}. {sentence}")
        if not yes and not agreed(f"Remove {name!r} here now?", default=True):
            raise ConfigurationError("Nothing was removed.")
        agent.remove(name)
    tell({"removed": name, "next": list(words.COMPROMISED)}, as_json, lambda: words.REMOVED.format(label=name))


@contextmanager
def unlocked(path: VaultPath, password_file: str) -> Iterator[Agent]:
    """Give the agent, started and unlocked if it was not."""
    from bgresearch.agent.client import Agent

    with Agent() as agent:
        status = ready(agent, path)
        if not status.exists:
            raise ConfigurationError(f"There is no vault at {status.vault}.", hint="Type: bgresearch setup")
        if not status.unlocked:
            unlock(agent, path, password_file)
        yield agent


def _known(agent: Agent, name: str) -> AgentKey:
    keys = {key.label: key for key in agent.status().keys}
    if name not in keys:
        there = ", ".join(map(repr, keys)) or "none at all"
        raise ConfigurationError(f"There is no key {name!r}.", hint=f"There is {there}.")
    return keys[name]


def _row(key: AgentKey, now_ms: int) -> dict[str, str]:
    addresses = {True: "listed", False: "any", None: "?"}[key.has_addresses]
    return {
        "name": key.label, "account": key.account, "environment": "demo" if key.demo else "live",
        "verdict": key.last_verdict or "never checked", "addresses": addresses,
        "age": f"{_age_days(key, now_ms)} d", "rotate by": key.rotate_by, "last used": key.last_used or "-",
    }  # fmt: skip


def _age_days(key: AgentKey, now_ms: int) -> int:
    return (now_ms - moment_ms(key.created, "created")[0]) // _DAY_MS if key.created else 0
