from __future__ import annotations

import pytest

from vault import STANDARD, Profile, calibrated
from vault.calibration import HIGHEST_S, LOWEST_S, MOST_MEMORY_KIB, measured_s


def machine(standard_s: float, overhead_s: float = 0.0) -> tuple[list[Profile], object]:
    asked: list[Profile] = []

    def measure(profile: Profile) -> float:
        asked.append(profile)
        return overhead_s + standard_s * profile.memory_kib * profile.passes / (STANDARD.memory_kib * STANDARD.passes)

    return asked, measure


@pytest.mark.parametrize("standard_s", [0.012, 0.02, 0.05, 0.08, 0.118, 0.15, 0.2, 0.3, 0.34, 0.5])
def test_costs_take_a_quarter_to_half_a_second(standard_s: float) -> None:
    _, measure = machine(standard_s)
    chosen = calibrated(measure)  # type: ignore[arg-type]
    assert chosen.problem() is None
    assert LOWEST_S <= measure(chosen) <= HIGHEST_S  # type: ignore[operator]
    assert chosen.memory_kib <= MOST_MEMORY_KIB


@pytest.mark.parametrize("standard_s", [0.36, 0.5, 2.0, 60.0])
def test_a_slow_or_busy_machine_gets_what_is_promised_and_nothing_below(standard_s: float) -> None:
    assert calibrated(machine(standard_s)[1]) == STANDARD  # type: ignore[arg-type]


@pytest.mark.parametrize("standard_s", [0.0, 1e-9, 1e-4])
def test_a_very_fast_machine_stays_within_the_caps(standard_s: float) -> None:
    chosen = calibrated(machine(standard_s)[1])  # type: ignore[arg-type]
    assert chosen.problem() is None
    assert (chosen.memory_kib, chosen.passes) == (MOST_MEMORY_KIB, 16)


def test_it_measures_twice() -> None:
    asked, measure = machine(0.1)
    calibrated(measure)  # type: ignore[arg-type]
    assert asked[0] == STANDARD
    assert len(asked) == 2


def test_the_real_measure_takes_time() -> None:
    assert measured_s(STANDARD) > 0


@pytest.mark.parametrize("older", [(65536, 3, 1), (65536, 3, 4), (131072, 3, 2)])
def test_what_an_older_file_costs_less_is_raised_to_what_is_promised(older: tuple[int, int, int]) -> None:
    assert Profile(*older).raised_to(STANDARD) == STANDARD
    assert Profile(262144, 5, 8).raised_to(STANDARD) == Profile(262144, 5, 8)
