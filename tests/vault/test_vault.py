from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault import (
    FLOOR,
    DamagedVault,
    DuplicateKey,
    HostNotAllowed,
    InvalidField,
    KeyInfo,
    NewerVersion,
    Surroundings,
    TooManyKeys,
    UnknownKey,
    Vault,
    VaultChanged,
    VaultClosed,
    VaultExists,
    WrongPassword,
)
from vault.encryption import decrypt_file, encrypt
from vault.envelope import Wrap, parse
from vault.fields import checked_name
from vault.hidden import Hidden

KeySource = Callable[[Wrap], Hidden[bytes]]
NEW_PASSWORD = "quite another password"


def test_a_key_comes_back_after_closing_and_opening(folder: Path, password: str, triple: dict[str, str]) -> None:
    path = folder / "vault"
    with Vault.create(
        path, password, profile=FLOOR, surroundings=Surroundings(now_ms=lambda: 1_700_000_000_123)
    ) as made:
        made.add("research", **triple, note="first", account="main")
        assert made.names() == ["research"]
    with Vault.open(str(path), password) as vault:
        assert vault.names() == ["research"]
        (info,) = vault.describe()
        assert info == KeyInfo(
            label="research",
            host="https://api.bitget.com",
            demo=False,
            note="first",
            account="main",
            created="2023-11-14T22:13:20Z",
            fingerprint=vault.get("research").fingerprint,
            kind="hmac",
            rotate_by="2024-02-12",
        )
        headers = vault.get("research").headers("GET", "/api/v2/spot/account/info")
        assert (headers["ACCESS-KEY"], headers["ACCESS-PASSPHRASE"]) == (triple["api_key"], triple["passphrase"])


def test_nothing_of_a_key_stands_in_the_file(path: Path, vault: Vault, triple: dict[str, str]) -> None:
    vault.add("visible label", **triple, note="visible note")
    for file in path.parent.iterdir():
        content = file.read_bytes()
        for text in (*triple.values(), "visible label", "visible note", "127.0.0.1"):
            assert text.encode() not in content


def test_a_vault_is_not_made_over_a_file(path: Path, password: str) -> None:
    before = path.read_bytes()
    with pytest.raises(VaultExists, match="already is a file"):
        Vault.create(path, password, profile=FLOOR)
    assert path.read_bytes() == before


def test_a_vault_is_not_made_over_kept_generations(path: Path, vault: Vault, password: str) -> None:
    vault.remove("demo")
    path.unlink()
    with pytest.raises(VaultExists, match=r"Restore the newest with bgresearch vault restore 3"):
        Vault.create(path, password, profile=FLOOR)


@pytest.mark.parametrize("wrong", ["correct horse batterY", "correct horse battery ", "x", "c" * 1024])
def test_another_password_is_refused_as_wrong(path: Path, wrong: str) -> None:
    with pytest.raises(WrongPassword, match="the password does not open it") as refusal:
        Vault.open(path, wrong)
    assert wrong not in str(refusal.value).split()


@pytest.mark.parametrize("password", ["", "seven77", "\ud800" * 8, "x" * 1025, None, b"correct horse", 12345678])
def test_a_password_that_cannot_be_one_is_refused(folder: Path, password: Any) -> None:
    with pytest.raises(InvalidField, match="the password") as refusal:
        Vault.create(folder / "vault", password, profile=FLOOR)
    assert refusal.value.field == "password"
    assert list(folder.iterdir()) == []


def test_a_password_typed_composed_opens_what_was_made_decomposed(folder: Path) -> None:
    Vault.create(folder / "vault", "pa\u0308ssword", profile=FLOOR)
    assert Vault.open(folder / "vault", "p\u00e4ssword").names() == []


def test_remove_takes_a_key_out(vault: Vault, path: Path, opened: Callable[..., Vault]) -> None:
    vault.remove("research")
    assert vault.names() == ["demo"]
    assert opened(path).names() == ["demo"]


def test_removing_an_unknown_name_from_an_empty_vault_is_refused_and_saves_nothing(folder: Path) -> None:
    empty = Vault.create(folder / "empty", "a long password", profile=FLOOR)
    before = (folder / "empty").read_bytes()
    with pytest.raises(UnknownKey, match="none yet"):
        empty.remove("research")
    assert (folder / "empty").read_bytes() == before


def test_an_unknown_name_is_answered_with_the_known_ones(vault: Vault) -> None:
    for ask in (vault.get, vault.remove):
        with pytest.raises(UnknownKey, match="Did you mean 'research'\\? known are: 'demo', 'research'") as refusal:
            ask("reserch")
        assert (refusal.value.name, refusal.value.known) == ("reserch", ("demo", "research"))
    with pytest.raises(UnknownKey, match="type int"):
        vault.get(7)
    assert vault.names() == ["demo", "research"]


def test_an_empty_vault_says_so(folder: Path, password: str) -> None:
    with pytest.raises(UnknownKey, match="none yet"):
        Vault.create(folder / "vault", password, profile=FLOOR).get("research")


def test_a_name_and_an_api_key_are_taken_once(vault: Vault, triple: dict[str, str]) -> None:
    vault.add("third", **triple)
    with pytest.raises(DuplicateKey, match="already is a key named 'third'"):
        vault.add("third", **{**triple, "api_key": "another"})
    with pytest.raises(DuplicateKey, match="already, under the name 'third'") as refusal:
        vault.add("fourth", **{**triple, "secret_key": "another"})
    assert triple["api_key"] not in str(refusal.value)


def test_ten_keys_an_account_and_environment_and_no_more(
    vault: Vault, another_triple: Callable[[int], dict[str, str]]
) -> None:
    for number in range(10):
        vault.add(f"live {number}", **another_triple(100 + number))
    with pytest.raises(TooManyKeys, match=r"has 10 live keys .* exchange allows 10 keys an account"):
        vault.add("live 10", **another_triple(110))
    vault.add("demo 0", **another_triple(111), demo=True)
    vault.add("elsewhere", **another_triple(112), host="http://localhost:9000")
    vault.add("second account", **another_triple(113), account="second")
    vault.remove("live 3")
    vault.add("live 10", **another_triple(110))
    assert len(vault.names()) == 15


BAD_FIELDS = [
    *[("name", name) for name in ("", " research", "research ", "a/b", "a\\b", ".", "..", "a" * 65, None, 7, b"a")],
    *[("name", name) for name in ("a\nb", "a\x00", "a\x7f", "a\u200b", "\ufeffa", "a\u202eb", "a\u2028", "\ud800")],
    *[("name", name) for name in ("a\u00a0b", "\ue000", "a\u00adb", "\U000e0041")],
    *[
        (field, text)
        for field in ("api_key", "secret_key", "passphrase")
        for text in (
            *("", " ", " abc", "abc ", "abc\n", "\tabc", "ab\rc", "a\x00c", "abc\u200b", "\ufeffabc", "a\u00a0c"),
            *("a\u00adc", "\u202aabc", "\u0430bc", "ábc", "a\u2028c", "\ud800", "a" * 257, None, 7, b"abc", "“abc”"),
        )
    ],
    ("api_key", "a b"),
    ("secret_key", "a b"),
    *[("note", note) for note in ("a\nb", " a", "a ", "a" * 1001, "a\u200b", "\x1b[31m", None, 7)],
    *[("account", account) for account in ("a\nb", " a", "a" * 65, "a\u200b", None)],
    *[("demo", demo) for demo in (0, 1, None, "no")],
    *[("host", host) for host in ("http://api.bitget.com", "https://elsewhere.example", "", None)],
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_bad_field_is_named_and_its_value_is_not(
    vault: Vault, path: Path, triple: dict[str, str], field: str, value: Any
) -> None:
    before = path.read_bytes()
    with pytest.raises(InvalidField, match=field) as refusal:
        vault.add(**{"name": "third", **triple, field: value})
    assert refusal.value.field == field
    assert isinstance(refusal.value, HostNotAllowed) == (field == "host")
    if field in triple and isinstance(value, str) and len(value) > 2:
        assert value not in str(refusal.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" abc", "a space at its start"),
        ("abc ", "a space at its end"),
        ("abc\n", "a line break (U+000A) at position 4"),
        ("\ufeffabc", "an invisible character (U+FEFF) at position 1"),
        ("ab\u200bc", "an invisible character (U+200B) at position 3"),
        ("a\u00a0c", "a space that is not the plain one (U+00A0) at position 2"),
        ("\u0430bc", "a non-ASCII character (category Ll) at position 1"),
        ("a b", "a space at position 2"),
        ("", "is empty"),
    ],
)
def test_what_was_pasted_by_accident_is_found_and_placed(
    vault: Vault, triple: dict[str, str], text: str, words: str
) -> None:
    with pytest.raises(InvalidField, match=f"secret_key .*{re.escape(words)}"):
        vault.add("third", **{**triple, "secret_key": text})


def test_a_passphrase_may_have_a_space_inside(vault: Vault, triple: dict[str, str]) -> None:
    vault.add("third", **{**triple, "passphrase": "Orchard Lane"})
    assert vault.get("third").headers("GET", "/api/v2/x")["ACCESS-PASSPHRASE"] == "Orchard Lane"


@pytest.mark.parametrize("shown", ["name", "note", "account"])
@pytest.mark.parametrize("secret", ["api_key", "secret_key", "passphrase"])
def test_a_secret_pasted_where_it_would_be_shown_is_refused(
    vault: Vault, triple: dict[str, str], shown: str, secret: str
) -> None:
    with pytest.raises(InvalidField, match=f"the {shown} contains the {secret}") as refusal:
        vault.add(**{"name": "third", **triple, shown: f"my {triple[secret]}"})
    assert triple[secret] not in str(refusal.value)


@given(st.text(max_size=70))
def test_a_name_is_refused_or_is_safe_to_print_and_stays_itself(text: str) -> None:
    try:
        name = checked_name(text)
    except InvalidField:
        return
    assert name.isprintable()
    assert 1 <= len(name) <= 64
    assert name == name.strip() == checked_name(name)
    assert not set(name) & set("/\\")


def test_a_change_of_password_keeps_the_keys_and_the_data_key(vault: Vault, path: Path, password: str) -> None:
    salt = parse(path.read_bytes()).header.password_wrap.salt
    vault.change_password(password, NEW_PASSWORD)
    assert parse(path.read_bytes()).header.password_wrap.salt != salt
    assert Vault.open(path, NEW_PASSWORD).names() == ["demo", "research"]
    with pytest.raises(WrongPassword):
        Vault.open(path, password)
    vault.remove("demo")
    assert vault.names() == ["research"]


def test_a_change_of_password_needs_the_old_one_and_a_new_one_worth_it(vault: Vault, path: Path, password: str) -> None:
    before = path.read_bytes()
    with pytest.raises(WrongPassword):
        vault.change_password("not the old one", NEW_PASSWORD)
    with pytest.raises(InvalidField):
        vault.change_password(password, "short")
    assert path.read_bytes() == before


def test_two_open_vaults_lose_nothing_to_each_other(
    path: Path, opened: Callable[..., Vault], another_triple: Callable[[int], dict[str, str]]
) -> None:
    one, two = opened(path), opened(path)
    for number in range(4):
        (one, two)[number % 2].add(f"key {number}", **another_triple(200 + number))
    one.remove("key 1")
    two.remove("key 0")
    assert opened(path).names() == two.names() == ["demo", "key 2", "key 3", "research"]


def test_a_key_added_by_somebody_else_meanwhile_is_a_duplicate(
    path: Path, opened: Callable[..., Vault], triple: dict[str, str]
) -> None:
    one, two = opened(path), opened(path)
    one.add("third", **triple)
    with pytest.raises(DuplicateKey):
        two.add("third", **triple)


def test_a_vault_whose_password_was_changed_meanwhile_is_not_written(
    path: Path, opened: Callable[..., Vault], password: str, triple: dict[str, str]
) -> None:
    one, two = opened(path), opened(path)
    one.change_password(password, NEW_PASSWORD)
    before = path.read_bytes()
    with pytest.raises(VaultChanged, match=r"password was changed .* open it again"):
        two.add("third", **triple)
    assert path.read_bytes() == before


def test_a_vault_that_was_put_back_meanwhile_is_not_written(
    path: Path, history: list[bytes], vault: Vault, triple: dict[str, str]
) -> None:
    path.write_bytes(history[1])
    with pytest.raises(VaultChanged, match="from generation 3 to 2"):
        vault.add("third", **triple)
    assert path.read_bytes() == history[1]


def test_another_vault_put_in_its_place_is_not_written(
    path: Path, vault: Vault, triple: dict[str, str], password: str
) -> None:
    Vault.create(path.with_name("other"), password, profile=FLOOR)
    path.with_name("other").replace(path)
    before = path.read_bytes()
    with pytest.raises(VaultChanged, match="another vault"):
        vault.add("third", **triple)
    assert path.read_bytes() == before


def test_a_closed_vault_does_nothing(vault: Vault, triple: dict[str, str], password: str) -> None:
    credential = vault.get("research")
    with vault as entered:
        assert entered is vault
    asks: list[Callable[[], object]] = [
        vault.names,
        vault.describe,
        lambda: vault.get("research"),
        lambda: vault.add("third", **triple),
        lambda: vault.remove("research"),
        lambda: vault.change_password(password, NEW_PASSWORD),
        vault.__enter__,
    ]
    for ask in asks:
        with pytest.raises(VaultClosed, match="open it again"):
            ask()
    vault.close()
    assert "closed" in repr(vault)
    assert credential.headers("GET", "/api/v2/x")["ACCESS-KEY"]


def rewritten(path: Path, key_source: KeySource, change: Callable[[dict[str, Any]], None]) -> None:
    """Write what a later release might have sealed."""
    found = decrypt_file(path.read_bytes(), key_source)
    body = json.loads(json.dumps(found.body.value))
    change(body)
    path.write_bytes(encrypt(found.envelope.header, found.data_key, Hidden(body), time_s=1).render())


def test_fields_of_later_releases_survive_a_change(
    path: Path, key_source: KeySource, opened: Callable[..., Vault], triple: dict[str, str]
) -> None:
    def add_fields(body: dict[str, Any]) -> None:
        body["audit"] = [{"what": "added"}]
        body["keys"][0]["last_checked"] = {"at": "2027-01-01T00:00:00Z"}

    rewritten(path, key_source, add_fields)
    vault = opened(path)
    vault.add("third", **triple)
    vault.remove("demo")
    body = decrypt_file(path.read_bytes(), key_source).body.value
    assert body["audit"] == [{"what": "added"}]
    assert [key.get("last_checked") for key in body["keys"]] == [{"at": "2027-01-01T00:00:00Z"}, None]


def test_a_key_of_a_later_kind_is_listed_kept_and_not_misused(
    path: Path, key_source: KeySource, opened: Callable[..., Vault], triple: dict[str, str]
) -> None:
    rewritten(path, key_source, lambda body: body["keys"][0].update(kind="later"))
    vault = opened(path)
    vault.add("third", **triple)
    assert vault.names() == ["demo", "research", "third"]
    assert [info.kind for info in vault.describe()] == ["hmac", "later", "hmac"]
    with pytest.raises(NewerVersion, match="newer bgresearch"):
        vault.get("research")


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("keys"),
        lambda body: body.update(keys={}),
        lambda body: body["keys"].append(None),
        lambda body: body["keys"].append(body["keys"][0]),
        lambda body: body["keys"][0].pop("secret_key"),
        lambda body: body["keys"][0].update(secret_key=7),
        lambda body: body["keys"][0].update(demo="no"),
        lambda body: body["keys"][0].update(id=body["keys"][1]["id"]),
        lambda body: body["keys"][0].update(name=body["keys"][1]["name"]),
    ],
)
def test_a_malformed_list_of_keys_is_damage(
    path: Path, key_source: KeySource, vault: Vault, password: str, change: Callable[[dict[str, Any]], None]
) -> None:
    rewritten(path, key_source, change)
    before = path.read_bytes()
    with pytest.raises(DamagedVault, match="list of keys"):
        vault.remove("research")
    assert path.read_bytes() == before


def test_a_full_vault_says_so_before_it_becomes_unreadable(
    path: Path, key_source: KeySource, opened: Callable[..., Vault], triple: dict[str, str]
) -> None:
    rewritten(path, key_source, lambda body: body.update(later="x" * 784_000))
    before = path.read_bytes()
    with pytest.raises(TooManyKeys, match="full"):
        opened(path).add("third", **triple, note="x" * 1000)
    assert path.read_bytes() == before


def test_the_same_randomness_and_clock_make_the_same_keys(folder: Path, password: str, key_source: KeySource) -> None:
    headers = []
    for name in ("one", "two"):
        around = Surroundings(now_ms=lambda: 1_700_000_000_000, random_bytes=lambda length: b"\x07" * length)
        Vault.create(folder / name, password, profile=FLOOR, surroundings=around)
        headers.append(parse((folder / name).read_bytes()).header)
    blank = [replace(header, wraps=()) for header in headers]
    assert blank[0] == blank[1]
    assert headers[0].password_wrap.salt == headers[1].password_wrap.salt


def test_reload_sees_what_another_process_saved(
    path: Path, opened: Callable[..., Vault], triple: dict[str, str]
) -> None:
    one, two = opened(path), opened(path)
    assert not two.reload()
    one.add("third", **triple)
    assert two.reload()
    assert two.names() == ["demo", "research", "third"]
    assert not two.reload()


def test_a_reload_that_fails_leaves_the_vault_as_it_was(
    path: Path, opened: Callable[..., Vault], password: str
) -> None:
    one, two = opened(path), opened(path)
    one.change_password(password, NEW_PASSWORD)
    with pytest.raises(VaultChanged, match="password was changed"):
        two.reload()
    path.write_bytes(b"")
    with pytest.raises(DamagedVault):
        two.reload()
    assert two.names() == ["demo", "research"]
