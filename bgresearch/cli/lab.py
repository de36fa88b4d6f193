"""JupyterLab on the sandbox: an exchange on a loopback port and a data folder that is removed afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bgresearch.core.version import notebooks
from bgresearch.errors import ConfigurationError
from bgresearch.sandbox.server import Server

FIRST_NOTEBOOK = "01_quickstart.ipynb"
# LabApp.news_url=None fetches nothing, but the question whether to is a setting of the page
_DEFAULTS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
_GOODBYE_S = 10  # time for JupyterLab to end its kernels


def folder_of_notebooks(chosen: Path | None, say: Callable[[str], None] = print) -> Path:
    """Return the folder to open: the chosen one, or ``notebooks``, made of the package's own if it is not there.

    Parameters
    ----------
    chosen : Path or None
        Given by the user.
    say : callable
        Prints where the notebooks were copied to.

    Raises
    ------
    ConfigurationError
        The chosen folder does not exist, or ``notebooks`` cannot be written.
    """
    if chosen is not None:
        if not chosen.is_dir():
            hint = "Leave --folder out to get the notebooks that come with the package."
            raise ConfigurationError(f"There is no folder {chosen}.", hint=hint)
        return chosen
    folder = Path("notebooks")
    if not folder.is_dir():
        try:
            shutil.copytree(notebooks(), folder, ignore=lambda _, names: [n for n in names if not n.endswith(".ipynb")])
        except OSError as error:
            hint = "Change to a folder of your own, or name one of notebooks with --folder."
            raise ConfigurationError(f"Cannot copy the notebooks to {folder}: {error}.", hint=hint) from error
        say(f"The notebooks that come with the package were copied to {folder.absolute()}.")
    return folder


def open_lab(folder: Path, *, port: int = 8888, browser: bool = True, say: Callable[[str], None] = print) -> int:
    """Run JupyterLab until it is closed and return its exit status; everything in it uses the sandbox.

    Parameters
    ----------
    folder : Path
        Where the notebooks are.
    port : int
        JupyterLab takes the next free one if it is taken.
    browser : bool
        Whether to open one.
    say : callable
        Prints where everything is.
    """
    with Server() as server, tempfile.TemporaryDirectory(prefix="bgresearch-lab-") as scratch:
        say(f"The sandbox exchange answers at {server.url}; its data is synthetic, nothing leaves this machine.")
        say("Every bg.connect() in this lab uses it. Ctrl-C ends both.")
        places = {
            "BGRESEARCH_BASE_URL": server.url,
            "BGRESEARCH_DATA_DIR": str(Path(scratch) / "data"),
            "JUPYTER_CONFIG_PATH": _with_defaults(Path(scratch) / "jupyter"),
        }
        process = subprocess.Popen(_command(folder, port, browser), env={**os.environ, **places})  # noqa: S603
        try:
            return process.wait()
        finally:
            _end(process)


def _with_defaults(folder: Path) -> str:
    """Return JUPYTER_CONFIG_PATH with our defaults last: the user's settings take precedence."""
    settings = folder / "labconfig"
    settings.mkdir(parents=True)
    (settings / "default_setting_overrides.json").write_text(json.dumps(_DEFAULTS), encoding="utf-8")
    return os.pathsep.join(filter(None, (os.environ.get("JUPYTER_CONFIG_PATH"), str(folder))))


def _command(folder: Path, port: int, browser: bool) -> list[str]:
    options = {
        "--ServerApp.root_dir": str(folder.resolve()),
        "--ServerApp.ip": "127.0.0.1",
        "--ServerApp.port": str(port),
        "--ServerApp.open_browser": str(browser),
        "--ServerApp.answer_yes": "True",  # to its own question after Ctrl-C
        "--LabApp.default_url": f"/lab/tree/{FIRST_NOTEBOOK}" if (folder / FIRST_NOTEBOOK).is_file() else "/lab",
        "--LabApp.news_url": "None",
        "--LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    as_root = ["--ServerApp.allow_root=True"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [sys.executable, "-m", "jupyterlab", *(f"{name}={value}" for name, value in options.items()), *as_root]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
