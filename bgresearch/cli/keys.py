"""``bgresearch keys``: lists keys and manages single ones; ``bgresearch vault`` has the same commands."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgresearch.cli.add_key import EntryResult, KeyTarget, Typing, typed_until_kept
from bgresearch.cli.agent_session import own_session, session
from bgresearch.cli.check import check
from bgresearch.cli.key_import import export, import_keys
from bgresearch.cli.options import NoArguments, excludes
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.cli.prompts import UNASKED, Fields, PasswordFile, VaultPath, agreed, on_terminal
from bgresearch.core.timestamps import moment_ms
from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.keys.onboarding import messages
from vault import EXCHANGE_HOST, Vault

if TYPE_CHECKING:
    from bgresearch.agent.client import AgentKey, AgentVerbs

_DAY_MS = 86_400_000
ADD_ATTEMPTS = 2  # of one request: an exchange that does not answer should be reported soon

app = typer.Typer(help="Add, list, check, replace and remove keys.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's label.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Stdin = Annotated[
    bool,
    typer.Option("--stdin", help='Do not prompt; read {"api_key", "secret_key", "passphrase"} as JSON.'),
]
RsaKey = Annotated[
    Path | None,
    typer.Option(
        "--rsa-key",
        metavar="FILE",
        help="The RSA private key (PEM or DER) of a key that signs with RSA; instead of typing it.",
    ),
]
AcceptTrade = Annotated[
    bool, typer.Option("--accept-trade", help="Keep a key that can trade; never one that can withdraw.")
]
Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Do not check at the exchange; needs the master password.")
]


@app.callback()
def _group(ctx: typer.Context) -> None:
    """Show the table if no command is named."""
    if ctx.invoked_subcommand is None:
        list_keys()


@app.command("list", cls=NoArguments)
def list_keys(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """Show every key: account, environment, host, verdict, age, reminder, last use; nothing secret."""
    with session(path, password_file) as agent:
        keys = agent.status().keys
    now_ms = time.time_ns() // 1_000_000
    rows = [_row(key, now_ms) for key in keys]
    reminders = [f"{key.label}: {key.reminder}" for key in keys if key.reminder]
    result = [
        {"name": key.label, "environment": _environment(key), **asdict(key), "age_days": _age_days(key, now_ms)}
        for key in keys
    ]
    lines = [table(rows), *reminders] if rows else ["There is no key yet. Next: bgresearch keys add NAME"]
    print_result({"keys": result}, as_json, lambda: "\n".join(lines))


app.command("check", cls=NoArguments)(check)


@app.command(cls=NoArguments)
def add(
    name: Name,
    stdin: Stdin = False,
    host: Annotated[
        str,
        typer.Option(
            metavar="URL", help="The only address that the key will be used with.", show_default="the exchange"
        ),
    ] = "",
    demo: Annotated[bool, typer.Option("--demo", help="The key belongs to the exchange's demo environment.")] = False,
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note of your own, shown by list.")] = "",
    account: Annotated[str, typer.Option(metavar="TEXT", help="Which of your accounts it belongs to.")] = "",
    rotate_by: Annotated[str, typer.Option(metavar="DATE", help="Date by which to replace it: 2027-01-31.")] = "",
    rsa_key: RsaKey = None,
    accept_trade: AcceptTrade = False,
    unchecked: Unchecked = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Save a key under a name, after checking at the exchange what it may do; one that can withdraw is never saved."""
    if unchecked:
        excludes("--unchecked", ("--accept-trade", accept_trade))
    say = _said(as_json)
    where = host or os.environ.get("BGRESEARCH_BASE_URL", "")
    wanted, typing = KeyTarget("key", name, where, demo, note, account, rotate_by), Typing(stdin, rsa_key, accept_trade)
    if unchecked:
        with own_session(path, password_file) as own:
            _save_unchecked(own.vault, wanted, typing.texts())
        _finish_add(None, wanted, messages.UNCHECKED, as_json)
        return
    with session(path, password_file, attempts=ADD_ATTEMPTS) as agent:
        _check_free(agent, name)
        vault = getattr(agent, "vault", None)  # of an agent in this process only
        on_unreachable = None if vault is None else lambda texts: _save_unchecked(vault, wanted, texts)
        outcome = typed_until_kept(agent, wanted, typing, say, on_unreachable=on_unreachable)
    _finish_add(outcome, wanted, messages.UNREACHABLE, as_json)


@app.command(cls=NoArguments)
def rotate(
    name: Name,
    stdin: Stdin = False,
    rsa_key: RsaKey = None,
    accept_trade: AcceptTrade = False,
    unchecked: Unchecked = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Replace an old key with a new one, after it was checked like every new key."""
    say, typing = _said(as_json), Typing(stdin, rsa_key, accept_trade)
    if unchecked:
        excludes("--unchecked", ("--accept-trade", accept_trade))
        with own_session(path, password_file) as own:
            _say_host(say, _known(own, name))
            texts = typing.texts()
            own.vault.rotate(
                name, api_key=texts["api_key"].value, secret_key=texts["secret_key"].value,
                passphrase=texts["passphrase"].value,
            )  # fmt: skip
        result = {"rotated": name, "verdict": ""}
        print_result(
            result, as_json, lambda: f"{messages.ROTATED.format(label=name)} {messages.UNCHECKED.format(label=name)}"
        )
        return
    with session(path, password_file) as agent:
        old = _known(agent, name)
        for sentence in messages.ROTATE:
            say(f"- {sentence}")
        _say_host(say, old)
        outcome = typed_until_kept(agent, KeyTarget("rotate", name), typing, say)
    assert outcome is not None  # noqa: S101 - None is for callers with on_unreachable
    said = messages.ROTATED.format(label=name) if outcome.kept else _not_saved(outcome)
    print_result({"rotated": name if outcome.kept else None, "verdict": outcome.found.verdict}, as_json, lambda: said)
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
    with session(path, password_file) as agent:
        agent.rename(name, new)
    print_result({"renamed": name, "name": new}, as_json, lambda: f"{name!r} is now {new!r}.")


@app.command(cls=NoArguments)
def edit(
    name: Name,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="A note of your own, shown by list.")] = None,
    account: Annotated[str | None, typer.Option(metavar="TEXT", help="Which of your accounts it belongs to.")] = None,
    rotate_by: Annotated[
        str | None, typer.Option(metavar="DATE", help="Date by which to replace it: 2027-01-31.")
    ] = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Change the note, account or rotation date of a key."""
    if note is account is rotate_by is None:
        raise InvalidInput("NAME", "nothing to change is given.", hint="Add --note, --account or --rotate-by.")
    with session(path, password_file) as agent:
        agent.edit(name, note=note, account=account, rotate_by=rotate_by)
    print_result({"edited": name}, as_json, lambda: f"Changed {name!r}.")


@app.command(cls=NoArguments)
def remove(
    name: Name, yes: Yes = False, path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False
) -> None:
    """Remove a key from the vault; it stays valid until you delete it at the exchange. On a terminal it asks first."""
    with session(path, password_file) as agent:
        _known(agent, name)
        asks = not yes and on_terminal()
        if asks and not agreed(f"{messages.REMOVE} Remove {name!r}?", default=False):
            raise ConfigurationError("Nothing was removed.")
        agent.remove(name)
    print_result({"removed": name}, as_json, lambda: messages.REMOVED.format(label=name))


@app.command(cls=NoArguments)
def compromised(
    name: Name, yes: Yes = False, path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False
) -> None:
    """Show and do what is needed when someone else may know a key: first delete it on the exchange, now."""
    say = _said(as_json)
    say(messages.COMPROMISED_FIRST)
    with session(path, password_file) as agent:
        key = _known(agent, name)
        say(f"It is {name!r} at {key.host}, added {key.created[:10]}.")
        if not yes and not agreed(messages.COMPROMISED_DELETED, default=False, instead=UNASKED):
            raise ConfigurationError(messages.COMPROMISED_NOT_YET)
        for number, sentence in enumerate(messages.COMPROMISED, start=1):
            say(f"{number}. {sentence}")
        if not yes and not agreed(f"Remove {name!r} here now?", default=True, instead=UNASKED):
            raise ConfigurationError("Nothing was removed.")
        agent.remove(name)
    print_result(
        {"removed": name, "next": list(messages.COMPROMISED)}, as_json, lambda: messages.REMOVED.format(label=name)
    )


app.command("export", cls=NoArguments)(export)
app.command("import", cls=NoArguments)(import_keys)


def _save_unchecked(vault: Vault, wanted: KeyTarget, texts: Fields) -> None:
    vault.add(
        wanted.label, api_key=texts["api_key"].value, secret_key=texts["secret_key"].value,
        passphrase=texts["passphrase"].value, host=wanted.host or EXCHANGE_HOST, demo=wanted.demo, note=wanted.note,
        account=wanted.account, rotate_by=wanted.rotate_by,
    )  # fmt: skip


def _finish_add(outcome: EntryResult | None, wanted: KeyTarget, unchecked: str, as_json: bool) -> None:
    """Print the result for a new key; there is no outcome if it was saved without a check."""
    label = wanted.label
    if outcome is None:
        saved = f"{messages.SAVED.format(label=label)} {unchecked.format(label=label)}"
        print_result({"added": label, "checked": False, "verdict": None}, as_json, lambda: saved)
        return
    result = {"added": label if outcome.kept else None, "checked": True, "verdict": outcome.found.verdict}
    print_result(result, as_json, lambda: messages.SAVED.format(label=label) if outcome.kept else _not_saved(outcome))
    raise typer.Exit(outcome.status)


def _not_saved(outcome: EntryResult) -> str:
    on_purpose = f" {messages.ON_PURPOSE}" if outcome.judgement.keep == "on purpose" else ""
    return f"{messages.NOT_SAVED}{on_purpose}"


def _said(as_json: bool) -> Callable[[str], object]:
    return (lambda _text: None) if as_json else typer.echo


def _check_free(agent: AgentVerbs, name: str) -> None:
    if any(key.label == name for key in agent.status().keys):
        raise ConfigurationError(messages.LABEL_TAKEN, hint=f"Type: bgresearch keys rotate {name}")


def _known(agent: AgentVerbs, name: str) -> AgentKey:
    keys = {key.label: key for key in agent.status().keys}
    if name not in keys:
        known = ", ".join(map(repr, keys)) or "none at all"
        raise ConfigurationError(f"There is no key named {name!r}.", hint=f"There is {known}.")
    return keys[name]


def _say_host(say: Callable[[str], object], old: AgentKey) -> None:
    """Say where a key is used, if that is not the exchange, before its replacement is typed."""
    if old.host != EXCHANGE_HOST:
        say(f"! {old.label!r} is bound to {old.host}: the new key is checked and used there, not at the exchange.")


def _environment(key: AgentKey) -> str:
    return "demo" if key.demo else "live"


def _row(key: AgentKey, now_ms: int) -> dict[str, str]:
    addresses = {True: "listed", False: "any", None: "?"}[key.has_addresses]
    return {
        "name": key.label, "account": key.account, "environment": _environment(key), "host": key.host,
        "verdict": key.last_verdict or "never checked", "addresses": addresses, "age": f"{_age_days(key, now_ms)} d",
        "rotate by": key.rotate_by, "last used": key.last_used or "-", "note": key.note,
    }  # fmt: skip


def _age_days(key: AgentKey, now_ms: int) -> int:
    return (now_ms - moment_ms(key.created, "created")[0]) // _DAY_MS if key.created else 0
