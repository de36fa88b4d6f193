"""Removes keys from the plain file that they were in, and checks that they are really gone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vault.disk import FILE_MODE
from vault.errors import InvalidField, StorageFailed
from vault.formats import DOTENV, INI, TOML, Parsed, bindings, parsed
from vault.hidden import Hidden, without_frames

MAX_NEIGHBOURS, MAX_NEIGHBOUR_BYTES = 200, 64 * 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
_BY_HAND = "the keys cannot be removed automatically from a file written like this; remove them by hand"
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)*")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The result of removing keys from a file.

    Attributes
    ----------
    path : Path
        The file that was written, which a symbolic link leads to.
    left : tuple of Path
        Files that still have one of the secrets: this one (in a comment, for example), editors' copies next to it.
    unread : tuple of Path
        Files next to it that could not be searched, or not to their end: what they have is unknown.
    """

    path: Path
    left: tuple[Path, ...]
    unread: tuple[Path, ...] = ()


@without_frames
def without_places(text: Hidden[str], texts: Mapping[str, Hidden[str]]) -> Hidden[str]:
    """Return a text without the values that are at these places (a variable, or a path of names with dots)."""
    read = parsed(text)
    if read.format == DOTENV:
        return _without_variables(text, set(texts))
    cleaned = text
    for place, value in texts.items():
        cleaned = _emptied_in(cleaned, read.format, place.rsplit(".", 1)[-1], value)
    expected, after = _emptied(read.tree, (), set(texts)), _read_again(cleaned)
    if after is None or after.tree.value != expected.value:
        raise InvalidField(_BY_HAND, field="source")
    return cleaned


@without_frames
def clean(path: Path, text: Hidden[str], encoding: str, secrets: Sequence[Hidden[str]]) -> Cleaned:
    """Replace a file with the cleaned text, and return the files that still have one of the secrets."""
    target = path.resolve(strict=True)
    if (names := target.stat().st_nlink) > 1:
        raise InvalidField(
            f"{path} has {names - 1} other names (hard links) that would keep the keys; nothing was removed: delete "
            f"those first (find / -samefile {path.name}), or do it by hand",
            field="source",
        )
    _replace(target, Hidden(text.value.encode(encoding)))
    files, unread = _looked_at(path, target)
    forms = [form for secret in secrets for form in _forms(secret)]
    has_one = {file: _has_one(file, forms) for file in files}
    return Cleaned(
        target, tuple(file for file in files if has_one[file]),
        (*(file for file in files if has_one[file] is None), *unread),
    )  # fmt: skip


def _replace(target: Path, data: Hidden[bytes]) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        before = target.stat()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data.value)
            file.flush()
            os.fsync(descriptor)
        if hasattr(os, "chown") and os.geteuid() == 0:  # the file stays its owner's, also where root imports it
            os.chown(temporary, before.st_uid, before.st_gid)
        temporary.chmod(stat.S_IMODE(before.st_mode))
        temporary.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageFailed(f"could not write {target}: {error.strerror}; it is as it was") from None


def _looked_at(path: Path, target: Path) -> tuple[list[Path], list[Path]]:
    """Return the file, and the copies that editors and people leave next to it: .env~, .env.bak, #.env#, .env.swp.

    And what is not looked at: a folder that cannot be listed, copies beyond a number that nobody has.
    """
    found: list[Path] = [target]
    passed: list[Path] = []
    for place in dict.fromkeys((path.absolute(), target)):
        try:
            copies = sorted(one for one in place.parent.iterdir() if place.name in one.name and one.resolve() != target)
        except (OSError, RuntimeError):  # a loop of links is a RuntimeError
            passed.append(place.parent)
            continue
        found += copies[:MAX_NEIGHBOURS]
        passed += copies[MAX_NEIGHBOURS:]
    return list(dict.fromkeys(found)), list(dict.fromkeys(passed))


@without_frames
def _forms(secret: Hidden[str]) -> list[Hidden[bytes]]:
    """Return a secret as editors and parsers of such files write it: in every encoding, and with escapes."""
    escaped = Hidden(json.dumps(secret.value)[1:-1])
    wide = (
        Hidden(secret.value.encode("utf-16-le").removesuffix(b"\0")),  # and, a byte later, big-endian
        Hidden(secret.value.encode("utf-32-le").rstrip(b"\0")),
    )
    return [Hidden(secret.value.encode()), Hidden(escaped.value.encode()), *wide]


@without_frames
def _has_one(file: Path, forms: Sequence[Hidden[bytes]]) -> bool | None:
    """Return whether a file has one of the secrets; None if that is unknown."""
    longest = max(len(form.value) for form in forms)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return False
        with file.open("rb") as opened:
            read, data = 0, Hidden(b"")
            while block := opened.read(_BLOCK_BYTES):
                data = Hidden(data.value[-longest:] + block)
                if any(form.value in data.value for form in forms):
                    return True
                read += len(block)
                if read >= MAX_NEIGHBOUR_BYTES:
                    return None
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return False


def _without_variables(text: Hidden[str], names: set[str]) -> Hidden[str]:
    kept, seen = [], Hidden(dict[str, str]())
    for one in map(Hidden, bindings(text)):
        if one.value.key in names and seen.value.setdefault(one.value.key, one.value.value) != one.value.value:
            raise InvalidField(f"{one.value.key} is there twice, with different values; do it by hand", field="source")
        blank = _BLANK_LINES.match(one.value.original.string)
        kept.append(Hidden(blank[0] if one.value.key in names and blank else one.value.original.string))
    return Hidden("".join(one.value for one in kept))


def _emptied_in(text: Hidden[str], kind: str, name: str, value: Hidden[str]) -> Hidden[str]:
    """Return the text with the value of this name made empty, wherever name and value occur together."""
    plain = re.escape(name)
    spelled = rf"(?:\"{plain}\"|'{plain}'|(?<![\w\"'-]){plain})"
    if kind in {TOML, INI}:
        pattern = Hidden(rf"^([ \t]*{spelled}[ \t]*[=:][ \t]*)[^\n]*{re.escape(value.value.strip())}[^\r\n]*")
        empty = r'\1""' if kind == TOML else r"\1"
        return Hidden(re.sub(pattern.value, empty, text.value, flags=re.MULTILINE))
    literals = Hidden(
        "|".join(
            map(re.escape, (json.dumps(value.value), json.dumps(value.value, ensure_ascii=False), f"'{value.value}'"))
        )
    )
    return Hidden(re.sub(rf"({spelled}\s*:\s*)(?:{literals.value})", r'\1""', text.value))


def _read_again(text: Hidden[str]) -> Parsed | None:
    try:
        return parsed(text)
    except InvalidField:
        return None


def _emptied(node: Hidden[Any], path: tuple[str, ...], places: set[str]) -> Hidden[Any]:
    if isinstance(node.value, list):
        items = [_emptied(Hidden(item), (*path, str(at)), places).value for at, item in enumerate(node.value)]
        return Hidden(items)
    if isinstance(node.value, dict):
        return Hidden({name: _emptied(Hidden(node.value[name]), (*path, name), places).value for name in node.value})
    return Hidden("") if ".".join(path) in places else node
