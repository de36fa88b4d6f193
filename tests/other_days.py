"""Runs the fast tests on other days and in other time zones, by Debian's faketime, and says which day was not green.

The sandbox has the same time on every day; only the vault, the agent and files have the machine's. All tests are run,
or with ``--clock`` those of these three. The monotonic clock stays: what waits with a time limit never ended without.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
CLOCK = (
    "tests/agent/test_lifetime.py", "tests/agent/test_operations.py", "tests/cli/test_manage.py",
    "tests/client/test_connect.py", "tests/client/test_time.py", "tests/session/test_cached_sender.py", "tests/limits",
    "tests/scanning", "tests/store/test_pins.py", "tests/vault/test_keys.py", "tests/vault/test_trail.py",
    "tests/vault/test_vault.py",
)  # fmt: skip
UNFAKED = ("--ignore=tests/limits/test_redis.py",)  # a Redis server that runs under faketime answers nobody


class Day(NamedTuple):
    """A day on which the tests are run: its name, the time zone, and when it is there."""

    name: str
    zone: str
    when: str


def days(today: dt.date) -> list[Day]:
    """Return the days, as seen from this one."""
    leap = next(year for year in range(today.year + 1, today.year + 9) if year % 4 == 0)
    month = (today.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)
    return [
        Day("the last minute of a year", "America/Los_Angeles", f"{today.year}-12-31 23:59:10"),
        Day("the last minute of a month", "UTC", f"{month} 23:59:10"),
        Day("29 February", "UTC", f"{leap}-02-29 12:00:00"),
        *(Day(f"{ahead} days ahead", "UTC", f"+{ahead} days") for ahead in (1, 12, 45)),
        Day("400 days ahead", "Asia/Kolkata", "+400 days"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default="4", help="how many tests run at a time")
    parser.add_argument("--clock", action="store_true", help="run only the tests of what has the machine's clock")
    parser.add_argument("--only", default="", help="only the days whose name has this in it")
    given = parser.parse_args()
    faketime = shutil.which("faketime")
    if faketime is None:
        print("faketime is not installed: apt-get install faketime", file=sys.stderr)
        return 1
    failed = []
    for day in days(dt.datetime.now(dt.UTC).date()):
        if given.only not in day.name:
            continue
        print(f"== pytest, {day.name}, {day.zone}", flush=True)
        tests = CLOCK if given.clock else ("tests",)
        command = [sys.executable, "-m", "pytest", "-n", given.jobs, "-m", "not slow", *UNFAKED, *tests]
        done = subprocess.run(  # noqa: S603
            [faketime, "--exclude-monotonic", day.when, *command],
            cwd=ROOT,
            env={**os.environ, "TZ": day.zone},
            check=False,
        )
        failed += [day.name] * (done.returncode != 0)
    print("not green: " + ", ".join(failed) if failed else "green on every day", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
