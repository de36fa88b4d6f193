"""Adding a key in the terminal: typed, sealed, checked, judged, then saved or discarded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bgresearch.cli import permission_report as report
from bgresearch.cli.agent_unlock import send
from bgresearch.cli.check import NotReached, refused, status_of
from bgresearch.cli.prompts import Fields, agreed, from_stdin, secret
from bgresearch.core.clock import LOOPBACK
from bgresearch.errors import BgresearchError, ConfigurationError
from bgresearch.keys.onboarding import messages
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.onboarding.paste_checks import FIELD_NAMES
from bgresearch.keys.onboarding.verdicts import Judgement, judge, on_purpose
from vault import VaultError
from vault.rsa import private_key_file

if TYPE_CHECKING:
    from bgresearch.agent.client import AgentKey, AgentVerbs
    from bgresearch.keys.permissions import Permissions

TRIPLE = ("api_key", "secret_key", "passphrase")
QUESTIONS = {"api_key": "API key", "secret_key": "Secret key", "passphrase": "Passphrase"}


@dataclass(frozen=True)
class KeyTarget:
    """The target of a typed key: ``key`` for a new one, ``rotate`` to replace an old one."""

    purpose: Literal["key", "rotate"]
    label: str
    host: str = ""
    demo: bool = False
    note: str = ""
    account: str = ""
    rotate_by: str = ""


@dataclass(frozen=True)
class Typing:
    """How the texts of a key are entered, and what may be saved.

    Attributes
    ----------
    stdin : bool
        As JSON on standard input, without prompts; else the user types them.
    rsa_key : Path, optional
        The file of the secret key, if it signs with RSA.
    accept_trade : bool
        Whether a key that can trade or transfer is to be saved.
    """

    stdin: bool = False
    rsa_key: Path | None = None
    accept_trade: bool = False

    def texts(self) -> Fields:
        """Return the three texts."""
        rsa = {} if self.rsa_key is None else {"secret_key": private_key_file(self.rsa_key)}
        names = [name for name in TRIPLE if name not in rsa]
        if self.stdin:
            return {**from_stdin(*names), **rsa}
        hint = "Use --stdin and give the key as JSON."
        return {**{name: secret(QUESTIONS[name], hint=hint) for name in names}, **rsa}

    def accepts(self, found: Permissions) -> bool:
        """Return whether a key that can write is to be saved, after explicit confirmation."""
        return self.accept_trade or (not self.stdin and agreed(on_purpose(found), default=False))


@dataclass(frozen=True)
class EntryResult:
    """The result; ``kept`` is None if nothing was saved."""

    findings: tuple[Finding, ...]
    found: Permissions
    judgement: Judgement
    kept: AgentKey | None

    @property
    def status(self) -> int:
        """The command's exit status."""
        return 0 if self.kept else status_of(self.found)


def typed_until_kept(
    agent: AgentVerbs, wanted: KeyTarget, typing: Typing, say: Callable[[str], object], *,
    on_unreachable: Callable[[Fields], object] | None = None,
) -> EntryResult | None:  # fmt: skip
    """Return the result for the key that was typed; on a terminal, it can be typed again.

    If the exchange does not answer, the texts are passed to ``on_unreachable`` and None is returned.
    """
    while True:
        if not typing.stdin:
            if wanted.host.startswith(LOOPBACK):
                say(f"\n{messages.SANDBOX}")
            say("\n" + messages.KEY_HELP)
        texts = typing.texts()
        try:
            outcome = submit_key(agent, wanted, texts, accept=typing.accepts, say=say)
        except NotReached:
            if on_unreachable is None:
                raise
            on_unreachable(texts)
            return None
        except (BgresearchError, VaultError) as error:
            if typing.stdin:
                raise
            say(f"\n✗ {error}")
            if not agreed("Type the key again?", default=True):
                raise
            continue
        if outcome.kept or typing.stdin or not agreed("Type another key?", default=False):
            return outcome


def submit_key(
    agent: AgentVerbs, wanted: KeyTarget, texts: Fields, *, accept: Callable[[Permissions], bool],
    say: Callable[[str], object],
) -> EntryResult:  # fmt: skip
    """Return the result for a typed key. Nothing is left at the agent but a key that was saved.

    Parameters
    ----------
    agent : AgentVerbs
        Unlocked.
    wanted : KeyTarget
        The target of the key.
    texts : dict of Hidden
        The three texts.
    accept : callable
        Called once for a key that can write but not withdraw: whether it is to be saved anyway.
    say : callable
        Prints progress.

    Raises
    ------
    ConfigurationError
        A text cannot be a key's, or the exchange refused the key: the message says which stage and what helps.
    """
    answer = send(agent, wanted.purpose, texts, label=wanted.label, host=wanted.host, demo=wanted.demo)
    hints = [f"{FIELD_NAMES.get(one['field'], one['field'])} {one['words']}." for one in answer["findings"]]
    staged = answer["staged"]
    if staged is None:
        raise ConfigurationError(" ".join(hints), hint=messages.NOT_SAVED)
    for hint in hints:
        say(f"! {hint}")
    try:
        return _examined(agent, staged, wanted, accept, say)
    finally:
        agent.discard(staged)  # no effect on a key that was saved


def _examined(
    agent: AgentVerbs,
    staged: str,
    wanted: KeyTarget,
    accept: Callable[[Permissions], bool],
    say: Callable[[str], object],
) -> EntryResult:
    say(messages.CHECKING)
    examination, findings = agent.examine(staged), []
    for one in examination:
        findings.append(one)
        say(report.stage(one))
        if one.stage == "reach" and one.passed is False:
            raise refused(tuple(findings))
    found = examination.permissions
    if found is None:
        raise refused(tuple(findings))
    judgement = judge(found)
    say("")
    say(report.verdict(judgement))
    is_kept = judgement.keep == "yes" or (judgement.keep == "on purpose" and accept(found))
    kept = _keep(agent, staged, wanted, judgement) if is_kept else None
    return EntryResult(tuple(findings), found, judgement, kept)


def _keep(agent: AgentVerbs, staged: str, wanted: KeyTarget, judgement: Judgement) -> AgentKey:
    said = {"note": wanted.note, "account": wanted.account, "rotate_by": wanted.rotate_by}
    return agent.keep(staged, **said, accept_trade=judgement.keep == "on purpose")
