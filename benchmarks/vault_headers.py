"""Hostile vault headers: how long a refusal takes, and how much memory.

    python benchmarks/vault_headers.py

Every header asks for key-derivation costs outside the bounds, or is JSON made to hurt its reader. Each is opened in the
same process with a fresh memory trace; exit status 1 if one is accepted, takes 50 ms or more, or 20 MiB or more.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from vault import FLOOR, Vault, VaultError
from vault.envelope import canonical, digest

MOST_S, MOST_BYTES = 0.050, 20 * 2**20
BOUNDS = {"memory_kib": (64 * 1024, 1024 * 1024), "passes": (3, 16), "lanes": (1, 16)}


def hostile(raw: bytes) -> list[bytes]:
    files = []
    for cost, (low, high) in BOUNDS.items():
        wrong: list[Any] = [
            low - 1,
            0,
            -1,
            -(2**63),
            2**31,
            2**32,
            2**63,
            2**64,
            10**300,
            float(low),
            str(low),
            None,
            True,
        ]
        wrong += [high + 2**step for step in range(40)] + [low - 1 - step for step in range(20)]
        for value in wrong:
            content = json.loads(raw)
            content["header"]["wraps"][0]["kdf"][cost] = value
            del content["checksum"]
            files.append(canonical({**content, "checksum": digest(canonical(content))}) + b"\n")
    files += [b"[" * 2**20, b"{" * 2**20, b'{"a":' * 2**17, b"1" * 2**20, b"\x00" * 2**20, b'"' + b"\\u0000" * 2**17]
    return files


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
        path = Path(folder) / "private" / "vault"
        if os.fork() == 0:  # the right file costs 64 MiB, which must not hide in this process's peak
            Vault.create(path, "a good password", profile=FLOOR).close()
            os._exit(0)
        os.wait()
        files = hostile(path.read_bytes())
        accepted, slowest_s, most_bytes = 0, 0.0, 0
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for content in files:
            path.write_bytes(content)
            started = time.perf_counter()
            accepted += opens(path)
            slowest_s = max(slowest_s, time.perf_counter() - started)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
        tracemalloc.start()
        for content in files:
            path.write_bytes(content)
            tracemalloc.reset_peak()
            held = tracemalloc.get_traced_memory()[0]
            accepted += opens(path)
            most_bytes = max(most_bytes, tracemalloc.get_traced_memory()[1] - held)
    result = {
        "headers": len(files), "accepted": accepted, "slowest_ms": round(slowest_s * 1000, 1),
        "most_mib_python": round(most_bytes / 2**20, 1), "process_grew_mib": round(grown_kib / 1024, 1),
    }  # fmt: skip
    print(json.dumps(result))
    return int(accepted > 0 or slowest_s >= MOST_S or most_bytes >= MOST_BYTES or grown_kib * 1024 >= MOST_BYTES)


def opens(path: Path) -> bool:
    try:
        Vault.open(path, "a good password").close()
    except VaultError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
