"""Time a private request through the agent with the exchange left out: the sender gets a canned answer.

    python benchmarks/agent_roundtrip.py --requests 20000       round trips one after the other: p50, p99
    python benchmarks/agent_roundtrip.py --requests 1000000     the same, and what it did to the agent's memory

The agent runs in a process of its own, with the real socket, protocol, service, signer, wire and limiter; the limiter's
clock is moved by hand, so that nobody waits. Prints one JSON object; exit status 1 at a p99 of 1 ms or more, or if
memory grew by 5 MiB or more after the first tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import requests
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse

from bgresearch.agent.client import Agent
from bgresearch.agent.lifetime import Lifetime
from bgresearch.agent.requests import Fetch
from bgresearch.agent.server import AgentServer, listen
from bgresearch.agent.service import Service
from bgresearch.agent.socket_path import Place, prepare
from bgresearch.core.clock import Clock, ManualClock, SystemClock
from bgresearch.http.ratelimit.limiter import Limiter, LocalLimiter
from bgresearch.http.sender import Signer, Wire
from bgresearch.http.transport import new_session
from vault import FLOOR, Vault
from vault.hidden import Hidden

PASSWORD = "correct horse battery"  # noqa: S105 - made up
HOST = "http://127.0.0.1:1"
ASSETS = [{"coin": f"C{number}", "available": "1.5", "frozen": "0", "locked": "0"} for number in range(20)]
BODY = json.dumps({"code": "00000", "msg": "success", "requestTime": 1, "data": ASSETS}).encode()
TIME = b'{"code":"00000","data":{"serverTime":"1800000000000"}}'


class Canned(BaseAdapter):
    """The exchange's side of the wire: the same two answers for ever."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        body = TIME if "/public/time" in str(request.url) else BODY
        response.raw = HTTPResponse(_Bytes(body), status=200, preload_content=False)
        return response

    def close(self) -> None:
        return


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data, self.closed = data, False

    def read(self, amount: int | None = None) -> bytes:
        found = self._data if amount is None else self._data[:amount]
        self._data = self._data[len(found) :]
        return found

    read1 = read

    def close(self) -> None:
        self.closed = True


def canned_wire(host: str, _: Limiter, clock: Clock, signer: Signer) -> Wire:
    session = new_session()
    session.mount(host, Canned())
    still = ManualClock(clock.now_ms())
    return Wire(host, limiter=LocalLimiter(still), clock=still, signer=signer, session=session)


def serve(place: Place, vault: Path) -> None:
    sys.setswitchinterval(0.0005)  # as the agent's own process does
    clock = SystemClock()
    lifetime = Lifetime(clock)
    service = Service(vault, clock=clock, lifetime=lifetime, make_sender=canned_wire)
    service.unlock(Hidden(PASSWORD))
    AgentServer(listen(place), service, lifetime=lifetime, clock=clock).run()


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def measured(place: Place, pid: int, count: int) -> Mapping[str, float]:
    request = Fetch("research", HOST, "spot.account_assets", {"assetType": "all"})
    times = np.empty(count)
    grown_from = 0
    with Agent(place) as agent:
        while not agent.is_there():
            os.sched_yield()
        for number in range(count):
            began = time.perf_counter()
            header, body = agent.fetch(request)
            times[number] = time.perf_counter() - began
            assert header.error is None
            assert len(body) == len(BODY)
            if number == count // 10:
                grown_from = resident_kib(pid)
        grown = resident_kib(pid) - grown_from
        agent.lock()
    p50, p99, worst = (1000 * float(np.quantile(times, share)) for share in (0.5, 0.99, 1))
    figures = {"requests": count, "p50_ms": round(p50, 3), "p99_ms": round(p99, 3), "worst_ms": round(worst, 1)}
    return {**figures, "growth_mib": round(grown / 1024, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        vault, place = Path(folder) / "keys" / "vault", Place(Path(folder) / "agent")
        prepare(place)
        with Vault.create(vault, PASSWORD, profile=FLOOR) as made:
            made.add("research", api_key="bg_made_up", secret_key="f00dfeed" * 8, passphrase="swordfish9", host=HOST)  # noqa: S106
        pid = os.fork()
        if pid == 0:
            serve(place, vault)
            os._exit(0)
        result = measured(place, pid, chosen.requests)
        os.waitpid(pid, 0)
    print(json.dumps(result))
    return int(result["p99_ms"] >= 1 or result["growth_mib"] >= 5)


if __name__ == "__main__":
    sys.exit(main())
