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

from bgresearch.agent.client import Agent
from bgresearch.agent.socket_path import Place
from bgresearch.core.version import notebooks
from bgresearch.errors import ConfigurationError
from bgresearch.keys.onboarding.messages import SANDBOX
from bgresearch.sandbox.server import Server

FIRST_NOTEBOOK = "01_quickstart.ipynb"
# LabApp.news_url=None fetches nothing, but the question whether to is a setting of the page
_DEFAULTS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
_ADDRESSES = ("BGRESEARCH_WS_URL", "BGRESEARCH_ARCHIVE_URL")  # the sandbox has its own
_BANNER = """body::after {
  content: "TEXT"; position: fixed; top: 3px; left: 50%; transform: translateX(-50%); z-index: 10000;
  padding: 2px 12px; border-radius: 4px; background: #f2c14e; color: #1b1f24; font: 600 13px/18px sans-serif;
  pointer-events: none; white-space: nowrap;
}
"""
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
        say("Every bg.connect() in this lab uses it; vault, agent and data are scratch ones. Ctrl-C ends everything.")
        say(SANDBOX)
        home = Path(scratch)
        options = _options(folder, port, browser) | _banner(home / "custom")
        process = subprocess.Popen(_command(options), env=_environment(home, server.url))  # noqa: S603
        try:
            return process.wait()
        finally:
            _end(process)
            with Agent(Place(home / "agent")) as agent:
                if agent.is_there():
                    agent.lock()


def _environment(home: Path, url: str) -> dict[str, str]:
    """Return the lab's environment: the sandbox's addresses, and folders that are removed with the lab."""
    kept = {name: value for name, value in os.environ.items() if name not in _ADDRESSES}
    places = {"BGRESEARCH_DATA_DIR": "data", "BGRESEARCH_VAULT": "keys/vault", "BGRESEARCH_AGENT_DIR": "agent",
              "XDG_STATE_HOME": "state"}  # fmt: skip
    return {
        **kept, **{name: str(home / place) for name, place in places.items()}, "BGRESEARCH_BASE_URL": url,
        "JUPYTER_CONFIG_PATH": _with_defaults(home / "jupyter"),
    }  # fmt: skip


def _banner(folder: Path) -> dict[str, str]:
    """Return the options that show the banner above every page of the lab; the user's own style sheet follows it."""
    folder.mkdir()
    settings = os.environ.get("JUPYTER_CONFIG_DIR") or Path.home() / ".jupyter"
    own = Path(settings) / "custom" / "custom.css"
    style = _BANNER.replace("TEXT", SANDBOX) + (own.read_text(encoding="utf-8") if own.is_file() else "")
    (folder / "custom.css").write_text(style, encoding="utf-8")
    overrides = {"static_custom_path": [str(folder)]}
    return {"--LabApp.custom_css": "True", "--ServerApp.tornado_settings": repr(overrides)}


def _with_defaults(folder: Path) -> str:
    """Return JUPYTER_CONFIG_PATH with our defaults last: the user's settings take precedence."""
    settings = folder / "labconfig"
    settings.mkdir(parents=True)
    (settings / "default_setting_overrides.json").write_text(json.dumps(_DEFAULTS), encoding="utf-8")
    return os.pathsep.join(filter(None, (os.environ.get("JUPYTER_CONFIG_PATH"), str(folder))))


def _options(folder: Path, port: int, browser: bool) -> dict[str, str]:
    return {
        "--ServerApp.root_dir": str(folder.resolve()),
        "--ServerApp.ip": "127.0.0.1",
        "--ServerApp.port": str(port),
        "--ServerApp.open_browser": str(browser),
        "--ServerApp.answer_yes": "True",  # to its own question after Ctrl-C
        "--LabApp.default_url": f"/lab/tree/{FIRST_NOTEBOOK}" if (folder / FIRST_NOTEBOOK).is_file() else "/lab",
        "--LabApp.news_url": "None",
        "--LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }


def _command(options: dict[str, str]) -> list[str]:
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
