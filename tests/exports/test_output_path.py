"""A file appears whole or not at all, and a name that is taken meanwhile is taken."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from bgresearch.errors import StoreError
from bgresearch.exports.output_path import placed, written


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def overtaken(target: Path) -> None:
    """Write a file while somebody else writes one of the same name, faster."""
    with placed(target) as part:
        part.write_text("mine", encoding="utf-8")
        target.write_text("theirs", encoding="utf-8")


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    with pytest.raises(StoreError, match=r"rows\.csv exists already\. Choose another name"):
        overtaken(target)
    assert target.read_text("utf-8") == "theirs"
    assert names(tmp_path) == ["rows.csv"]


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows no hard links, as on memory cards and some shares."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_links")
def test_a_file_system_without_links_takes_files_too(tmp_path: Path) -> None:
    assert written(tmp_path / "rows.csv", b"mine").read_bytes() == b"mine"
    target = tmp_path / "other.csv"
    with pytest.raises(StoreError, match="exists already"):
        overtaken(target)
    assert target.read_text("utf-8") == "theirs"
    assert names(tmp_path) == ["other.csv", "rows.csv"]


def test_a_private_file_is_private_before_anything_is_in_it(tmp_path: Path) -> None:
    with placed(tmp_path / "rows.csv", private=True) as part:
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "rows.csv").stat().st_mode) == 0o600


def test_only_force_replaces(tmp_path: Path) -> None:
    written(tmp_path / "rows.csv", b"old")
    with pytest.raises(StoreError, match="exists already"):
        written(tmp_path / "rows.csv", b"new")
    assert written(tmp_path / "rows.csv", b"new", force=True).read_bytes() == b"new"
    assert names(tmp_path) == ["rows.csv"]
