"""``bgresearch vault``: manages the vault's file. The keys in it are managed with ``bgresearch keys``."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bgresearch.agent.socket_path import default_vault
from bgresearch.cli import agent, keys
from bgresearch.cli.options import NoArguments, excludes, needs
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.cli.prompts import (
    Fields,
    PasswordFile,
    VaultPath,
    existing_vault,
    from_stdin,
    master_password,
    opened,
    secret,
)
from bgresearch.errors import ConfigurationError, InvalidInput
from vault import DamagedVault, HostileHeader, NewerVersion, Vault, VaultMissing, calibrated, new_code
from vault.hidden import Hidden

CONFIRMED_GROUPS = 2  # of a recovery code


class WithKeys(TyperGroup):
    """The commands of the vault's file; those of ``keys`` work here too, as the same commands."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        root: Any = ctx.find_root()
        found = super().get_command(ctx, cmd_name)
        return found or root.command.get_command(root, "keys").get_command(ctx, cmd_name)


app = typer.Typer(
    no_args_is_help=True, cls=WithKeys, help="The encrypted file of the keys, and the agent that opens it."
)


@app.command(cls=NoArguments)
def init(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """Create a new, empty vault. It cannot be opened without its master password."""
    place = path or default_vault()
    Vault.check_absent(place)
    password = master_password(password_file, question="New master password", twice=True)
    Vault.create(place, password.value, profile=calibrated()).close()
    print_result({"vault": str(place)}, as_json, lambda: f"Created {place}. Next: bgresearch keys add NAME")


@app.command(cls=NoArguments)
def passwd(
    stdin: Annotated[
        bool, typer.Option("--stdin", help='Read {"password", "new_password"} as JSON from standard input.')
    ] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Change the master password, and delete the kept generations, which open with the old one."""
    if stdin:
        excludes("--stdin", ("--password-file", password_file))
    place = existing_vault(path)
    given = from_stdin("password", "new_password") if stdin else _both_passwords(password_file)
    with Vault.open(place, given["password"].value) as vault:
        vault.change_password(given["password"].value, given["new_password"].value)
    print_result({"vault": str(place)}, as_json, lambda: f"The master password of {place} is changed.")


@app.command(cls=NoArguments)
def rotate(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="As keys rotate NAME.", show_default=False)] = None,
    stdin: keys.Stdin = False,
    rsa_key: keys.RsaKey = None,
    accept_trade: keys.AcceptTrade = False,
    unchecked: keys.Unchecked = False,
    data_key: Annotated[bool, typer.Option("--data-key", help="Encrypt the whole vault under a new data key.")] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Encrypt the whole vault under a new data key; with a name, do what keys rotate does."""
    if data_key == (name is not None):
        raise InvalidInput("NAME", "give --data-key alone, or a key's name.")
    if name is not None:
        keys.rotate(name, stdin, rsa_key, accept_trade, unchecked, path, password_file, as_json)
        return
    of_a_key = {"--stdin": stdin, "--rsa-key": rsa_key, "--accept-trade": accept_trade, "--unchecked": unchecked}
    excludes("--data-key", *of_a_key.items())
    place = existing_vault(path)
    password = master_password(password_file)
    with Vault.open(place, password.value) as vault:
        vault.rotate_data_key(password.value)
    again = "Encrypted under a new data key. A recovery code or keyring has to be set up again."
    print_result({"rotated": "data key"}, as_json, lambda: again)


@app.command(cls=NoArguments)
def restore(
    generation: Annotated[int | None, typer.Argument(help="Which one; without it they are listed.")] = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Restore a kept generation as the newest one; what it replaces is kept."""
    place = path or default_vault()
    if generation is None:
        kept = [{"generation": str(one.number), "saved": one.saved} for one in Vault.kept(place)]
        print_result({"kept": kept}, as_json, lambda: table(kept) if kept else "No generation is kept.")
        return
    try:
        existing_vault(path)
    except VaultMissing:
        # a file that is gone can be restored from its generations
        if not (place.parent.is_dir() and Vault.kept(place)):
            raise
    except (DamagedVault, HostileHeader, NewerVersion):
        pass  # a reason to restore
    with Vault.restore(place, generation, master_password(password_file).value) as vault:
        names, number = vault.names(), vault.generation
    text = f"Generation {generation} is restored, as generation {number}: {', '.join(names) or 'no keys'}."
    print_result({"restored": generation, "generation": number, "keys": names}, as_json, lambda: text)


@app.command(cls=NoArguments)
def audit(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """Show what happened to which key, and check that the trail was not changed. Exit status 1: it was."""
    with opened(path, password_file) as vault:
        trail = vault.audit()
    events = [{**asdict(event), "number": str(event.number)} for event in trail.events]
    problems = [f"The audit trail is not as it was written: {problem}." for problem in trail.problems]
    lines = [table(events)] if events else ["The audit trail is empty."]
    print_result({"events": events, "problems": list(trail.problems)}, as_json, lambda: "\n".join([*lines, *problems]))
    if problems:
        raise typer.Exit(1)


@app.command(cls=NoArguments)
def recovery(
    open_with: Annotated[bool, typer.Option("--open", help="Set a new master password with the code.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Make the code invalid.")] = False,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='With --open: read {"recovery_code", "new_password"} as JSON.')
    ] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Make a recovery code, shown once, to write on paper. It opens the vault if the master password is lost."""
    if stdin:
        needs("--stdin", "--open", open_with)
    if open_with:
        excludes("--open", ("--remove", remove), ("--password-file", password_file))
    place = existing_vault(path)
    if open_with:
        given = from_stdin("recovery_code", "new_password") if stdin else _code_and_password()
        with Vault.open_with_recovery(place, given["recovery_code"].value) as vault:
            vault.reset_password(given["recovery_code"].value, given["new_password"].value)
        print_result({"vault": str(place)}, as_json, lambda: f"The master password of {place} is changed.")
        return
    password = master_password(password_file)
    with Vault.open(place, password.value) as vault:
        if remove:
            vault.remove_unlock("recovery")
        else:
            vault.set_recovery(password.value, _written_down().value)
    print_result(
        {"recovery": not remove},
        as_json,
        lambda: "The code is no longer valid." if remove else "The code opens the vault now.",
    )


@app.command(cls=NoArguments)
def keyring(
    remove: Annotated[bool, typer.Option("--remove", help="Stop the keyring from opening the vault.")] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Let the operating system's keyring open the vault: from then on --password-file @keyring works."""
    from bgresearch.keys import os_keyring as oskeyring

    place = existing_vault(path)
    backend = oskeyring.system_backend()
    password = master_password(password_file)
    with Vault.open(place, password.value) as vault:
        if remove:
            vault.remove_unlock("keyring")
            oskeyring.forget(vault.vault_id, backend)
        else:
            code = new_code()
            oskeyring.keep(vault.vault_id, code, backend)
            vault.set_keyring(password.value, code.value)
    text = "The keyring no longer opens the vault." if remove else "From now on: --password-file @keyring"
    print_result({"keyring": not remove}, as_json, lambda: text)


for command in (agent.unlock, agent.lock, agent.status):
    app.command(cls=NoArguments)(command)


def _written_down() -> Hidden[str]:
    """Return a new code that the user has written down: two of its groups are confirmed."""
    code = new_code()
    groups = Hidden(code.value.split("-"))
    typer.echo("Write this down and keep it away from this machine. It is shown only once.\n")
    typer.echo(f"    {code.value}\n")
    for number in sorted(secrets.SystemRandom().sample(range(len(groups.value)), CONFIRMED_GROUPS)):
        typed = secret(f"Group {number + 1} of the code", hint="A recovery code is made on a terminal only.")
        if typed.value.strip().upper() != groups.value[number]:
            raise ConfigurationError("This group does not match.", hint="No code was set up; start again.")
    return code


def _code_and_password() -> dict[str, Hidden[str]]:
    code = secret("Recovery code", hint="Use --stdin.")
    return {"recovery_code": code, "new_password": secret("New master password", hint="Use --stdin.", twice=True)}


def _both_passwords(password_file: str) -> Fields:
    old = master_password(password_file)
    return {"password": old, "new_password": secret("New master password", hint="Use --stdin.", twice=True)}
