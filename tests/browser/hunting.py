"""Looks for what was typed wherever a notebook, its servers and its browser could have kept it; says how often only.

Every place has a control: a marker that is put there on purpose, in the way in which that place would get a text, must
be found by the same search.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import BrowserContext

from benchmarks.kernel_memory import forms, hits
from tests.browser import harness
from tests.browser.harness import Home, JupyterServer, Sheet

MARKING = """
import base64
import ipywidgets
marker = {marker!r}
held = [marker.encode("utf-16-le"), marker.encode().hex().encode(), base64.b64encode(marker.encode())]
ipywidgets.Text(value=marker)
"""

Walk = Callable[[Sheet], None]


@dataclass(frozen=True)
class Found:
    """How often something was found, by place; None where this machine does not allow to look."""

    secrets: dict[str, int | None]
    marker: dict[str, int | None]
    agent: int | None
    mib: int

    @property
    def leaks(self) -> dict[str, int]:
        """The places that hold a secret."""
        return {place: count for place, count in self.secrets.items() if count}

    @property
    def blind(self) -> list[str]:
        """The places where the search did not find its marker: nothing said of them counts."""
        return [place for place, count in self.marker.items() if count == 0]

    @property
    def unseen(self) -> list[str]:
        """The places where this machine does not allow to look."""
        return [place for place, count in self.secrets.items() if count is None]


class Hunt:
    """One person, one profile, one notebook, and everything that could have kept a text.

    Parameters
    ----------
    lab : JupyterServer
        Saves widget state with notebooks.
    person : Home
        Whose folders are looked through as well; the vault's file is in them.
    profile : Path
        The browser's profile on disk.
    """

    def __init__(self, lab: JupyterServer, person: Home, profile: Path) -> None:
        self.lab, self.person, self.profile = lab, person, profile
        self.marker = f"marker{secrets.token_hex(12)}"
        self._others = set(lab.kernels())
        (person.folder / "marked").write_text(self.marker, encoding="utf-8")

    def walk(self, context: BrowserContext, cells: Sequence[str], walk: Walk) -> Sheet:
        """Write a marked notebook, open it, do what a person does, save it twice, so that there is a checkpoint."""
        name = self.lab.write(f"{self.marker}.ipynb", [self.person.cell, MARKING.format(marker=self.marker), *cells])
        sheet = harness.listen(Sheet(context.new_page(), self.lab, name, "lab"))
        sheet.open()
        sheet.page.evaluate("text => { localStorage.setItem('marker', text); console.info(text); }", self.marker)
        sheet.run()
        walk(sheet)
        for _ in range(2):
            sheet.save()
        return sheet

    def processes(self) -> dict[str, int]:
        """The server, and the kernel that was started for this notebook."""
        (kernel,) = set(self.lab.kernels()) - self._others
        return {"kernel": kernel, "Jupyter server": self.lab.process.pid}

    def look(self, sheet: Sheet, texts: Sequence[str], agent_pid: int, close: Callable[[], None]) -> Found:
        """Search the living processes first, then, after ``close`` has ended the browser, what lies on disk."""
        memory = {place: in_process(pid, texts) for place, pid in self.processes().items()}
        marked = {place: in_process(pid, [self.marker])[0] for place, pid in self.processes().items()}
        agent = in_process(agent_pid, texts)[0]
        close()
        places = {
            "notebooks and checkpoints": files(self.lab.notebooks),
            "history": files(self.lab.history.parent),
            "settings, logs, runtime files": files(self.lab.folder, but=self.lab.notebooks),
            "browser profile": files(self.profile),
            "vault and data folder": files(self.person.folder),
            "web sockets": list(sheet.frames),
            "console": [line.encode() for line in sheet.complaints],
        }
        kept = {place: sum(count(data, texts) for data in held) for place, held in places.items()}
        seen = {place: sum(count(data, [self.marker]) for data in held) for place, held in places.items()}
        searched = sum(size for _, size in memory.values())
        found = {place: one for place, (one, _) in memory.items()}
        return Found({**found, **kept}, {**marked, **seen}, agent, searched >> 20)


def in_process(pid: int, texts: Sequence[str]) -> tuple[int | None, int]:
    """How often any of the texts, in any spelling, is in a process's memory, and how many bytes were searched."""
    try:
        found, searched = hits(pid, list(texts))
    except PermissionError:
        return None, 0
    return sum(found.values()), searched


def count(data: bytes, texts: Sequence[str]) -> int:
    """How often any of the texts, in any spelling, is in some bytes."""
    return sum(data.count(one) for text in texts for spelt in forms(text).values() for one in spelt)


def files(folder: Path, *, but: Path | None = None) -> list[bytes]:
    """The bytes of every file in a folder."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path.read_bytes() for path in paths if not (but and path.is_relative_to(but))]
