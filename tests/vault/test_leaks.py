from __future__ import annotations

import ast
import contextlib
import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from IPython.core.ultratb import VerboseTB
from IPython.lib.pretty import pretty
from rich.console import Console, RenderableType
from rich.pretty import Pretty
from rich.traceback import Traceback

import vault as package
from vault import (
    FLOOR,
    Checked,
    Credential,
    Intake,
    NotCopyable,
    Staged,
    Surroundings,
    Vault,
    VaultError,
    seal_box,
)
from vault.contents import State
from vault.credential import SignedHeaders
from vault.encryption import decrypt_file
from vault.envelope import Wrap
from vault.hidden import Hidden

ROOT = Path(__file__).parents[2]
NETWORK = {"socket", "ssl", "http", "urllib", "requests", "httpx", "aiohttp", "asyncio", "ftplib", "smtplib", "pandas"}


class Sheet:
    """Holds what must not be seen, so that no frame of a test has it in a variable."""

    def __init__(self, password: str, triple: dict[str, str]) -> None:
        self.held = Hidden((password, triple))

    @property  # properties, as verbose tracebacks evaluate plain attributes
    def password(self) -> str:
        return self.held.value[0]

    @property
    def triple(self) -> dict[str, str]:
        return self.held.value[1]

    @property
    def new_password(self) -> str:
        return "quite another password"

    def __repr__(self) -> str:
        return "<Sheet>"

    def needles(self) -> list[str]:
        return [self.password, self.new_password, *self.triple.values()]

    def found_in(self, text: str) -> list[str]:
        forms = [form for needle in self.needles() for form in (needle, needle.encode().hex(), repr(needle))]
        return [form for form in forms if form in text]


@pytest.fixture
def sheet(password: str, triple: dict[str, str]) -> Sheet:
    return Sheet(password, triple)


@pytest.fixture
def filled(folder: Path, sheet: Sheet) -> Vault:
    made = Vault.create(folder / "filled", sheet.password, profile=FLOOR)
    made.add("research", **sheet.triple)
    return made


def shapes(thing: object) -> Iterator[str]:
    """Every way to look at an object without reaching for its private names."""
    yield from (
        repr(thing),
        str(thing),
        f"{thing}",
        f"{thing!a}",
        pprint.pformat(thing),
        repr([thing]),
        repr({1: thing}),
    )
    yield f"{Hidden(thing)!s:>40}{Hidden(thing)}"
    public = [name for name in dir(thing) if not name.startswith("_")]
    yield repr([getattr(thing, name, None) for name in public if name != "value"])
    with contextlib.suppress(TypeError):
        yield repr(vars(thing))
    with contextlib.suppress(TypeError):
        yield json.dumps(thing, default=repr) if not isinstance(thing, dict) else ""
    yield pretty(thing)
    yield printed_by_rich(Pretty(thing, expand_all=True))


def printed_by_rich(thing: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(thing)
    return console.file.getvalue()


def given_to(vault: Vault) -> dict[str, str]:
    """The triple of the one key in the vault."""
    triple = vault._state().slots[0].triple
    return {field: getattr(triple, field).value for field in ("api_key", "secret_key", "passphrase")}


def things(vault: Vault, path: Path, key_source: Callable[[Wrap], Hidden[bytes]]) -> list[object]:
    credential = vault.get("research")
    opened = decrypt_file(path.read_bytes(), key_source)
    state = vault._OpenVault__state
    assert isinstance(state, State)
    headers = credential.headers("GET", "/api/v2/x")
    listed = vault.describe()
    boxed = {name: Hidden(text) for name, text in given_to(vault).items()}
    staged = Staged("other", boxed)
    intake = Intake()
    _, reply = intake.open_to_reply(seal_box(intake.offer("other", 60), given_to(vault)))
    new = [staged, staged.credential(), intake, reply, reply.seal(boxed)]
    return [*new, vault, credential, headers, opened, state, state.slots, state.slots[0], state.slots[0].triple, listed]


def test_no_way_of_showing_an_object_shows_a_secret(
    vault: Vault, path: Path, sheet: Sheet, key_source: Callable[[Wrap], Hidden[bytes]]
) -> None:
    vault.remove("research")
    vault.add("research", **sheet.triple)
    shown = [text for thing in things(vault, path, key_source) for text in shapes(thing)]
    assert len(shown) > 80
    assert [text for text in shown if sheet.found_in(text)] == []
    assert sheet.found_in(repr(sheet.triple))  # the search itself works


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_is_refused(vault: Vault, protocol: int) -> None:
    credential = vault.get("research")
    staged = Staged("other", {name: Hidden(text) for name, text in given_to(vault).items()})
    headers = credential.headers("GET", "/api/v2/x")
    for thing in (vault, credential, headers, Hidden("x"), [credential], {1: vault}, staged, Intake()):
        with pytest.raises(NotCopyable, match="neither pickled nor copied"):
            pickle.dumps(thing, protocol)


def test_copy_is_refused(vault: Vault, path: Path, key_source: Callable[[Wrap], Hidden[bytes]]) -> None:
    credential = vault.get("research")
    for thing in (vault, credential, credential.headers("GET", "/api/v2/x"), Hidden("x")):
        for way in (copy.copy, copy.deepcopy, lambda thing: thing.__getstate__(), lambda thing: thing.__reduce__()):
            with pytest.raises(NotCopyable):
                way(thing)
    for record in things(vault, path, key_source)[8:10]:
        with pytest.raises(NotCopyable):
            dataclasses.asdict(record)


def test_vault_and_credential_have_no_dictionary_of_attributes(vault: Vault) -> None:
    credential = vault.get("research")
    for thing in (vault, credential, Hidden("x")):
        with pytest.raises(TypeError):
            vars(thing)
    assert dir(credential) == ["demo", "fingerprint", "headers", "host", "login", "name"]


def test_nothing_public_returns_a_secret_but_the_headers(vault: Vault) -> None:
    verbs = {name for name in dir(Vault) if not name.startswith("_")}
    assert verbs == {
        *("create", "open", "open_with_recovery", "open_with_keyring", "restore", "kept", "id_of"),
        *("reload", "close"),
        *("path", "generation", "vault_id", "unlocks", "audit", "names", "describe", "check_absent"),
        *("export", "preview", "import_keys"),
        *("searcher", "get", "add", "rename", "edit", "record_check", "record_use", "rotate", "remove"),
        *("change_password", "reset_password", "rotate_data_key", "set_recovery", "set_keyring", "remove_unlock"),
    }
    assert {name for name in dir(Credential) if not name.startswith("_")} == {
        *("demo", "fingerprint", "headers", "host", "login", "name")
    }


def test_signed_headers_are_still_a_mapping_that_a_sender_can_use(vault: Vault, sheet: Sheet) -> None:
    headers = vault.get("research").headers("GET", "/api/v2/x")
    assert isinstance(headers, dict)
    assert isinstance(headers, SignedHeaders)
    assert {**headers}.keys() == dict(headers.items()).keys()
    assert headers["ACCESS-PASSPHRASE"] == sheet.triple["passphrase"]


def failing_calls(
    vault: Vault, sheet: Sheet, folder: Path, recorder: Callable[..., Any]
) -> dict[str, Callable[[], Any]]:
    path = folder / "filled"

    def triple(**changes: Any) -> dict[str, Any]:
        return {**sheet.triple, **changes}

    def boxed(texts: dict[str, str]) -> dict[str, Hidden[str]]:
        return {name: Hidden(text) for name, text in texts.items()}

    def damaged(raw: bytes) -> Path:
        path.write_bytes(raw)
        return path

    raw = path.read_bytes()
    failing: dict[str, Callable[[], Any]] = {
        "create over": lambda: Vault.create(path, sheet.password, profile=FLOOR),
        "create short": lambda: Vault.create(folder / "x", sheet.triple["passphrase"][:7], profile=FLOOR),
        "open wrong": lambda: Vault.open(path, sheet.new_password),
        "open not text": lambda: Vault.open(path, sheet.password.encode()),
        "open missing": lambda: Vault.open(folder / "none", sheet.password),
        "open fault": lambda: Vault.open(path, sheet.password, surroundings=Surroundings(filesystem=recorder(1))),
        "add duplicate": lambda: vault.add("research", **sheet.triple),
        "add same key": lambda: vault.add("other", **sheet.triple),
        "add bad name": lambda: vault.add("a/b", **sheet.triple),
        "add bad host": lambda: vault.add("other", **sheet.triple, host="https://elsewhere.example"),
        "add bad demo": lambda: vault.add("other", **sheet.triple, demo=3),
        "remove unknown": lambda: vault.remove("none"),
        "get unknown": lambda: vault.get("none"),
        "change wrong": lambda: vault.change_password(sheet.new_password, sheet.password),
        "change short": lambda: vault.change_password(sheet.password, "short"),
        "post": lambda: vault.get("research").headers("POST", "/api/v2/x"),
        "target": lambda: vault.get("research").headers("GET", "https://elsewhere.example/api/v2/x"),
        "timestamp": lambda: vault.get("research").headers("GET", "/api/v2/x", timestamp_ms=-1),
        "pickle": lambda: pickle.dumps(vault.get("research")),
        "deepcopy": lambda: copy.deepcopy(vault.get("research").headers("GET", "/api/v2/x")),
        "setattr": lambda: setattr(vault.get("research"), "host", "x"),
    }
    for field in sheet.triple:
        spoilt = Hidden(triple(**{field: sheet.triple[field] + "\u200b"}))
        failing[f"add spoilt {field}"] = lambda spoilt=spoilt: vault.add("other", **spoilt.value)
        for shown in ("name", "note", "account"):
            fields = Hidden({"name": "other", **sheet.triple, shown: f"my {sheet.triple[field]}"})
            failing[f"add {field} in {shown}"] = lambda fields=fields: vault.add(**fields.value)
        failing[f"stage spoilt {field}"] = lambda spoilt=spoilt: Staged("x", boxed(spoilt.value))
        failing[f"stage {field} as label"] = lambda field=field: Staged(sheet.triple[field], boxed(sheet.triple))
        failing[f"keep {field} in note"] = lambda field=field: Staged("x", boxed(sheet.triple)).save(
            vault, checked=Checked("read-only"), note=f"my {sheet.triple[field]}"
        )
    failing |= {
        "stage bad host": lambda: Staged("x", boxed(sheet.triple), host="https://elsewhere.example"),
        "stage bad demo": lambda: Staged("x", boxed(sheet.triple), demo=3),
        "keep same key": lambda: Staged("x", boxed(sheet.triple)).save(vault, checked=Checked("read-only")),
        "keep bad verdict": lambda: Staged("x", boxed(triple(api_key="new"))).save(vault, checked=Checked("a\nb")),
        "rotate to same key": lambda: Staged("research", boxed(sheet.triple)).replace(vault, checked=Checked("x")),
        "rotate unknown": lambda: Staged("none", boxed(triple(api_key="new"))).replace(vault, checked=Checked("x")),
        "rotate demo": lambda: Staged("research", boxed(triple(api_key="new")), demo=True).replace(
            vault, checked=Checked("x")
        ),
        "seal surrogate": lambda: seal_box(Intake().offer("x", 60), triple(passphrase=sheet.password + "\ud800")),
        "open foreign": lambda: Intake().open(seal_box(Intake().offer("x", 60), sheet.triple)),
        "recover mistyped": lambda: Vault.open_with_recovery(path, sheet.password),
    }
    for at in range(30):
        around = Surroundings(filesystem=recorder(at))
        state = vault._OpenVault__state
        broken = Vault(vault._OpenVault__file.__class__(path, around.filesystem, 1.0), around, state)
        failing[f"fault {at}"] = lambda broken=broken: broken.remove("research")
    # The last ones damage the file.
    failing["open cut"] = lambda: Vault.open(damaged(raw[:-40]), sheet.password)
    failing["add cut"] = lambda: vault.add("third", **triple(api_key="another"))
    failing["open lax"] = lambda: damaged(raw).chmod(0o644) or Vault.open(path, sheet.password)
    return failing


def texts_of(error: BaseException) -> Iterator[str]:
    """Everything that a report of an error could print, with the local variables of every frame of the vault."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        current = queue.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield from (repr(current), str(current), repr(current.args), repr(vars(current)))
        yield from frames(current.__traceback__)
        queue += [current.__cause__, current.__context__]
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def verbose_texts_of(error: BaseException) -> Iterator[str]:
    """The same, as the tools of a notebook print it; slow."""
    yield printed_by_rich(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))
    verbose = VerboseTB().text(type(error), error, error.__traceback__)
    yield re.sub(r"\x1b\[[0-9;]*m", "", verbose)


def frames(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        for value in trace.tb_frame.f_locals.values():
            yield from (repr(value), repr(getattr(value, "__closure__", None)))
        trace = trace.tb_next


@pytest.mark.slow
def test_no_error_path_shows_a_secret_even_with_all_local_variables(
    filled: Vault, sheet: Sheet, folder: Path, recorder: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    calls = failing_calls(filled, sheet, folder, recorder)
    leaks = []
    for name, call in calls.items():
        try:
            call()
        except (VaultError, AttributeError) as error:
            texts = [*texts_of(error), *([] if name.startswith("fault") else verbose_texts_of(error))]
            leaks += [(name, number) for number, text in enumerate(texts) if sheet.found_in(text)]
            texts.clear()
        else:
            raise AssertionError(f"{name} did not fail")
    assert len(calls) > 60
    assert leaks == []
    assert not sheet.found_in(caplog.text)


def test_an_uncaught_error_prints_no_secret(path: Path, sheet: Sheet) -> None:
    code = "import sys; from vault import Vault; Vault.open(sys.argv[1], sys.stdin.read())"
    done = subprocess.run(  # noqa: S603 -- this interpreter, this text
        [sys.executable, "-c", code, str(path)],
        input=sheet.new_password,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert "WrongPassword" in done.stderr
    assert not sheet.found_in(done.stderr)


def test_every_error_of_the_package_has_one_root_and_survives_a_pickle() -> None:
    errors = [thing for name in package.__all__ if isinstance(thing := getattr(package, name), type)]
    errors = [thing for thing in errors if issubclass(thing, Exception) and not issubclass(thing, Warning)]
    assert len(errors) > 18
    for error in errors:
        assert issubclass(error, VaultError)
        assert error.__doc__
        assert str(pickle.loads(pickle.dumps(error("what to do")))) == "what to do"  # noqa: S301 -- our own bytes


def test_no_module_of_the_package_imports_a_network_or_the_toolkit() -> None:
    imported = set()
    for file in (ROOT / "vault").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert not imported & (NETWORK | {"bgresearch"})
    assert imported - set(sys.stdlib_module_names) == {"vault", "cryptography", "filelock", "dotenv", "json5"}
