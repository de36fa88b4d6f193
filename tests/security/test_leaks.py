"""No public object and no error shows a secret, whatever looks at it: counted objects, ways, errors and tools."""

from __future__ import annotations

import contextlib
import copy
import gc
import http.client
import inspect
import io
import json
import logging
import pickle
import pprint
import re
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
import rich
from IPython.core.formatters import DisplayFormatter
from IPython.core.ultratb import VerboseTB
from rich.console import Console
from rich.pretty import Pretty
from rich.traceback import Traceback

import bgresearch
from bgresearch import connect
from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BgresearchError, ConfigurationError
from bgresearch.http import transport
from bgresearch.http.confirming_sender import plain
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Wire
from bgresearch.http.transport import Headers
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.traders.keys import SandboxKey
from tests.conftest import PATIENCE_S
from tests.http.conftest import HOST, NOW_MS, Scripted, bad, good
from tests.http.test_hosts import SecurePeer
from tests.security.conftest import Street, clock_answer, credential, everything, secrets_in, with_secrets
from vault import VaultError
from vault.hidden import Hidden

PRIVATE, PUBLIC = load()["spot.account_assets"], load()["spot.candles"]
SANDBOX = "http://127.0.0.1:1"


class OneKey:
    """An opened vault with one key."""

    def get(self, name: str) -> object:
        return credential(SANDBOX)


def own_exchange() -> Exchange:
    triple = Hidden(with_secrets())
    key = SandboxKey(
        name="research", **triple.value, account="classic", authorities=("stor", "coor", "cpor", "wtor")
    )  # fmt: skip
    return Exchange(clock=ManualClock(NOW_MS), limits=False, keys=[key])


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Every public object of a client that has a key and used it, and what lies behind its private names."""
    client = connect(
        key="research", vault=OneKey(), sandbox=own_exchange(), data_dir=tmp_path_factory.mktemp("data"),
        progress=False, clock=ManualClock(NOW_MS),
    )  # fmt: skip
    found: dict[str, object] = {"client": client, "permissions": client.permissions(), "account": client.account}
    found |= {"assets": client.account.assets(), "fills": client.account.fills("2026-05-20")}
    found |= {"candles": client.candles("BTCUSDT", "1h", "2026-05-26", "2026-05-27")}
    found |= {"api": client.api, "area": client.api.spot, "call": client.api.spot.account_info}
    found |= {"frame": client.api.spot.account_info(), "raw": client.api.spot.account_info.raw()}
    source, sender = client._source, plain(client._source.sender)
    found |= {"source": source, "store": source.store, "confirming": source.sender, "wire": sender}
    found |= {"signer": sender._signer}
    found |= {"session": sender._session, "limiter": sender._limiter, "whose": client._whose}
    found |= {"reply": sender.send(load()["spot.account_info"], {}), "endpoint": PRIVATE, "module": bgresearch}
    found |= {"headers": sender._signer.headers("GET", PRIVATE.path)}
    with pytest.raises(BgresearchError) as caught:
        client.candles("NOSUCH", "1h", "2026-05-26", "2026-05-27")
    return found | {"error": caught.value}


def printed(thing: object, **options: object) -> str:
    console = Console(file=io.StringIO(), width=400)
    if options:
        rich.inspect(thing, console=console, **options)  # type: ignore[arg-type]
    else:
        console.print(Pretty(thing, expand_all=True))
    return console.file.getvalue()  # type: ignore[attr-defined]


def displayed(thing: object) -> str:
    shown, about = DisplayFormatter().format(thing)
    return f"{shown} {about}"


def members(thing: object) -> str:
    return repr([(name, value) for name, value in inspect.getmembers(thing) if not inspect.isroutine(value)])


def of_frame(thing: Any) -> str:
    if not hasattr(thing, "to_html"):
        return ""
    written = thing.to_html() + thing.to_json(date_format="iso") + thing.to_csv()
    return f"{written} {thing.attrs} {thing.describe(include='all')}"


WAYS: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda thing: f"{thing} {thing!a} {[thing]} { ({1: thing}) }",
    "pprint": pprint.pformat,
    "vars": vars,
    "dir": lambda thing: [getattr(thing, name, None) for name in dir(thing)],
    "members": members,
    "json": lambda thing: json.dumps(thing, default=repr) if not isinstance(thing, dict) else "",
    "pickle": pickle.dumps,
    "copy": lambda thing: repr(vars(copy.copy(thing))),
    "deepcopy": lambda thing: repr(vars(copy.deepcopy(thing))),
    "reduce": lambda thing: thing.__reduce_ex__(4),
    "rich": printed,
    "rich inspect": lambda thing: printed(thing, private=True, dunder=False),
    "IPython": displayed,
    "html": lambda thing: thing._repr_html_() if hasattr(thing, "_repr_html_") else "",
    "pandas": of_frame,
}


# ways into what pandas, or a module, holds
FOREIGN = ("dir", "rich inspect", "json", "copy", "deepcopy", "rich")


def test_no_way_of_looking_at_an_object_shows_a_secret(things: dict[str, object]) -> None:
    shown, leaks = 0, []
    for name, thing in things.items():
        for way, look in WAYS.items():
            if way in FOREIGN and isinstance(thing, types.ModuleType | pd.DataFrame):
                continue
            with contextlib.suppress(TypeError, VaultError, AttributeError, pickle.PicklingError, ConfigurationError):
                seen = look(thing)
                shown += 1
                leaks += [(name, way, found) for found in secrets_in(seen if isinstance(seen, bytes) else f"{seen}")]
    assert len(things) >= 20
    assert shown >= 250
    assert leaks == []
    assert len(secrets_in(everything())) == 3, "the search itself works"


def test_what_can_sign_is_neither_pickled_nor_copied_deeply(things: dict[str, object]) -> None:
    for name in ("client", "account", "api", "call", "wire", "signer", "headers", "source"):
        for way in (pickle.dumps, copy.deepcopy):
            with pytest.raises((TypeError, ConfigurationError)):
                way(things[name])


def test_nothing_of_a_key_is_in_the_data_folder(things: dict[str, Any]) -> None:
    files = [path for path in Path(things["client"].data_dir).rglob("*") if path.is_file()]
    assert [path.name for path in files if secrets_in(path.read_bytes())] == []
    assert {"keys.json", "2026-05.parquet"} <= {path.name for path in files}


class Careless(Scripted):
    """An adapter with the headers in a variable of its own, as those of the libraries have."""

    def send(self, request: requests.PreparedRequest, *more: object, **named: object) -> requests.Response:
        held = dict(request.headers)
        assert held["User-Agent"]
        try:
            return super().send(request, *more, **named)
        except Listening:
            raise Listening("time is up again")  # noqa: B904 - an error upon an error, as they come


class Listening(Exception):
    """Something that nobody here knows."""


def script(*answers: object) -> Callable[[Scripted], None]:
    def set_up(scripted: Scripted) -> None:
        scripted.script = list(answers) * 9

    return set_up


PATHS: dict[str, Callable[[Scripted], None]] = {
    **{
        type(error).__name__ + str(number): script(error)
        for number, error in enumerate((
            requests.ConnectionError("refused"), requests.ConnectTimeout("late"), requests.ReadTimeout("late"),
            requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), requests.exceptions.ProxyError("x"),
            requests.exceptions.ChunkedEncodingError("cut"), ConnectionResetError(104, "reset"), TimeoutError("late"),
            KeyboardInterrupt(), SystemExit(143), MemoryError(), RecursionError(), Listening("time is up"),
            GeneratorExit(), ValueError("odd"), UnicodeError("odd"), AssertionError("odd"),
        ))
    },
    **{
        f"code {code}": script(bad(code, status))
        for code, status in (
            ("40006", 400), ("40008", 400), ("40009", 400), ("40012", 400), ("40014", 400), ("40018", 400),
            ("40099", 400), ("45001", 400), ("429", 429), ("403", 403), ("99999", 500),
        )
    },
    "html": script((200, {}, b"<html>")),
    "empty": script((200, {}, b"")),
    "cut": script((200, {}, b'{"code":"00000","data":[[')),
    "text for a list": script(good("text")),
    "redirect": script((302, {"Location": "https://evil.example"}, b"")),
    "two layers of gzip": script((200, {"Content-Encoding": "gzip, gzip"}, b"x")),
    "no gzip": script((200, {"Content-Encoding": "gzip"}, b"x")),
}  # fmt: skip


def texts_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """What every tool makes of an error, those that print all local variables included."""
    kind, trace = type(error), error.__traceback__
    yield "plain", "".join(traceback.format_exception(error))
    yield "locals", "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    yield "attributes", f"{error!r} {error.args!r} {vars(error)!r} {error.__cause__!r} {error.__context__!r}"
    console = Console(file=io.StringIO(), width=400)
    console.print(Traceback.from_exception(kind, error, trace, show_locals=True, locals_max_string=None))
    yield "rich", console.file.getvalue()  # type: ignore[attr-defined]
    yield "IPython", re.sub(r"\x1b\[[0-9;]*m", "", VerboseTB().text(kind, error, trace))
    yield "pytest", str(pytest.ExceptionInfo.from_exception(error).getrepr(showlocals=True, style="long", chain=True))
    if isinstance(error, BgresearchError):
        yield "pickle", pickle.dumps(error, 0).decode("latin-1")


@pytest.mark.quick_cases(5)
@pytest.mark.parametrize("path", PATHS)
def test_no_error_shows_a_secret_to_any_tool(
    path: str, make_scripted: Callable[[], tuple[Wire, Scripted]], caplog: pytest.LogCaptureFixture
) -> None:
    wire, scripted = make_scripted()
    PATHS[path](scripted)
    with caplog.at_level(logging.DEBUG), pytest.raises(BaseException) as caught:  # noqa: PT011
        wire.send(PRIVATE, {"coin": "BTC"})
    texts = dict(texts_of(caught.value))
    assert [(tool, found) for tool, text in texts.items() for found in secrets_in(text)] == []
    assert len(texts) >= 6
    assert not secrets_in(caplog.text)
    held = gc.get_referents(caught.value, *vars(caught.value).values())
    assert not [thing for thing in held if isinstance(thing, requests.PreparedRequest | requests.Response)]


@pytest.fixture
def make_scripted() -> Callable[[], tuple[Wire, Scripted]]:
    def make() -> tuple[Wire, Scripted]:
        clock = ManualClock(NOW_MS)
        scripted, session = Careless(clock), requests.Session()
        session.mount("https://", scripted)
        return Wire(HOST, limiter=LocalLimiter(clock), clock=clock, signer=credential(HOST), session=session), scripted  # type: ignore[arg-type]

    return make


def test_the_paths_that_are_promised_are_walked() -> None:
    assert len(PATHS) >= 30


def test_a_traceback_of_a_library_would_have_shown_them(street: Street) -> None:
    headers = credential(street.bound.url).headers("GET", PRIVATE.path)
    with pytest.raises(requests.RequestException) as caught:
        requests.get("http://127.0.0.1:1", headers=dict(headers), timeout=PATIENCE_S)
    reported = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert secrets_in("".join(reported.format()))


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    monkeypatch.setattr(http.client.HTTPSConnection, "debuglevel", 1)
    caplog.set_level(logging.DEBUG)


@pytest.mark.usefixtures("noisy")
def test_debug_output_of_the_libraries_has_no_header(
    street: Street, wires: Callable[..., Wire], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    wires(street.bound.url, signer=credential(street.bound.url)).send(PRIVATE, {})
    assert "access-passphrase" in street.bound.seen[-1][1]
    printed_out = capsys.readouterr()
    assert (printed_out.out, printed_out.err) == ("", "")
    assert not secrets_in(caplog.text)
    assert "urllib3" in caplog.text
    headers = credential(street.bound.url).headers("GET", PRIVATE.path)
    requests.get(street.bound.url, headers=dict(headers), timeout=PATIENCE_S)
    assert secrets_in(capsys.readouterr().out), "it would have printed them"


@pytest.mark.usefixtures("noisy")
def test_debug_output_over_tls_has_no_header(
    tmp_path: Path, wires: Callable[..., Wire], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = SecurePeer(tmp_path)
    monkeypatch.setattr(transport.certifi, "where", lambda: str(peer.bundle))
    transport.tls_context.cache_clear()
    try:
        headers = Headers(credential(peer.url).headers("GET", PRIVATE.path))
        answer = transport.carry(transport.new_session(), f"{peer.url}{PRIVATE.path}", headers, ManualClock(NOW_MS))
    finally:
        transport.tls_context.cache_clear()
        peer.close()
    assert answer == (200, None, "", b"")
    assert capsys.readouterr().out == ""


def test_headers_of_a_request_print_their_names_alone() -> None:
    headers = Headers(credential(HOST).headers("GET", PRIVATE.path))
    for text in (repr(headers), str(headers), f"{headers}", pprint.pformat(headers), printed(headers)):
        assert "ACCESS-PASSPHRASE" in text
        assert not secrets_in(text)


SUB_ACCOUNT = {"subUid": "1", "secretKey": 'of\\a"sub', "passphrase": "too", "SECRET_KEY": "x y", "label": "secretKey"}


def test_secrets_in_an_answer_stay_out_of_it(make_scripted: Callable[[], tuple[Wire, Scripted]]) -> None:
    wire, scripted = make_scripted()
    scripted.script = [good([SUB_ACCOUNT])]
    reply = wire.send(load()["broker.manage_subaccount_apikey_list"], {})
    assert reply.data == [{**SUB_ACCOUNT, **dict.fromkeys(("secretKey", "passphrase", "SECRET_KEY"), "withheld")}]
    assert json.loads(reply.body)["data"] == reply.data


def test_an_answer_without_secrets_is_left_as_it_came(make_scripted: Callable[[], tuple[Wire, Scripted]]) -> None:
    wire, scripted = make_scripted()
    scripted.script = [good([{"label": "my passphrase", "note": "secretKey: x"}])]
    assert wire.send(PRIVATE, {}).data == [{"label": "my passphrase", "note": "secretKey: x"}]


def test_the_exchange_of_these_tests_is_asked_with_the_key_that_is_looked_for(street: Street) -> None:
    street.bound.answer = clock_answer
    assert len(secrets_in(repr(dict(credential(HOST).headers("GET", PRIVATE.path))))) == 2
