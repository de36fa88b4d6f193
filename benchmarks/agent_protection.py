"""Another process of the same user tries to read the agent: memory, environment, maps, descriptors, ptrace. Linux.

    python benchmarks/agent_protection.py

As root it becomes an unprivileged user first, since root may read everything. The control is a process of the same user
that did not protect itself. Prints one JSON object; exit status 1 if anything of the agent could be read, or if the
control's environment could not, as nothing would be proved then.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

# Imported before the user changes: an unprivileged one may not be allowed to read the interpreter's folder.
import bgresearch.agent.server
import bgresearch.agent.service
import bgresearch.catalogue
from bgresearch.agent import process
from bgresearch.agent.client import Agent
from bgresearch.agent.socket_path import Place
from bgresearch.core.clock import SystemClock
from bgresearch.http.transport import new_session
from vault import FLOOR, Intake, Vault

PASSWORD = "correct horse battery"  # noqa: S105 - made up
NOBODY = 61_234  # a user id that nobody has
_PTRACE_ATTACH, _PTRACE_DETACH, _PR_SET_DUMPABLE = 16, 17, 4


def unprivileged(home: Path) -> None:
    """Become nobody, at home in a folder, and as readable as any process that never changed its user."""
    os.environ["HOME"] = str(home)
    os.environ.pop("XDG_STATE_HOME", None)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def child(home: Path, work: Callable[[], object]) -> object:
    """What the work returns in an unprivileged process of its own."""
    reader, writer = os.pipe()
    number = os.fork()
    if number == 0:
        os.close(reader)
        try:
            unprivileged(home)
            os.write(writer, json.dumps(work()).encode())
        finally:  # whatever happens: what the parent does when it ends is the parent's to do
            if sys.exc_info()[0]:
                traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    os.waitpid(number, 0)
    return json.loads(text)


def start_agent(folder: Path) -> int:
    """Run the agent's own main in this process's children, as start.py would; return its process id."""
    path = folder / "keys" / "vault"
    Vault.create(path, PASSWORD, profile=FLOOR).close()
    orders, answers = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.dup2(orders[0], 0)
        os.dup2(answers[1], 1)
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        process.main()
    order = {"folder": str(folder / "agent"), "vault": str(path), "password": PASSWORD}
    os.write(orders[1], json.dumps(order).encode() + b"\n")
    os.close(answers[1])
    with os.fdopen(answers[0]) as said:
        return int(json.loads(said.readline())["pid"])


def attempts(pid: int) -> dict[str, bool]:
    """What can be read of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    attached = libc.ptrace(_PTRACE_ATTACH, pid, None, None) == 0
    if attached:
        os.waitpid(pid, 0x40000000)  # __WALL
        libc.ptrace(_PTRACE_DETACH, pid, None, None)
    return {
        **{name: can_open(f"/proc/{pid}/{name}") for name in ("mem", "environ", "maps", "auxv")},
        "fd": can_list(f"/proc/{pid}/fd"),
        "ptrace": attached,
    }


def can_open(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return path.endswith("/mem") or bool(file.read(1))
    except PermissionError:
        return False


def can_list(path: str) -> bool:
    try:
        return bool(list(Path(path).iterdir()))
    except PermissionError:
        return False


def core_limit(pid: int) -> str:
    lines = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    return next(line.split()[4] for line in lines if line.startswith("Max core file size"))


def unguarded() -> int:
    """The id of a process of the same user that did nothing to protect itself; it ends with this one."""
    reader, writer = os.pipe()
    number = os.fork()
    if number == 0:
        os.close(writer)
        os.read(reader, 1)  # until everybody who could write has gone
        os._exit(0)
    os.close(reader)
    os.set_inheritable(writer, True)
    return number


def tried(folder: Path) -> dict[str, object]:
    control, pid = unguarded(), start_agent(folder)
    result: dict[str, object] = {"control": attempts(control), "agent": attempts(pid), "core": core_limit(pid)}
    with Agent(Place(folder / "agent")) as agent:
        result["weak"] = agent.status().weak
        agent.lock()
    return result


def main() -> int:
    bgresearch.catalogue.load()
    new_session().close()
    SystemClock().now_ms()
    Intake()  # loads what cryptography leaves for the first use
    folder = Path(tempfile.mkdtemp(prefix="bg-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        result = child(folder, lambda: {"uid": os.getuid(), **tried(folder)})
    finally:
        shutil.rmtree(folder)
    print(json.dumps(result))
    assert isinstance(result, dict)
    is_proof = result["control"]["environ"] and result["uid"] != 0
    return int(any(result["agent"].values()) or result["core"] != "0" or bool(result["weak"]) or not is_proof)


if __name__ == "__main__":
    sys.exit(main())
