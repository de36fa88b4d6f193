"""A real S3 API on a loopback port: moto's server, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from types import TracebackType

from tests.conftest import PATIENCE_S

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "a-secret-of-nobody",
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


class S3Server:
    """Started when entered, ended when left; ``url`` is its endpoint.

    Parameters
    ----------
    denies : bool
        Whether every request is refused, as nobody has the right to do anything.
    """

    def __init__(self, *, denies: bool = False) -> None:
        self._environment = {**os.environ, **({"INITIAL_NO_AUTH_ACTION_COUNT": "0"} if denies else {})}
        self.url = ""

    def __enter__(self) -> S3Server:
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self._environment
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found[0]
                self._ear = threading.Thread(target=self._process.stderr.read, daemon=True)
                self._ear.start()  # a pipe that nobody reads would stop the server in time
                return self
        raise RuntimeError("moto's server has ended")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
        self._ear.join(PATIENCE_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
