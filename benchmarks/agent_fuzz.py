"""Throw broken frames at a real agent: it must answer or hang up, serve others, grow no descriptors and tell nothing.

    python benchmarks/agent_fuzz.py --frames 100000 --seed 1

Prints one JSON object; exit status 1 after a crash, a hang, a secret in an answer or a descriptor left open.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.protocol import VERSION
from bgresearch.agent.requests import PURPOSES
from bgresearch.agent.socket_path import Place
from vault import FLOOR, Vault
from vault.hidden import Hidden

PASSWORD = "correct horse battery"  # noqa: S105 - made up
TRIPLE = {"api_key": "bg_made_up", "secret_key": "f00dfeedf00dfeed", "passphrase": "swordfish9"}
HOST = "http://127.0.0.1:1"  # nobody listens there
HANG_S = 30.0
WORDS = (b"\n", b'"', b"{", b"}", b"[" * 500, b"null", b"\xff", b"\x00", b"1e999", b"-1", b"A" * 70_000, b"\\ud800")


def frames() -> list[bytes]:
    """Well-formed requests to break, none of which makes the agent ask an exchange or end."""
    plain = {
        "key": "research",
        "host": "http://127.0.0.1:2",
        "endpoint": "spot.account_info",
        "params": {"coin": "BTC"},
    }
    part = "A" * 22
    box = {"version": 1, "nonce": part, "public_key": "A" * 43, "iv": "A" * 16, "ciphertext": part}
    words = {"note": "words", "account": "main", "rotate_by": "2031-01-31"}
    messages = [
        {"op": "fetch", **plain}, {"op": "status"}, {"op": "open", "box": box}, {"op": "audit"},
        *({"op": "offer", "purpose": purpose, "label": "new", "host": HOST, "demo": False} for purpose in PURPOSES),
        *({"op": "examine", "staged": part, "stage": stage} for stage in ("reach", "key")),
        {"op": "keep", "staged": part, **words, "accept_trade": True}, {"op": "discard", "staged": part},
        {"op": "check", "key": "nobody"}, {"op": "rename", "key": "nobody", "new": "new"},
        {"op": "edit", "key": "nobody", **words}, {"op": "remove", "key": "nobody"},
        {"op": "open_socket", "key": "nobody", "host": HOST, "base_url": "ws://127.0.0.1:2", "version": "v2"},
        {"op": "use_socket", "socket": part, "message": "ping", "waits": False}, {"op": "close_socket", "socket": part},
        {"op": "search", "data": "QUJD" * 20}, {"op": "search", "data": "QUJD" * 40_000},
    ]  # fmt: skip
    return [json.dumps({"v": VERSION, **message}, separators=(",", ":")).encode() + b"\n" for message in messages]


def broken(chance: random.Random, whole: list[bytes]) -> bytes:
    """One frame with up to eight random changes, or pure noise."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(1, 400))
    frame = bytearray(chance.choice(whole))
    for _ in range(chance.randrange(1, 9)):
        at = chance.randrange(len(frame) + 1)
        change = chance.randrange(5)
        if change == 0 and at < len(frame):
            frame[at] ^= 1 << chance.randrange(8)
        elif change == 1:
            frame[at:at] = chance.choice(WORDS)
        elif change == 2:
            del frame[at : at + chance.randrange(1, 20)]
        elif change == 3:
            frame[at:at] = frame[: chance.randrange(len(frame) + 1)]
        else:
            frame[at : at + 1] = chance.randbytes(1)
    return bytes(frame) or b"\n"


def thrown(path: str, frame: bytes) -> bytes:
    """Everything the agent says until it hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(HANG_S)
        line.connect(path)
        try:
            line.sendall(frame)
            line.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
        said = b""
        try:
            while chunk := line.recv(65536):
                said += chunk
        except ConnectionResetError:  # it hung up with bytes of ours unread
            return said
        return said


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def run(folder: Path, count: int, seed: int) -> dict[str, float]:
    path = folder / "keys" / "vault"
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault:
        vault.add("research", **TRIPLE, host=HOST)
    place = Place(folder / "agent")
    pid = start(path, Hidden(PASSWORD), place=place).pid
    chance, whole = random.Random(seed), frames()  # noqa: S311 -- chooses changes, not secrets
    secret = [text.encode() for text in (*TRIPLE.values(), PASSWORD)]
    hangs = leaks = answered = crashes = 0
    slowest_s = 0.0
    with Agent(place) as agent:
        agent.status()  # over the connection that stays
        before = descriptors(pid)
        for number in range(count):
            try:
                said = thrown(str(place.socket), broken(chance, whole))
            except TimeoutError:
                hangs += 1
                continue
            answered += bool(said)
            leaks += any(text in said for text in secret)
            if number % 100 == 0:
                began_s = time.perf_counter()
                crashes += agent.status().pid != pid
                slowest_s = max(slowest_s, time.perf_counter() - began_s)
        left = descriptors(pid) - before
        agent.lock()
    figures = {"frames": count, "answered": answered, "crashes": crashes, "hangs": hangs, "leaks": leaks}
    return {**figures, "descriptors_left": left, "slowest_other_ms": round(slowest_s * 1000, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        result = run(Path(folder), chosen.frames, chosen.seed)
    print(json.dumps(result))
    return int(any(result[bad] for bad in ("crashes", "hangs", "leaks")) or result["descriptors_left"] > 0)


if __name__ == "__main__":
    sys.exit(main())
