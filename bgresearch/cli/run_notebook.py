"""Runs a notebook from top to bottom in its own kernel and returns it with outputs; the file is not changed.

The kernel is ended in any case, also after Ctrl-C: nbclient's own signal handling loses the interrupt, so it runs in a
thread, where there is no signal handling, and is cancelled from outside.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from bgresearch.errors import BgresearchError

PATIENCE_S = 600  # for one cell; a busy machine is a dozen times slower than a quiet one


class NotebookFailed(BgresearchError):
    """A notebook did not run from top to bottom."""


def execute(path: Path, folder: Path, places: Mapping[str, str]) -> nbformat.NotebookNode:
    """Return the notebook with its outputs.

    Parameters
    ----------
    path : Path
        The notebook; it is only read.
    folder : Path
        Where its kernel works.
    places : mapping of str to str
        Environment variables on top of this process's own.

    Raises
    ------
    NotebookFailed
        A cell raised, and the message has its error; or the kernel died or hung.
    """
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    runner = NotebookClient(
        notebook,
        timeout=PATIENCE_S,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        return _Cancellable(runner).run({**os.environ, **places})
    except CellExecutionError as error:
        raise NotebookFailed(f"{path.name}: {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookFailed(f"{path.name}: its kernel died or did not answer for {PATIENCE_S} s.") from error


class _Cancellable:
    """One run of a notebook on an event loop in a thread."""

    def __init__(self, runner: NotebookClient) -> None:
        self._runner = runner
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[nbformat.NotebookNode] | None = None

    def run(self, environment: dict[str, str]) -> nbformat.NotebookNode:
        with ThreadPoolExecutor(1, thread_name_prefix="bgresearch-notebook") as pool:
            done = pool.submit(self._in_thread, environment)
            try:
                return done.result()
            finally:
                if not done.done():
                    self._cancel()

    def _in_thread(self, environment: dict[str, str]) -> nbformat.NotebookNode:
        # other libraries change the default event loop (uvloop does), which breaks nbclient's signal handling
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as loop:
            return loop.run(self._execute(environment))

    async def _execute(self, environment: dict[str, str]) -> nbformat.NotebookNode:
        self._loop = asyncio.get_running_loop()
        # the kernel's own log is not about the notebook; a cell's stderr is an output of the cell
        execution = self._runner.async_execute(env=environment, stderr=subprocess.DEVNULL)
        self._task = asyncio.create_task(execution)
        self._started.set()
        return await self._task

    def _cancel(self) -> None:
        self._started.wait()
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
