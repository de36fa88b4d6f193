"""The widget manager of VS Code, Colab and saved pages: @jupyter-widgets/html-manager from npm, not Jupyter's own.

The widgets are real ones in this process, with the comms that a kernel would give them; their messages go to a page in
Chromium and back. The page loads anywidget from the folder where pip puts it, as VS Code does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comm.base_comm import BaseComm
from ipywidgets import Widget
from playwright.sync_api import BrowserContext, Page, Route

ORIGIN = "http://127.0.0.1:9"  # nothing listens there; the page comes from the test
PACKAGES = ("@jupyter-widgets/html-manager@1", "requirejs@2")
FILES = {"require.js": "requirejs/package/require.js", "manager.js": "html-manager/package/dist/libembed-amd.js"}
ANYWIDGET = Path(sys.prefix) / "share" / "jupyter" / "nbextensions" / "anywidget" / "index.js"

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notebook</title>
<script src="/require.js"></script><script src="/manager.js"></script></head>
<body><main id="cell"></main></body></html>"""
_BEGIN = """() => new Promise((resolve, reject) => {
  require.config({paths: {anywidget: "/anywidget"}});
  require(["@jupyter-widgets/html-manager"], ({HTMLManager}) => {
    const manager = new HTMLManager({loader: (name) => new Promise((give, fail) => require([name], give, fail))});
    const comms = new Map();
    const open = (id, target) => {
      const comm = {
        comm_id: id, target_name: target, on_msg: (act) => { comm.heard = act; }, on_close: () => {}, close: () => {},
        send: (data, callbacks) => {
          window.toKernel(id, data).then(window.deliver).then(
            () => callbacks?.iopub?.status?.({content: {execution_state: "idle"}}));
          return `${id}-${Math.random()}`;
        }};
      comms.set(id, comm);
      return comm;
    };
    let last = Promise.resolve();
    window.deliver = (messages) => last = last.then(async () => {
      for (const {kind, id, target, data, metadata} of messages) {
        const message = {content: {comm_id: id, data}, metadata, buffers: []};
        if (kind === "comm_open") await manager.handle_comm_open(open(id, target), message);
        else if (kind === "comm_msg") await comms.get(id).heard(message);
      }
    });
    window.show = async (id) => {
      const view = await manager.create_view(await manager.get_model(id));
      document.querySelector("#cell").replaceChildren();
      await manager.display_view(view, document.querySelector("#cell"));
    };
    resolve();
  }, reject);
})"""


def packages(folder: Path) -> Path:
    """Fetch the packages from npm into a folder."""
    subprocess.run(  # noqa: S603
        ["npm", "pack", "--silent", *PACKAGES], cwd=folder, check=True, capture_output=True, timeout=120  # noqa: S607
    )  # fmt: skip
    for name in ("html-manager", "requirejs"):
        (found,) = folder.glob(f"*{name}*.tgz")
        with tarfile.open(found) as file:
            file.extractall(folder / name, filter="data")
    return folder


class Kernel:
    """Gives widgets their comms, and keeps what they send until the page takes it."""

    def __init__(self) -> None:
        self.comms: dict[str, BaseComm] = {}
        self.sent: list[dict[str, Any]] = []

    def create_comm(self, **options: Any) -> BaseComm:
        """Take the place of `comm.create_comm`, as a kernel does."""
        kernel = self

        class Comm(BaseComm):  # type: ignore[misc]  # its base has no types
            def publish_msg(
                self, kind: str, data: object = None, metadata: object = None, buffers: object = None, **_: object
            ) -> None:
                assert not buffers, "no form has binary state"
                kernel.comms[self.comm_id] = self
                message = {"kind": kind, "id": self.comm_id, "target": self.target_name, "data": data}
                kernel.sent.append(json.loads(json.dumps({**message, "metadata": metadata or {}}, default=str)))

        return Comm(**options)

    def hear(self, comm_id: str, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Take a message of the page; return what was sent since the last one."""
        self.comms[comm_id].handle_msg({"content": {"comm_id": comm_id, "data": data}, "buffers": []})
        return self.taken()

    def taken(self) -> list[dict[str, Any]]:
        taken, self.sent = self.sent, []
        return taken


class Notebook:
    """A page that shows one widget.

    Attributes
    ----------
    complaints : list of str
        What the page's console said.
    """

    def __init__(self, context: BrowserContext, kernel: Kernel, folder: Path, origin: str = ORIGIN) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self._kernel, self._folder = kernel, folder
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.expose_function("toKernel", kernel.hear)
        self.page.route(f"{origin}/**", self._serve)
        self.page.goto(f"{origin}/")
        self.page.evaluate(_BEGIN)

    def show(self, widget: Widget) -> None:
        self.page.evaluate("messages => window.deliver(messages)", self._kernel.taken())
        self.page.evaluate("id => window.show(id)", widget.model_id)

    def _serve(self, route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[-1]
        if name == "anywidget.js":
            route.fulfill(path=ANYWIDGET, content_type="text/javascript")
        elif name in FILES:
            route.fulfill(path=self._folder / FILES[name], content_type="text/javascript")
        else:
            route.fulfill(body=_PAGE, content_type="text/html")


Show = Callable[[Widget], Notebook]
