"""Keys in plain text: environment variables, .env files, JSON, TOML and INI of other tools.

Only finds them: parsers are in `vault.formats`, removing keys from their file is in `vault.cleaning`, and the vault
saves them.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vault.cleaning import Cleaned, clean, without_places
from vault.entries import SECRET_FIELDS
from vault.errors import InvalidField
from vault.fields import printable
from vault.formats import Parsed, Place, parsed
from vault.hidden import Hidden, without_frames

MAX_SOURCE_BYTES = 4 * 1024 * 1024
EXCHANGE = "bitget"

_VARIABLE_ENDS = {
    "api_key": ("API_KEY", "APIKEY", "ACCESS_KEY", "KEY"),
    "secret_key": ("SECRET_KEY", "API_SECRET", "SECRETKEY", "APISECRET", "SECRET"),
    "passphrase": ("API_PASSPHRASE", "PASSPHRASE", "API_PASSWORD", "PASSWORD"),
}
_ENDS = sorted(((end, field) for field, ends in _VARIABLE_ENDS.items() for end in ends), key=lambda one: -len(one[0]))
_FIELDS = {end.replace("_", "").lower(): field for end, field in _ENDS}  # names in objects, whatever their spelling
_FREQTRADE_STEM = "FREQTRADE__EXCHANGE"
_SAME_EXCHANGE = frozenset({"ccxt_config", "ccxt_sync_config", "ccxt_async_config"})  # freqtrade's, inside its exchange
_PARTS = frozenset({"credentials", "credential", "keys", "key", "auth", "api", "secrets", "account"})  # of an exchange
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


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
        The name under which each text was found: a variable, or a path of names.
    doubt : str
        Why another reader would see another text; empty if none would.
    """

    label: str
    triple: dict[str, Hidden[str]]
    places: dict[str, str]
    doubt: str = ""

    def __repr__(self) -> str:
        return f"<Found {self.label!r} in {', '.join(self.places.values())}>"


@dataclass(frozen=True, slots=True)
class Source:
    """The keys of this exchange in a plain text.

    Attributes
    ----------
    format : str
        How it was read.
    found : list of Found
        Whole keys.
    incomplete : tuple of str
        What was found of each incomplete key.
    """

    format: str
    found: list[Found]
    incomplete: tuple[str, ...] = ()


@without_frames
def from_environment(environment: Mapping[str, str] | None = None) -> list[Found]:
    """Return the keys in environment variables such as BITGET_API_KEY, BITGET_SECRET_KEY, BITGET_PASSPHRASE."""
    return environment_source(environment).found


@without_frames
def environment_source(environment: Mapping[str, str] | None = None) -> Source:
    """Return the keys in environment variables, and those that are not whole."""
    return _source(Parsed("environment", Hidden(dict(os.environ if environment is None else environment))))


@without_frames
def from_file(path: Path) -> list[Found]:
    """Return the keys in a plain file; see `read_source`."""
    return read_source(path).found


@without_frames
def from_text(text: Hidden[str]) -> list[Found]:
    """Return the keys in the text of a plain file."""
    return _source(parsed(text)).found


@without_frames
def read_source(path: Path) -> Source:
    """Return the keys in a .env, JSON, TOML or INI file, and those that are not whole.

    Raises
    ------
    InvalidField
        The file is too large, no text, or in no format that is understood; nothing of it is in the message.
    """
    text = text_of(path)[0]
    read = _source(parsed(text))
    if read.found or read.incomplete or EXCHANGE not in text.value.lower():
        return read
    known = "write it as BITGET_API_KEY=..., BITGET_SECRET_KEY=... and BITGET_PASSPHRASE=... on lines of their own"
    return Source(read.format, [], (f"it names {EXCHANGE}, but has no key in a form that is known: {known}",))


@without_frames
def without_keys(text: Hidden[str], found: list[Found]) -> Hidden[str]:
    """Return the text without these keys.

    Raises
    ------
    InvalidField
        They could not be removed without changing anything else.
    """
    texts = {place: one.triple[field] for one in found for field, place in one.places.items()}
    return without_places(text, texts)


@without_frames
def cleaned_file(path: Path, found: list[Found]) -> Cleaned:
    """Remove the keys from their file: lines of variables are deleted, other texts become empty; all else stays.

    A symbolic link stays one: the file that it leads to is replaced, in one step and with its mode. The result is read
    again; what still has one of the secrets, editors' copies next to it included, is in the result.

    Raises
    ------
    InvalidField
        The keys could not be removed without changing anything else, or the file has other names (hard links) that
        would keep them; the file is as it was.
    StorageFailed
        The disk refused; the file is as it was.
    """
    text, encoding = text_of(path)
    return clean(path, without_keys(text, found), encoding, [secret for one in found for secret in one.triple.values()])


@without_frames
def text_of(path: Path) -> tuple[Hidden[str], str]:
    """Return the text of a file and its encoding: UTF-8, or what a byte order mark says."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise InvalidField(f"{path} is not a regular file; give the file that has the keys", field="source")
    with path.open("rb") as file:
        raw = Hidden(file.read(MAX_SOURCE_BYTES + 1))
    encoding = next((name for mark, name in _ENCODINGS if raw.value.startswith(mark)), "utf-8")
    if len(raw.value) <= MAX_SOURCE_BYTES:
        try:
            text = Hidden(raw.value.decode(encoding))
        except UnicodeDecodeError:  # it would carry the bytes
            text = Hidden("\0")
        if "\0" not in text.value:  # UTF-16 without a mark has them too, and would be read as something else
            return text, encoding
    raise InvalidField(f"{path} is no UTF-8 text, or is larger than {MAX_SOURCE_BYTES} bytes", field="source")


def _source(read: Parsed) -> Source:
    found: list[Found] = []
    incomplete: list[str] = []
    for label, names in _groups(read.tree, (), is_ours=False):
        doubts = [read.doubts[()]] if () in read.doubts else []
        texts: dict[str, Hidden[str]] = {}
        places: dict[str, str] = {}
        for field, candidates in names.items():
            given = [(place, value) for place, value in candidates if _is_text(value)]
            if not given:
                continue
            place, texts[field] = given[0]
            places[field] = ".".join(place)
            doubts += [
                f"{places[field]} {read.doubts[one]}"
                for one in dict.fromkeys((place, *((name,) for name in place))) if one in read.doubts
            ]  # fmt: skip
            if any(value.value != texts[field].value for _, value in given[1:]):
                doubts.append(
                    f"there are two different texts for the {field}: {', '.join('.'.join(one) for one, _ in given)}"
                )
        if texts.keys() == set(SECRET_FIELDS):
            found.append(Found(label, texts, places, "; ".join(dict.fromkeys(doubts))))
        elif texts:
            incomplete.append(printable(_lacking(label, names, places)))
    return Source(read.format, found, tuple(incomplete))


_Names = dict[str, list[tuple[Place, Hidden[Any]]]]  # by field: its possible places, and the values there


def _groups(node: Hidden[Any], path: Place, *, is_ours: bool) -> Iterator[tuple[str, _Names]]:
    """Walk through objects and lists: every group of names that could be a key of this exchange, with a label."""
    if isinstance(node.value, list):
        for number in range(len(node.value)):
            yield from _groups(Hidden(node.value[number]), (*path, str(number)), is_ours=False)
    if not isinstance(node.value, dict):
        return
    named = [*path, *(node.value.get(name) for name in ("name", "id", "exchange"))]
    is_ours = is_ours or any(isinstance(name, str) and EXCHANGE in name.lower() for name in named)
    names: _Names = {}
    if is_ours or not path:
        for name in node.value:
            if field := _FIELDS.get(re.sub(r"[-_ ]", "", name).lower()):
                names.setdefault(field, []).append(((*path, name), Hidden(node.value[name])))
        if is_ours or names.keys() == set(SECRET_FIELDS):
            yield _label(path), names
    yield from _variables(node, path)
    for name in node.value:
        yield from _groups(Hidden(node.value[name]), (*path, name), is_ours=is_ours and _is_part(name))


def _is_part(name: str) -> bool:
    return name in _SAME_EXCHANGE or name.lower() in _PARTS


def _variables(node: Hidden[Any], path: Place) -> Iterator[tuple[str, _Names]]:
    """Return the groups of names such as BITGET_API_KEY in one object."""
    stems: dict[str, _Names] = {}
    for name in node.value:
        stem, field = _split(re.sub(r"[-. ]", "_", name).upper())
        if field and (EXCHANGE.upper() in stem or _is_freqtrade(stem, node)):
            stems.setdefault(stem, {}).setdefault(field, []).append(((*path, name), Hidden(node.value[name])))
    for stem, names in sorted(stems.items()):
        yield _variable_label(stem), names


def _is_freqtrade(stem: str, node: Hidden[Any]) -> bool:
    """Return whether it is freqtrade's exchange, if it does not name another one."""
    named = str(node.value.get(f"{_FREQTRADE_STEM}__NAME") or EXCHANGE)
    return stem.startswith(_FREQTRADE_STEM) and EXCHANGE in named.lower()


def _split(name: str) -> tuple[str, str]:
    for end, field in _ENDS:
        if name.endswith(end):
            return name.removesuffix(end).rstrip("_"), field
    return "", ""


def _variable_label(stem: str) -> str:
    if stem.startswith(_FREQTRADE_STEM):
        return "freqtrade"
    return stem.replace(EXCHANGE.upper(), "").strip("_$:").lower() or EXCHANGE


def _label(path: Place) -> str:
    if path and path[0] == "exchange" and (len(path) == 1 or path[1] in _SAME_EXCHANGE):
        return "freqtrade"
    return "-".join(path) or EXCHANGE


def _is_text(value: Hidden[Any]) -> bool:
    return isinstance(value.value, str) and value.value != ""


def _lacking(label: str, names: _Names, places: dict[str, str]) -> str:
    """Return what is missing of an incomplete key."""
    missing = [field for field in SECRET_FIELDS if field not in places]
    strange = [
        ".".join(place) for field in missing for place, value in names.get(field, [])
        if value.value not in {"", None} and not isinstance(value.value, str)
    ]  # fmt: skip
    noted = f" ({', '.join(strange)} is no text: put quotes around it)" if strange else ""
    return f"{label}: {', '.join(places.values())} found, but no {' and no '.join(missing)}{noted}"
