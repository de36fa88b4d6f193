"""``bgresearch setup``: makes a checked read-only key in the vault, step by step."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from bgresearch.cli.add_key import EntryResult, KeyTarget, Typing, typed_until_kept
from bgresearch.cli.agent_unlock import new_recovery_code, ready, send, unlock
from bgresearch.cli.options import excludes
from bgresearch.cli.output import AsJson, print_result
from bgresearch.cli.prompts import PasswordFile, VaultPath, agreed, answer, master_password, secret
from bgresearch.core.clock import LOOPBACK
from bgresearch.errors import BgresearchError, ConfigurationError, InvalidInput
from bgresearch.keys.onboarding import ip_whitelist as addresses
from bgresearch.keys.onboarding import messages
from bgresearch.keys.onboarding.purposes import (
    PURPOSES,
    WHICH_MODE,
    Mode,
    Purpose,
    instructions,
    lacking,
    needs_key,
    surplus,
)
from vault import VaultError
from vault.hidden import Hidden

if TYPE_CHECKING:
    from bgresearch.agent.client import Agent

GOOD_ENOUGH = 3  # of 4: about 10^8 guesses and more
_CODE_TRIES = 5  # as the agent allows
_LABEL = "research"
_TERMINAL = "A recovery code is made on a terminal only."

Purposes = Annotated[
    list[str] | None,
    typer.Option("--for", metavar="PURPOSE", help=f"What the key is for: {' '.join(PURPOSES)}. Can be given again."),
]


def setup(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The new key's label.", show_default=False)] = None,
    purposes: Purposes = None,
    mode: Annotated[str, typer.Option(metavar="MODE", help="Of the account: classic or unified.")] = "",
    listed: Annotated[
        str | None, typer.Option("--addresses", metavar="LIST", help="Addresses for the key's list; only checked.")
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="URL", help="The only address that the key will be used with.", show_default=False)
    ] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note of your own about the key.")] = "",
    account: Annotated[str, typer.Option(metavar="TEXT", help="Which of your accounts it belongs to.")] = "",
    rotate_by: Annotated[str, typer.Option(metavar="DATE", help="Date by which to replace it: 2027-01-31.")] = "",
    accept_trade: Annotated[
        bool, typer.Option("--accept-trade", help="Keep a key that can trade; never one that can withdraw.")
    ] = False,
    rsa_key: Annotated[
        Path | None, typer.Option("--rsa-key", metavar="FILE", help="The RSA private key of a key that signs with RSA.")
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='Do not prompt; read {"api_key", "secret_key", "passphrase"} as JSON.')
    ] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Make a read-only key: what to tick, what to type, a check at each step. Nothing is saved before the verdict."""
    from bgresearch.agent.client import Agent

    say: Callable[[str], object] = (lambda _text: None) if as_json else typer.echo
    if stdin:
        excludes("--stdin", ("--mode", mode))
    chosen = [_purpose(one) for one in purposes or []]
    if stdin and not chosen:
        chosen = [PURPOSES["spot"]]
    where = host or os.environ.get("BGRESEARCH_BASE_URL", "")
    try:
        if where.startswith(LOOPBACK):
            say(f"{messages.SANDBOX}\n")
        if not stdin:
            chosen = _prepared(chosen, mode, listed, say)
        elif listed is not None:
            _check_addresses(listed, strict=True)
        if not needs_key(chosen):
            print_result({"saved": None, "needs_key": False}, as_json, lambda: "")
            return
        said = {"note": note, "account": account, "rotate_by": rotate_by}
        with Agent() as agent:
            status = ready(agent, path)
            say("\n" + messages.FINGERPRINT.format(fingerprint=status.fingerprint))
            if not status.unlocked:
                _open(agent, path, password_file, exists=status.exists, asks=not stdin, say=say)
            label = _label(agent, name, asks=not stdin)
            wanted = KeyTarget("key", label, where, any(one.demo for one in chosen), **said)
            outcome = typed_until_kept(agent, wanted, Typing(stdin, rsa_key, accept_trade), say)
            assert outcome is not None  # noqa: S101 - None is for callers with on_unreachable
    except (KeyboardInterrupt, typer.Abort):
        typer.echo(f"\n{messages.STOPPED} {messages.INTERRUPTED}", err=True)
        raise
    _finish(outcome, chosen, as_json, say)


def _prepared(chosen: list[Purpose], mode: str, listed: str | None, say: Callable[[str], object]) -> list[Purpose]:
    """Show the steps before the key is made; return its purposes."""
    say(f"{messages.TITLE}\n\n{messages.STEP_TITLES['before']}")
    for sentence in messages.BEFORE:
        say(f"- {sentence}")
    chosen = chosen or _asked_purposes(say)
    if not needs_key(chosen):
        say("\n" + "\n".join(instructions(chosen, "classic")))
        return chosen
    say(f"\n{WHICH_MODE}")
    for sentence in instructions(chosen, _mode(mode, chosen)):
        say(f"- {sentence}")
    say(f"\n{messages.STEP_TITLES['address']}\n{addresses.WHY}\n{addresses.CHANGES}\n{addresses.FIND_OUT}")
    if listed is None:
        while not _check_addresses(answer(f"{messages.ADDRESS_QUESTION} (Enter for none)"), say=say):
            pass
    else:
        _check_addresses(listed, strict=True, say=say)
    return chosen


def _asked_purposes(say: Callable[[str], object]) -> list[Purpose]:
    names = list(PURPOSES)
    say(f"\n{messages.STEP_TITLES['purpose']}")
    for number, name in enumerate(names, start=1):
        say(f"  {number}. {PURPOSES[name].title}: {PURPOSES[name].words}")
    while True:
        numbers = answer("Numbers, with commas").replace(",", " ").split()
        if numbers and all(one.isdecimal() and 1 <= int(one) <= len(names) for one in numbers):
            return [PURPOSES[names[int(one) - 1]] for one in dict.fromkeys(numbers)]
        say(f"Type numbers from 1 to {len(names)}.")


def _purpose(name: str) -> Purpose:
    if name not in PURPOSES:
        raise InvalidInput("--for", f"{name!r} is no purpose.", hint=f"There is {', '.join(PURPOSES)}.")
    return PURPOSES[cast(Any, name)]


def _mode(given: str, chosen: list[Purpose]) -> Mode:
    """Return the account's mode: the given one, the only possible one, or the user's answer."""
    possible = set.intersection(*(set(one.modes) for one in chosen if one.needs_key))
    while True:
        only = next(iter(possible)) if len(possible) == 1 else ""
        said = given or only or answer(f"{messages.MODE_QUESTION} classic/unified")
        if said in get_args(Mode) and (not possible or said in possible):
            return cast(Mode, said)
        if given:
            raise InvalidInput("--mode", f"{given!r} does not fit.", hint=f"There is {' and '.join(sorted(possible))}.")
        typer.echo("Type classic or unified.")


def _check_addresses(listed: str, *, strict: bool = False, say: Callable[[str], object] = lambda _text: None) -> bool:
    """Return whether every address can be in a key's list, after printing why one cannot."""
    found = addresses.check_addresses(listed)
    bad = [one for one in found if not one.is_good]
    if strict and bad:
        raise InvalidInput("--addresses", bad[0].words, hint="Leave it out.")
    for one in found:
        say(f"{'✗' if not one.is_good else '!' if one.words else '✓'} {one.words or one.text}")
    if not found:
        say(f"! {messages.ADDRESS_NONE}")
    elif any("/" in one.text or ":" in one.text for one in found):
        say(addresses.UNDOCUMENTED)
    return not bad


def _label(agent: Agent, name: str | None, *, asks: bool) -> str:
    taken = {key.label for key in agent.status().keys}
    label = name or (answer(messages.LABEL_HELP, default=_LABEL) if asks else _LABEL)
    while label in taken:
        if not asks:
            raise ConfigurationError(messages.LABEL_TAKEN, hint=f"Type: bgresearch keys rotate {label}")
        typer.echo(messages.LABEL_TAKEN)
        label = answer(messages.LABEL_HELP)
    return label


def _open(
    agent: Agent, path: VaultPath, password_file: str, *, exists: bool, asks: bool, say: Callable[[str], object]
) -> None:
    say(f"\n{messages.OPEN_VAULT if exists else messages.NEW_VAULT}")
    if exists:
        unlock(agent, path, password_file)
        return
    while True:
        password = master_password(password_file, question="New master password", twice=True)
        if _is_strong(agent, password, say) or password_file or agreed("Use it anyway?", default=False):
            break
    send(agent, "create", {"password": password})
    if asks and agreed(f"{messages.RECOVERY_OFFER} Make one?", default=True):
        _recovery(agent, password)


def _is_strong(agent: Agent, password: Hidden[str], say: Callable[[str], object]) -> bool:
    """Return whether the agent scores a password as strong; True where it cannot."""
    with contextlib.suppress(ConfigurationError):
        judged = send(agent, "strength", {"password": password})
        if judged["score"] < GOOD_ENOUGH:
            say(" ".join([messages.PASSWORD_WEAK, *judged["words"]]))
            return False
    return True


def _recovery(agent: Agent, password: Hidden[str]) -> None:
    code = new_recovery_code(agent, password)
    typer.echo(f"\n    {code.value}\n\n{messages.RECOVERY_ASKED}")
    for left in reversed(range(_CODE_TRIES)):
        offer = agent.offer("confirm")
        asked = {"first": offer["asked"][0], "second": offer["asked"][1]}
        typed = {field: secret(f"Group {number} of the code", hint="Use one.") for field, number in asked.items()}
        try:
            send(agent, "confirm", typed)
        except (BgresearchError, VaultError) as error:
            if not left:
                raise
            typer.echo(f"✗ {error}")
        else:
            return


def _finish(outcome: EntryResult, chosen: list[Purpose], as_json: bool, say: Callable[[str], object]) -> None:
    kept, judgement = outcome.kept, outcome.judgement
    missing, spare = lacking(chosen, outcome.found), surplus(chosen, outcome.found)
    result = {
        "saved": kept.label if kept else None, "needs_key": True, "verdict": outcome.found.verdict,
        "colour": judgement.colour, "title": judgement.title, "fixes": list(judgement.fixes),
        "rotate_by": kept.rotate_by if kept else "", "lacking": [box.words for box in missing],
        "surplus": [box.words for box in spare], "findings": [one.to_json() for one in outcome.findings],
    }  # fmt: skip
    lines = [messages.LACKING.format(boxes=", ".join(box.words for box in missing))] if missing else []
    lines += [messages.LEAST.format(boxes=", ".join(box.words for box in spare))] if spare else []
    if kept is None:
        lines.append(messages.NOT_SAVED)
    else:
        lines += ["", messages.DONE, messages.REMINDER.format(date=kept.rotate_by), ""]
        lines += [f"    {line.format(label=kept.label)}" for line in messages.DONE_LINES]
    print_result(result, as_json, lambda: "\n".join(lines))
    if kept is not None and not as_json:
        say(f"\n{_first_balances(kept.label)}")
    raise typer.Exit(outcome.status)


def _first_balances(label: str) -> str:
    """Return the first balances as a table, or why they cannot be read; the key is saved in any case."""
    from bgresearch.connect import connect

    try:
        with warnings.catch_warnings(), connect(key=label) as client:
            warnings.simplefilter("ignore", UserWarning)  # accounts that the key may not read are expected here
            frame = client.account.assets()
    except BgresearchError as error:
        return f"No balances yet: {error}"
    return str(frame.head(10).to_string(index=False)) if len(frame) else "The account is empty."
