from __future__ import annotations

import base64
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from vault import BoxRefused, Intake, InvalidField, Surroundings, open_reply, seal_box
from vault.hidden import Hidden
from vault.intake import MAX_OPEN_OFFERS, MAX_TTL_S, fingerprint_of, sealed_content

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "sealed_box_v1.json").read_text("utf-8"))
VECTOR_OF_REPLY = Path(__file__).parents[1] / "vectors" / "sealed_reply_v1.json"
SENDER = Hidden(bytes(range(1, 33)))
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


def replied(intake: Intake, **words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """An offer and the reply to its box, which was sealed with `SENDER`."""
    offer = intake.offer("recovery", 60, fields=("password",))
    _, reply = intake.open_to_reply(seal_box(offer, {"password": "typed"}, private_key=SENDER.value))
    return offer, reply.seal({name: Hidden(text) for name, text in words.items()})


def test_the_pinned_reply_opens_forever() -> None:
    """The same numbers prove an opener in another language."""
    vector = json.loads(VECTOR_OF_REPLY.read_text("utf-8"))
    drawn = iter(bytes.fromhex(vector[name]) for name in ("intake_private_key", "nonce", "iv"))
    intake = Intake(Surroundings(now_ms=lambda: vector["now_ms"], random_bytes=lambda length: next(drawn)))
    assert intake.offer(vector["label"], vector["ttl_s"], fields=("password",)) == vector["offer"]
    private_key = bytes.fromhex(vector["sender_private_key"])
    assert seal_box(vector["offer"], vector["box_fields"], private_key=private_key) == vector["box"]
    opened, reply = intake.open_to_reply(vector["box"])
    assert values(opened) == vector["box_fields"]
    assert reply.seal({name: Hidden(text) for name, text in vector["reply_fields"].items()}) == vector["reply"]
    assert (
        values(open_reply(vector["offer"], vector["reply"], private_key=Hidden(private_key))) == vector["reply_fields"]
    )


def test_a_reply_opens_for_the_sender_of_its_box_alone(intake: Intake) -> None:
    offer, reply = replied(intake, recovery_code="WQRN")
    assert values(open_reply(offer, reply, private_key=SENDER)) == {"recovery_code": "WQRN"}
    assert "WQRN" not in json.dumps(reply)
    later, other = replied(intake, recovery_code="WQRN")
    strangers = [
        (offer, reply, Hidden(bytes(32))), (later, reply, SENDER), (offer, other, SENDER),
        ({**offer, "label": "unlock"}, reply, SENDER), ({**offer, "fields": ["code"]}, reply, SENDER),
        ({**offer, "expires_ms": offer["expires_ms"] + 1}, reply, SENDER),
        ({**offer, "public_key": Intake().offer("recovery", 60)["public_key"]}, reply, SENDER),
        (offer, {**reply, "ciphertext": spoilt(reply["ciphertext"])}, SENDER),
        (offer, {**reply, "iv": spoilt(reply["iv"])}, SENDER),
    ]  # fmt: skip
    for claimed, box, key in strangers:
        with pytest.raises(BoxRefused, match="does not open"):
            open_reply(claimed, box, private_key=key)


def test_a_box_is_no_reply_and_a_reply_no_box(intake: Intake) -> None:
    """They are sealed with different keys and bound to different first lines, so neither is taken for the other."""
    offer = intake.offer("recovery", 60, fields=("password",))
    box = seal_box(offer, {"password": "typed"}, private_key=SENDER.value)
    echoed = {name: box[name] for name in ("version", "iv", "ciphertext")}
    with pytest.raises(BoxRefused, match="does not open"):
        open_reply(offer, echoed, private_key=SENDER)
    _, reply = intake.open_to_reply(box)
    sealed = reply.seal({"password": Hidden("typed")})
    again = intake.offer("recovery", 60, fields=("password",))
    with pytest.raises(BoxRefused, match="does not open"):
        intake.open({**box, **sealed, "nonce": again["nonce"]})


def test_one_box_gets_one_reply(intake: Intake) -> None:
    _, reply = intake.open_to_reply(seal_box(intake.offer("x", 60), TEXTS))
    reply.seal({"recovery_code": Hidden("x")})
    with pytest.raises(BoxRefused, match="sealed already"):
        reply.seal({"recovery_code": Hidden("x")})
    assert repr(reply) == "<Reply>"


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"version": True}, {"more": 1}, {"iv": "A" * 15}, {"iv": None}, {"ciphertext": ""},
     {"ciphertext": "A B"}, {"ciphertext": "A" * 20_000}],
)  # fmt: skip
def test_a_malformed_reply_is_refused(intake: Intake, change: dict[str, Any]) -> None:
    offer, reply = replied(intake, recovery_code="WQRN")
    with pytest.raises(BoxRefused):
        open_reply(offer, {**reply, **change}, private_key=SENDER)


@pytest.mark.parametrize("reply", [None, [], "reply", {}, {"version": 1, "iv": "x"}])
def test_what_is_no_reply_at_all_is_refused(intake: Intake, reply: Any) -> None:
    with pytest.raises(BoxRefused, match="not a sealed reply"):
        open_reply(intake.offer("recovery", 60), reply, private_key=SENDER)


def test_an_offer_that_was_taken_back_opens_nothing(intake: Intake) -> None:
    offers = [intake.offer("x", 60) for _ in range(MAX_OPEN_OFFERS)]
    intake.withdraw(offers[0]["nonce"])
    intake.withdraw(offers[0]["nonce"])
    with pytest.raises(BoxRefused, match="no open offer"):
        intake.open(seal_box(offers[0], TEXTS))
    assert values(intake.open(seal_box(intake.offer("x", 60), TEXTS))) == TEXTS


def test_half_a_character_is_refused_without_being_told(intake: Intake) -> None:
    with pytest.raises(BoxRefused, match="half a character") as refusal:
        seal_box(intake.offer("x", 60), {**TEXTS, "passphrase": "typed\ud800"})
    handled = sys.exc_info()[1]  # None, or what a trace function made Python go on handling
    assert (refusal.value.__cause__, refusal.value.__context__) == (None, handled)
