"""Costs of the key derivation that suit this machine: the promised ones, or more until it takes a third of a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from vault import encryption
from vault.envelope import SALT_BYTES, STANDARD, Profile, Wrap
from vault.hidden import Hidden

LOWEST_S, TARGET_S, HIGHEST_S = 0.25, 0.35, 0.5
MOST_MEMORY_KIB = 512 * 1024  # so that a smaller machine can open the file too
MOST_PASSES = 16


def measured_s(profile: Profile) -> float:
    """Return how long one derivation with these costs takes here."""
    wrap = Wrap("calibration", profile, "00" * SALT_BYTES)
    started = time.perf_counter()
    encryption.key_from_password(Hidden(b"not a password"), wrap)
    return time.perf_counter() - started


def calibrated(measure: Callable[[Profile], float] = measured_s) -> Profile:
    """Return the costs for a new vault: as much memory as fits the time, then passes; never below `STANDARD`.

    Takes about half a second: one measurement of `STANDARD`, one of the choice. A slow or busy machine gets `STANDARD`.
    """
    chosen = _predicted(measure(STANDARD) / (STANDARD.memory_kib * STANDARD.passes))
    taken_s = measure(chosen)
    if LOWEST_S <= taken_s <= HIGHEST_S or taken_s <= 0:
        return chosen
    return _predicted(taken_s / (chosen.memory_kib * chosen.passes))


def _predicted(per_kib_pass_s: float) -> Profile:
    """Return the costs that should take the target time; time grows with memory times passes."""
    budget = TARGET_S / max(per_kib_pass_s, 1e-12)
    memory_kib = STANDARD.memory_kib
    while memory_kib * 2 <= MOST_MEMORY_KIB and memory_kib * 2 * STANDARD.passes <= budget:
        memory_kib *= 2
    passes = min(max(int(budget / memory_kib), STANDARD.passes), MOST_PASSES)
    return Profile(memory_kib, passes, STANDARD.lanes)
