"""Read off the code: one place speaks to the network, it says GET, and the vault speaks to nobody."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bgresearch.catalogue import load
from tests.conftest import PATIENCE_S

ROOT = Path(__file__).parents[2]
VERBS = {"POST", "PUT", "DELETE", "PATCH", "CONNECT"}
SPEAKERS = {
    "adlfs", "aiobotocore", "aiohttp", "asyncio", "boto3", "botocore", "distributed", "fsspec", "ftplib", "gcsfs",
    "http", "httpx", "imaplib", "poplib", "pycurl", "redis", "requests", "s3fs", "selectors", "smtplib", "socket",
    "socketserver", "ssl", "telnetlib", "urllib3", "websockets", "xmlrpc",
}  # fmt: skip
MAY_SPEAK = {  # module: what it may import of them
    "bgresearch/http/transport.py": {"requests", "urllib3", "ssl", "http"},
    "bgresearch/http/sender.py": {"requests"},
    "bgresearch/client/doctor/about_machine.py": {"ssl"},  # the version of OpenSSL, for the report
    "bgresearch/http/file_host.py": {"requests"},
    "bgresearch/http/ratelimit/redis_log.py": {"redis"},  # the request budget of several machines: times and labels
    "bgresearch/cli/run_notebook.py": {"asyncio"},
    "bgresearch/agent/server_connection.py": {"socket", "selectors"},
    "bgresearch/agent/connection.py": {"socket"},  # the agent's unix socket, which no other machine can reach
    "bgresearch/agent/socket_path.py": {"socket"},
    "bgresearch/agent/server.py": {"socket", "selectors"},
    "bgresearch/store/remote/object_storage.py": {"fsspec"},  # at an address that the user names: never the exchange
    "bgresearch/sandbox/adapter.py": {"requests", "urllib3", "http"},
    "bgresearch/sandbox/server.py": {"asyncio", "socket"},
    "bgresearch/sandbox/websocket_carrier.py": {"asyncio", "websockets"},
    "bgresearch/live/websocket.py": {"websockets"},
}


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    files = sorted(file for package in ("bgresearch", "vault") for file in (ROOT / package).rglob("*.py"))
    return tuple((file.relative_to(ROOT).as_posix(), ast.parse(file.read_text("utf-8"))) for file in files)


@cache
def imported(tree: ast.Module) -> frozenset[str]:
    return frozenset(_imported(tree))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))


def test_only_the_transport_and_the_sandbox_can_speak_to_a_network() -> None:
    found = {
        name: {module.split(".")[0] for module in imported(tree)} & SPEAKERS
        | {module for module in imported(tree) if module.startswith("urllib.request")}
        for name, tree in modules()
    }
    extra = {name: spoken - MAY_SPEAK.get(name, set()) for name, spoken in found.items()}
    assert {name: spoken for name, spoken in extra.items() if spoken} == {}
    assert len(found) > 80


def test_what_writes_objects_has_no_way_to_the_exchange_and_the_exchange_none_to_it() -> None:
    """Publishing is the one thing that writes to a network; it shares no code with what speaks to the exchange."""
    code = dict(modules())
    speakers = {
        "bgresearch.http.transport",
        "bgresearch.http.sender",
        "bgresearch.catalogue.response",
        "vault",
    }
    for name, tree in code.items():
        if name.startswith("bgresearch/store/"):
            assert not {module for module in imported(tree) if module.startswith(tuple(speakers))}, name
    for name in ("http/transport", "http/sender", "catalogue/response"):
        assert not [
            module for module in imported(code[f"bgresearch/{name}.py"]) if module.startswith("bgresearch.store")
        ]
    writers = {
        name for name, tree in code.items() for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"pipe_file", "pipe", "put_file", "upload", "mv", "mkdirs"}
    }  # fmt: skip
    assert writers == {"bgresearch/store/remote/object_storage.py"}


def test_no_code_has_a_word_for_writing() -> None:
    strings, calls = [], []
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and node.value in VERBS:
                strings.append((name, node.value))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                calls += [(name, node.func.attr)] if node.func.attr in {"post", "put", "patch", "urlopen"} else []
    assert strings == []
    assert calls == []


def test_every_row_of_the_table_is_a_get_of_the_exchange_s_api() -> None:
    assert {(row.method, row.path.startswith("/api/v")) for row in load()} == {("GET", True)}
    columns = [column.path for row in load() for column in row.columns]
    assert [path for path in columns if "secret" in path.lower() or "passphrase" in path.lower()] == []


LIFE_OF_A_VAULT = """
import sys
spoken = []
sys.addaudithook(lambda event, args: spoken.append(event) if event.split(".")[0] in LOUD else None)
from vault import FLOOR, Vault
path = sys.argv[1]
vault = Vault.create(path, "a password", profile=FLOOR)
vault.add("one", api_key="bg_1", secret_key="two", passphrase="three")
vault.change_password("a password", "another password")
vault = Vault.open(path, "another password")
vault.get("one").headers("GET", "/api/v2/x")
vault.remove("one")
vault.close()
loaded = {"socket", "ssl", "http.client", "urllib.request", "requests", "asyncio"} & {*sys.modules}
print(spoken, sorted(loaded))
""".replace("LOUD", repr({"socket", "subprocess", "os.system", "urllib", "ftplib", "smtplib", "ctypes"}))


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are checked where there are some")
def test_the_life_of_a_vault_opens_no_socket_and_loads_no_network(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - this interpreter, this text
        [sys.executable, "-c", LIFE_OF_A_VAULT, str(tmp_path / "keys" / "vault")],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[] []"
