"""Keys that lie about in plain text: environment variables, .env files, JSON of ccxt and of freqtrade.

Finds them and takes them out of a text; saving them is the vault's work, writing the file back is `cleaned_file`.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vault.disk import FILE_MODE
from vault.entries import SECRET_FIELDS
from vault.errors import InvalidField, StorageFailed
from vault.hidden import Hidden, without_frames

MAX_SOURCE_BYTES = 4 * 1024 * 1024
EXCHANGE = "bitget"

_VARIABLE_ENDS = {
    "api_key": ("API_KEY", "APIKEY", "ACCESS_KEY", "KEY"),
    "secret_key": ("SECRET_KEY", "API_SECRET", "SECRETKEY", "APISECRET", "SECRET"),
    "passphrase": ("API_PASSPHRASE", "PASSPHRASE", "API_PASSWORD", "PASSWORD"),
}
_ENDS = sorted(((end, field) for field, ends in _VARIABLE_ENDS.items() for end in ends), key=lambda one: -len(one[0]))
_FREQTRADE_STEM = "FREQTRADE__EXCHANGE"
_JSON_FIELDS = (
    {"apiKey": "api_key", "secret": "secret_key", "password": "passphrase"},  # ccxt
    {"key": "api_key", "secret": "secret_key", "password": "passphrase"},  # freqtrade
)
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
    (?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|(?P<bare>[^\n#]*?))[ \t]*(?:\#[^\n]*)?$""",
    re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A key in a plain text.

    Attributes
    ----------
    label : str
        A name for it.
    triple : dict of str to Hidden
        Its three texts by field.
    places : dict of str to str
        The name under which each text was found: a variable, or a path of JSON names.
    """

    label: str
    triple: dict[str, Hidden[str]]
    places: dict[str, str]

    def __repr__(self) -> str:
        return f"<Found {self.label!r} in {', '.join(self.places.values())}>"


@without_frames
def from_environment(environment: Mapping[str, str] | None = None) -> list[Found]:
    """Return the keys in environment variables such as BITGET_API_KEY, BITGET_SECRET_KEY, BITGET_PASSPHRASE."""
    return _from_variables({name: Hidden(text) for name, text in (environment or os.environ).items()})


@without_frames
def from_file(path: Path) -> list[Found]:
    """Return the keys in a .env or JSON file.

    Raises
    ------
    InvalidField
        The file is too large, no text, or JSON that cannot be read; nothing of it is in the message.
    """
    return from_text(_text_of(path))


@without_frames
def from_text(text: Hidden[str]) -> list[Found]:
    """Return the keys in the text of a .env or JSON file."""
    if text.value.lstrip()[:1] not in {"{", "["}:
        return _from_variables({match["name"]: _value(match) for match in _LINE.finditer(text.value)})
    parsed = _parsed(text)
    if parsed is None:
        raise InvalidField("the file looks like JSON, but cannot be read as JSON; mend it first", field="source")
    return list(_in_json(parsed, ()))


@without_frames
def cleaned_file(path: Path, found: list[Found]) -> None:
    """Take the keys out of their file: variables lose their lines, JSON texts become empty; all else stays.

    The file is replaced in one step and keeps its mode. Whatever copied it before (backups, git, an editor) keeps it.

    Raises
    ------
    InvalidField
        The fields could not be taken out without touching anything else; the file is as it was.
    StorageFailed
        The disk refused; the file is as it was.
    """
    cleaned = without_keys(_text_of(path), found)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(cleaned.value)
            file.flush()
            os.fsync(descriptor)
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageFailed(f"could not write {path}: {error.strerror}; it is as it was") from None


@without_frames
def without_keys(text: Hidden[str], found: list[Found]) -> Hidden[str]:
    """Return the text without these keys."""
    places = {place for one in found for place in one.places.values()}
    if text.value.lstrip()[:1] not in {"{", "["}:
        gone = re.compile(_LINE.pattern + r"\n?", _LINE.flags)
        return Hidden(gone.sub(lambda match: "" if match["name"] in places else match[0], text.value))
    cleaned = text
    for one in found:
        for field, place in one.places.items():
            name, literal = re.escape(json.dumps(place.rsplit(".", 1)[-1])), one.triple[field]
            pattern = Hidden(rf"({name}\s*:\s*){re.escape(json.dumps(literal.value))}")
            cleaned = Hidden(re.sub(pattern.value, r'\1""', cleaned.value))
    after, expected = _parsed(cleaned), _emptied(_parsed(text), (), places)
    if after is None or after.value != expected.value:
        raise InvalidField("the keys stand in this file in a way that is not taken out; do it by hand", field="source")
    return cleaned


def _from_variables(variables: dict[str, Hidden[str]]) -> list[Found]:
    stems: dict[str, dict[str, str]] = {}
    for name in variables:
        stem, field = _split(name.upper())
        if field and (EXCHANGE.upper() in stem or stem == _FREQTRADE_STEM):
            stems.setdefault(stem, {}).setdefault(field, name)
    whole = [(stem, places) for stem, places in sorted(stems.items()) if places.keys() == set(SECRET_FIELDS)]
    return [
        Found(_label(stem), {field: variables[name] for field, name in places.items()}, places)
        for stem, places in whole
    ]


def _split(name: str) -> tuple[str, str]:
    for end, field in _ENDS:
        if name.endswith(end):
            return name.removesuffix(end).rstrip("_"), field
    return "", ""


def _label(stem: str) -> str:
    if stem == _FREQTRADE_STEM:
        return "freqtrade"
    return stem.replace(EXCHANGE.upper(), "").strip("_").lower() or EXCHANGE


def _value(match: re.Match[str]) -> Hidden[str]:
    return Hidden(next(text for text in (match["double"], match["single"], match["bare"], "") if text is not None))


def _in_json(node: Hidden[Any], path: tuple[str, ...]) -> Iterator[Found]:
    """Walk through JSON; a part counts if it or what it lies in names this exchange, or if it is the whole file."""
    if isinstance(node.value, list):
        for number in range(len(node.value)):
            yield from _in_json(Hidden(node.value[number]), (*path, str(number)))
    if not isinstance(node.value, dict):
        return
    named = [*path, *(node.value.get(name) for name in ("name", "id", "exchange"))]
    is_ours = any(isinstance(name, str) and EXCHANGE in name.lower() for name in named)
    for names in _JSON_FIELDS:
        is_whole = all(isinstance(node.value.get(name), str) and node.value[name] for name in names)
        if is_whole and (is_ours or not path):
            triple = {field: Hidden(node.value[name]) for name, field in names.items()}
            yield Found(_json_label(path), triple, {field: ".".join((*path, name)) for name, field in names.items()})
    for name in node.value:
        yield from _in_json(Hidden(node.value[name]), (*path, name))


def _json_label(path: tuple[str, ...]) -> str:
    if path == ("exchange",):
        return "freqtrade"
    return "-".join(path) or EXCHANGE


def _emptied(node: Hidden[Any] | None, path: tuple[str, ...], places: set[str]) -> Hidden[Any]:
    if node is None:
        return Hidden(None)
    if isinstance(node.value, list):
        items = [_emptied(Hidden(item), (*path, str(at)), places).value for at, item in enumerate(node.value)]
        return Hidden(items)
    if isinstance(node.value, dict):
        return Hidden({name: _emptied(Hidden(node.value[name]), (*path, name), places).value for name in node.value})
    return Hidden("") if ".".join(path) in places else node


def _parsed(text: Hidden[str]) -> Hidden[Any] | None:
    try:
        return Hidden(json.loads(text.value))
    except (ValueError, RecursionError):  # its text would carry what was read
        return None


def _text_of(path: Path) -> Hidden[str]:
    with path.open("rb") as file:
        raw = Hidden(file.read(MAX_SOURCE_BYTES + 1))
    if len(raw.value) <= MAX_SOURCE_BYTES:
        try:
            return Hidden(raw.value.decode("utf-8"))
        except UnicodeDecodeError:  # it would carry the bytes
            pass
    raise InvalidField(f"{path} is no UTF-8 text, or is larger than {MAX_SOURCE_BYTES} bytes", field="source")
