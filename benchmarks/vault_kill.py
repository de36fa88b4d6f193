"""Kill real processes with SIGKILL while they save a vault, and count what is lost.

    python benchmarks/vault_kill.py steps                 every disk call of a save, once each
    python benchmarks/vault_kill.py passwords             the same for a change of password (slow: key derivations)
    python benchmarks/vault_kill.py random --rounds 1000  at a random moment of a stream of saves

Prints one JSON object; exit status 1 if a key was lost, a file did not open, or not exactly one password opened it.
A key counts as lost if its ``add`` returned before the kill and it is not in the vault afterwards.
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
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from vault import FLOOR, FileSystem, Surroundings, Vault, VaultError, WrongPassword

OLD, NEW = "the old password", "the new password"
CALLS = ("lstat", "open", "fstat", "read", "write", "fsync", "close", "replace", "unlink", "names")


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


def password_steps(path: Path) -> dict[str, int]:
    disk = Deadly()
    kills = wrong = 0
    is_running = True
    while is_running:
        path.unlink(missing_ok=True)
        for kept in path.parent.glob("*.kept"):
            kept.unlink()
        vault = Vault.create(path, OLD, profile=FLOOR, surroundings=Surroundings(filesystem=disk))
        disk.calls, disk.kill_at = 0, kills
        is_running = killed(partial(vault.change_password, OLD, NEW))
        disk.kill_at = None
        wrong += sum(opens(path, password) for password in (OLD, NEW)) != 1
        kills += is_running
    return {"kills": kills, "not exactly one password": wrong}


def opens(path: Path, password: str) -> bool:
    try:
        Vault.open(path, password).close()
    except WrongPassword:
        return False
    return True


def random_moments(path: Path, rounds: int, seed: int) -> dict[str, int]:
    chance = random.Random(seed)  # noqa: S311 -- chooses moments, not secrets
    vault = Vault.create(path, OLD, profile=FLOOR)
    kills = lost = unreadable = saved = 0
    for number in range(rounds):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            stream_saves(vault, number, writer)
        os.close(writer)
        select.select([], [], [], chance.uniform(0, 0.02))  # the moment is the experiment
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
    parser.add_argument("what", choices=["steps", "passwords", "random"])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "private" / "vault"
        if chosen.what == "random":
            result = random_moments(path, chosen.rounds, chosen.seed)
        else:
            result = {"steps": every_step, "passwords": password_steps}[chosen.what](path)
    print(json.dumps(result))
    return int(any(result.get(bad) for bad in ("lost", "unreadable", "not exactly one password")))


if __name__ == "__main__":
    sys.exit(main())
