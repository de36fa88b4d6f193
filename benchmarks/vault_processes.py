"""Many processes change one vault at the same time; count what is lost.

    python benchmarks/vault_processes.py --processes 20 --changes 50

Each process adds two keys and removes one of them, again and again, some 50 changes in all. Exit status 1 if a name is
missing, or one is there that was removed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from vault import FLOOR, Surroundings, Vault

PATIENCE_S = 600.0


def work(vault: Vault, worker: int, changes: int) -> None:
    for number in range(changes // 3):
        for name in (f"{worker} {number} kept", f"{worker} {number} gone"):
            secret = {"secret_key": "made-up-secret", "passphrase": "made-up-pass", "account": f"{worker} {number}"}
            vault.add(name, api_key=f"key {name}".replace(" ", "-"), **secret)
        vault.remove(f"{worker} {number} gone")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--changes", type=int, default=50)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
        path = Path(folder) / "private" / "vault"
        vault = Vault.create(
            path, "a good password", profile=FLOOR, surroundings=Surroundings(lock_timeout_s=PATIENCE_S)
        )
        started = time.perf_counter()
        children = []
        for worker in range(chosen.processes):
            child = os.fork()
            if child == 0:
                work(vault, worker, chosen.changes)
                os._exit(0)
            children.append(child)
        failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
        seconds = time.perf_counter() - started
        found = Vault.open(path, "a good password")
        expected = {
            f"{worker} {number} kept" for worker in range(chosen.processes) for number in range(chosen.changes // 3)
        }
        result = {
            "processes": chosen.processes, "changes": found.generation - 1, "names": len(expected),
            "lost": len(expected - set(found.names())), "too many": len(set(found.names()) - expected),
            "failed": failed, "trail": list(found.audit().problems), "seconds": round(seconds, 1),
        }  # fmt: skip
    print(json.dumps(result))
    return int(any(result[bad] for bad in ("lost", "too many", "failed", "trail")))


if __name__ == "__main__":
    sys.exit(main())
