"""``bgresearch vault``: the commands that keep keys. The vault does the work; here stand only questions and answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bgresearch.cli.asking import (
    Fields,
    PasswordFile,
    VaultPath,
    default_vault,
    from_stdin,
    master_password,
    opened,
    secret,
)
from bgresearch.cli.words import AsJson, table, tell
from vault import EXCHANGE_HOST, Vault

app = typer.Typer(no_args_is_help=True, help="Keep exchange keys, encrypted under one master password.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's label.", show_default=False)]


class NoArguments(TyperCommand):
    """A command that refuses surplus arguments without repeating them, as the framework's own message would."""

    allow_extra_args = True

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # its own context class moved between releases
        if ctx.args:
            raise typer.BadParameter(
                "no secret is taken as an argument: leave it out and wait for the question, or use --stdin.",
                ctx=ctx,
                param_hint="arguments",
            )
        return super().invoke(ctx)


_TRIPLE = ("api_key", "secret_key", "passphrase")
_QUESTIONS = {"api_key": "API key", "secret_key": "Secret key", "passphrase": "Passphrase"}


@app.command(cls=NoArguments)
def init(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """Make a new, empty vault. There is no way back into it without its master password."""
    place = path or default_vault()
    Vault.create(place, master_password(password_file, question="New master password", twice=True).value).close()
    tell({"vault": str(place)}, as_json, lambda: f"Made {place}. Next: bgresearch vault add NAME")


@app.command(cls=NoArguments)
def add(
    name: Name,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='Read {"api_key", "secret_key", "passphrase"} as JSON from standard input.')
    ] = False,
    host: Annotated[
        str, typer.Option(metavar="URL", help="The only address that the key will be used with.")
    ] = EXCHANGE_HOST,
    demo: Annotated[bool, typer.Option("--demo", help="The key belongs to the exchange's demo environment.")] = False,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Words of your own, shown by list.")] = "",
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Save a key under a name. The three texts are asked for without echo, or read from standard input."""
    with opened(path, password_file) as vault:
        triple = from_stdin(*_TRIPLE) if stdin else _asked()
        vault.add(name, **{field: text.value for field, text in triple.items()}, host=host, demo=demo, note=note)
    tell({"added": name}, as_json, lambda: f"Saved {name!r}. Next: bgresearch check {name}")


@app.command("list", cls=NoArguments)
def list_keys(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """List the keys: names, hosts and fingerprints, nothing secret."""
    with opened(path, password_file) as vault:
        keys = [asdict(info) for info in vault.describe()]
    shown = [
        {
            "name": key["label"],
            "environment": "demo" if key["demo"] else "live",
            "host": key["host"],
            "fingerprint": key["fingerprint"],
            "added": key["created"],
            "note": key["note"],
        }
        for key in keys
    ]
    tell(
        {"keys": shown},
        as_json,
        lambda: table(shown) if shown else "The vault is empty. Next: bgresearch vault add NAME",
    )


@app.command(cls=NoArguments)
def remove(
    name: Name,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Take a key out of the vault. Delete it at the exchange too if somebody else may know it."""
    with opened(path, password_file) as vault:
        vault.remove(name)
    tell(
        {"removed": name},
        as_json,
        lambda: f"Removed {name!r}. The exchange still knows the key until you delete it there.",
    )


@app.command(cls=NoArguments)
def passwd(
    stdin: Annotated[
        bool, typer.Option("--stdin", help='Read {"password", "new_password"} as JSON from standard input.')
    ] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Change the master password. The keys stay as they are."""
    place = path or default_vault()
    words = from_stdin("password", "new_password") if stdin else _both_passwords(password_file)
    with Vault.open(place, words["password"].value) as vault:
        vault.change_password(words["password"].value, words["new_password"].value)
    tell({"vault": str(place)}, as_json, lambda: f"The master password of {place} is changed.")


def _asked() -> Fields:
    hint = "Use --stdin and give the key as JSON."
    return {field: secret(question, hint=hint) for field, question in _QUESTIONS.items()}


def _both_passwords(password_file: str) -> Fields:
    old = master_password(password_file)
    return {"password": old, "new_password": secret("New master password", hint="Use --stdin.", twice=True)}
