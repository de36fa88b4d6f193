from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tornado.web import HTTPError

from bgresearch.agent.jupyter_hook import refuse_secrets
from bgresearch.keys import leak_scan as scanning
from bgresearch.keys.leak_scan import Hit, scan, scan_staged

SECRET = b"5e0c7a11d4b3f298"


class Said(NamedTuple):
    label: str
    field: str
    form: str
    offset: int


class Plain:
    """Finds one text, and nothing of its forms."""

    def find(self, data: bytes) -> list[Said]:
        offset = data.find(SECRET)
        return [Said("research", "secret_key", "plain", offset)] if offset >= 0 else []


def notebook(**parts: Any) -> dict[str, Any]:
    cell = {"cell_type": "code", "source": parts.get("source", []), "outputs": parts.get("outputs", []), "metadata": {}}
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": {"1": {"value": parts.get("widget", "")}}}}
    clean = {"cell_type": "markdown", "source": ["# fine"], "metadata": parts.get("cell_metadata", {})}
    return {"cells": [clean, cell], "metadata": {"widgets": widgets, "title": parts.get("title", "")}, "nbformat": 4}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=1).encode())
    return path


def places(hits: tuple[Hit, ...]) -> list[tuple[str, str]]:
    return sorted((Path(hit.place).name, hit.where) for hit in hits)


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)  # noqa: S603, S607


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def test_files_tell_the_line(tmp_path: Path) -> None:
    write(tmp_path / "a" / ".env", b"X=1\nSECRET=" + SECRET + b"\n")
    write(tmp_path / "a" / "b" / "run.log", b"fine\n" * 9 + SECRET)
    write(tmp_path / "a" / "clean.py", b"fine")
    report = scan([tmp_path], Plain())
    assert places(report.hits) == [(".env", "line 2"), ("run.log", "line 10")]
    assert (report.searched, report.unread) == (3, ())
    assert SECRET.decode() not in repr(report)


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ({"source": ["x = 1\n", f"key = '{SECRET.decode()}'"]}, "cell 2, source"),
        ({"source": [f"key = {SECRET.decode()[:7]}", SECRET.decode()[7:]]}, "cell 2, source"),
        ({"source": f"key = {SECRET.decode()}"}, "cell 2, source"),
        ({"outputs": [{"output_type": "stream", "text": [f"{SECRET.decode()}\n"]}]}, "cell 2, output"),
        ({"outputs": [{"data": {"text/html": [f"<b>{SECRET.decode()}</b>"]}}]}, "cell 2, output"),
        ({"widget": SECRET.decode()}, "widget state"),
        ({"title": SECRET.decode()}, "metadata"),
        ({"cell_metadata": {"tags": [SECRET.decode()]}}, "cell 1, metadata"),
    ],
)
@pytest.mark.parametrize("name", ["book.ipynb", ".ipynb_checkpoints/book-checkpoint.ipynb"])
def test_notebooks_tell_the_cell(tmp_path: Path, parts: dict[str, Any], where: str, name: str) -> None:
    write(tmp_path / name, notebook(**parts))
    assert places(scan([tmp_path], Plain()).hits) == [(Path(name).name, where)]


@pytest.mark.parametrize("text", [b"{", b"[" * 5000, b"[]", b'{"cells": 7}', b'{"cells": [1, {}]}'])
def test_what_only_looks_like_a_notebook_is_searched_as_text(tmp_path: Path, text: bytes) -> None:
    write(tmp_path / "book.ipynb", text + b"\n" + SECRET)
    assert places(scan([tmp_path], Plain()).hits) == [("book.ipynb", "line 2")]


def database(shift: int) -> bytes:
    with sqlite3.connect(":memory:") as opened:
        opened.execute("PRAGMA page_size = 512")
        opened.execute("CREATE TABLE history (line INTEGER, source TEXT)")
        opened.execute("INSERT INTO history VALUES (1, ?)", ("y" * shift + SECRET.decode() + "x" * 3000,))
        opened.commit()
        content: bytes = opened.serialize()
    opened.close()
    return content


def test_a_history_whose_pages_tear_a_secret_is_searched_row_by_row(tmp_path: Path) -> None:
    contents = [database(shift) for shift in range(0, 1200, 8)]
    torn = [content for content in contents if SECRET not in content]
    assert torn
    for content in (contents[0], torn[0]):
        write(tmp_path / "history.sqlite", content)
        (hit,) = scan([tmp_path], Plain()).hits
        assert (hit.where == "table history") == (content is torn[0])


def test_a_secret_across_the_edge_of_two_parts_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PART_BYTES", 1000)
    for at in range(980, 1010):
        write(tmp_path / "big.bin", b"x" * at + SECRET + b"x" * 3000)
        assert len(scan([tmp_path], Plain()).hits) == 1


def test_git_objects_are_searched_loose_packed_and_unreachable(repository: Path) -> None:
    write(repository / "old.py", b"key = '" + SECRET + b"'\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    write(repository / "old.py", b"clean\n")
    git(repository, "commit", "-qam", "two")
    for step in (["gc", "-q"], None):
        (hit,) = scan([repository], Plain()).hits
        assert hit.where == "old.py"
        assert ": git blob " in hit.place
        if step:
            git(repository, *step)
    git(repository, "checkout", "-q", "--orphan", "new")
    git(repository, "commit", "-qm", f"message with {SECRET.decode()}")
    kinds = {hit.place.split()[-2] for hit in scan([repository], Plain()).hits}
    assert kinds == {"blob", "commit"}
    assert scan([repository], Plain(), with_git=False).hits == ()


def test_a_staged_file_is_searched_as_it_is_staged(repository: Path) -> None:
    write(repository / "sub" / "na me.py", b"a\n" + SECRET)
    assert scan_staged(repository, Plain()).hits == ()
    git(repository, "add", ".")
    write(repository / "sub" / "na me.py", b"clean now, but not staged")
    (hit,) = scan_staged(repository / "sub", Plain()).hits
    assert (hit.place, hit.where) == ("sub/na me.py", "line 2")
    git(repository, "add", ".")
    assert scan_staged(repository, Plain()).hits == ()


def test_a_repository_from_elsewhere_starts_no_program_of_its_own(repository: Path, tmp_path: Path) -> None:
    """Its settings name programs; an object that is missing would be fetched with one of them."""
    write(repository / "gone.py", b"to be missing")
    write(repository / "key.py", SECRET)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    write(repository / "key.py", SECRET + b" staged")
    git(repository, "add", ".")
    started = tmp_path / "started"
    hook = write(repository / ".git" / "hooks" / "post-index-change", f"#!/bin/sh\ntouch {started}\n".encode())
    hook.chmod(0o700)
    settings = {
        **dict.fromkeys(("core.fsmonitor", "core.sshCommand", "diff.external"), f"touch {started}"),
        "core.repositoryformatversion": "1", "extensions.partialClone": "origin", "protocol.ssh.allow": "always",
        "remote.origin.url": "ssh://elsewhere.example/x", "remote.origin.promisor": "true",
    }  # fmt: skip
    for name, value in settings.items():
        git(repository, "config", name, value)
    gone = subprocess.run(  # noqa: S603
        ["git", "-C", str(repository), "rev-parse", "HEAD:gone.py"],  # noqa: S607
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    (repository / ".git" / "objects" / gone[:2] / gone[2:]).unlink()
    started.unlink(missing_ok=True)
    assert {hit.where for hit in scan([repository], Plain()).hits} >= {"key.py"}
    assert len(scan_staged(repository, Plain()).hits) == 1
    assert not started.exists()


def test_links_pipes_and_what_cannot_be_read(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "file", SECRET)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "folder").symlink_to(outside.parent)
    os.mkfifo(inside / "pipe")
    report = scan([inside, tmp_path / "nothing"], Plain())
    assert report.hits == ()
    assert report.unread == (f"{tmp_path / 'nothing'}: No such file or directory",)


def test_the_hook_stops_a_notebook_with_a_secret_and_no_other() -> None:
    hook = refuse_secrets(Plain())
    hook(model={"type": "notebook", "content": notebook()}, path="fine.ipynb", contents_manager=None)
    hook(model={"type": "file", "content": "fine"}, path="fine.py")
    hook(model={"type": "directory", "content": None}, path="folder")
    bad = notebook(outputs=[{"text": [SECRET.decode()]}])
    with pytest.raises(HTTPError, match="cell 2, output: secret_key of key 'research'") as refusal:
        hook(model={"type": "notebook", "content": bad}, path="book.ipynb", contents_manager=None)
    assert SECRET.decode() not in str(refusal.value)
    with pytest.raises(HTTPError, match="line 2"):
        hook(model={"type": "file", "content": f"a\n{SECRET.decode()}"}, path="x.py")
