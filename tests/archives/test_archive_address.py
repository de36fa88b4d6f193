"""Where the archive is asked: https, or this machine; the exchange's own by default, and no one else's."""

from __future__ import annotations

from pathlib import Path

import pytest

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.errors import ConfigurationError
from bgresearch.http.transport import base_address
from tests.conftest import Connect

REFUSED = [
    "http://img.bitgetimg.com/online", "https://user:word@img.bitgetimg.com/online", "https://host/a?b=1", "https://h/#x",
    "ftp://127.0.0.1/online", "https://host/../x", "https://host/a%2fb", "", "img.bitgetimg.com/online", "https://",
    "http://127.0.0.1.evil.example/online", "https://host/a b",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_safe_is_refused_by_name(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigurationError, match="archive_url"):
        base_address(address, "archive_url")
    if address:
        with pytest.raises(ConfigurationError, match="archive_url"):
            bg.connect(data_dir=tmp_path, archive_url=address)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://img.bitgetimg.com/online/", "https://img.bitgetimg.com/online"),
        ("HTTPS://Host:443/Online", "https://host/Online"),
        ("http://127.0.0.1:8080/online", "http://127.0.0.1:8080/online"),
        ("https://host", "https://host"),
    ],
)
def test_an_address_has_one_spelling(address: str, base: str) -> None:
    assert base_address(address, "archive_url") == base


def archive_of(client: Client) -> str | None:
    archive = client._source.archive
    return None if archive is None else archive.base_url


def test_whose_archive_is_asked(tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    local = "http://127.0.0.1:9"
    assert archive_of(bg.connect(data_dir=tmp_path / "real")) == "https://img.bitgetimg.com/online"
    assert archive_of(bg.connect(data_dir=tmp_path / "local", base_url=local)) is None
    assert archive_of(connect()) == "http://127.0.0.1:1/online"
    monkeypatch.setenv("BGRESEARCH_ARCHIVE_URL", f"{local}/online")
    assert archive_of(bg.connect(data_dir=tmp_path / "local", base_url=local)) == f"{local}/online"
    assert archive_of(connect()) == "http://127.0.0.1:1/online"
    named = bg.connect(data_dir=tmp_path / "local", base_url=local, archive_url="https://host/x")
    assert archive_of(named) == "https://host/x"
