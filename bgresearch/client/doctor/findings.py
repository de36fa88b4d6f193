"""What was found, as a table, as JSON, and as a file for an issue. No secret is in it, and no account data."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bgresearch.catalogue.assumptions import ASSUMPTIONS
from bgresearch.catalogue.response import printable
from bgresearch.core.spans import iso

Status = Literal["holds", "differs", "could not be asked"]

_BY_NAME = {one.name: one for one in ASSUMPTIONS}
_FORMAT = 1
_WIDEST = 100


@dataclass(frozen=True)
class Observation:
    """What is known of one assumption, or of one thing that this machine needs.

    Attributes
    ----------
    name : str
        Of the assumption; ``machine.*`` and ``key.*`` are about this machine and the key.
    status : str
        ``holds``, ``differs`` or ``could not be asked``.
    text : str
        What was seen, or why it could not be asked.
    values : mapping of str to int
        Numbers that were seen instead of the assumed ones, by subject.
    """

    name: str
    status: Status
    text: str
    values: Mapping[str, int] = field(default_factory=dict)

    @property
    def claim(self) -> str:
        """What is assumed, empty for this machine and the key."""
        return _BY_NAME[self.name].claim if self.name in _BY_NAME else ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, with the source of the assumption."""
        known = _BY_NAME.get(self.name)
        about = {"claim": known.claim, "source": known.source, "verbs": list(known.verbs)} if known else {}
        values = {"values": dict(self.values)} if self.values else {}
        return {"name": self.name, "status": self.status, "text": self.text, **values, **about}


def judged(name: str, wrong: Iterable[str], seen: str, values: Mapping[str, int] | None = None) -> Observation:
    """Return that an assumption holds, or how it differs.

    Parameters
    ----------
    name : str
        Of the assumption.
    wrong : iterable of str
        What contradicts it.
    seen : str
        What was seen if nothing does.
    values : mapping, optional
        Numbers that were seen instead.
    """
    found = list(wrong)
    return (
        Observation(name, "differs", f"{'; '.join(found[:4])}.", values or {})
        if found
        else Observation(name, "holds", seen)
    )


@dataclass(frozen=True)
class DoctorReport:
    """All findings of one examination.

    Attributes
    ----------
    findings : tuple of Observation
        In the order in which they were found.
    host : str
        The exchange's address.
    versions : mapping of str to str
        Of this package and what it rests on.
    requests : int
        Public requests that were sent.
    finished_ms : int
        When.
    """

    findings: tuple[Observation, ...]
    host: str
    versions: Mapping[str, str]
    requests: int
    finished_ms: int

    @property
    def differing(self) -> tuple[Observation, ...]:
        """What differs from what is assumed."""
        return tuple(one for one in self.findings if one.status == "differs")

    @property
    def summary(self) -> str:
        """How many hold, differ and could not be asked."""
        count = Counter(one.status for one in self.findings)
        return ", ".join(f"{count[status]} {status}" for status in ("holds", "differs", "could not be asked"))

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "format": _FORMAT, "time": iso(self.finished_ms), "host": self.host, "versions": dict(self.versions),
            "requests": self.requests, "summary": self.summary, "findings": [one.as_json() for one in self.findings],
        }  # fmt: skip

    def save(self, path: str | Path = "bgresearch-doctor.json") -> Path:
        """Write the report to a file that can be attached to an issue, and return its path."""
        place = Path(path)
        place.write_text(json.dumps(self.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return place

    def __str__(self) -> str:
        names = max((len(one.name) for one in self.findings), default=0)
        status = max((len(one.status) for one in self.findings), default=0)
        lines = [f"{one.name:{names}}  {one.status:{status}}  {_short(one.text)}" for one in self.findings]
        return "\n".join([f"{self.host}, {self.requests} requests", *lines, "", f"{self.summary}."])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(one.name)}</td><td>{one.status}</td><td>{html.escape(one.text)}</td></tr>"
            for one in self.findings
        )
        head = f"<p>{html.escape(self.host)}, {self.requests} requests: {self.summary}.</p>"
        return f"{head}<table><tr><th>assumption</th><th></th><th>what was seen</th></tr>{rows}</table>"


def _short(text: str) -> str:
    plain = printable(text)
    return plain if len(plain) <= _WIDEST else f"{plain[: _WIDEST - 1]}…"
