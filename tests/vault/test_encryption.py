from __future__ import annotations

import base64
import datetime as dt
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from vault import (
    FLOOR,
    STANDARD,
    DamagedVault,
    HostileHeader,
    InvalidField,
    NewerVersion,
    Profile,
    Surroundings,
    Vault,
    VaultError,
    WrongPassword,
)
from vault.encryption import decrypt, decrypt_file, encrypt, key_from_password, wrap_data_key
from vault.envelope import COST_BOUNDS, MAX_FILE_BYTES, Envelope, Wrap, canonical, digest, is_canonical_token, parse
from vault.hidden import Hidden

KeySource = Callable[[Wrap], Hidden[bytes]]
VECTORS = Path(__file__).parents[1] / "vectors"
BOUNDS = {"memory_kib": (65_536, 1_048_576), "passes": (3, 16), "lanes": (1, 16)}  # as promised, spelt out again
HISTORY_SWAPS = [(header, body) for header in range(3) for body in range(3) if header != body]


def with_checksum(content: dict[str, Any]) -> bytes:
    """What somebody without any key can make: canonical, with the right checksum."""
    content = {part: content[part] for part in ("header", "body")}
    return canonical({**content, "checksum": digest(canonical(content))}) + b"\n"


def opens(raw: bytes, key_source: KeySource) -> bool:
    try:
        decrypt_file(raw, key_source)
    except VaultError:
        return False
    return True


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from leaves(inner, (*place, key))
    if not isinstance(value, (dict, list)):
        yield place


def changed(value: Any) -> Iterator[Any]:
    if isinstance(value, int):
        yield from (value + 1, value - 1, str(value), float(value), None)
        return
    for position, character in enumerate(value):
        yield f"{value[:position]}{'A' if character != 'A' else 'B'}{value[position + 1 :]}"
    yield from (value[:-1], value + "A", value + "=", "", None, value.upper() + " ")


def test_no_flipped_bit_and_no_truncation_of_a_file_is_accepted(history: list[bytes], key_source: KeySource) -> None:
    raw = history[1]
    assert opens(raw, key_source)
    flips = [raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :] for at in range(len(raw)) for bit in range(8)]
    cuts = [raw[:length] for length in range(len(raw))]
    accepted = [forged for forged in flips + cuts if opens(forged, key_source)]
    assert len(flips) == 8 * len(raw) > 8000
    assert accepted == []


def test_no_change_is_accepted_even_when_the_checksum_is_made_to_fit(
    history: list[bytes], key_source: KeySource
) -> None:
    """The forger repairs checksum and spelling, and the key stays the right one: the binding alone must refuse."""
    original = json.loads(history[1])
    right_key = key_source(parse(history[1]).header.password_wrap)
    tried = 0
    for place in leaves({part: original[part] for part in ("header", "body")}):
        holder = forged = json.loads(history[1])
        for key in place[:-1]:
            holder = holder[key]
        for value in changed(holder[place[-1]]):
            holder[place[-1]] = value
            tried += 1
            assert not opens(with_checksum(forged), lambda wrap: right_key), place
    assert tried > 1000


@pytest.mark.parametrize("addition", [b" ", b"\n", b"\x00", b"{}"])
def test_bytes_after_the_end_are_refused(history: list[bytes], key_source: KeySource, addition: bytes) -> None:
    with pytest.raises(DamagedVault):
        decrypt_file(history[1] + addition, key_source)


def test_other_spellings_of_the_same_json_are_refused(history: list[bytes], key_source: KeySource) -> None:
    content = json.loads(history[1])
    spellings = [
        json.dumps(content).encode(),
        json.dumps(content, indent=1).encode(),
        b" " + history[1],
        history[1].rstrip(),
        history[1].replace(b'"format"', b'"\\u0066ormat"'),
        history[1].replace(b'{"body"', b'{"body":"","body"'),
        history[1].decode().encode("utf-16"),
        b"\xef\xbb\xbf" + history[1],
    ]
    assert [opens(spelling, key_source) for spelling in spellings] == [False] * len(spellings)


def test_non_canonical_base64_is_no_token() -> None:
    token = Fernet(Fernet.generate_key()).encrypt(b"0123456789").decode()
    assert is_canonical_token(token)
    data = base64.urlsafe_b64decode(token)
    variants = [token + "=", token.replace("=", ""), f" {token}", f"{token}\n", token[:9] + "\n" + token[9:], ""]
    loose_bits = [token[:-3] + character + token[-2:] for character in "BCDEFGHIJKLMNOPQRSTUVWXYZ"]
    same = [text for text in loose_bits if base64.urlsafe_b64decode(text) == data and text != token]
    assert [is_canonical_token(text) for text in variants + same] == [False] * len(variants + same)


@given(st.binary(max_size=200))
def test_bytes_from_anywhere_are_refused_as_damaged(raw: bytes) -> None:
    with pytest.raises(DamagedVault):
        parse(raw)


@pytest.mark.parametrize("raw", [b"[" * 500_000, b'{"a":' * 100_000, b"9" * 100_000, b"NaN\n", b'{"a":NaN}\n', b"[]\n"])
def test_json_made_to_hurt_the_reader_is_refused(raw: bytes) -> None:
    with pytest.raises(DamagedVault):
        parse(raw)


def test_a_file_larger_than_any_vault_is_refused_unread() -> None:
    with pytest.raises(DamagedVault, match="larger than any vault"):
        parse(b"x" * (MAX_FILE_BYTES + 1))


@pytest.mark.parametrize(("header", "body"), HISTORY_SWAPS)
def test_a_body_of_another_generation_is_refused(
    history: list[bytes], key_source: KeySource, header: int, body: int
) -> None:
    envelope = replace(parse(history[header]), body=parse(history[body]).body)
    with pytest.raises(DamagedVault, match="another vault, generation or header"):
        decrypt_file(envelope.render(), key_source)


def test_a_file_renumbered_to_look_newer_is_refused(history: list[bytes], key_source: KeySource) -> None:
    envelope = parse(history[1])
    newer = replace(envelope, header=replace(envelope.header, generation=9))
    with pytest.raises(DamagedVault):
        decrypt_file(newer.render(), key_source)


def test_parts_of_another_vault_under_the_same_password_are_refused(
    history: list[bytes], key_source: KeySource, folder: Path, password: str
) -> None:
    Vault.create(folder / "other", password, profile=FLOOR)
    ours, theirs = parse(history[0]), parse((folder / "other").read_bytes())
    mixtures = [
        replace(ours, body=theirs.body),
        replace(ours, header=ours.header.with_wrap(theirs.header.password_wrap)),
        replace(theirs, header=replace(theirs.header, vault_id=ours.header.vault_id)),
        Envelope(ours.header.with_wrap(theirs.header.password_wrap), theirs.body),
        Envelope(replace(theirs.header, vault_id=ours.header.vault_id), ours.body),
        replace(ours, body=ours.header.password_wrap.token),
        replace(ours, header=ours.header.with_wrap(replace(ours.header.password_wrap, token=ours.body))),
    ]
    assert opens(theirs.render(), key_source)
    assert [opens(mixture.render(), key_source) for mixture in mixtures] == [False] * len(mixtures)


def test_an_older_wrapped_key_is_not_believed_under_a_newer_header(
    vault: Vault, path: Path, password: str, key_source: KeySource
) -> None:
    """After a change of password the old wrap cannot be put back by somebody who only knows the old password."""
    before = parse(path.read_bytes())
    vault.change_password(password, "quite another password")
    after = parse(path.read_bytes())
    forged = replace(after, header=after.header.with_wrap(before.header.password_wrap))
    with pytest.raises(DamagedVault):
        decrypt_file(forged.render(), key_source)


def test_a_wrap_of_another_kind_cannot_stand_in_for_the_password(history: list[bytes], key_source: KeySource) -> None:
    envelope = parse(history[1])
    right = envelope.header.password_wrap
    data_key = decrypt_file(history[1], key_source).data_key
    recovery = wrap_data_key(data_key, replace(right, kind="recovery"), envelope.header.vault_id, key_source, time_s=1)
    header = envelope.header.with_wrap(replace(recovery, kind="password"))
    resealed = encrypt(header, data_key, decrypt(envelope, data_key), time_s=1)
    with pytest.raises(DamagedVault, match="another vault or another header"):
        decrypt_file(resealed.render(), key_source)


def test_a_second_way_to_unlock_rides_along_for_later_releases(
    path: Path, password: str, history: list[bytes], key_source: KeySource, triple: dict[str, str]
) -> None:
    opened = decrypt_file(history[1], key_source)
    header = opened.envelope.header
    second = wrap_data_key(
        opened.data_key, replace(header.password_wrap, kind="recovery"), header.vault_id, key_source, time_s=1
    )
    both = replace(header, wraps=(*header.wraps, second))
    path.write_bytes(encrypt(both, opened.data_key, opened.body, time_s=1).render())
    vault = Vault.open(path, password)
    vault.add("new", **triple)
    vault.change_password(password, "quite another password")
    assert parse(path.read_bytes()).header.wraps[1] == second
    assert Vault.open(path, "quite another password").names() == ["new", "research"]


def hostile_costs() -> list[dict[str, Any]]:
    floor = {"memory_kib": 64 * 1024, "passes": 3, "lanes": 4}
    values: dict[str, list[Any]] = {
        cost: [low - 1, 0, -1, -(2**63), high + 1, 2 * high, 2**31, 2**32, 2**63, 2**64, 10**300]
        + [high + step for step in range(2, 46)]
        + [low - step for step in range(2, 12)]
        + [float(low), str(low), None, True, [low], {}]
        for cost, (low, high) in BOUNDS.items()
    }
    return [{**floor, cost: value} for cost, wrong in values.items() for value in wrong]


def test_hostile_costs_are_refused_before_anything_is_allocated(history: list[bytes]) -> None:
    costs = hostile_costs()
    assert len(costs) > 200

    def no_derivation(wrap: Wrap) -> Hidden[bytes]:
        raise AssertionError("the key derivation must not be reached")

    tracemalloc.start()
    for cost in costs:
        content = json.loads(history[0])
        content["header"]["wraps"][0]["kdf"].update(cost)
        with pytest.raises(HostileHeader, match="costs are refused"):
            decrypt_file(with_checksum(content), no_derivation)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 1024 * 1024


def test_the_bounds_themselves_are_allowed() -> None:
    assert COST_BOUNDS == BOUNDS
    edges = [{cost: ends[end] for cost, ends in BOUNDS.items()} for end in (0, 1)]
    assert [Profile(**edge).problem() for edge in edges] == [None, None]


def test_the_key_derivation_itself_refuses_hostile_costs() -> None:
    for cost in hostile_costs():
        with pytest.raises(HostileHeader):
            key_from_password(Hidden(b"password"), Wrap("password", Profile(**cost), "00" * 16))


@pytest.mark.parametrize(
    "profile", [replace(FLOOR, memory_kib=32 * 1024), replace(FLOOR, passes=1), replace(STANDARD, lanes=17)]
)
def test_no_vault_is_made_outside_the_bounds(folder: Path, password: str, profile: Profile) -> None:
    with pytest.raises(InvalidField, match="profile is refused"):
        Vault.create(folder / "vault", password, profile=profile)
    assert list(folder.iterdir()) == []


def test_the_standard_profile_is_what_a_vault_gets(folder: Path, password: str) -> None:
    Vault.create(folder / "vault", password)
    assert parse((folder / "vault").read_bytes()).header.password_wrap.profile == Profile(128 * 1024, 3, 4)


def test_a_newer_version_is_distinguished_from_damage(history: list[bytes], key_source: KeySource) -> None:
    content = json.loads(history[0])
    content["header"]["version"] = 2
    content["header"]["something"] = "new"
    with pytest.raises(NewerVersion, match="update bgresearch"):
        decrypt_file(with_checksum(content), key_source)
    content["header"]["version"] = 0
    with pytest.raises(DamagedVault):
        decrypt_file(with_checksum(content), key_source)


def test_a_wrong_password_is_distinguished_from_damage(history: list[bytes]) -> None:
    with pytest.raises(WrongPassword):
        decrypt_file(history[0], lambda wrap: Hidden(b"\x01" * 32))


def test_published_fernet_vectors_hold() -> None:
    vectors = json.loads((VECTORS / "fernet.json").read_text("utf-8"))
    count = 0
    for case in vectors["generate"] + vectors["verify"]:
        now_s = int(dt.datetime.fromisoformat(case["now"]).timestamp())
        fernet = Fernet(case["secret"])
        assert fernet.decrypt_at_time(case["token"], case.get("ttl_sec", 60), now_s) == case["src"].encode()
        assert is_canonical_token(case["token"])
        count += 1
    for case in vectors["invalid"]:
        now_s = int(dt.datetime.fromisoformat(case["now"]).timestamp())
        with pytest.raises(InvalidToken):
            Fernet(case["secret"]).decrypt_at_time(case["token"], case["ttl_sec"], now_s)
        count += 1
    assert count == 10


def test_published_argon2id_vectors_hold() -> None:
    vectors = json.loads((VECTORS / "argon2id.json").read_text("utf-8"))["vectors"]
    for case in vectors:
        derive = Argon2id(
            salt=bytes.fromhex(case["salt"]), length=32, iterations=case["passes"], lanes=case["lanes"],
            memory_cost=case["memory_kib"], ad=bytes.fromhex(case.get("ad", "")) or None,
            secret=bytes.fromhex(case.get("secret", "")) or None,
        )  # fmt: skip
        assert derive.derive(bytes.fromhex(case["password"])).hex() == case["tag"]
    assert len(vectors) == 9


def test_a_password_is_derived_as_the_reference_implementation_does() -> None:
    """Our own call, held to a tag of argon2-cffi 25.1: 64 MiB, 3 passes, 4 lanes."""
    wrap = Wrap("password", FLOOR, "000102030405060708090a0b0c0d0e0f")
    derived = key_from_password(Hidden("pässword".encode()), wrap).value
    assert derived.hex() == "62be84bbe32dd754d195e7b6bfb78c2e610741179bcc460d8b85032baab9fdd6"


def test_an_independent_argon2id_derives_the_same_key() -> None:
    argon2 = pytest.importorskip("argon2.low_level", reason="JupyterLab brings argon2-cffi, the peer to compare with")
    wrap = Wrap("password", FLOOR, "000102030405060708090a0b0c0d0e0f")
    theirs = argon2.hash_secret_raw(
        "pässword".encode(), bytes(range(16)), FLOOR.passes, FLOOR.memory_kib, FLOOR.lanes, 32, argon2.Type.ID
    )
    assert key_from_password(Hidden("pässword".encode()), wrap).value == theirs


def test_a_vault_of_version_1_opens_forever(folder: Path) -> None:
    pinned = json.loads((VECTORS / "vault_v1.json").read_text("utf-8"))
    path = folder / "vault"
    path.touch(mode=0o600)
    path.write_text(pinned["file"], "ascii")
    vault = Vault.open(path, pinned["password"], surroundings=Surroundings(now_ms=lambda: 0))
    expected = pinned["keys"]
    assert [info.label for info in vault.describe()] == [key["label"] for key in expected]
    for info, key in zip(vault.describe(), expected, strict=True):
        assert {field: getattr(info, field) for field in key["shown"]} == key["shown"]
        headers = vault.get(info.label).headers("GET", pinned["target"], timestamp_ms=pinned["timestamp_ms"])
        assert dict(headers) == key["headers"]
