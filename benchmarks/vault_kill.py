"""Kill real processes with SIGKILL while they save a vault, and count what is lost.

    python benchmarks/vault_kill.py steps                 every disk call of a save, once each
    python benchmarks/vault_kill.py random --rounds 1000  at a random moment of a stream of saves
    python benchmarks/vault_kill.py passwords --rounds 500  at every disk call of a change of password in turn
                                                          (about a second each: key derivations)
    python benchmarks/vault_kill.py rotations --rounds 500  at every disk call of a key's rotation in turn

Prints one JSON object; exit status 1 if a key was lost, a file did not open, or not exactly one password opened it.
A key counts as lost if its ``add`` returned before the kill and it is not in the vault afterwards; a rotation loses a
key if neither the old nor the new one is there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from vault import FLOOR, FileSystem, Surroundings, Vault, VaultError, WrongPassword

OLD, NEW = "the old password", "the new password"
CALLS = ("lstat", "open", "fstat", "read", "write", "fsync", "close", "replace", "unlink", "names", "truncate")


class Deadly(FileSystem):
    """Kills its own process right before the chosen call reaches the disk."""

    def __init__(self) -> None:
        self.calls = 0
        self.kill_at: int | None = None

    def __getattribute__(self, name: str) -> object:
        if name in CALLS:
            if self.calls == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.calls += 1
        return super().__getattribute__(name)


def key(number: int) -> dict[str, str]:
    return {
        "api_key": f"key-{number}",
        "secret_key": "made-up-secret",
        "passphrase": "made-up-pass",
        "account": f"{number}",
    }


def killed(work: Callable[[], None]) -> bool:
    """Run the work in a child process; return whether SIGKILL ended it."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def every_step(path: Path) -> dict[str, int]:
    disk = Deadly()
    vault = Vault.create(path, OLD, profile=FLOOR, surroundings=Surroundings(filesystem=disk))
    kills = lost = unsaved = 0
    is_running = True
    while is_running:
        vault.add(f"certain {kills}", **key(2 * kills))
        disk.calls, disk.kill_at = 0, kills
        is_running = killed(partial(vault.add, f"killed {kills}", **key(2 * kills + 1)))
        disk.kill_at = None
        vault.add("probe", **key(-1))
        vault.remove("probe")
        names = vault.names()
        lost += sum(f"certain {number}" not in names for number in range(kills + 1))
        unsaved += f"killed {kills}" not in names
        kills += is_running
    unreadable = Vault.open(path, OLD).names() != names
    return {"kills": kills, "lost": lost, "unreadable": int(unreadable), "unsaved": unsaved}


def password_steps(path: Path, rounds: int) -> dict[str, int]:
    disk = Deadly()
    vault = Vault.create(path, OLD, profile=FLOOR, surroundings=Surroundings(filesystem=disk))
    vault.add("certain", **key(0))
    present, other = OLD, NEW
    kills = wrong = lost = changed = 0
    at = 0
    while kills < rounds:
        disk.calls, disk.kill_at = 0, at
        is_killed = killed(partial(vault.change_password, present, other))
        disk.kill_at = None
        at = at + 1 if is_killed else 0
        kills += is_killed
        opened = {password: vault for password in (present, other) if (vault := opens(path, password, disk))}
        wrong += len(opened) != 1
        if list(opened) == [other]:
            present, other = other, present
            changed += is_killed
        vault = opened[present]
        lost += vault.names() != ["certain"] or bool(vault.audit().problems[1:])
    return {"kills": kills, "lost": lost, "changed before the kill": changed, "not exactly one password": wrong}


def rotation_steps(path: Path, rounds: int) -> dict[str, int]:
    disk = Deadly()
    vault = Vault.create(path, OLD, profile=FLOOR, surroundings=Surroundings(filesystem=disk))
    vault.add("certain", **key(0))
    kills = lost = both = rotated = 0
    at, number = 0, 0
    while kills < rounds:
        number += 1
        before = fingerprint(vault, "certain")
        disk.calls, disk.kill_at = 0, at
        texts = {field: text for field, text in key(number).items() if field != "account"}
        is_killed = killed(partial(vault.rotate, "certain", **texts))
        disk.kill_at = None
        at = at + 1 if is_killed else 0
        kills += is_killed
        vault.reload()
        names = vault.names()
        lost += "certain" not in names
        both += names == ["certain", "certain (new)"] and fingerprint(vault, "certain") == before
        rotated += is_killed and fingerprint(vault, "certain") != before
        if "certain (new)" in names:
            vault.remove("certain (new)")
    unreadable = int(Vault.open(path, OLD).names() != ["certain"])
    return {
        "kills": kills,
        "lost": lost,
        "unreadable": unreadable,
        "both there": both,
        "rotated before the kill": rotated,
    }


def fingerprint(vault: Vault, name: str) -> str:
    return next(info.fingerprint for info in vault.describe() if info.label == name)


def opens(path: Path, password: str, disk: FileSystem) -> Vault | None:
    try:
        return Vault.open(path, password, surroundings=Surroundings(filesystem=disk))
    except WrongPassword:
        return None


def random_moments(path: Path, rounds: int, seed: int) -> dict[str, int]:
    chance = random.Random(seed)  # noqa: S311 -- chooses moments, not secrets
    vault = Vault.create(path, OLD, profile=FLOOR)
    started = time.perf_counter()
    vault.add("probe", **key(-1))
    vault.remove("probe")
    longest_s = 3 * (time.perf_counter() - started)  # six saves on this machine as it is now
    kills = lost = unreadable = saved = 0
    for number in range(rounds):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            stream_saves(vault, number, writer)
        os.close(writer)
        select.select([], [], [], chance.uniform(0, longest_s))  # the moment is the experiment
        os.kill(child, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        with os.fdopen(reader) as pipe:
            promised = pipe.read().split()
        try:
            vault.add("probe", **key(-1))
            vault.remove("probe")
        except VaultError:
            unreadable += 1
            continue
        names = vault.names()
        saved += len(promised)
        lost += sum(name not in names for name in promised)
        for name in names:
            vault.remove(name)
    return {"kills": kills, "saved": saved, "lost": lost, "unreadable": unreadable}


def stream_saves(vault: Vault, number: int, writer: int) -> None:
    for step in range(1000):
        name = f"{number}-{step}"
        vault.add(name, **key(step))
        os.write(writer, f"{name}\n".encode())
    os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="steps", choices=["steps", "random", "passwords", "rotations"])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
        path = Path(folder) / "private" / "vault"
        works: dict[str, Callable[[], dict[str, int]]] = {
            "steps": lambda: every_step(path),
            "random": lambda: random_moments(path, chosen.rounds, chosen.seed),
            "passwords": lambda: password_steps(path, chosen.rounds),
            "rotations": lambda: rotation_steps(path, chosen.rounds),
        }
        result = works[chosen.what]()
    print(json.dumps(result))
    return int(any(result.get(bad) for bad in ("lost", "unreadable", "not exactly one password")))


if __name__ == "__main__":
    sys.exit(main())
