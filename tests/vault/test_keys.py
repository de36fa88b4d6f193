from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vault import (
    Checked,
    Credential,
    DuplicateKey,
    InvalidField,
    KeyInfo,
    StorageFailed,
    Surroundings,
    TooManyKeys,
    UnknownKey,
    Vault,
)

DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000  # 2023-11-14
NEW = {"api_key": "bg_new", "secret_key": "a new secret".replace(" ", "-"), "passphrase": "a new passphrase"}


class Time:
    now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def dated(path: Path, opened: Callable[..., Vault], clock: Time) -> Vault:
    return opened(path, Surroundings(now_ms=clock))


def info(vault: Vault, name: str) -> KeyInfo:
    return next(one for one in vault.describe() if one.label == name)


def api_key(vault: Vault, name: str) -> str:
    return vault.get(name).headers("GET", "/api/v2/x")["ACCESS-KEY"]


def test_a_renamed_key_is_the_same_key(dated: Vault, path: Path, opened: Callable[..., Vault]) -> None:
    before = info(dated, "research")
    dated.rename("research", "main")
    assert opened(path).names() == dated.names() == ["demo", "main"]
    assert info(dated, "main").fingerprint == before.fingerprint
    with pytest.raises(UnknownKey):
        dated.get("research")


def test_a_name_that_is_taken_or_odd_is_refused(dated: Vault, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(DuplicateKey):
        dated.rename("research", "demo")
    with pytest.raises(InvalidField):
        dated.rename("research", "a/b")
    with pytest.raises(UnknownKey):
        dated.rename("nobody", "main")
    assert path.read_bytes() == before


def test_what_is_said_about_a_key_changes_field_by_field(dated: Vault) -> None:
    dated.edit("research", note="for charts", account="main")
    dated.edit("research", rotate_by="2030-01-31")
    found = info(dated, "research")
    assert (found.note, found.account, found.rotate_by, found.environment) == (
        "for charts", "main", "2030-01-31", "live",
    )  # fmt: skip
    dated.edit("research", note="", rotate_by="")
    assert (info(dated, "research").note, info(dated, "research").account) == ("", "main")
    assert info(dated, "research").rotate_by != "2030-01-31"


@pytest.mark.parametrize("change", [{"note": "a\nb"}, {"account": " a"}, {"rotate_by": "soon"}, {"rotate_by": 7}])
def test_an_odd_edit_is_refused(dated: Vault, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidField, match=next(iter(change))):
        dated.edit("research", **change)


def test_a_secret_in_a_new_note_or_name_is_refused(dated: Vault, triple: dict[str, str]) -> None:
    for change in (
        lambda: dated.edit("research", note=f"it is {triple['secret_key']}"),
        lambda: dated.rename("research", triple["passphrase"]),
    ):
        with pytest.raises(InvalidField, match="shown in listings") as refusal:
            change()
        assert triple["secret_key"] not in str(refusal.value)
    assert dated.names() == ["demo", "research"]


def test_a_check_is_noted(dated: Vault, path: Path, opened: Callable[..., Vault], clock: Time) -> None:
    assert (info(dated, "research").checked, info(dated, "research").has_addresses) == ("", None)
    dated.record_check("research", "read-only", has_addresses=True)
    found = info(opened(path), "research")
    assert (found.checked, found.verdict, found.has_addresses) == ("2023-11-14T22:13:20Z", "read-only", True)
    for odd in (("x" * 65, None), ("a\nb", None), ("fine", 1)):
        with pytest.raises(InvalidField):
            dated.record_check("research", *odd)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("has_addresses", "days", "words"),
    [
        (None, 75, ""),
        (None, 76, "rotate it: due in 14 days (it is not known to be bound to addresses)"),
        (None, 90, "rotate it: due since 2024-02-12 (it is not known to be bound to addresses)"),
        (False, 89, "rotate it: due in 1 days (it is not known to be bound to addresses)"),
        (True, 90, ""),
        (True, 350, ""),
        (True, 355, "rotate it: due in 10 days"),
        (True, 400, "rotate it: due since 2024-11-13"),
    ],
)
def test_reminders_come_two_weeks_before_90_days_or_a_year(
    dated: Vault, another_triple: Callable[[int], dict[str, str]], has_addresses: bool | None, days: int, words: str
) -> None:
    dated.add("new", **another_triple(77))
    if has_addresses is not None:
        dated.record_check("new", "read-only", has_addresses)
    assert info(dated, "new").reminder(NOW_MS + days * DAY_MS) == words


def test_a_use_is_noted_once_a_day_for_each_key(dated: Vault, clock: Time) -> None:
    generations = []
    for step, name in itertools.product((0, 3_600_000, DAY_MS), ("research", "demo")):
        clock.now_ms = NOW_MS + step
        dated.record_use(name)
        generations.append(dated.generation)
    assert generations == [4, 5, 5, 5, 6, 7]
    assert info(dated, "demo").used == "2023-11-15"


def test_a_rotated_key_takes_the_old_ones_place_after_its_check(dated: Vault, clock: Time, path: Path) -> None:
    dated.edit("demo", note="kept", account="kept too")
    seen: list[tuple[str, str, list[str]]] = []

    def check(credential: Credential) -> Checked:
        key = credential.headers("GET", "/api/v2/x")["ACCESS-KEY"]
        seen.append((key, credential.host, dated.names()))
        return Checked("read-only", True)

    clock.now_ms += DAY_MS
    dated.rotate("demo", **NEW, check=check)
    assert seen == [("bg_new", "http://127.0.0.1:9000", ["demo", "demo (new)", "research"])]
    found = info(dated, "demo")
    assert (found.note, found.account, found.demo, found.verdict) == ("kept", "kept too", True, "read-only")
    assert (found.created[:10], found.checked[:10]) == ("2023-11-15", "2023-11-15")
    assert dated.names() == ["demo", "research"]
    assert api_key(dated, "demo") == "bg_new"


def test_a_new_key_that_fails_its_check_leaves_the_old_one(dated: Vault, path: Path, opened: Any) -> None:
    before = api_key(dated, "research")

    def check(credential: Credential) -> Checked:
        raise RuntimeError("the exchange does not know it")

    with pytest.raises(RuntimeError, match="does not know"):
        dated.rotate("research", **NEW, check=check)
    assert opened(path).names() == ["demo", "research"]
    assert api_key(opened(path), "research") == before


def test_an_old_key_removed_while_the_new_one_is_checked_leaves_the_new_one(
    dated: Vault, path: Path, opened: Callable[..., Vault]
) -> None:
    def check(credential: Credential) -> Checked:
        opened(path).remove("research")
        return Checked("read-only")

    with pytest.raises(UnknownKey):
        dated.rotate("research", **NEW, check=check)
    assert opened(path).names() == ["demo", "research (new)"]


@pytest.mark.slow
def test_a_rotation_that_the_disk_stopped_anywhere_can_be_done_again(
    path: Path, opened: Callable[..., Vault], recorder: Any
) -> None:
    whole, audit = path.read_bytes(), path.with_name("vault.audit")
    lines = audit.read_bytes()
    opened(path, Surroundings(filesystem=(calls := recorder()))).rotate("research", **NEW)
    half_way = 0
    for at in range(len(calls.calls)):
        path.write_bytes(whole)
        audit.write_bytes(lines)
        broken = Surroundings(filesystem=recorder(fail_at=at, code=errno.ENOSPC))
        with pytest.raises(StorageFailed):
            opened(path, broken).rotate("research", **NEW)
        half_way += opened(path).names() == ["demo", "research", "research (new)"]
        if api_key(opened(path), "research") != "bg_new":  # else the new one was in place before the disk refused
            opened(path).rotate("research", **NEW)
        assert opened(path).names() == ["demo", "research"]
        assert api_key(opened(path), "research") == "bg_new"
        assert opened(path).audit().problems == ()
    assert half_way


def test_a_key_rotates_in_an_account_that_is_full(
    dated: Vault, another_triple: Callable[[int], dict[str, str]]
) -> None:
    for number in range(10):
        dated.add(f"key {number}", **another_triple(100 + number))
    with pytest.raises(TooManyKeys):
        dated.add("key 10", **another_triple(110))
    dated.rotate("key 3", **NEW)
    assert api_key(dated, "key 3") == "bg_new"


def test_a_new_key_is_held_to_the_rules_of_any_other(dated: Vault, path: Path, triple: dict[str, str]) -> None:
    before = path.read_bytes()
    for change in ({"api_key": " x"}, {"passphrase": ""}, {"secret_key": 7}):
        with pytest.raises(InvalidField):
            dated.rotate("research", **{**NEW, **change})  # type: ignore[arg-type]
    with pytest.raises(UnknownKey):
        dated.rotate("nobody", **NEW)
    with pytest.raises(DuplicateKey):
        dated.rotate("research", **{**NEW, "api_key": api_key(dated, "demo")})
    assert path.read_bytes() == before
