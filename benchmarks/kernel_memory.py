"""Search the memory of a kernel that used a key for the key: through the agent there must be nothing of it. Linux.

    python benchmarks/kernel_memory.py

Looks for SecretKey, Passphrase and master password as UTF-8, UTF-16, hex and base64. Two controls show that the search
finds things: a marker that the kernel holds in all those forms, and a kernel that opened the vault itself. Prints one
JSON object; exit status 1 if anything was found, or a control found nothing.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

sys.path.insert(0, str(Path(__file__).parents[1]))

from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.socket_path import Place
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.server import Server
from vault import FLOOR, Vault
from vault.hidden import Hidden

PASSWORD = "correct horse battery"  # noqa: S105 - made up
KEY = SANDBOX_KEYS["readonly"]
PIECE_BYTES, OVERLAP_BYTES = 1 << 20, 512
KERNEL = """
import base64, secrets, sys
import bgresearch
marker = secrets.token_hex(16)
held = [marker.encode(), marker.encode("utf-16-le"), marker.encode().hex().encode(), base64.b64encode(marker.encode())]
vault = None
if len(sys.argv) > 1:
    from vault import Vault
    vault = Vault.open(sys.argv[1], sys.stdin.readline()[:-1])
client = bgresearch.connect(key="research", vault=vault, base_url=sys.argv[2] if vault else None, progress=False)
client.permissions()
for _ in range(3):
    client.account.assets()
client.account.fills("2026-11-01")
with client.stream("account") as stream:
    next(stream)
print(marker, client.requests_sent, flush=True)
sys.stdin.readline()
"""


def forms(text: str) -> dict[str, list[bytes]]:
    """The spellings to look for; base64 has three, as the text may start at any byte of a longer one."""
    plain = text.encode()
    shifted = [base64.b64encode(bytes(offset) + plain) for offset in range(3)]
    inner = [one[4 * (offset > 0) :].rstrip(b"=")[:-1] for offset, one in enumerate(shifted)]
    hexadecimal = [plain.hex().encode(), plain.hex().upper().encode()]
    return {"utf-8": [plain], "utf-16": [text.encode("utf-16-le")], "hex": hexadecimal, "base64": inner}


def hits(pid: int, texts: list[str]) -> tuple[dict[str, int], int]:
    """How often any of the texts is in a process's memory, by form, and how many bytes were searched."""
    wanted = {form: [one for text in texts for one in forms(text)[form]] for form in forms("x")}
    found, searched = dict.fromkeys(wanted, 0), 0
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for first, last in resident(pid):
            for data in pieces(memory, first, last):
                searched += len(data)
                for form, some in wanted.items():
                    found[form] += sum(data.count(one) for one in some)
    return found, searched


def resident(pid: int) -> Iterator[tuple[int, int]]:
    """First and last address of every mapping that has pages in memory, those that cannot be read too."""
    for text in re.split(
        r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{pid}/smaps").read_text("utf-8"), flags=re.MULTILINE
    ):
        if re.search(r"^(Rss|Swap): +[1-9]", text, flags=re.MULTILINE):
            first, last = text.split(maxsplit=1)[0].split("-")
            yield int(first, 16), int(last, 16)


def pieces(memory: BinaryIO, first: int, last: int) -> Iterator[bytes]:
    """The bytes of one mapping, but for stretches of zeros; pieces overlap, so that nothing is cut in two."""
    for at in range(first, last, PIECE_BYTES):
        try:
            memory.seek(at)
            data = memory.read(min(PIECE_BYTES + OVERLAP_BYTES, last - at))
        except OSError:  # a page that is mapped and not there
            continue
        if data != bytes(len(data)):
            yield data


def kernel(environment: dict[str, str], *arguments: str, typed: str = "") -> dict[str, object]:
    """Run a kernel that uses the key, and search it while it lives."""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", KERNEL, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment, bufsize=1,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        if typed:
            process.stdin.write(typed + "\n")
        marker, sent = process.stdout.readline().split()
        secret, searched = hits(process.pid, [KEY.secret_key, KEY.passphrase, PASSWORD])
        control, _ = hits(process.pid, [marker])
        process.stdin.write("\n")
    return {"requests": int(sent), "mib": searched >> 20, "secrets": secret, "marker": control}


def run(folder: Path) -> dict[str, dict[str, object]]:
    vault, place = folder / "keys" / "vault", Place(folder / "agent")
    places = {"BGRESEARCH_AGENT_DIR": str(place.folder), "BGRESEARCH_DATA_DIR": str(folder / "data")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BGRESEARCH_")}
    environment = {**kept, **places, "PYTHONPATH": str(Path(__file__).parents[1])}
    with Server() as server:
        with Vault.create(vault, PASSWORD, profile=FLOOR) as made:
            triple = {"api_key": KEY.api_key, "secret_key": KEY.secret_key, "passphrase": KEY.passphrase}
            made.add("research", **triple, host=server.url)
        start(vault, Hidden(PASSWORD), place=place)
        through_agent = kernel(environment)
        with Agent(place) as agent:
            agent.lock()
        in_process = kernel(environment, str(vault), server.url, typed=PASSWORD)
    return {"agent": through_agent, "in process": in_process}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        result = run(Path(folder))
    print(json.dumps(result))
    clean = not any(result["agent"]["secrets"].values())
    controls = all(result["agent"]["marker"].values()) and result["in process"]["secrets"]["utf-8"] > 0
    return int(not (clean and controls))


if __name__ == "__main__":
    sys.exit(main())
