"""``bgresearch vault``, continued: what is done with a vault now and then."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgresearch.agent.place import default_vault
from bgresearch.cli.asking import PasswordFile, VaultPath, from_stdin, master_password, opened, secret
from bgresearch.cli.keys import Name, triple_of
from bgresearch.cli.words import AsJson, table, tell
from bgresearch.errors import ConfigurationError, InvalidInput
from vault import Checked, Credential, Vault, from_found, new_code, read_copy
from vault.hidden import Hidden
from vault.sources import Found, cleaned_file, from_environment, from_file

if TYPE_CHECKING:
    from vault.transfer import Incoming

Stdin = Annotated[bool, typer.Option("--stdin", help="Read the secrets as JSON from standard input.")]
ASKED_BACK = 2  # groups of a recovery code


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(help="The new label.", show_default=False)],
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Give a key another name."""
    with opened(path, password_file) as vault:
        vault.rename(name, new)
    tell({"renamed": name, "name": new}, as_json, lambda: f"{name!r} is now {new!r}.")


def edit(
    name: Name,
    note: Annotated[str | None, typer.Option(help="Words of your own, shown by list.")] = None,
    account: Annotated[str | None, typer.Option(help="Which of your accounts it belongs to.")] = None,
    rotate_by: Annotated[str | None, typer.Option(help="Date by which to replace it: 2027-01-31.")] = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Change what is said about a key."""
    with opened(path, password_file) as vault:
        vault.edit(name, note=note, account=account, rotate_by=rotate_by)
    tell({"edited": name}, as_json, lambda: f"Changed what is said about {name!r}.")


def rotate(
    name: Annotated[str | None, typer.Argument(help="The key's label.", show_default=False)] = None,
    stdin: Stdin = False,
    rsa_key: Annotated[Path | None, typer.Option("--rsa-key", help="File with the new RSA private key (PEM).")] = None,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Do not ask the exchange about the new key.")] = False,
    data_key: Annotated[
        bool, typer.Option("--data-key", help="Encrypt the whole vault under a new data key instead.")
    ] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Put a new key in the place of an old one. The old one goes when the exchange has accepted the new one."""
    if data_key == (name is not None):
        raise InvalidInput("NAME", "give a key's name, or --data-key alone.")
    if name is None:
        password = master_password(password_file)
        with Vault.open(path or default_vault(), password.value) as vault:
            vault.rotate_data_key(password.value)
        again = "Encrypted under a new data key. A recovery code or keyring has to be set up again."
        tell({"rotated": "data key"}, as_json, lambda: again)
        return
    with opened(path, password_file) as vault:
        triple = triple_of(stdin, rsa_key)
        check = None if unchecked else _checked
        vault.rotate(name, **{field: text.value for field, text in triple.items()}, check=check)
        verdict = next(info.verdict for info in vault.describe() if info.label == name)
    said = f" The exchange says: {verdict}." if verdict else ""
    words = f"{name!r} is the new key now.{said} Delete the old one at the exchange."
    tell({"rotated": name, "verdict": verdict}, as_json, lambda: words)


def export(
    file: Annotated[Path, typer.Argument(help="The file to make.", show_default=False)],
    stdin: Annotated[bool, typer.Option("--stdin", help='Read {"copy_password"} as JSON from standard input.')] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Write an encrypted copy of all keys, under a password of its own."""
    with opened(path, password_file) as vault:
        given = from_stdin("copy_password")["copy_password"] if stdin else _copy_password(twice=True)
        count = vault.export(file, given.value)
    tell({"exported": count, "file": str(file)}, as_json, lambda: f"{count} keys are in {file}, encrypted.")


def import_keys(
    source: Annotated[
        str, typer.Argument(help="An encrypted copy, a .env or JSON file, or 'env' for this environment.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Save them; without it they are only shown.")] = False,
    remove_source: Annotated[
        bool, typer.Option("--remove-source", help="Take the keys out of a plain file once they are saved.")
    ] = False,
    demo: Annotated[bool, typer.Option("--demo", help="They belong to the demo environment.")] = False,
    stdin: Annotated[bool, typer.Option("--stdin", help='Read {"copy_password"} as JSON from standard input.')] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Show the keys in a source by label and fingerprint; with --yes save them."""
    with opened(path, password_file) as vault:
        incoming, found = _incoming(source, stdin, demo)
        shown = [asdict(candidate) for candidate in vault.preview(incoming)]
        saved = vault.import_keys(incoming) if yes else []
    removed = bool(saved and remove_source and found and source != "env")
    if removed:
        cleaned_file(Path(source), [one for one in found if one.label in saved])
    rows = [{**one, "problem": one["problem"] or "-"} for one in shown]
    words = [table(rows) if rows else "There are no keys of this exchange in it."]
    words.append(
        f"Saved: {', '.join(saved)}." if saved else "Nothing was saved; add --yes to save them." if rows else ""
    )
    if found and saved and not removed:
        places = ", ".join(sorted({place for one in found for place in one.places.values()}))
        words.append(f"The plain texts are still there ({places}). Take them out: --remove-source, or by hand.")
    tell({"keys": shown, "saved": saved, "removed": removed}, as_json, lambda: "\n".join(words))


def restore(
    generation: Annotated[int | None, typer.Argument(help="Which one; without it they are listed.")] = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Bring back a kept generation as the newest one; what it replaces is kept."""
    place = path or default_vault()
    if generation is None:
        kept = [{"generation": str(one.number), "saved": one.saved} for one in Vault.kept(place)]
        tell({"kept": kept}, as_json, lambda: table(kept) if kept else "No generation is kept.")
        return
    with Vault.restore(place, generation, master_password(password_file).value) as vault:
        names, number = vault.names(), vault.generation
    words = f"Generation {generation} is back, as generation {number}: {', '.join(names) or 'no keys'}."
    tell({"restored": generation, "generation": number, "keys": names}, as_json, lambda: words)


def audit(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """Show what happened to which key, and check that nothing of it was changed. Exit status 1: it was."""
    with opened(path, password_file) as vault:
        trail = vault.audit()
    events = [{**asdict(event), "number": str(event.number)} for event in trail.events]
    problems = [f"Not as it was written: {problem}." for problem in trail.problems]
    lines = [table(events)] if events else ["Nothing is written down yet."]
    tell({"events": events, "problems": list(trail.problems)}, as_json, lambda: "\n".join([*lines, *problems]))
    if problems:
        raise typer.Exit(1)


def recovery(
    open_with: Annotated[bool, typer.Option("--open", help="Set a new master password with the code.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the code's power away.")] = False,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='With --open: read {"recovery_code", "new_password"} as JSON.')
    ] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Make a recovery code: shown once, for paper. It opens the vault when the master password is lost."""
    place = path or default_vault()
    if open_with:
        given = from_stdin("recovery_code", "new_password") if stdin else _code_and_password()
        with Vault.open_with_recovery(place, given["recovery_code"].value) as vault:
            vault.reset_password(given["recovery_code"].value, given["new_password"].value)
        tell({"vault": str(place)}, as_json, lambda: f"The master password of {place} is changed.")
        return
    password = master_password(password_file)
    with Vault.open(place, password.value) as vault:
        if remove:
            vault.remove_unlock("recovery")
        else:
            vault.set_recovery(password.value, _written_down().value)
    tell({"recovery": not remove}, as_json, lambda: "The code is void." if remove else "The code opens the vault now.")


def keyring(
    remove: Annotated[bool, typer.Option("--remove", help="Take the keyring's power away.")] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Let the operating system's keyring open the vault: from then on --password-file @keyring does."""
    from bgresearch import oskeyring

    place = path or default_vault()
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
    words = "The keyring no longer opens the vault." if remove else "From now on: --password-file @keyring"
    tell({"keyring": not remove}, as_json, lambda: words)


def _written_down() -> Hidden[str]:
    """Return a new code that somebody has on paper: two of its groups are asked back."""
    code = new_code()
    groups = Hidden(code.value.split("-"))
    typer.echo("Write this down and keep it where the vault is not. It is shown only now.\n")
    typer.echo(f"    {code.value}\n")
    for number in sorted(secrets.SystemRandom().sample(range(len(groups.value)), ASKED_BACK)):
        typed = secret(f"Group {number + 1} of the code", hint="A recovery code is made on a terminal only.")
        if typed.value.strip().upper() != groups.value[number]:
            raise ConfigurationError("That is not the group.", hint="No code was set up; start again.")
    return code


def _incoming(source: str, stdin: bool, demo: bool) -> tuple[Incoming, list[Found]]:
    if source == "env":
        found = from_environment()
        return from_found(found, demo=demo), found
    file = Path(source)
    with file.open("rb") as stream:
        is_copy = b'"bgresearch-vault"' in stream.read()
    if is_copy:
        given = from_stdin("copy_password")["copy_password"] if stdin else _copy_password(twice=False)
        return read_copy(file, given.value), []
    found = from_file(file)
    return from_found(found, demo=demo), found


def _copy_password(*, twice: bool) -> Hidden[str]:
    return secret("Password of the copy", hint="Use --stdin.", twice=twice)


def _code_and_password() -> dict[str, Hidden[str]]:
    code = secret("Recovery code", hint="Use --stdin.")
    return {"recovery_code": code, "new_password": secret("New master password", hint="Use --stdin.", twice=True)}


class _OneKey:
    """Shows one credential as if it were a vault."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def get(self, name: str) -> Credential:
        return self._credential


def _checked(credential: Credential) -> Checked:
    """Ask the exchange about a new key; it raises if the key does not work."""
    from bgresearch.connect import connect

    with connect(key=credential.name, vault=_OneKey(credential), base_url=credential.host) as client:
        found = client.permissions()
    return Checked(found.verdict, bool(found.addresses))
