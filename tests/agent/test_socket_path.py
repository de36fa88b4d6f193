"""Folder and socket belong to the user alone, or nobody connects; what a dead agent left is no obstacle."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

import pytest

from bgresearch.agent import socket_path as module
from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.process import _only_one
from bgresearch.agent.server import listen
from bgresearch.agent.socket_path import Place, check_socket, default_place, need_sockets, peer_is_me, prepare
from bgresearch.errors import AgentError, AgentUnavailable
from tests.agent.conftest import PASSWORD, Start
from vault.hidden import Hidden

NOT_ME = 61_234


def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")


def test_what_is_made_is_for_its_owner_alone(begin: Start, place: Place) -> None:
    before = os.umask(0)
    try:
        begin()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.lstat().st_mode) for path in (place.folder, place.socket, place.lock)]
    assert modes == [0o700, 0o600, 0o600]


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o750, 0o701, 0o777])
def test_a_folder_that_others_can_enter_is_refused(begin: Start, place: Place, mode: int) -> None:
    begin()
    place.folder.chmod(mode)
    with pytest.raises(AgentError, match=rf"has mode {mode:04o}: others can use it"):
        Agent(place).status()
    with pytest.raises(AgentError, match=rf"has mode {mode:04o}"):
        begin()
    place.folder.chmod(0o700)


@pytest.mark.parametrize("mode", [0o660, 0o606, 0o666])
def test_a_socket_that_others_can_use_is_refused(begin: Start, place: Place, mode: int) -> None:
    begin()
    place.socket.chmod(mode)
    with pytest.raises(AgentError, match=rf"agent\.sock has mode {mode:04o}"):
        Agent(place).status()
    place.socket.chmod(0o600)


@pytest.mark.parametrize("what", ["folder", "socket"])
def test_what_belongs_to_somebody_else_is_refused(begin: Start, place: Place, what: str) -> None:
    as_root()
    begin()
    path = getattr(place, what)
    os.chown(path, NOT_ME, NOT_ME)
    with pytest.raises(AgentError, match=f"belongs to user {NOT_ME}, you are user 0"):
        Agent(place).status()
    os.chown(path, 0, 0)


def test_a_link_is_not_followed(begin: Start, place: Place, folder: Path) -> None:
    begin()
    link = Place(folder / "link")
    link.folder.symlink_to(place.folder)
    with pytest.raises(AgentError, match="is not a folder"):
        Agent(link).status()
    with pytest.raises(AgentError, match="is not a folder"):
        prepare(link)
    inside = Place(folder / "other")
    prepare(inside)
    inside.socket.symlink_to(place.socket)
    with pytest.raises(AgentError, match="is not a socket"):
        Agent(inside).status()


def test_a_file_in_the_sockets_place_is_refused_and_replaced(begin: Start, place: Place) -> None:
    prepare(place)
    place.socket.write_text("x", encoding="ascii")
    with pytest.raises(AgentError, match="is not a socket"):
        check_socket(place)
    assert begin().unlocked


def test_a_stale_socket_and_lock_are_no_obstacle(begin: Start, place: Place) -> None:
    prepare(place)
    listen(place).close()
    place.newborn.write_text("x", encoding="ascii")
    place.lock.write_text("12345\n", encoding="ascii")
    place.lock.chmod(0o600)
    with pytest.raises(AgentUnavailable, match="no agent is running"):
        Agent(place).status()
    assert begin().unlocked


def test_a_lock_that_is_a_link_is_refused(begin: Start, place: Place, folder: Path) -> None:
    prepare(place)
    target = folder / "precious"
    target.write_text("x", encoding="ascii")
    place.lock.symlink_to(target)
    with pytest.raises(AgentError, match="the agent did not start"):
        begin()
    assert target.read_text(encoding="ascii") == "x"


def test_the_process_behind_the_socket_must_be_of_this_user(
    begin: Start, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    monkeypatch.setattr("bgresearch.agent.connection.peer_is_me", lambda _: False)
    with pytest.raises(AgentError, match="runs as another user; nothing was sent to it"):
        Agent(place).status()


def test_a_peers_user_is_the_kernels_word() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_is_me(one)
        before = os.geteuid()
        if before == 0:
            os.seteuid(NOT_ME)
            try:
                assert not peer_is_me(one)
            finally:
                os.seteuid(before)


def test_a_path_that_is_too_long_for_a_socket_is_said(folder: Path) -> None:
    with pytest.raises(AgentError, match=r"too long for a socket\. Set BGRESEARCH_AGENT_DIR"):
        prepare(Place(folder / ("x" * 100)))


def test_the_place_can_be_chosen(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("BGRESEARCH_AGENT_DIR", str(folder))
    assert default_place() == Place(folder)
    monkeypatch.delenv("BGRESEARCH_AGENT_DIR")
    assert default_place().folder.name == "bgresearch"


def test_without_unix_sockets_the_way_round_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module.socket, "AF_UNIX")
    with pytest.raises(AgentUnavailable, match=r"less protection: connect\(key=\.\.\., vault=Vault\.open"):
        need_sockets()


def test_ctrl_c_while_the_agent_starts_shows_no_password(place: Place, vault_file: Path) -> None:
    def press(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is subprocess.Popen.communicate.__code__:
            raise KeyboardInterrupt

    before = sys.gettrace()
    sys.settrace(press)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            start(vault_file, Hidden(PASSWORD), place=place)
    finally:
        sys.settrace(before)
    frames = [entry.frame.raw for entry in caught.traceback if Path(entry.path) != Path(__file__)]
    assert frames
    assert not [name for frame in frames for name, value in frame.f_locals.items() if PASSWORD in repr(value)]


def in_fallback(folder: Path, user: int) -> list[str]:
    """Return what three ways to the agent say to a user without a runtime folder, whose temporary folder this is."""
    entries = (lambda: prepare(default_place()), lambda: Agent().status(), lambda: start(Path("vault"), None))
    reading, writing = os.pipe()
    if not (child := os.fork()):
        status = 1
        try:
            for name in ("BGRESEARCH_AGENT_DIR", "XDG_RUNTIME_DIR"):
                os.environ.pop(name, None)
            os.environ["TMPDIR"], tempfile.tempdir = str(folder), None
            os.setuid(user)
            for entry_point in entries:
                try:
                    entry_point()
                except AgentError as error:
                    os.write(writing, f"{error} {error.hint}\n".encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as said:
        lines = said.read().splitlines()
    assert os.waitpid(child, 0)[1] == 0
    return lines


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_a_fallback_folder_that_another_user_made_is_named_with_the_way_out(tmp_path: Path, mode: int) -> None:
    as_root()
    folder = Path(tempfile.mkdtemp(prefix="bgr-", dir="/tmp"))
    try:
        folder.chmod(0o1777)
        taken = folder / f"runtime-{NOT_ME}"
        taken.mkdir(mode=mode)
        taken.chmod(mode)
        said = in_fallback(folder, NOT_ME)
        assert len(said) == 3
        for line in said:
            assert "runtime" in line
            assert "BGRESEARCH_AGENT_DIR" in line
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o277, 0o777])
def test_folders_above_are_for_the_owner_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        prepare(Place(tmp_path / "a" / "b" / "agent"))
    finally:
        os.umask(before)
    made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "agent"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_there_are_no_locks_the_agent_starts_and_says_what_is_weaker(tmp_path: Path, code: int) -> None:
    place = Place(tmp_path / "agent")
    prepare(place)

    def refused(_descriptor: int, _operation: int) -> None:
        raise OSError(code, os.strerror(code))

    is_only, weak = _only_one(place, refused)
    assert is_only
    assert "has no locks" in weak[0]
    assert "BGRESEARCH_AGENT_DIR" in weak[0]
