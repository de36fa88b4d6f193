"""Many clients start the agent at the same moment: there must be one, and all must be served.

    python benchmarks/agent_race.py --rounds 50 --clients 20

Prints one JSON object; exit status 1 if a client was not served or two agents lived at once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.socket_path import Place
from vault import FLOOR, Vault
from vault.hidden import Hidden

PASSWORD = "correct horse battery"  # noqa: S105 - made up


def race(vault: Path, place: Place, clients: int) -> tuple[set[int], int]:
    """The agents' process ids that the clients saw, and how many clients found it unlocked."""
    gate = threading.Barrier(clients)

    def one(_: int) -> tuple[int, bool]:
        gate.wait()
        status = start(vault, Hidden(PASSWORD), place=place)
        return status.pid, status.unlocked

    with ThreadPoolExecutor(clients) as pool:
        seen = list(pool.map(one, range(clients)))
    return {pid for pid, _ in seen}, sum(unlocked for _, unlocked in seen)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=20)
    chosen = parser.parse_args()
    agents = served = 0
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        vault = Path(folder) / "keys" / "vault"
        Vault.create(vault, PASSWORD, profile=FLOOR).close()
        for number in range(chosen.rounds):
            place = Place(Path(folder) / str(number))
            pids, unlocked = race(vault, place, chosen.clients)
            agents += len(pids)
            served += unlocked
            with Agent(place) as agent:
                agent.lock()
    print(json.dumps({"rounds": chosen.rounds, "clients": chosen.clients, "agents": agents, "served": served}))
    return int(agents != chosen.rounds or served != chosen.rounds * chosen.clients)


if __name__ == "__main__":
    sys.exit(main())
