"""Does the time of a search tell a part of a secret? Welch's t between data with a part and data without any.

Four letters of a Passphrase, or four of a SecretKey as hex digits, stand in front of 190 KiB of noise; searches with
the right four and with wrong ones alternate. The agent's sieve must not tell them apart (|t| below 4.5, the usual bound
of leakage tests); the fast one of ``bgresearch scan``, which answers nobody else, is the positive control.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable

from bgresearch.agent.constant_time_search import ConstantTimeSieve
from vault import Searcher
from vault.contents import iso_utc
from vault.entries import Slot, Triple
from vault.hidden import Hidden
from vault.hosts import EXCHANGE_HOST
from vault.leaks import Sieve

BOUND = 4.5
PAD_BYTES = 190 * 1024
_CHANCE = random.Random(7)  # noqa: S311 - worthless keys


def main() -> None:
    """Print one line of JSON; exit 1 if the agent's sieve tells, or the control does not."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rounds", type=int, default=2000)
    rounds = reader.parse_args().rounds
    secret_key, passphrase = f"{_CHANCE.getrandbits(256):064x}", "qwzkvbxj"
    slot = _slot(f"bg_{_CHANCE.getrandbits(128):032x}", secret_key, passphrase)
    pairs = {
        "passphrase": (passphrase[1:5].encode() * 2, b"jxbv" * 2),
        "secret_key": (secret_key[8:12].encode().hex().encode(), b"!!!!".hex().encode()),
    }
    result = {
        f"{name} {field}": round(abs(_t(Searcher([slot], sieve).find, *pair, rounds)), 1)
        for name, sieve in (("agent", ConstantTimeSieve), ("control", Sieve))
        for field, pair in pairs.items()
    }
    holds = all(result[f"agent {field}"] < BOUND < result[f"control {field}"] for field in pairs)
    sys.stdout.write(json.dumps({"rounds": rounds, "bound": BOUND, "t": result, "holds": holds}) + "\n")
    sys.exit(not holds)


def _t(find: Callable[[bytes], object], right: bytes, wrong: bytes, rounds: int) -> float:
    """Return Welch's t of the processor's time, without the slowest tenth, which other work made slow."""
    noise = _CHANCE.randbytes(PAD_BYTES)
    taken: dict[bytes, list[float]] = {right: [], wrong: []}
    for _ in range(rounds):
        for part in _CHANCE.sample((right, wrong), 2):
            data = part + noise
            start_s = time.perf_counter()
            find(data)
            taken[part].append(time.perf_counter() - start_s)
    kept = [sorted(times)[: rounds * 9 // 10] for times in taken.values()]
    spread = sum(statistics.variance(times) / len(times) for times in kept) ** 0.5
    return (statistics.fmean(kept[0]) - statistics.fmean(kept[1])) / spread


def _slot(api_key: str, secret_key: str, passphrase: str) -> Slot:
    triple = Triple(Hidden(api_key), Hidden(secret_key), Hidden(passphrase))
    return Slot(
        id="", name="timed", kind="hmac", host=EXCHANGE_HOST, demo=False, note="", account="", created=iso_utc(0),
        triple=triple, extra=Hidden({}),
    )  # fmt: skip


if __name__ == "__main__":
    main()
