"""A key on its way into the vault, as the terminal does it: typed, sealed, examined, judged, kept or dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bgresearch.cli import report
from bgresearch.cli.asking import Fields
from bgresearch.cli.check import refused, status_of
from bgresearch.cli.sealed import send
from bgresearch.errors import ConfigurationError
from bgresearch.onboarding import words
from bgresearch.onboarding.finding import Finding
from bgresearch.onboarding.pasted import FIELD_NAMES
from bgresearch.onboarding.verdicts import Judgement, judge

if TYPE_CHECKING:
    from bgresearch.agent.client import Agent, AgentKey
    from bgresearch.permissions import Permissions


@dataclass(frozen=True)
class Wanted:
    """Where a typed key shall go: ``key`` for a new one, ``rotate`` in the place of an old one."""

    purpose: Literal["key", "rotate"]
    label: str
    host: str = ""
    demo: bool = False
    note: str = ""
    account: str = ""
    rotate_by: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of it; ``kept`` is None if nothing was saved."""

    findings: tuple[Finding, ...]
    found: Permissions
    judgement: Judgement
    kept: AgentKey | None

    @property
    def status(self) -> int:
        """The command's exit status."""
        return 0 if self.kept else status_of(self.found)


def bring(
    agent: Agent, wanted: Wanted, texts: Fields, *, accept: Callable[[Permissions], bool], say: Callable[[str], object]
) -> Outcome:
    """Return what came of a typed key. Nothing stays behind but what was kept.

    Parameters
    ----------
    agent : Agent
        Unlocked.
    wanted : Wanted
        Where it shall go.
    texts : dict of Hidden
        The three texts.
    accept : callable
        Asked once about a key that can write but not withdraw: whether it shall be kept on purpose.
    say : callable
        Given the words on the way.

    Raises
    ------
    ConfigurationError
        A text cannot be a key's, or the exchange refused the key: the message says which stage and what helps.
    """
    answer = send(agent, wanted.purpose, texts, label=wanted.label, host=wanted.host, demo=wanted.demo)
    hints = [f"{FIELD_NAMES.get(one['field'], one['field'])} {one['words']}." for one in answer["findings"]]
    staged = answer["staged"]
    if staged is None:
        raise ConfigurationError(" ".join(hints), hint=words.NOT_SAVED)
    for hint in hints:
        say(f"! {hint}")
    try:
        return _examined(agent, staged, wanted, accept, say)
    finally:
        agent.discard(staged)  # what was kept is not waiting any more


def _examined(
    agent: Agent, staged: str, wanted: Wanted, accept: Callable[[Permissions], bool], say: Callable[[str], object]
) -> Outcome:
    say(words.CHECKING)
    examination, findings = agent.examine(staged), []
    for one in examination:
        findings.append(one)
        say(report.stage(one))
    found = examination.permissions
    if found is None:
        raise refused(tuple(findings))
    judgement = judge(found)
    say("")
    say(report.verdict(judgement))
    is_kept = judgement.keep == "yes" or (judgement.keep == "on purpose" and accept(found))
    kept = _keep(agent, staged, wanted, judgement) if is_kept else None
    return Outcome(tuple(findings), found, judgement, kept)


def _keep(agent: Agent, staged: str, wanted: Wanted, judgement: Judgement) -> AgentKey:
    said = {"note": wanted.note, "account": wanted.account, "rotate_by": wanted.rotate_by}
    return agent.keep(staged, **said, accept_trade=judgement.keep == "on purpose")
