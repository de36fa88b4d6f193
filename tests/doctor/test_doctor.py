"""What doctor reports: streams, servers that are no exchange, what it remembers, and that nothing secret leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import bgresearch
from bgresearch.catalogue import load
from bgresearch.client.client import Client
from bgresearch.client.doctor.about_lists import field_changes
from bgresearch.client.doctor.about_streams import streams
from bgresearch.core.clock import ManualClock
from bgresearch.errors import NetworkError, OfflineError, UndocumentedData
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.habits import HABITS
from bgresearch.session.differences import FILE, FORGOTTEN_MS
from tests.conftest import Connect
from tests.doctor.conftest import examined, finding
from tests.live.conftest import Fresh, fast, fresh  # noqa: F401 - fixtures

STREAMS = [name for name in HABITS if name.startswith("stream.")]


def heard(client: Client, exchange: Exchange) -> dict[str, str]:
    assert client._live is not None
    return {one.name: one.status for one in streams(client._live, exchange.clock)}


def test_a_minute_of_streams_holds(fast: Exchange, fresh: Fresh) -> None:  # noqa: F811
    assert heard(fresh(fast), fast) == dict.fromkeys(STREAMS, "holds")


@pytest.mark.slow
@pytest.mark.parametrize("habit", STREAMS)
def test_a_changed_habit_of_streams_is_found(habit: str, fast: Exchange, fresh: Fresh) -> None:  # noqa: F811
    fast.habits.change(habit)
    client = fresh(fast)
    assert client.doctor().differing[0].name == habit
    with pytest.warns(UndocumentedData, match=f"{habit} does not hold"):
        client.stream("order_book", "BTCUSDT")


@pytest.mark.slow
@pytest.mark.parametrize("habit", ["stream.book_sequence", "stream.book_checksum", "stream.snapshot_first"])
def test_a_book_of_other_habits_is_never_shown_wrong(habit: str, fast: Exchange, fresh: Fresh) -> None:  # noqa: F811
    fast.habits.change(habit)
    with fresh(fast).stream("order_book", "BTCUSDT") as stream:
        try:
            book = stream.book("BTCUSDT")
        except NetworkError:  # it is refused
            return
    if len(book):
        best = book.groupby("side", observed=True).price.agg(["min", "max"])
        assert best.loc["bid", "max"] < best.loc["ask", "min"]


class _Dumb(BaseHTTPRequestHandler):
    """Answers everything with the same page."""

    status, body = 200, b"<html>It works!</html>"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_HEAD = do_GET  # noqa: N815 - the server's own spelling

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def served(status: int, body: bytes) -> Iterator[str]:
    handler = type("Handler", (_Dumb,), {"status": status, "body": body})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>It works!</html>"), (404, b"nothing here"), (503, b""), (200, b'{"code":"00000","data":null}'),
        (200, b'{"code":"00000","data":[]}'), (200, b'{"code":"00000","data":{"a":[1]}}'),
        (200, b'{"code":"00000","data":[["x"],{"symbol":17},null]}'), (400, b'{"code":"40404","msg":"no"}'),
    ],
)  # fmt: skip
def test_against_a_server_by_other_hands_it_runs_to_its_end(
    status: int, body: bytes, clock: ManualClock, tmp_path: Path
) -> None:
    with served(status, body) as url:
        client = bgresearch.connect(
            base_url=url, archive_url=f"{url}/online", data_dir=tmp_path, clock=clock, progress=False
        )
        with client:
            report = client.doctor()
    assert {one.name for one in report.findings if one.claim} == set(HABITS)
    assert report.requests <= 80
    held = {one.name for one in report.findings if one.status == "holds" and one.claim}
    assert held <= {"symbols.unknown_refused"}, str(report)
    assert finding(report, "candles.page_rows").status == "could not be asked"


def test_a_report_has_no_secret_and_nothing_of_the_account(connect: Connect, tmp_path: Path) -> None:
    key = SANDBOX_KEYS["readonly"]
    client = connect(key="readonly")
    uid = client.permissions().uid
    place = examined(client).save(tmp_path / "report.json")
    text = place.read_text()
    assert "authorities: " in text
    for secret in (key.api_key, key.secret_key, key.passphrase, uid, *key.addresses):
        assert secret not in text.replace(client.host, "")
    report = json.loads(text)
    assert {"format", "time", "host", "versions", "requests", "summary", "findings"} == set(report)
    assert all(one["source"] for one in report["findings"] if "claim" in one)


def test_what_differs_is_remembered_said_and_forgotten(
    connect: Connect, exchange: Exchange, clock: ManualClock
) -> None:
    exchange.habits.change("candles.page_rows")
    client = connect()
    assert "differs" in str(examined(client))
    assert _rows_of_first_page(client) == 498
    exchange.habits.restore()
    assert examined(client).differing == ()
    assert _rows_of_first_page(client) == 998


def test_what_was_seen_long_ago_is_forgotten(connect: Connect, exchange: Exchange, clock: ManualClock) -> None:
    exchange.habits.change("candles.page_rows")
    client = connect()
    examined(client)
    clock.advance(FORGOTTEN_MS / 1000 + 1)
    assert _rows_of_first_page(client) == 998


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"candles.page_rows": 17}', b"\xff", b'{"x": {"seen_ms": "1"}}'])
def test_a_damaged_file_of_differences_is_as_none(text: bytes, connect: Connect) -> None:
    client = connect()
    (Path(client.data_dir) / FILE).parent.mkdir(parents=True, exist_ok=True)
    (Path(client.data_dir) / FILE).write_bytes(text)
    assert _rows_of_first_page(client) == 998


def _rows_of_first_page(client: Client) -> int:
    now = client.now.floor("min")
    plan = client.plan("BTCUSDT", "1m", now.floor("D") - 5 * (now - now.floor("D")), now.floor("D"))
    return max(page.rows for page in plan.pages)


def test_offline_it_is_refused(connect: Connect) -> None:
    with pytest.raises(OfflineError):
        connect(offline=True).doctor()


def test_fields_are_compared_by_name_and_type() -> None:
    row = load()["spot.tickers"]
    fine = {column.name: "1" for column in row.columns} | {"ts": "1700000000000"}
    assert field_changes(row, [fine]) == []
    changed = {name: value for name, value in fine.items() if name != "open"} | {
        "ts": "soon",
        "lastPr": 1.5,
        "more": "",
    }
    assert field_changes(row, [changed]) == [
        "spot.tickers: new more", "spot.tickers: missing open", "spot.tickers: of another type lastPr, ts",
    ]  # fmt: skip


def test_in_a_notebook_it_is_a_function(client: Client) -> None:
    report = bgresearch.doctor(client, streams=False)
    assert "<table>" in report._repr_html_()
    assert str(report.requests) in str(report)
