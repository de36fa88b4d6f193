"""Live and demo data never meet, and a label that was given to another key never answers with the former one's data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.connect import SANDBOX_URL
from bgresearch.errors import ConfigurationError, OfflineError
from bgresearch.sandbox import SANDBOX_KEYS
from vault import Credential, loopback_credential

Connect = Callable[..., Client]


class Vault:
    """A vault whose one label holds one of the sandbox's keys."""

    def __init__(self, holds: str) -> None:
        self.holds = SANDBOX_KEYS[holds]

    def get(self, name: str) -> Credential:
        key = self.holds
        return loopback_credential(
            name, api_key=key.api_key, secret_key=key.secret_key, passphrase=key.passphrase, host=SANDBOX_URL,
            demo=key.demo,
        )  # fmt: skip


def test_a_folder_of_live_data_refuses_a_demo_key_and_the_other_way_round(connect: Connect, tmp_path: Path) -> None:
    for first, second, said in [
        ("readonly", "demo", r"holds data of loopback, not of loopback \(demo environment\)"),
        ("demo", "unified", r"holds data of loopback \(demo environment\), not of loopback\."),
    ]:
        folder = tmp_path / first
        connect(key=first, data_dir=folder).account.assets()
        with pytest.raises(ConfigurationError, match=said) as caught:
            connect(key=second, data_dir=folder)
        assert caught.value.hint == "Give another folder with data_dir=."
        assert connect(key=first, data_dir=folder, offline=True).account.assets().shape[0] > 0


def test_demo_keys_have_a_folder_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BGRESEARCH_DATA_DIR", raising=False)
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    folders = [Path(bgresearch.connect(sandbox=True, key=key).data_dir) for key in ("readonly", "unified", "demo")]
    assert folders[0] == folders[1] != folders[2]
    assert not {*folders[0].parents} & {folders[2]}
    assert not {*folders[2].parents} & {folders[0]}


def test_the_usual_folder_has_a_subfolder_for_everything_that_is_made_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BGRESEARCH_DATA_DIR", str(tmp_path))
    real = bgresearch.connect(offline=True)
    places = [Path(bgresearch.connect(sandbox=True, key=key).data_dir) for key in ("readonly", "demo")]
    assert Path(real.data_dir) == tmp_path
    assert places == [tmp_path / ".sandbox", tmp_path / ".sandbox-demo"]
    for key in ("readonly", "demo"):
        bgresearch.connect(sandbox=True, key=key).tickers("BTCUSDT")
    assert not [one for one in tmp_path.iterdir() if not one.name.startswith(".sandbox")]


def test_a_folder_that_already_holds_sandbox_data_stays_in_use(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connect(data_dir=tmp_path).candles("BTCUSDT", "1d", last="5d")
    monkeypatch.setenv("BGRESEARCH_DATA_DIR", str(tmp_path))
    assert Path(connect(data_dir=None).data_dir) == tmp_path
    assert Path(connect(data_dir=None, key="demo").data_dir) == tmp_path / ".sandbox-demo"


@pytest.mark.parametrize("explicit", [True, False])
def test_offline_the_agents_demo_key_is_read_from_where_its_data_lies(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, explicit: bool
) -> None:
    monkeypatch.delenv("BGRESEARCH_DATA_DIR", raising=False)
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    folder = tmp_path / "demo" if explicit else None
    options = {"offline": True, "base_url": SANDBOX_URL, "data_dir": folder}
    fetched = connect(key="demo", data_dir=folder).account.assets()
    kept = bgresearch.connect(key="demo", **options)
    assert kept.account.assets().equals(fetched)
    assert kept.account.assets().attrs["bgresearch"]["demo"] is True
    if not explicit:
        with pytest.raises(OfflineError):
            bgresearch.connect(key="readonly", **options).account.assets()


def test_a_label_given_to_a_key_of_another_account_does_not_answer_with_the_former_ones_data(connect: Connect) -> None:
    span = ("2026-10-01", "2026-11-01")
    former = connect(key="mine", vault=Vault("readonly"))
    fills, assets = former.account.fills(*span), former.account.assets()
    assert connect(key="mine", vault=Vault("readonly")).account.fills(*span).equals(fills)
    new = connect(key="mine", vault=Vault("unified"))
    assert not new.account.assets(max_age=10**6).equals(assets)
    assert new.account.fills(*span).attrs["bgresearch"]["label"] == "mine"
    uids = {one.name for one in (Path(new.data_dir) / "account").iterdir() if one.name.isdigit()}
    assert len(uids) == 2
    again = connect(key="mine", vault=Vault("unified"))
    assert len(again.account.fills(*span)) == len(fills), "both accounts of the sandbox lived the same life"
    assert again.requests_sent == 0
    assert connect(key="mine", vault=Vault("unified"), offline=True).account.assets()["account"].eq("unified").any()
