"""What a person types or pastes, checked field by field; a refusal names field and place, never the value."""

from __future__ import annotations

import datetime as dt
import unicodedata

from vault.entries import SECRET_FIELDS, Slot, Triple
from vault.errors import InvalidField
from vault.hidden import Hidden, without_frames

MIN_PASSWORD_CHARACTERS = 8
MAX_PASSWORD_CHARACTERS = 1024
MAX_NAME_CHARACTERS = 64
MAX_NOTE_CHARACTERS = 1000
MAX_SECRET_CHARACTERS = 256
# A shorter passphrase may occur in a note by accident.
MIN_SEARCHED_CHARACTERS = 8

_CATEGORIES = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Zs": "a space that is not the plain one",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
    "Cs": "half a character (a surrogate)",
}
_CONTROLS = {"\n": "a line break", "\r": "a carriage return", "\t": "a tab", "\x00": "a null character"}


@without_frames
def checked_password(password: Hidden[str], *, is_new: bool) -> Hidden[bytes]:
    """Return the master password as bytes, NFC-normalised, so that every keyboard spells it the same."""
    if problem := _password_problem(password.value, is_new):
        raise InvalidField(f"the password {problem}", field="password")
    return Hidden(unicodedata.normalize("NFC", password.value).encode("utf-8"))


def checked_name(name: str) -> str:
    """Return a key's name, NFC-normalised: 1 to 64 visible characters, no path separators."""
    checked = _checked_line(name, "name", MAX_NAME_CHARACTERS)
    if checked == "":
        raise InvalidField("the name is empty; choose a short one such as 'research'", field="name")
    if any(separator in checked for separator in "/\\") or set(checked) == {"."}:
        raise InvalidField("the name must not look like a path: leave out / and \\", field="name")
    return checked


def checked_note(note: str) -> str:
    """Return a note, one line of visible characters, possibly empty."""
    return _checked_line(note, "note", MAX_NOTE_CHARACTERS)


def checked_account(account: str) -> str:
    """Return an account's name, possibly empty."""
    return _checked_line(account, "account", MAX_NAME_CHARACTERS)


def checked_date(text: str) -> str:
    """Return a date as ``YYYY-MM-DD``, or an empty text as it is."""
    if text == "":
        return ""
    try:
        return dt.date.fromisoformat(text).isoformat()
    except (TypeError, ValueError):
        raise InvalidField("rotate_by must be a date such as 2027-01-31", field="rotate_by") from None


def shown(text: str) -> str:
    """Return the beginning of untrusted text for a listing: characters that could control a terminal are replaced."""
    return printable(text[:64])


def printable(text: str) -> str:
    """Return a text with every character that could control a terminal replaced by U+FFFD."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


@without_frames
def check_triple(triple: Triple) -> None:
    """Refuse a key text that was pasted with something around or inside it that cannot be seen."""
    for field in SECRET_FIELDS:
        if problem := _pasted_problem(getattr(triple, field).value, has_spaces=field == "passphrase"):
            raise InvalidField(f"{field} {problem}", field=field)


@without_frames
def check_says_no_secret(slot: Slot) -> None:
    """Refuse a name, note or account that has one of the key's own secrets in it: those are shown in listings."""
    for field in ("name", "note", "account"):
        for secret_field in SECRET_FIELDS:
            if _contains_secret(getattr(slot, field), getattr(slot.triple, secret_field)):
                raise InvalidField(
                    f"the {field} contains the {secret_field}, and a {field} is shown in listings; choose another",
                    field=field,
                )


def _contains_secret(text: str, secret: Hidden[str]) -> bool:
    return len(secret.value) >= MIN_SEARCHED_CHARACTERS and secret.value in text


def _password_problem(password: object, is_new: bool) -> str | None:
    if not isinstance(password, str):
        return f"must be text, not {type(password).__name__}"
    if password == "":
        return "is empty; type one"
    if any(unicodedata.category(character) == "Cs" for character in password):
        return "has half a character (a surrogate) in it; type it again"
    if len(password) > MAX_PASSWORD_CHARACTERS:
        return f"is longer than {MAX_PASSWORD_CHARACTERS} characters"
    if is_new and len(password) < MIN_PASSWORD_CHARACTERS:
        return f"is shorter than {MIN_PASSWORD_CHARACTERS} characters; use a phrase of several words"
    return None


def _checked_line(text: str, field: str, longest: int) -> str:
    if not isinstance(text, str):
        raise InvalidField(f"the {field} must be text, not {type(text).__name__}", field=field)
    if problem := _first_invisible(text):
        raise InvalidField(f"the {field} has {problem}; remove it", field=field)
    checked = unicodedata.normalize("NFC", text)
    if checked != checked.strip():
        raise InvalidField(f"the {field} starts or ends with a space; remove it", field=field)
    if len(checked) > longest:
        raise InvalidField(f"the {field} is longer than {longest} characters; shorten it", field=field)
    return checked


def _pasted_problem(text: object, *, has_spaces: bool) -> str | None:
    if not isinstance(text, str):
        return f"must be text, not {type(text).__name__}"
    if not 1 <= len(text) <= MAX_SECRET_CHARACTERS:
        return "is empty; paste what the exchange showed" if text == "" else "is too long; paste the one text alone"
    problem = _first_invisible(text) or _first_misplaced(text, has_spaces)
    return problem and f"has {problem}; paste it again without"


def _first_misplaced(text: str, has_spaces: bool) -> str | None:
    for position, character in enumerate(text, start=1):
        if character == " " and position in {1, len(text)}:
            return f"a space at its {'start' if position == 1 else 'end'}"
        if character == " " and not has_spaces:
            return f"a space at position {position}"
        if not character.isascii():
            return f"a non-ASCII character (category {unicodedata.category(character)}) at position {position}"
    return None


def _first_invisible(text: str) -> str | None:
    for position, character in enumerate(text, start=1):
        kind = _CONTROLS.get(character) or _CATEGORIES.get(unicodedata.category(character))
        if character != " " and (kind or not character.isprintable()):
            return f"{kind or 'a character without a shape'} (U+{ord(character):04X}) at position {position}"
    return None
