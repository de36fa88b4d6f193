"""Findings, permissions and balances as widgets: colour and icon repeat the text, and the text alone is sufficient."""

from __future__ import annotations

import html
from collections.abc import Iterable

import ipywidgets as widgets
import pandas as pd

from bgresearch.forms.widgets import ICONS, Tone, badge, listed, note, subheading, table, verdict
from bgresearch.keys.onboarding import messages, verdicts
from bgresearch.keys.onboarding.finding import STAGES, Finding, Stage
from bgresearch.keys.onboarding.purposes import matrix, readable_areas
from bgresearch.keys.onboarding.verdicts import Colour
from bgresearch.keys.permissions import Permissions

TONES: dict[Colour, Tone] = {"green": "good", "amber": "warn", "red": "bad"}
_PASSED: dict[bool | None, Tone] = {True: "good", False: "bad", None: "unknown"}
_WAITING = "waiting"
_BALANCES = ["account", "coin", "total", "usd_value"]
_MOST_ROWS = 12  # of balances: the frame has all of them


class Stages(widgets.HTML):  # type: ignore[misc]  # its base has no types
    """The stages of a check, filled in one by one."""

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        super().__init__()
        self._found: dict[Stage, Finding] = {}
        for finding in findings:
            self._found[finding.stage] = finding
        self._draw()

    def show(self, finding: Finding) -> str:
        """Fill in one stage; return its text for a screen reader."""
        self._found[finding.stage] = finding
        self._draw()
        return f"{messages.STAGE_TITLES[finding.stage]}: {_outcome(finding)}. {finding.words} {finding.hint}".strip()

    def _draw(self) -> None:
        lines = "".join(self._line(stage) for stage in STAGES)
        self.value = f'<ul class="bg-stages">{lines}</ul>'

    def _line(self, stage: Stage) -> str:
        title = html.escape(messages.STAGE_TITLES[stage])
        finding = self._found.get(stage)
        if finding is None:
            return f'<li class="bg-unknown"><span aria-hidden="true">…</span><span>{title}: {_WAITING}</span></li>'
        tone = _PASSED[finding.passed]
        code = f" (the exchange's code: {finding.code})" if finding.code else ""
        said = html.escape(f"{finding.words}{code}")
        hint = f"<small>{html.escape(finding.hint)}</small>" if finding.hint else ""
        return (
            f'<li><span class="bg-{tone}" aria-hidden="true">{ICONS[tone]}</span><span><b class="bg-{tone}">{title}: '
            f"{_outcome(finding)}.</b> {said}</span>{hint}</li>"
        )


def judged(found: Permissions) -> tuple[widgets.Widget, ...]:
    """Return the verdict on a key, and how to fix it."""
    judgement = verdicts.judge(found)
    said: list[widgets.Widget] = [verdict(TONES[judgement.colour], judgement.title, judgement.words)]
    if judgement.fixes:
        said += [subheading("How to fix it on the exchange"), listed(judgement.fixes, ordered=True)]
    return tuple(said)


def rights(found: Permissions) -> widgets.HTML:
    """Return the matrix of a key's permissions: about what, may it read, may it write."""
    rows = [
        [
            html.escape(line.words if line.known else f"{line.words} (not documented: counts as write)"),
            badge("good", "reads") if line.reads else badge("unknown", "no"),
            badge("bad", line.worst) if line.writes else badge("unknown", "no"),
        ]
        for line in matrix(found)
    ]
    return table("What the key may do", ["About", "Read", "Write"], rows)


def areas(found: Permissions) -> widgets.HTML:
    """Return the endpoints that the key may read, by area of the catalogue, and the boxes that the others need."""
    rows = []
    for name, open_rows, all_rows, boxes in readable_areas(found):
        tone: Tone = "good" if open_rows == all_rows else "warn" if open_rows else "unknown"
        state = "all" if open_rows == all_rows else "some" if open_rows else "none"
        needed = ", ".join(box.words for box in boxes) or "-"
        rows.append([html.escape(name), badge(tone, f"{state}: {open_rows} of {all_rows}"), html.escape(needed)])
    return table(messages.AREAS, ["Area", "Endpoints it can read", "Boxes for the others"], rows)


def balances_table(frame: pd.DataFrame) -> widgets.Widget:
    """Return the largest balances; the frame has them all."""
    nonzero = frame[frame["total"] != 0]
    if nonzero.empty:
        return note("The account is empty. The key works.")
    shown = nonzero.sort_values("usd_value", ascending=False, na_position="last")
    rows = [
        [
            *(html.escape(str(row[name])) for name in ("account", "coin")),
            f"{row['total']:,.8g}",
            _dollars(row["usd_value"]),
        ]
        for row in shown.head(_MOST_ROWS).to_dict("records")
    ]
    skipped = frame.attrs["bgresearch"]["skipped"]
    caption = (
        f"{len(rows)} of {len(nonzero)} balances" if len(nonzero) > len(rows) else "All balances that are not zero"
    )
    caption += f"; left out: {', '.join(skipped)}" if skipped else ""
    return table(caption, ["Account", "Coin", "Total", messages.BALANCES_SHOWN], rows, numbers=2)


def _outcome(finding: Finding) -> str:
    return messages.VERDICT_SIGNS[finding.passed].partition(" ")[2]


def _dollars(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:,.2f}"
