"""``bgresearch keys import`` and ``export``: import from other tools' files and encrypted copies, and export copies."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgresearch.cli.check import CAN_WITHDRAW, CAN_WRITE, NotReached, refused, status_of
from bgresearch.cli.options import excludes, needs
from bgresearch.cli.output import FAILED, AsJson, print_result, table
from bgresearch.cli.prompts import PasswordFile, VaultPath, agreed, from_stdin, on_terminal, opened, secret
from bgresearch.errors import BgresearchError, ConfigurationError, InvalidInput
from bgresearch.keys.onboarding.verdicts import judge
from vault import EXCHANGE_HOST, Candidate, Checked, Credential, Vault, VaultError, from_found, read_copy
from vault.envelope import MAX_FILE_BYTES
from vault.hidden import Hidden
from vault.sources import Source, cleaned_file, environment_source, read_source

if TYPE_CHECKING:
    from vault.transfer import Incoming

_ATTEMPTS = 2  # of one request
ENVIRONMENT = "env"


class NotImported(BgresearchError):
    """A part of the import was not done; the rest was, and has been reported."""


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
    print_result({"exported": count, "file": str(file)}, as_json, lambda: f"{count} keys are in {file}, encrypted.")


def import_keys(
    source: Annotated[
        str, typer.Argument(help="An encrypted copy, a .env, JSON, TOML or INI file, or 'env' for this environment.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Save them; without this option they are only shown.")] = False,
    remove_source: Annotated[
        bool, typer.Option("--remove-source", help="Remove the keys from a plain file once the exchange accepted them.")
    ] = False,
    host: Annotated[
        str,
        typer.Option(metavar="URL", help="The only address that they will be used with.", show_default="the exchange"),
    ] = "",
    demo: Annotated[bool, typer.Option("--demo", help="They belong to the demo environment.")] = False,
    accept_trade: Annotated[
        bool, typer.Option("--accept-trade", help="Save keys that can trade; never one that can withdraw.")
    ] = False,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Do not check at the exchange; --remove-source then removes unchecked texts."),
    ] = False,
    stdin: Annotated[bool, typer.Option("--stdin", help='Read {"copy_password"} as JSON from standard input.')] = False,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Show the keys in a source by label and fingerprint; with --yes save those that the exchange accepts."""
    is_copy = source != ENVIRONMENT and _is_copy(Path(source))
    for option, given in (
        ("--remove-source", remove_source),
        ("--accept-trade", accept_trade),
        ("--unchecked", unchecked),
    ):
        if given:
            needs(option, "--yes", yes)
    if unchecked:
        excludes("--unchecked", ("--accept-trade", accept_trade))
    if is_copy:
        excludes("an encrypted copy", ("--remove-source", remove_source), ("--host", host), ("--demo", demo))
    elif stdin:
        raise InvalidInput("--stdin", f"{source} is not an encrypted copy and needs no password.")
    if source == ENVIRONMENT:
        excludes("env", ("--remove-source", remove_source))
    with opened(path, password_file) as vault:
        plain = None if is_copy else _plain(source)
        bound = host or os.environ.get("BGRESEARCH_BASE_URL") or EXCHANGE_HOST
        incoming = _copied(Path(source), stdin) if plain is None else from_found(plain.found, host=bound, demo=demo)
        done = Import(vault.preview(incoming), plain)
        if yes:
            done.save(vault, incoming, accept_trade=accept_trade, unchecked=unchecked)
    if remove_source:
        done.remove(Path(source), unchecked=unchecked)
    print_result(done.to_json(), as_json, lambda: "\n".join(done.lines(yes=yes)))
    done.end(yes=yes)


@dataclass
class Import:
    """The keys that an import found, and its result for each."""

    shown: list[Candidate]
    plain: Source | None
    saved: list[str] = field(default_factory=list)
    checked: dict[str, Checked] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # why a key was not saved
    status: int = 0
    removed: bool = False
    kept_source: str = ""  # why the plain texts are still in their file
    left: tuple[Path, ...] = ()
    unread: tuple[Path, ...] = ()

    def save(self, vault: Vault, incoming: Incoming, *, accept_trade: bool, unchecked: bool) -> None:
        """Examine the keys at the exchange and save those that may be kept, by the same rule as every other command."""
        unreachable: set[str] = set()  # hosts
        self.refused = {one.label: one.problem for one in self.shown if one.problem}
        for credential in incoming.credentials():
            if credential.name in self.refused:
                continue
            try:
                if not unchecked and credential.host not in unreachable:
                    self._examine(credential, accept_trade=accept_trade)
            except NotReached:
                unreachable.add(credential.host)
            except ConfigurationError as error:
                self._refuse(credential.name, str(error), FAILED)
            doubt = incoming.doubts.get(credential.name)
            if doubt and credential.name not in self.checked.keys() | self.refused.keys():
                self._refuse(credential.name, f"{doubt}; it is saved only if the exchange accepts it", FAILED)
        names = [one.label for one in self.shown if one.label not in self.refused]
        self.saved = vault.import_keys(incoming, checked=self.checked, only=names)
        self.status = self.status or (FAILED if self.refused else 0)

    def remove(self, path: Path, *, unchecked: bool) -> None:
        """Remove the saved keys from their file, if the exchange accepted them or the user does not require that."""
        found = [one for one in (self.plain.found if self.plain else []) if one.label in self.saved]
        blind = [one.label for one in found if one.label not in self.checked]
        if not found:
            self.kept_source = "nothing was saved"
        elif blind and not unchecked and not _agreed_blind(blind):
            self.kept_source = f"{', '.join(blind)} could not be checked at the exchange"
        else:
            try:
                cleaned = cleaned_file(path, found)
                self.left, self.unread, self.removed = cleaned.left, cleaned.unread, True
            except (VaultError, OSError) as error:
                self.kept_source = str(error)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        keys = [
            {**asdict(one), "verdict": self.checked[one.label].verdict if one.label in self.checked else None,
             "refused": self.refused.get(one.label, "")}
            for one in self.shown
        ]  # fmt: skip
        return {
            "format": self.plain.format if self.plain else "encrypted copy", "keys": keys, "saved": self.saved,
            "incomplete": list(self.plain.incomplete if self.plain else ()), "removed": self.removed,
            "source_kept_because": self.kept_source, "left": [str(one) for one in self.left],
            "unread": [str(one) for one in self.unread],
        }  # fmt: skip

    def lines(self, *, yes: bool) -> list[str]:
        """Return the result as lines of text."""
        rows = [
            {"label": one.label, "host": one.host, "environment": one.environment, "fingerprint": one.fingerprint,
             "checked": self.checked[one.label].verdict if one.label in self.checked else "no",
             "problem": self.refused.get(one.label) or one.problem or one.doubt or "-"}
            for one in self.shown
        ]  # fmt: skip
        lines = [table(rows) if rows else "It contains no keys of this exchange."]
        lines += [f"Incomplete: {one}." for one in (self.plain.incomplete if self.plain else ())]
        if self.saved:
            blind = [label for label in self.saved if label not in self.checked]
            lines.append(f"Saved: {', '.join(self.saved)}.")
            lines += (
                [f"Not checked at the exchange: {', '.join(blind)}. Type: bgresearch check {blind[0]}"] if blind else []
            )
        elif rows:
            lines.append("Nothing was saved." if yes else "Nothing was saved; add --yes to save them.")
        return [*lines, *self._about_the_source()]

    def end(self, *, yes: bool) -> None:
        """Exit with the status for keys that were refused, or for a part that was not done."""
        if self.plain is not None and not self.shown and self.plain.incomplete:
            raise NotImported(f"No complete key: {'; '.join(self.plain.incomplete)}.")
        if self.status in {CAN_WRITE, CAN_WITHDRAW}:
            raise typer.Exit(self.status)
        if self.kept_source:
            raise NotImported(f"The plain texts were not removed: {self.kept_source}.")
        if self.status:
            raise NotImported("; ".join(f"{label}: {why}" for label, why in self.refused.items()))

    def _about_the_source(self) -> list[str]:
        if self.removed:
            names, unread = ", ".join(map(str, self.left)), ", ".join(map(str, self.unread))
            more = f"; a secret is still in {names}: delete it there too" if self.left else ""
            more += f"; {unread} could not be searched: look there yourself" if self.unread else ""
            more = more or "; files next to it do not have them"
            return [f"The plain texts are removed{more}. Backups and git may have them: bgresearch scan."]
        if self.saved and self.plain is not None:
            places = ", ".join(sorted({place for one in self.plain.found for place in one.places.values()}))
            return [f"The plain texts are still there ({places}). Remove them with --remove-source, or by hand."]
        return []

    def _examine(self, credential: Credential, *, accept_trade: bool) -> None:
        from bgresearch.core.clock import SystemClock
        from bgresearch.http.ratelimit import limiter_for
        from bgresearch.http.sender import Wire
        from bgresearch.keys.onboarding.key_check import examine_connection, examine_key, passed
        from bgresearch.session.identity import AccountIdentity

        clock = SystemClock()
        limiter = limiter_for(credential.host, clock)
        with Wire(credential.host, limiter=limiter, clock=clock, signer=credential, attempts=_ATTEMPTS) as wire:
            findings, found = examine_connection(wire, clock), None
            if passed(findings):
                findings, found = examine_key(wire, AccountIdentity(wire))
        if found is None:
            raise refused(findings)
        keep = judge(found).keep
        if keep == "yes" or (keep == "on purpose" and accept_trade):
            self.checked[credential.name] = Checked(found.verdict, bool(found.addresses))
        else:
            hint = "" if keep == "never" else "; --accept-trade saves it anyway"
            self._refuse(credential.name, f"it {found.verdict}{hint}", status_of(found))

    def _refuse(self, label: str, why: str, status: int) -> None:
        self.refused[label] = why
        self.status = max(self.status, status)


def _agreed_blind(labels: list[str]) -> bool:
    question = (
        f"{', '.join(labels)} could not be checked at the exchange: if a text was read wrongly, only the file has the "
        "right one. Remove it anyway?"
    )
    return on_terminal() and agreed(question, default=False)


def _is_copy(path: Path) -> bool:
    if path.exists() and not path.is_file():
        raise InvalidInput("SOURCE", f"{path} is not a regular file.")
    with path.open("rb") as stream:
        return b'"bgresearch-vault"' in stream.read(MAX_FILE_BYTES)


def _plain(source: str) -> Source:
    return environment_source() if source == ENVIRONMENT else read_source(Path(source))


def _copied(path: Path, stdin: bool) -> Incoming:
    given = from_stdin("copy_password")["copy_password"] if stdin else _copy_password(twice=False)
    return read_copy(path, given.value)


def _copy_password(*, twice: bool) -> Hidden[str]:
    return secret("Password of the copy", hint="Use --stdin.", twice=twice)
