"""The kinds of private records that an account can be asked for: one `RecordKind` each, and nothing else."""

from __future__ import annotations

from bgresearch.kinds.fills import FILLS
from bgresearch.records import RecordKind

KINDS: dict[str, RecordKind] = {kind.name: kind for kind in (FILLS,)}
"""Every kind by name; the names are those of the verbs and of the folders."""

__all__ = ["KINDS"]
