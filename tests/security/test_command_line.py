"""What a person mistypes at the command line comes back without what it was, and a lax password file is named."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bgresearch.cli import main
from vault import FLOOR, Vault

PASSWORD = "a password of the tests"
SECRET = "SECRETsecretSECRET123"


class Done(NamedTuple):
    """How a command ended and what it said."""

    status: object
    said: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def command(*words: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["bgresearch", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return Done(ended.value.code, shown.out + shown.err)

    yield command
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def vault_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty vault; none of these commands changes it."""
    path = tmp_path_factory.mktemp("home") / "keys" / "vault"
    Vault.create(path, PASSWORD, profile=FLOOR).close()
    return path


@pytest.fixture
def password_file(tmp_path: Path, vault_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BGRESEARCH_VAULT", str(vault_file))
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    return file


TYPED: dict[str, bytes] = {
    "cut": f'{{"api_key": "{SECRET}", "secret'.encode(),
    "text": f'"{SECRET}"'.encode(),
    "list": f'["{SECRET}"]'.encode(),
    "missing": f'{{"api_key": "{SECRET}"}}'.encode(),
    "number": f'{{"api_key": "{SECRET}", "secret_key": 5, "passphrase": "{SECRET}"}}'.encode(),
    "space": f'{{"api_key": "{SECRET} ", "secret_key": "{SECRET}", "passphrase": "{SECRET}"}}'.encode(),
    "line end": f'{{"api_key": "{SECRET}", "secret_key": "{SECRET}\\r\\nX: y", "passphrase": "x"}}'.encode(),
    "surrogate": f'{{"api_key": "{SECRET}", "secret_key": "{SECRET}", "passphrase": "\\ud800"}}'.encode(),
    "not UTF-8": b"\xff\xfe" + SECRET.encode(),
    "nested": b"[" * 200_000 + SECRET.encode(),
    "nothing": b"",
}


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("name", TYPED)
def test_a_malformed_key_is_refused_and_not_repeated(name: str, run: Run, password_file: Path) -> None:
    words = ("vault", "add", "one", "--stdin", "--password-file", str(password_file))
    done = run(*words, *(("--json",) if len(name) % 2 else ()), stdin=TYPED[name])
    assert done.status == 2 or "paste it again" in done.said
    assert done.status != 0
    assert SECRET not in done.said
    assert "Traceback" not in done.said


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("half", ["\\ud800", "\\udfff"])
@pytest.mark.parametrize("field", ["api_key", "secret_key", "passphrase"])
def test_half_a_character_is_named_by_its_field(field: str, half: str, run: Run, password_file: Path) -> None:
    texts = dict.fromkeys(("api_key", "secret_key", "passphrase"), SECRET)
    typed = json.dumps(texts | {field: f"{SECRET}HALF"}).replace("HALF", half).encode()
    done = run("vault", "add", "one", "--stdin", "--password-file", str(password_file), stdin=typed)
    assert done.status == 2
    assert f"{field} has half a character (a surrogate) in it. Paste it again." in " ".join(done.said.split())
    assert SECRET not in done.said


@pytest.mark.parametrize(
    "words",
    [
        ("vault", "add", "one", SECRET),
        ("vault", "add", "one", f"--secret-key={SECRET}"),
        ("vault", "add", "one", "--passphrase", SECRET),
        ("vault", "add", "one", f"-s{SECRET}"),
        ("vault", "list", f"--password={SECRET}"),
        ("vault", "list", SECRET),
        ("vault", "passwd", SECRET, SECRET),
        ("vault", "remove", "one", SECRET),
        ("vault", "init", SECRET),
        ("check", "one", SECRET),
        ("check", "one", SECRET, SECRET, SECRET),
    ],
)
def test_a_secret_among_the_arguments_is_refused_and_not_repeated(words: tuple[str, ...], run: Run) -> None:
    done = run(*words)
    assert done.status == 2
    assert SECRET not in done.said


def test_a_password_file_that_is_no_text_is_named(run: Run, password_file: Path) -> None:
    password_file.write_bytes(b"\xff\xfe" + SECRET.encode())
    done = run("vault", "list", "--password-file", str(password_file))
    assert done.status == 1
    assert "is not UTF-8 text" in done.said
    assert SECRET not in done.said


@pytest.mark.skipif(sys.platform == "win32", reason="no file modes")
def test_a_password_file_that_others_can_read_is_said(run: Run, password_file: Path) -> None:
    words = ("vault", "list", "--password-file", str(password_file))
    assert "chmod" not in run(*words).said
    password_file.chmod(0o640)
    assert f"chmod 600 {password_file}" in run(*words).said
    assert run(*words, "--json").said.lstrip().startswith("{")
