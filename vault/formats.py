"""The text of a plain file as names and values: .env, JSON with and without comments, TOML, INI.

Each format is read by a maintained parser. Where another common reader of the same file would see another value, the
place is noted as doubtful: such a value is right only if the exchange accepts it.
"""

from __future__ import annotations

import configparser
import io
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vault.errors import InvalidField
from vault.hidden import Hidden, without_frames

MAX_CHARACTERS = 64 * 1024  # of a .env file and of JSON with comments: their parsers take seconds for this much
DOTENV, JSON, JSON5, TOML, INI = ".env", "JSON", "JSON with comments", "TOML", "INI"

Place = tuple[str, ...]

# What only TOML has: names with dots, tables and lists as values. A plain .env is not given to TOML's parser at all.
_TABLES = re.compile(r"""^[ \t]*[\w"'-]+[ \t]*\.[^=\r\n]*=|=[ \t]*[{\[]""", re.MULTILINE)
_SECTION = re.compile(r"^[ \t]*\[[^\]\r\n{]+\]\]?[ \t]*(?:[#;][^\r\n]*)?(?:\r|$)", re.MULTILINE)
_UNSEEN = re.compile(r"[^\S \t\r\n]|[\u200b-\u200f\u2060\ufeff]")
_COMMENT_FIRST = re.compile(r"\s*(?://|/\*)")
_HUMMINGBOT = re.compile(r"^[ \t]*connector[ \t]*:[ \t]*\S+", re.MULTILINE)
_ENCRYPTED_HEX = re.compile(r"^[ \t]*\w*bitget\w*[ \t]*:\s*['\"]?7b22[0-9a-f]{40,}", re.MULTILINE | re.IGNORECASE)
_RAW = re.compile(
    r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*(?P<raw>.*)", re.DOTALL | re.IGNORECASE
)
_COMMENT_BEHIND = re.compile(r"(?<!\s)\s+#.*", re.DOTALL)
_PEM = "-----BEGIN "
_ANYWHERE = {
    "$": "has a $, which some readers replace by a variable",
    "\\": "has a backslash, which some readers remove",
    "`": "has a `, which some readers take for a command or a quote",
}
_WITHOUT_QUOTES = {
    "#": "has a # and no quotes around it: some readers take the rest for a comment",
    r"['\"\s]": "has quotes or spaces in it and no quotes around it",
}
_FIRST_SECTION = "\0"  # no [DEFAULT] whose values would appear in every section


@dataclass(frozen=True, slots=True)
class Parsed:
    """The content of a text, with the doubts about single places.

    Attributes
    ----------
    format : str
        Which parser read it.
    tree : Hidden
        Objects, lists and values; one flat object of texts for a .env file.
    doubts : dict
        By place, why another reader would see another value; the empty place means the whole text.
    """

    format: str
    tree: Hidden[Any]
    doubts: dict[Place, str] = field(default_factory=dict)


@without_frames
def parsed(text: Hidden[str]) -> Parsed:
    """Return the content of a text.

    Raises
    ------
    InvalidField
        No parser understood it; the message names those that were tried and repeats nothing of the text.
    """
    if _HUMMINGBOT.search(text.value) and _ENCRYPTED_HEX.search(text.value):
        raise InvalidField(
            "this is Hummingbot's configuration, in which the key is encrypted with Hummingbot's own password; copy "
            "the three texts from the exchange's page instead, or make a new key: bgresearch keys add NAME",
            field="source",
        )
    tried = []
    for name, read in _readers(text):
        if (found := read(text)) is not None:
            return found
        tried.append(name)
    if tried[:2] == [JSON, JSON5]:
        start = "the file looks like JSON, but cannot be read as JSON"
    else:
        start = "the file was not understood"
    raise InvalidField(f"{start} (tried: {', '.join(tried)}); correct it first, or type the key in", field="source")


def bindings(text: Hidden[str]) -> Iterator[Any]:
    """Return the statements of a .env text in their order; together their originals are the text."""
    from dotenv.parser import parse_stream  # noqa: PLC0415 - only who imports keys reads such files

    yield from parse_stream(io.StringIO(text.value, newline=""))


def _readers(text: Hidden[str]) -> list[tuple[str, Callable[[Hidden[str]], Parsed | None]]]:
    """Return the parsers that could read such a text, most likely first."""
    start, sections = text.value.lstrip()[:1], [(TOML, _toml), (INI, _ini)]
    has_sections = _SECTION.search(text.value) is not None
    if start == "{" or _COMMENT_FIRST.match(text.value):
        return [(JSON, _json), (JSON5, _json5)]
    if start == "[":
        return [(JSON, _json), (JSON5, _json5), *sections] if not has_sections else [(JSON, _json), *sections]
    if has_sections:
        return [*sections, (DOTENV, _dotenv)]
    return [(TOML, _toml_tables), (DOTENV, _dotenv)] if _TABLES.search(text.value) else [(DOTENV, _dotenv)]


@without_frames
def _json(text: Hidden[str]) -> Parsed | None:
    twice: set[str] = set()

    def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.update(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return dict(pairs)

    try:
        tree = Hidden(json.loads(text.value, object_pairs_hook=once_each))
    except (ValueError, RecursionError):  # its text would carry what was read
        return None
    return Parsed(JSON, tree, _repeated(twice))


@without_frames
def _json5(text: Hidden[str]) -> Parsed | None:
    from json5 import loads  # noqa: PLC0415 - only who imports keys reads such files

    _check_length(text, JSON5)
    try:
        tree = Hidden(loads(text.value, allow_duplicate_keys=False))
    except (ValueError, RecursionError):
        return None
    return Parsed(JSON5, tree)


def _check_length(text: Hidden[str], name: str) -> None:
    if len(text.value) > MAX_CHARACTERS:
        raise InvalidField(
            f"the file is longer than {MAX_CHARACTERS} characters, more than is read as {name}; put the part with the "
            "keys into a file of its own",
            field="source",
        )


@without_frames
def _toml(text: Hidden[str]) -> Parsed | None:
    try:
        return Parsed(TOML, Hidden(tomllib.loads(text.value.replace("\r\n", "\n"))))
    except (ValueError, RecursionError):
        return None


@without_frames
def _toml_tables(text: Hidden[str]) -> Parsed | None:
    """Return TOML without sections, if it is more than variables: names with dots, tables in one line."""
    found = _toml(text)
    is_nested = found is not None and any(isinstance(value, dict | list) for value in found.tree.value.values())
    return found if is_nested else None


@without_frames
def _ini(text: Hidden[str]) -> Parsed | None:
    parser = configparser.ConfigParser(interpolation=None, default_section=_FIRST_SECTION)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(text.value.replace("\r\n", "\n").replace("\r", "\n"))
    except configparser.Error:
        return None
    tree = {name: dict(parser.items(name)) for name in parser.sections()}
    places = {(section, name): Hidden(value) for section, texts in tree.items() for name, value in texts.items()}
    doubts: dict[Place, str] = {place: reason for place, value in places.items() if (reason := _ini_doubt(value))}
    return Parsed(INI, Hidden(tree), doubts)


@without_frames
def _dotenv(text: Hidden[str]) -> Parsed | None:
    from dotenv import dotenv_values  # noqa: PLC0415 - only who imports keys reads such files

    _check_length(text, DOTENV)
    found = [Hidden(one) for one in bindings(text)]
    named = [one for one in found if one.value.key is not None and one.value.value is not None]
    wrong = [one.value.original.line for one in found if one.value.error]
    if not named and any(one.value.error or one.value.key is not None for one in found):
        return None
    whole = Hidden("".join(one.value.original.string for one in named))  # of the others it would only warn in its log
    values = Hidden(dotenv_values(stream=io.StringIO(whole.value, newline="")))
    doubts: dict[Place, str] = {}
    seen: dict[str, Hidden[str]] = {}
    for one in named:
        name = one.value.key
        if reason := _dotenv_doubt(Hidden(one.value.original.string), Hidden(one.value.value)):
            doubts[name,] = reason
        if name in seen and seen[name].value != one.value.value:
            doubts[name,] = "is there twice, with different values"
        seen[name] = Hidden(one.value.value)
    if wrong:
        doubts[()] = f"line {wrong[0]} of the file was not understood"
    return Parsed(DOTENV, values, doubts)


@without_frames
def _dotenv_doubt(original: Hidden[str], value: Hidden[str]) -> str:
    """Return why another reader would see another value than python-dotenv; empty if none would."""
    match = _RAW.match(original.value)
    raw = Hidden(match["raw"].strip() if match else "")
    quote = raw.value[:1] if raw.value[:1] in {"'", '"'} else ""
    if not quote:
        raw = Hidden(_COMMENT_BEHIND.sub("", raw.value))
    is_pem = value.value.lstrip().startswith(_PEM)  # base64 has none of these: a backslash there is a line end
    doubts = [reason for character, reason in _ANYWHERE.items() if character in raw.value and not is_pem]
    if _UNSEEN.search(original.value):
        doubts.append("has a character that cannot be seen, which some readers remove")
    if not quote and not is_pem:
        doubts += [reason for pattern, reason in _WITHOUT_QUOTES.items() if re.search(pattern, raw.value)]
    return doubts[0] if doubts else ""


@without_frames
def _ini_doubt(value: Hidden[str]) -> str:
    if re.match(r"['\"]", value.value):
        return "is in quotes, which some readers of INI files keep"
    if "\n" in value.value:
        return "goes on in the next line, which some readers do not join"
    if re.search(r"\s[#;]", value.value):
        return "has a # or ; after a space, which some readers take for a comment"
    if "%" in value.value or "$" in value.value:
        return "has a % or $, which some readers replace by another value"
    return ""


def _repeated(names: set[str]) -> dict[Place, str]:
    return {(name,): "is there twice in one object" for name in names}
