"""``bgresearch vault``: the commands that keep keys. The vault does the work; here stand only questions and answers."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bgresearch.agent.place import default_vault
from bgresearch.cli.asking import (
    Fields,
    PasswordFile,
    VaultPath,
    from_stdin,
    master_password,
    opened,
    secret,
)
from bgresearch.cli.words import AsJson, table, tell
from vault import EXCHANGE_HOST, Vault, calibrated
from vault.hidden import Hidden

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


TRIPLE = ("api_key", "secret_key", "passphrase")
QUESTIONS = {"api_key": "API key", "secret_key": "Secret key", "passphrase": "Passphrase"}


@app.command(cls=NoArguments)
def init(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """Make a new, empty vault. There is no way back into it without its master password."""
    place = path or default_vault()
    password = master_password(password_file, question="New master password", twice=True)
    Vault.create(place, password.value, profile=calibrated()).close()
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
    account: Annotated[str, typer.Option(help="Which of your accounts it belongs to.")] = "",
    rsa_key: Annotated[
        Path | None, typer.Option("--rsa-key", help="File with the RSA private key (PEM) of a key that signs with RSA.")
    ] = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Save a key under a name. The three texts are asked for without echo, or read from standard input."""
    with opened(path, password_file) as vault:
        triple = triple_of(stdin, rsa_key)
        words = {"host": host, "note": note, "account": account}
        vault.add(name, **{field: text.value for field, text in triple.items()}, **words, demo=demo)
    tell({"added": name}, as_json, lambda: f"Saved {name!r}. Next: bgresearch check {name}")


@app.command("list", cls=NoArguments)
def list_keys(path: VaultPath = None, password_file: PasswordFile = "", as_json: AsJson = False) -> None:
    """List the keys: names, hosts, fingerprints, last checks and reminders; nothing secret."""
    now_ms = time.time_ns() // 1_000_000
    with opened(path, password_file) as vault:
        keys = [{**asdict(info), "reminder": info.reminder(now_ms)} for info in vault.describe()]
    shown = [
        {
            "name": key["label"],
            "environment": "demo" if key["demo"] else "live",
            "host": key["host"],
            "fingerprint": key["fingerprint"],
            "added": key["created"],
            "checked": f"{key['checked'][:10]} {key['verdict']}".strip() or "never",
            "rotate by": key["rotate_by"],
            "note": key["note"],
        }
        for key in keys
    ]
    reminders = [f"{key['label']}: {key['reminder']}" for key in keys if key["reminder"]]
    told = [{**of_list, **key, "name": key["label"]} for of_list, key in zip(shown, keys, strict=True)]
    tell(
        {"keys": told},
        as_json,
        lambda: (
            "\n".join([table(shown), *reminders]) if shown else "The vault is empty. Next: bgresearch vault add NAME"
        ),
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
    """Change the master password, and delete the kept generations, which open with the old one."""
    place = path or default_vault()
    words = from_stdin("password", "new_password") if stdin else _both_passwords(password_file)
    with Vault.open(place, words["password"].value) as vault:
        vault.change_password(words["password"].value, words["new_password"].value)
    tell({"vault": str(place)}, as_json, lambda: f"The master password of {place} is changed.")


def triple_of(stdin: bool, rsa_key: Path | None) -> Fields:
    """Return the three texts of a key: from standard input, or asked for; an RSA private key from its file."""
    if stdin:
        return from_stdin(*TRIPLE)
    hint = "Use --stdin and give the key as JSON."
    wanted = {field: question for field, question in QUESTIONS.items() if rsa_key is None or field != "secret_key"}
    asked = {field: secret(question, hint=hint) for field, question in wanted.items()}
    return asked if rsa_key is None else {**asked, "secret_key": Hidden(rsa_key.read_text(encoding="ascii"))}


def _both_passwords(password_file: str) -> Fields:
    old = master_password(password_file)
    return {"password": old, "new_password": secret("New master password", hint="Use --stdin.", twice=True)}
