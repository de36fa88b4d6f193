"""How secrets are entered: a prompt without echo, a password file, or JSON on standard input. Never an argument.

Everything that is read here is passed on inside ``Hidden``, so that no traceback shows it.
"""

from __future__ import annotations

import getpass
import json
import os
import stat
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from bgresearch.agent.hardening import harden
from bgresearch.agent.socket_path import MAKE_VAULT, default_vault
from bgresearch.cli.options import home_replaced
from bgresearch.core.user_folders import expanded
from bgresearch.errors import ConfigurationError, InvalidInput
from vault import Vault, VaultMissing
from vault.hidden import Hidden

PasswordFile = Annotated[
    str,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Its first line is the master password. - is standard input, @keyring the system's keyring.",
    ),
]
VaultPath = Annotated[
    Path | None,
    typer.Option(
        "--vault",
        metavar="FILE",
        envvar="BGRESEARCH_VAULT",
        callback=home_replaced,
        help="The vault file.",
        show_default="in the user's folder",
    ),
]
Fields = dict[str, Hidden[str]]

_STANDARD_INPUT = "-"
_LONGEST_LINE = 8192  # characters, far above the longest password
KEYRING = "@keyring"  # where it is sufficient to open the vault
_TYPE_IT = "Leave it out and type the master password, or name a file that has it."
_TERMINAL = "Check the terminal's settings."
_NO_TERMINAL = "There is no terminal to ask on."
_OPTIONS = "Use --stdin, or options."
UNASKED = "With --yes nothing is asked."


def secret(question: str, *, hint: str, twice: bool = False) -> Hidden[str]:
    """Return what the user typed without echo.

    Raises
    ------
    ConfigurationError
        There is no terminal, or the two answers differ; nothing that was typed is in the message.
    """
    typed = _typed(question, hint)
    if twice and _typed(f"{question}, again", hint).value != typed.value:
        raise ConfigurationError("The two answers differ.", hint="Type the same one twice.")
    return typed


def master_password(password_file: str, *, question: str = "Master password", twice: bool = False) -> Hidden[str]:
    """Return the master password from the file, from standard input (``-``), or from a prompt.

    From then on other programs of the same user cannot read this process, where the platform can forbid that.
    """
    harden()
    if not password_file:
        return secret(question, hint="Use --password-file FILE, or - for standard input.", twice=twice)
    if password_file == KEYRING:
        raise InvalidInput("--password-file", "the keyring does not hold the master password itself.", hint=_TYPE_IT)
    if password_file == _STANDARD_INPUT:
        return _line_of_stdin()
    return _first_line(expanded(password_file))


def from_stdin(*names: str) -> Fields:
    """Return the named fields of the JSON object on standard input.

    Raises
    ------
    InvalidInput
        Not JSON, not an object of texts, a field is missing or too many, or one has half a character in it, which
        JSON can spell and nothing else can; no value is in the message.
    """
    try:
        given = Hidden(json.loads(sys.stdin.read()))
    except (ValueError, RecursionError):  # its text would carry what was read
        raise InvalidInput("--stdin", "standard input is not JSON.", hint=_shape(names)) from None
    if not isinstance(given.value, dict) or any(not isinstance(given.value.get(name), str) for name in names):
        raise InvalidInput("--stdin", "a field is missing or is not text.", hint=_shape(names))
    if given.value.keys() != set(names):
        raise InvalidInput("--stdin", "there is a field that this command does not use.", hint=_shape(names))
    for name in names:
        if any("\ud800" <= character <= "\udfff" for character in given.value[name]):
            raise InvalidInput("--stdin", f"{name} has half a character (a surrogate) in it.", hint="Paste it again.")
    return {name: Hidden(given.value[name]) for name in names}


def existing_vault(path: Path | None) -> Path:
    """Return the vault's path after checking, before anything is typed, that the file is there and safe to open.

    Raises
    ------
    VaultMissing
        There is no vault yet.
    VaultError
        The file or its folder is open to other users, damaged, or gone while earlier generations are kept.
    """
    place = path or default_vault()
    try:
        Vault.id_of(place)
    except VaultMissing:
        if os.path.lexists(place.parent) and Vault.kept(place):
            raise
        raise VaultMissing(f"there is no vault yet at {place}. {MAKE_VAULT}") from None
    return place


def opened(path: Path | None, password_file: str) -> Vault:
    """Return the vault, opened with the password that was typed, or with the code in the system's keyring."""
    place = existing_vault(path)
    if password_file == KEYRING:
        from bgresearch.keys import os_keyring as oskeyring

        return Vault.open_with_keyring(place, oskeyring.fetch(Vault.id_of(place), oskeyring.system_backend()).value)
    return Vault.open(place, master_password(password_file).value)


def on_terminal() -> bool:
    """Return whether there is a user to ask."""
    return sys.stdin.isatty()


def answer(question: str, *, default: str = "", instead: str = _OPTIONS) -> str:
    """Return one line that the user typed; never use it for secrets.

    ``instead`` says what to do where there is no terminal.

    Raises
    ------
    ConfigurationError
        There is no terminal.
    """
    if not on_terminal():
        raise ConfigurationError(_NO_TERMINAL, hint=instead)
    try:
        return str(typer.prompt(question, default=default, show_default=bool(default))).strip()
    except UnicodeDecodeError:
        raise ConfigurationError("What was typed is not UTF-8 text.", hint=_TERMINAL) from None


def agreed(question: str, *, default: bool, instead: str = _OPTIONS) -> bool:
    """Return whether the user answered yes; ``instead`` says what to do where there is no terminal."""
    shown = f"{question} [{'Y/n' if default else 'y/N'}]"
    while (said := answer(shown, instead=instead).lower()) not in {"", "y", "yes", "n", "no"}:
        typer.echo("Type y or n.")
    return said[:1] == "y" if said else default


def _typed(question: str, hint: str) -> Hidden[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would continue, with echo
        try:
            return Hidden(getpass.getpass(f"{question}: "))
        except (getpass.GetPassWarning, EOFError):
            raise ConfigurationError(_NO_TERMINAL, hint=hint) from None
        except UnicodeDecodeError:
            raise ConfigurationError(
                "What was typed is not UTF-8 text.", hint="Check the terminal's settings."
            ) from None


def _line_of_stdin() -> Hidden[str]:
    try:
        return Hidden(sys.stdin.readline().removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        raise ConfigurationError("The password on standard input is not UTF-8 text.", hint=_TYPE_IT) from None


def _first_line(path: Path) -> Hidden[str]:
    """Return the first line, and warn if other users may read the file."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            line = Hidden(file.readline(_LONGEST_LINE).removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text.", hint="Give the file that holds the password.") from None
    if os.name != "nt" and stat.S_ISREG(mode) and mode & 0o077 and "--json" not in sys.argv:
        typer.echo(f"bgresearch: other users of this machine can read {path}; type: chmod 600 {path}", err=True)
    return line


def _shape(names: tuple[str, ...]) -> str:
    return "Give an object: {" + ", ".join(f'"{name}": "..."' for name in names) + "}."
