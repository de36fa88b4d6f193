"""Commands as processes of their own, forked from one that has imported the package: that takes a second less each.

A command has its own session, streams, folder, environment and exit status, as if it had been started from a shell.
What a start costs and imports is the subject of tests/house, whose processes begin with nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Command(NamedTuple):
    """A command under way."""

    pid: int
    ended: socket.socket  # tells its exit status

    def wait(self, seconds: float) -> int:
        """Return the exit status; negative is the number of a signal, as `subprocess` has it."""
        self.ended.settimeout(seconds)
        return os.waitstatus_to_exitcode(int(_line(self.ended)))

    def kill(self) -> None:
        """End it and whatever it started that did not leave its group; nothing if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def begin(
    server: str, arguments: Sequence[str], streams: Sequence[int], *,
    folder: Path, environment: Mapping[str, str], terminal: bool = False,
) -> Command:  # fmt: skip
    """Start ``bgresearch ARGUMENTS`` with file descriptors for its three streams; the caller closes its own copies."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(server)
    request = {
        "arguments": list(arguments), "folder": str(folder), "environment": dict(environment), "terminal": terminal,
    }  # fmt: skip
    socket.send_fds(connection, [b"\n"], list(streams))
    connection.sendall(json.dumps(request).encode() + b"\n")
    return Command(int(_line(connection)), connection)


def _line(connection: socket.socket) -> bytes:
    """Return the next line, and not a byte more than that is taken."""
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(1)
        assert more, "the other side is gone"
        line += more
    return line


def _serve(listener: socket.socket) -> dict[str, Any]:
    """Fork for every request; return in the command's process alone, which then is what was asked for.

    Standard input ends when the tests do, however they end: nothing of theirs is left behind with their streams open.
    """
    while True:
        if sys.stdin in select.select([listener, sys.stdin], [], [])[0]:
            sys.exit()
        connection, _ = listener.accept()
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        if os.fork():  # the keeper of the command leaves no zombie here: who ignores SIGCHLD has none
            for one in (*streams, connection.fileno()):
                os.close(one)
            connection.detach()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with connection.makefile("rb") as lines:
            request: dict[str, Any] = json.loads(lines.readline())
        if pid := os.fork():
            for one in streams:
                os.close(one)
            connection.sendall(b"%d\n" % pid)
            connection.sendall(b"%d\n" % os.waitpid(pid, 0)[1])
            os._exit(0)
        os.setsid()
        for place, one in enumerate(streams):
            os.dup2(one, place)
        os.closerange(3, max(*streams, connection.fileno(), listener.fileno()) + 1)
        connection.detach()
        listener.detach()
        return request


def _become(request: Mapping[str, Any]) -> None:
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    if request["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.path[0] = request["folder"]
    sys.argv = ["bgresearch", *request["arguments"]]
    runpy.run_module("bgresearch", run_name="__main__", alter_sys=True)


def _main() -> None:
    import pandas  # noqa: F401, ICN001, PLC0415
    import pyarrow.parquet  # noqa: F401, PLC0415

    import bgresearch.cli  # noqa: PLC0415
    import bgresearch.client.client  # noqa: PLC0415

    with contextlib.redirect_stdout(io.StringIO()):
        bgresearch.cli.app(["keys", "list", "--help"], standalone_mode=False)  # what is imported at the first command
    gc.freeze()  # no command need look at what it did not make, least of all at its end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(16)
        print("ready", flush=True)
        request = _serve(listener)
    _become(request)


if __name__ == "__main__":
    _main()
