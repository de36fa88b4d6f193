"""The report of a key's check for a terminal: the stages, the verdict, the matrix of permissions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from bgresearch.cli.output import table
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.onboarding.messages import AREAS, STAGE_TITLES, VERDICT_SIGNS
from bgresearch.keys.onboarding.purposes import PermissionLine, matrix, readable_areas
from bgresearch.keys.onboarding.verdicts import COLOUR_SIGNS, Judgement, judge
from bgresearch.keys.permissions import Permissions

YES, NO = "✓ yes", "- no"
_JUDGED = ("verdict", "read_only", "can_trade", "can_transfer", "can_withdraw", "advice")


def stage(found: Finding) -> str:
    """Return one stage of a check in one or two lines."""
    code = f" ({found.code})" if found.code else ""
    line = f"{VERDICT_SIGNS[found.passed]:13}  {STAGE_TITLES[found.stage]:18}  {found.words}{code}"
    return f"{line}\n{'':35}-> {found.hint}" if found.hint else line


def verdict(judgement: Judgement) -> str:
    """Return a judgement with its reason and how to fix it."""
    lines = [f"{COLOUR_SIGNS[judgement.colour]} {judgement.title}", f"  {judgement.words}"]
    return "\n".join([*lines, *(f"  {number}. {step}" for number, step in enumerate(judgement.fixes, start=1))])


def report(found: Permissions) -> str:
    """Return what a key may do: verdict, account, matrix of permissions, and what each area of the catalogue needs."""
    addresses = ", ".join(found.addresses) or "any"
    demo = ", demo" if found.demo else ""
    lines = [
        f"Key {found.label!r}: {found.verdict}",
        f"account {found.uid}, {found.mode}{demo}; addresses: {addresses}",
        verdict(judge(found)),
        "",
        table([_right(one) for one in matrix(found)]),
        "",
        f"{AREAS}:",
        table([_area(*area) for area in readable_areas(found)]),
    ]
    return "\n".join([*lines, *(f"-> {sentence}" for sentence in found.advice)])


def as_values(found: Permissions, findings: Iterable[Finding]) -> dict[str, Any]:
    """Return the same as JSON values."""
    areas = [
        {"area": area, "readable": can, "rows": rows, "lacking": [asdict(box) for box in lacking]}
        for area, can, rows, lacking in readable_areas(found)
    ]
    judgement = judge(found)
    return {
        **asdict(found), **{name: getattr(found, name) for name in _JUDGED}, "colour": judgement.colour,
        "fixes": list(judgement.fixes), "rights": [asdict(one) for one in matrix(found)], "areas": areas,
        "findings": [one.to_json() for one in findings],
    }  # fmt: skip


def _right(line: PermissionLine) -> dict[str, str]:
    writes = f"✗ yes: {line.worst}" if line.writes else NO
    return {"permission": line.words if line.known else f"{line.words} (not documented)",
            "read": YES if line.reads else NO, "write": writes}  # fmt: skip


def _area(area: str, can: int, rows: int, lacking: tuple[Any, ...]) -> dict[str, str]:
    needed = ", ".join(box.words for box in lacking)
    share = f"{YES}, all {rows}" if can == rows else f"{can} of {rows}" if can else NO
    return {"area": area, "readable": share, "boxes for the others": needed}
