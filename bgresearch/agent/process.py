"""The agent's own process, from the first line it reads to its last moment. Started by launcher.py, never by hand.

Its settings, with the password, are read as one line of JSON from standard input; the result is written as one line to
standard output. Then all three streams are redirected to /dev/null and the process is detached from its terminal.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bgresearch.agent.hardening import harden

MAX_ORDER_BYTES = 64 * 1024
_DESCRIPTORS = 1024  # 256 callers, the sender's connections, and a margin
_SWITCH_S = 0.0005  # how long a working thread may block the loop; the interpreter's default of 5 ms is noticeable
_WITHOUT_LOCKS = "two agents may start at once; set BGRESEARCH_AGENT_DIR to a folder on a local disk"
_RACE_S, _RACE_PAUSE_S = 20.0, 0.02  # how long another agent may take to start


def main() -> None:
    """Become an agent, or report why not; never returns."""
    weak = harden()  # before anything secret can be read
    order = sys.stdin.buffer.readline(MAX_ORDER_BYTES)
    if os.fork():  # so that the process that started this has no child to wait for
        os._exit(0)
    os._exit(_live(order, weak))


def _live(order: bytes, weak: tuple[str, ...]) -> int:
    from bgresearch.agent.error_codec import described  # noqa: PLC0415 - hardened first
    from bgresearch.errors import BgresearchError  # noqa: PLC0415
    from vault import VaultError  # noqa: PLC0415
    from vault.hidden import Hidden  # noqa: PLC0415

    wanted = Hidden(json.loads(order))
    del order
    try:
        _serve(wanted, weak)
    except (BgresearchError, VaultError) as error:
        _report({"error": described(error)})
        return 1
    except OSError as error:
        _report({"error": {"kind": "AgentError", "message": f"the agent did not start: {error}", "state": {}}})
        return 1
    return 0


def _serve(wanted: Any, weak: tuple[str, ...]) -> None:
    from bgresearch.agent.socket_path import Place, identity_of, prepare  # noqa: PLC0415

    place = Place(Path(wanted.value["folder"]))
    prepare(place)
    is_only, without_locks = _only_one(place)
    if not is_only:
        _report({"started": False})
        return
    weak += without_locks
    from bgresearch.agent.lifetime import IDLE_S, LONGEST_S, Lifetime  # noqa: PLC0415 - the heavy imports, once needed
    from bgresearch.agent.server import AgentServer, listen  # noqa: PLC0415
    from bgresearch.agent.service import Service  # noqa: PLC0415
    from bgresearch.core.clock import SystemClock  # noqa: PLC0415
    from vault.hidden import Hidden  # noqa: PLC0415

    clock = SystemClock()
    idle_s, longest_s = wanted.value.get("idle_s", IDLE_S), wanted.value.get("longest_s", LONGEST_S)
    lifetime = Lifetime(clock, idle_s=idle_s, longest_s=longest_s)
    service = Service(Path(wanted.value["vault"]), clock=clock, lifetime=lifetime, weak=weak)
    if wanted.value.get("password") is not None:
        service.unlock(Hidden(wanted.value["password"]))
    del wanted
    server = AgentServer(listen(place), service, lifetime=lifetime, clock=clock, place=place)
    mine = identity_of(place)
    server.end_on_signals()
    _more_descriptors()
    sys.setswitchinterval(_SWITCH_S)
    _report({"started": True, "pid": os.getpid()})
    _leave_streams()
    server.run()
    if identity_of(place) == mine:  # another agent may have replaced it, including the lock
        place.socket.unlink(missing_ok=True)


def _only_one(place: Any, flock: Callable[[int, int], None] = fcntl.flock) -> tuple[bool, tuple[str, ...]]:
    """Return whether this process is the agent now, and which protections that lacks.

    The agent holds the lock for its whole life; if another process holds it, that one answers. On a file system without
    locks, it is enough that no agent answers.
    """
    from bgresearch.agent.client import Agent  # noqa: PLC0415

    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    until_s = time.monotonic() + _RACE_S
    while True:
        try:
            flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if Agent(place).is_there() or time.monotonic() > until_s:
                return False, ()
            time.sleep(_RACE_PAUSE_S)
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}:
                raise
            os.close(lock)
            return not Agent(place).is_there(), (f"the file system of {place.folder} has no locks: {_WITHOUT_LOCKS}",)
        else:
            return True, ()


def _more_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _DESCRIPTORS:
        wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _report(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _leave_streams() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
