from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest

from vault import BoxRefused, Intake, InvalidField, Surroundings, seal_box
from vault.hidden import Hidden
from vault.intake import MAX_OPEN_OFFERS, MAX_TTL_S, fingerprint_of, sealed_content

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "sealed_box_v1.json").read_text("utf-8"))
TEXTS = {"api_key": "bg_key", "secret_key": "s3cr3t", "passphrase": "Straße 🔑"}


class Time:
    now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def intake(clock: Time) -> Intake:
    return Intake(Surroundings(now_ms=clock))


def values(opened: dict[str, Any]) -> dict[str, str]:
    return {name: text.value for name, text in opened.items()}


def spoilt(text: str) -> str:
    data = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    data[len(data) // 2] ^= 1
    return base64.urlsafe_b64encode(bytes(data)).decode().rstrip("=")


def test_a_box_opens_once(intake: Intake) -> None:
    box = json.loads(json.dumps(seal_box(json.loads(json.dumps(intake.offer("research", 60))), TEXTS)))
    assert values(intake.open(box)) == TEXTS
    with pytest.raises(BoxRefused, match="used already"):
        intake.open(box)


def test_no_text_stands_in_offer_box_or_repr(intake: Intake) -> None:
    offer = intake.offer("research", 60)
    box = seal_box(offer, TEXTS)
    opened = intake.open(box)
    for shown in (json.dumps(offer), json.dumps(box), repr(intake), repr(opened), f"{intake}"):
        assert not any(text in shown for text in TEXTS.values())


def test_the_pinned_box_opens_forever() -> None:
    """The same numbers prove a sealer in another language."""
    drawn = iter([bytes.fromhex(VECTOR["intake_private_key"]), bytes.fromhex(VECTOR["nonce"])])
    intake = Intake(Surroundings(now_ms=lambda: VECTOR["now_ms"], random_bytes=lambda length: next(drawn)))
    assert intake.offer(VECTOR["label"], VECTOR["ttl_s"]) == VECTOR["offer"]
    assert intake.fingerprint == VECTOR["fingerprint"] == fingerprint_of(VECTOR["offer"]["public_key"])
    private_key = bytes.fromhex(VECTOR["sender_private_key"])
    assert seal_box(VECTOR["offer"], VECTOR["fields"], private_key=private_key) == VECTOR["box"]
    assert values(intake.open(VECTOR["box"])) == VECTOR["fields"]


class Swindler:
    """Makes boxes that must not open."""

    def __init__(self, intake: Intake, clock: Time) -> None:
        self.intake, self.clock = intake, clock
        self.stranger = Intake(Surroundings(now_ms=clock))
        self.chance = random.Random(7)  # noqa: S311 -- chooses places to spoil

    def box(self, **promised: Any) -> dict[str, Any]:
        return seal_box({**self.intake.offer("research", 60), **promised}, TEXTS)

    def replayed(self) -> Any:
        box = self.box()
        self.intake.open(box)
        return box

    def late(self) -> Any:
        box = self.box()
        self.clock.now_ms += 60_000
        return box

    def foreign(self) -> Any:
        return seal_box(self.stranger.offer("research", 900), TEXTS)

    def foreign_with_our_nonce(self) -> Any:
        return {**self.foreign(), "nonce": self.intake.offer("research", 60)["nonce"]}

    def for_another_label(self) -> Any:
        return self.box(label="other")

    def for_a_longer_time(self) -> Any:
        return self.box(expires_ms=self.clock.now_ms + 3_600_000)

    def for_other_fields(self) -> Any:
        return self.box(fields=["passphrase", "secret_key", "api_key"])

    def with_swapped_nonce(self) -> Any:
        return {**self.box(), "nonce": self.box()["nonce"]}

    def changed(self) -> Any:
        box = self.box()
        field = self.chance.choice(["nonce", "public_key", "iv", "ciphertext"])
        return {**box, field: spoilt(box[field])}

    def cut(self) -> Any:
        box = self.box()
        return {**box, "ciphertext": box["ciphertext"][: self.chance.randrange(len(box["ciphertext"]))]}

    def of_low_order(self) -> Any:
        return {**self.box(), "public_key": "A" * 43}


def test_500_replayed_late_foreign_and_changed_boxes_are_refused(intake: Intake, clock: Time) -> None:
    swindler = Swindler(intake, clock)
    tricks = [trick for name, trick in vars(Swindler).items() if not name.startswith("_") and name != "box"]
    refused = 0
    for number in range(500):
        box = tricks[number % len(tricks)](swindler)
        with pytest.raises(BoxRefused) as refusal:
            intake.open(box)
        assert refusal.value.__cause__ is None
        assert not any(text in str(refusal.value) for text in TEXTS.values())
        refused += 1
    assert (len(tricks), refused) == (11, 500)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'"text"', b'{"api_key": "k"}', b"\xff", b"[" * 5000])
def test_a_box_whose_content_is_not_the_named_texts_is_refused(intake: Intake, content: bytes) -> None:
    box = sealed_content(intake.offer("research", 60), Hidden(content), Hidden(bytes(range(32))))
    with pytest.raises(BoxRefused, match="does not open"):
        intake.open(box)


def test_texts_other_than_text_are_refused(intake: Intake) -> None:
    box = seal_box(intake.offer("research", 60), {**TEXTS, "passphrase": 7})  # type: ignore[dict-item]
    with pytest.raises(BoxRefused, match="does not open"):
        intake.open(box)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2}, {"version": True}, {"version": "1"}, {"more": 1}, {"nonce": 7}, {"nonce": "A" * 21},
        {"nonce": "A" * 22 + "=="}, {"public_key": "A" * 42}, {"public_key": ""}, {"iv": "A" * 15}, {"iv": None},
        {"ciphertext": ""}, {"ciphertext": "A" * 20_000}, {"ciphertext": "é"}, {"ciphertext": "A B"},
        {"iv": "A" * 15 + "B"},
    ],
)  # fmt: skip
def test_a_malformed_box_is_refused(intake: Intake, change: dict[str, Any]) -> None:
    box = {**seal_box(intake.offer("research", 60), TEXTS), **change}
    with pytest.raises(BoxRefused):
        intake.open(box)


@pytest.mark.parametrize("box", [None, [], "box", 7, {}])
def test_what_is_no_box_at_all_is_refused(intake: Intake, box: Any) -> None:
    with pytest.raises(BoxRefused, match="not a sealed box"):
        intake.open(box)


def test_an_offer_asks_for_what_it_names_and_nothing_else(intake: Intake) -> None:
    offer = intake.offer("master password", 60, fields=("password",))
    with pytest.raises(BoxRefused, match="other fields"):
        seal_box(offer, TEXTS)
    assert values(intake.open(seal_box(offer, {"password": "correct horse"}))) == {"password": "correct horse"}


@pytest.mark.parametrize("ttl_s", [0, -1, MAX_TTL_S + 1, 1.5, True, None])
def test_an_odd_lifetime_is_refused(intake: Intake, ttl_s: Any) -> None:
    with pytest.raises(InvalidField, match="ttl_s"):
        intake.offer("research", ttl_s)


@pytest.mark.parametrize("label", ["", "a\nb", "a" * 65, None, "a/b"])
def test_an_odd_label_is_refused(intake: Intake, label: Any) -> None:
    with pytest.raises(InvalidField, match="name"):
        intake.offer(label, 60)


@pytest.mark.parametrize("fields", [(), ("a b",), ("a,b",), ("",), ("é",)])
def test_odd_field_names_are_refused(intake: Intake, fields: Any) -> None:
    with pytest.raises(InvalidField, match="fields"):
        intake.offer("research", 60, fields=fields)


def test_open_offers_are_bounded_and_expired_ones_make_room(intake: Intake, clock: Time) -> None:
    for _ in range(MAX_OPEN_OFFERS):
        intake.offer("research", 60)
    with pytest.raises(BoxRefused, match="offers are open"):
        intake.offer("research", 60)
    clock.now_ms += 60_000
    assert values(intake.open(seal_box(intake.offer("research", 60), TEXTS))) == TEXTS


def test_every_intake_and_every_offer_is_another(intake: Intake) -> None:
    assert intake.fingerprint != Intake().fingerprint
    assert intake.offer("research", 60)["nonce"] != intake.offer("research", 60)["nonce"]
    offer = intake.offer("research", 60)
    one, two = seal_box(offer, TEXTS), seal_box(offer, TEXTS)
    assert not {one[name] for name in ("public_key", "iv", "ciphertext")} & set(two.values())
