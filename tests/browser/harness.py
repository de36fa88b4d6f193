"""Real Jupyter and Voila servers on loopback, their own settings, and what a person does in them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import nbformat
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from bgresearch.agent.client import Agent
from bgresearch.agent.socket_path import Place as AgentPlace
from tests.conftest import PATIENCE_S, inherited, search_path

ROOT = Path(__file__).parents[2]
PATIENCE_MS = PATIENCE_S * 1000
ANSWER_MS = 180_000  # for what a page does once it is there; a word that was renamed never comes
GOODBYE_S = 20
Place = Literal["lab", "notebook", "voila"]

_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},  # the worst case for anyone who keeps secrets
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
# a notebook that is run before its session is there asks which kernel to take
_OPENED = "window.jupyterapp?.shell.currentWidget?.sessionContext"
_READY = """async () => {
  const opened = window.jupyterapp.shell.currentWidget;
  await Promise.all([window.jupyterapp.restored, opened.context.ready, opened.sessionContext.ready]);
  await opened.sessionContext.session.kernel.info;
}"""


@dataclass
class Home:
    """One person's own folders, as the documented variables name them; short enough a path for the agent's socket."""

    folder: Path
    base_url: str

    @property
    def vault(self) -> Path:
        return self.folder / "keys" / "vault"

    @property
    def agent(self) -> Path:
        return self.folder / "agent"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "BGRESEARCH_VAULT": str(self.vault), "BGRESEARCH_AGENT_DIR": str(self.agent),
            "BGRESEARCH_DATA_DIR": str(self.folder / "data"), "BGRESEARCH_BASE_URL": self.base_url,
            "XDG_STATE_HOME": str(self.folder / "state"),
        }  # fmt: skip

    @property
    def cell(self) -> str:
        """The first cell of a notebook of this person's."""
        return f"import os\nos.environ.update({self.variables!r})"


@contextmanager
def home(base_url: str) -> Iterator[Home]:
    """A new person's folders; an agent that was started in them is ended."""
    folder = Path(tempfile.mkdtemp(prefix="bg-"))
    made = Home(folder, base_url)
    try:
        yield made
    finally:
        with Agent(AgentPlace(made.agent)) as agent:
            if agent.is_there():
                agent.lock()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class JupyterServer:
    """One server process with settings, profile and log of its own."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    token: str
    log: Path
    base: str = "/"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base.rstrip('/')}"

    @property
    def notebooks(self) -> Path:
        return self.folder / "notebooks"

    @property
    def history(self) -> Path:
        return self.folder / "home" / ".ipython" / "profile_default" / "history.sqlite"

    def address(self, name: str, place: Place, *, host: str = "127.0.0.1") -> str:
        own = f"lab/workspaces/{Path(name).stem}/tree"  # or it would show the last one's notebook again
        ways = {"lab": own, "notebook": "notebooks", "voila": "voila/render"}
        return f"http://{host}:{self.port}{self.base}{ways[place]}/{name}?token={self.token}"

    def kernels(self) -> list[int]:
        """The processes of its kernels."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        found = {int(one) for thread in threads for one in (thread / "children").read_text("ascii").split()}
        found |= {int(one) for one in children}
        return sorted(pid for pid in found if b"ipykernel" in Path(f"/proc/{pid}/cmdline").read_bytes())

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Write a notebook and return its name."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.notebooks / name)
        return name

    def end_kernels(self) -> None:
        """End every kernel, whatever it does."""
        address = f"{self.url}/api/kernels"
        token = {"Authorization": f"token {self.token}"}
        with urlopen(Request(address, headers=token), timeout=GOODBYE_S) as answer:  # noqa: S310 - loopback
            running = json.load(answer)
        for one in running:
            ended = Request(f"{address}/{one['id']}", headers=token, method="DELETE")  # noqa: S310
            urlopen(ended, timeout=GOODBYE_S).close()  # noqa: S310

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(GOODBYE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_server(
    folder: Path, *, voila: bool = False, host: str = "127.0.0.1", python: str = sys.executable, base: str = "/"
) -> JupyterServer:
    """Start JupyterLab (with Notebook next to it), or Voila alone, and wait until it answers."""
    notebooks, log, token, port = folder / "notebooks", folder / "server.log", secrets.token_hex(16), free_port()
    notebooks.mkdir(parents=True, exist_ok=True)
    command = _voila(notebooks, port, token) if voila else _lab(notebooks, port, token, host, base)
    with log.open("wb") as written:
        process = subprocess.Popen(  # noqa: S603
            [python, "-m", *command], env=_environment(folder), cwd=notebooks, stdout=written,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    server = JupyterServer(folder, process, port, token, log, base)
    try:
        _wait_until_it_answers(server, "/" if voila else "/api/status")
    except BaseException:
        server.end()
        raise
    return server


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _lab(notebooks: Path, port: int, token: str, host: str, base: str) -> list[str]:
    options = {
        "--ServerApp.root_dir": notebooks, "--ServerApp.ip": host, "--ServerApp.port": port,
        "--ServerApp.base_url": base,
        "--ServerApp.port_retries": 0, "--ServerApp.open_browser": False, "--IdentityProvider.token": token,
        "--ServerApp.local_hostnames": ["localhost", "notebooks.example"], "--LabApp.expose_app_in_browser": True,
        "--JupyterNotebookApp.expose_app_in_browser": True, "--LabApp.news_url": None,
        "--LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate", "--ServerApp.log_level": "DEBUG",
    }  # fmt: skip
    return ["jupyterlab", *(f"{name}={value}" for name, value in options.items()), *_as_root()]


def _voila(notebooks: Path, port: int, token: str) -> list[str]:
    options = {
        "--Voila.ip": "127.0.0.1", "--port": port, "--Voila.port_retries": 0, "--Voila.root_dir": notebooks,
        "--Voila.open_browser": False, "--Voila.token": token,
    }  # fmt: skip
    return ["voila", *(f"{name}={value}" for name, value in options.items())]


def _as_root() -> list[str]:
    return ["--ServerApp.allow_root=True"] if os.geteuid() == 0 else []


def _environment(folder: Path) -> dict[str, str]:
    settings = folder / "settings" / "labconfig"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "default_setting_overrides.json").write_text(json.dumps(_SETTINGS), encoding="utf-8")
    own = {
        "HOME": folder / "home", "IPYTHONDIR": folder / "home" / ".ipython", "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_CONFIG_PATH": folder / "settings", "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime", "PYTHONPATH": search_path(ROOT), "JUPYTER_PLATFORM_DIRS": "1",
    }  # fmt: skip
    (folder / "home").mkdir(exist_ok=True)
    return {**inherited("JUPYTER"), **{name: str(value) for name, value in own.items()}}


def _wait_until_it_answers(server: JupyterServer, path: str) -> None:
    """Ask until there is an answer or the process has ended; waiting for the process is what takes the time."""
    for _ in range(PATIENCE_S * 10):
        try:
            with urlopen(f"{server.url}{path}?token={server.token}", timeout=GOODBYE_S):  # noqa: S310 - loopback
                return
        except HTTPError:  # it is there, and means no
            break
        except OSError:
            try:
                server.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
    raise RuntimeError(f"the server does not answer:\n{server.log.read_text(errors='replace')[-4000:]}")


@dataclass
class Sheet:
    """An open notebook, and what was said around it."""

    page: Page
    server: JupyterServer
    name: str
    place: Place
    complaints: list[str] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.server.notebooks / self.name

    def open(self, *, host: str = "127.0.0.1") -> None:
        self.page.goto(self.server.address(self.name, self.place, host=host))
        if self.place != "voila":
            self.page.wait_for_function(f"() => {_OPENED}", timeout=PATIENCE_MS)
            self.page.evaluate(_READY)
            self.page.wait_for_function(
                "() => window.jupyterapp.commands.hasCommand('notebook:run-all-cells')", timeout=PATIENCE_MS
            )

    def run(self) -> None:
        """Run every cell and wait until all have."""
        if self.place != "voila":
            self.command("notebook:run-all-cells")

    def save(self) -> str:
        """Save it, and return the text of the file."""
        self.command("docmanager:save")
        return self.path.read_text("utf-8")

    def command(self, name: str) -> None:
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def wait_for(self, text: str) -> Locator:
        """Wait until these words can be seen."""
        return shown(self.page.get_by_text(text).first)

    def theme(self, which: Literal["light", "dark"]) -> None:
        """Change JupyterLab's theme, and wait until it is there."""
        wanted = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[which]
        self.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", wanted)
        self.page.locator(f"body[data-jp-theme-name='{wanted}']").wait_for(state="attached", timeout=PATIENCE_MS)


def shown(found: Locator) -> Locator:
    """Wait until something can be seen; a cell that failed ends the waiting, with its traceback."""
    failed = found.page.get_by_text("Traceback (most recent call last)").first
    found.or_(failed).first.wait_for(timeout=PATIENCE_MS)
    if not found.is_visible():
        raise RuntimeError(f"a cell failed:\n{failed.inner_text()}")
    return found


def listen(sheet: Sheet) -> Sheet:
    """Have a sheet keep what its page complains of, and every frame of its web sockets."""

    def keep(payload: str | bytes) -> None:
        sheet.frames.append(payload.encode() if isinstance(payload, str) else payload)

    def watch(opened: Any) -> None:
        opened.on("framesent", keep)
        opened.on("framereceived", keep)

    sheet.page.on("websocket", watch)
    sheet.page.on("pageerror", lambda error: sheet.complaints.append(str(error)))
    sheet.page.on("console", lambda message: sheet.complaints.append(f"{message.type}: {message.text}"))
    return sheet


def assert_accessible(page: Page, selector: str = ".bgs, .bg-form") -> None:
    """No serious or critical violation of what axe-core looks for, within the forms."""
    found = Axe().run(page, context={"include": [[selector]]}).response["violations"]
    grave = [
        f"{one['id']} ({one['impact']}): {node['html'][:160]} {[check['message'] for check in node['any']]}"
        for one in found if one["impact"] in {"serious", "critical"} for node in one["nodes"]
    ]  # fmt: skip
    assert grave == [], "\n".join(grave)
