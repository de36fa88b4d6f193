"""The pieces fit together or the error says which do not."""

from __future__ import annotations

import copy
import importlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.errors import AgentUnavailable, ConfigurationError

Connect = Callable[..., Client]


class Key:
    """A signer bound to the live exchange."""

    name, host, demo = "research", "https://api.bitget.com", False

    def headers(self, method: str, target: str, body: str = "", timestamp_ms: int | None = None) -> dict[str, str]:
        raise AssertionError("nothing may be signed here")


class Keys:
    def get(self, name: str) -> Key:
        if name != "research":
            raise KeyError(f"no key {name!r}; there is research")
        return Key()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BGRESEARCH_DATA_DIR", "BGRESEARCH_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
def test_no_module_hides_an_exported_name() -> None:
    lines = "import importlib, pkgutil, bgresearch\n"
    lines += "for found in pkgutil.walk_packages(bgresearch.__path__, 'bgresearch.'):\n"
    lines += "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
    lines += "print(*[name for name in bgresearch.__all__ if type(getattr(bgresearch, name)).__name__ == 'module'])"
    ran = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)  # noqa: S603 - our own lines
    assert ran.stdout.strip() == ""


def test_connecting_asks_nothing_and_writes_nothing(tmp_path: Path) -> None:
    client = bgresearch.connect(data_dir=tmp_path / "data")
    assert client.requests_sent == 0
    assert not (tmp_path / "data").exists()
    assert (client.host, client.label) == ("https://api.bitget.com", None)
    client.close()


def test_the_environment_is_heard_and_arguments_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BGRESEARCH_DATA_DIR", str(tmp_path / "env"))
    monkeypatch.setenv("BGRESEARCH_BASE_URL", "http://127.0.0.1:9")
    client = bgresearch.connect()
    assert (client.host, client.data_dir) == ("http://127.0.0.1:9", str(tmp_path / "env" / ".sandbox"))
    other = bgresearch.connect(base_url="http://localhost:8", data_dir=tmp_path / "arg")
    assert (other.host, other.data_dir) == ("http://localhost:8", str(tmp_path / "arg"))


def test_made_up_data_has_a_folder_of_its_own_by_default() -> None:
    folders = {bgresearch.connect(sandbox=True).data_dir, bgresearch.connect(base_url="http://127.0.0.1:9").data_dir}
    assert len(folders) == 1
    assert bgresearch.connect().data_dir not in folders


def test_a_folder_of_made_up_data_is_refused_for_real_data(client: Client, tmp_path: Path) -> None:
    client.candles("BTCUSDT", "1h", "2026-11-01", "2026-11-02")
    with pytest.raises(ConfigurationError, match=r"holds data of loopback, not of https://api\.bitget\.com"):
        bgresearch.connect(data_dir=client.data_dir)


def test_a_key_needs_the_agent_or_its_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGRESEARCH_AGENT_DIR", str(tmp_path / "agent"))
    with pytest.raises(AgentUnavailable, match="no agent is running"):
        bgresearch.connect(key="research", data_dir=tmp_path)
    with pytest.raises(ConfigurationError, match=r"without key= signs nothing.*vault\.names"):
        bgresearch.connect(vault=Keys(), data_dir=tmp_path)


def test_reduced_protection_is_said_once_and_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    importlib.import_module("bgresearch.connect")._say_reduced.cache_clear()
    with caplog.at_level("INFO", logger="bgresearch.connect"):
        for _ in range(2):
            bgresearch.connect(key="research", vault=Keys(), data_dir=tmp_path)
    (said,) = caplog.messages
    assert said.startswith("reduced protection: the key's secrets are in the memory of this process")


def test_an_unknown_key_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no key 'other'; there is research"):
        bgresearch.connect(key="other", vault=Keys(), data_dir=tmp_path)
    with pytest.raises(ConfigurationError, match=r"the sandbox has no key 'other'.*It has readonly"):
        bgresearch.connect(sandbox=True, key="other", data_dir=tmp_path)


def test_a_key_for_another_host_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'research' is bound to https://api\.bitget\.com and is never sent"):
        bgresearch.connect(key="research", vault=Keys(), base_url="http://127.0.0.1:9", data_dir=tmp_path)
    with pytest.raises(ConfigurationError, match="is never sent to"):
        bgresearch.connect(key="research", vault=Keys(), sandbox=True, data_dir=tmp_path)


@pytest.mark.parametrize("url", ["http://example.com", "https://user@api.bitget.com", "ftp://x", "nonsense"])
def test_an_address_without_protection_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="is refused"):
        bgresearch.connect(base_url=url, data_dir=tmp_path)


def test_the_sandbox_has_no_other_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="exclude each other"):
        bgresearch.connect(sandbox=True, base_url="http://127.0.0.1:9", data_dir=tmp_path)


def test_a_client_shows_no_more_than_a_label(connect: Connect) -> None:
    with connect() as client:
        assert repr(client).startswith("<Client of http://127.0.0.1:1, key 'readonly', data in ")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, bgresearch; print(sorted({'pandas', 'pyarrow', 'requests', 'numpy', 'vault'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert said.stdout.strip() == "[]"


def test_everything_that_is_exported_is_there() -> None:
    assert all(getattr(bgresearch, name) is not None for name in bgresearch.__all__)
    assert set(dir(bgresearch)) == set(bgresearch.__all__)
    with pytest.raises(AttributeError, match="no attribute 'order'"):
        _ = bgresearch.order  # type: ignore[attr-defined]


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("key", [None, "readonly"])
def test_a_client_says_that_it_cannot_be_copied(connect: Connect, key: str | None, copied: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be pickled .* bgresearch\.connect\(\)"):
        copied(connect(key=key))


PARTS: dict[str, Callable[[Any], Any]] = {
    "api": lambda one: one.api, "an area": lambda one: one.api.spot, "an endpoint": lambda one: one.api.spot.tickers,
    "a form of it": lambda one: one.api.spot.tickers.raw, "lens": lambda one: one.lens,
    "a verb": lambda one: one.candles,
    "the account": lambda one: one.account, "a verb of it": lambda one: one.account.fills,
    "a recorder": lambda one: one.recorder("open-interest", "BTCUSDT", every="1h"),
    "a stream": lambda one: one.stream("trades", "BTCUSDT"), "a statement": lambda one: one.statement("2026-11-20"),
}  # fmt: skip


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
@pytest.mark.parametrize("part", PARTS)
def test_no_part_of_a_client_can_be_copied_either(connect: Connect, part: str, copied: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be pickled .* bgresearch\.connect\(\)"):
        copied(PARTS[part](connect(key="readonly")))
