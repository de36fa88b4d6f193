"""The host of the archive's files: what is a file, what is its absence, what is a block, and how it is asked."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

import pytest

from bgresearch.errors import AccessBlocked, BadResponse, NetworkError
from bgresearch.http.file_host import ATTEMPTS, PER_SECOND, FileHost
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.archive.served_archive import absent
from bgresearch.sandbox.messages import Request, Response
from tests.conftest import Connect

KEY, BODY = "kline/BTCUSDT/SP/20250101.zip", b"the bytes of a file"
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
OTHER = hashlib.md5(b"other bytes", usedforsecurity=False).hexdigest()
BLOCKED = Response(403, {"Content-Type": "text/html"}, b"<html>Access to this page has been denied</html>")
Ask = Callable[[FileHost], object]


def file(tag: str, body: bytes = BODY) -> Response:
    return Response(200, {"ETag": f'"{tag}"' if tag else ""}, body)


class Answers:
    """An archive that answers with what it was given, the last one again and again."""

    def __init__(self, *answers: Response) -> None:
        self._answers, self.seen = list(answers), list[Request]()

    def answer(self, request: Request, _now_ms: int) -> Response:
        self.seen.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def host_of(exchange: Exchange, connect: Connect) -> Callable[[Answers], FileHost]:
    def new(answers: Answers) -> FileHost:
        exchange.archive = answers  # type: ignore[assignment]  # stands in for the archive
        archive = connect()._source.archive
        assert archive is not None
        return archive

    return new


def fetched(host: FileHost, sink: io.BytesIO | None = None) -> object:
    return host.fetch(KEY, sink or io.BytesIO(), 1_000)


def looked(host: FileHost) -> object:
    return host.look(KEY)


@pytest.mark.parametrize("tag", [MD5, "", f"{OTHER}-3", f"W/{OTHER}"], ids=["MD5", "none", "of parts", "weak"])
def test_a_file_is_whole_if_its_tag_is_its_md5_or_none(host_of: Callable[[Answers], FileHost], tag: str) -> None:
    sink = io.BytesIO()
    info = host_of(Answers(file(tag))).fetch(KEY, sink, 1_000)
    assert info is not None
    assert (info.etag, info.length, info.sha256) == (tag, len(BODY), hashlib.sha256(BODY).hexdigest())
    assert sink.getvalue() == BODY


def test_other_bytes_than_the_tag_says_are_fetched_again(host_of: Callable[[Answers], FileHost]) -> None:
    sink, answers = io.BytesIO(), Answers(file(MD5, b"longer bytes than those of the file"), file(MD5))
    assert host_of(answers).fetch(KEY, sink, 1_000) is not None
    assert sink.getvalue() == BODY
    assert len(answers.seen) == 2


REFUSED: dict[str, tuple[Response, type[NetworkError], str, int]] = {
    "other bytes": (file(OTHER), BadResponse, "MD5 differs", ATTEMPTS),
    "too large": (file("", b"0" * 2_000), BadResponse, "too large", 1),
    "429": (Response(429, {}, b""), NetworkError, "fewer requests", ATTEMPTS),
    "503": (Response(503, {}, b""), NetworkError, "fewer requests", ATTEMPTS),
    "500": (Response(500, {}, b""), BadResponse, "HTTP 500", ATTEMPTS),
    "404": (Response(404, {}, b""), BadResponse, "HTTP 404", 1),
    "reset": (Response(0, {}, b"", "reset"), NetworkError, "no connection|broken off", ATTEMPTS),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_file_is_an_error_after_the_attempts_that_help(
    host_of: Callable[[Answers], FileHost], kind: str
) -> None:
    answer, error, said, asked = REFUSED[kind]
    answers = Answers(answer)
    with pytest.raises(error, match=said):
        fetched(host_of(answers))
    assert len(answers.seen) == asked


@pytest.mark.parametrize("ask", [fetched, looked])
def test_a_403_that_names_access_denied_is_absence(host_of: Callable[[Answers], FileHost], ask: Ask) -> None:
    host = host_of(Answers(absent()))
    assert ask(host) is None
    assert ask(host) is None, "and no block"


@pytest.mark.parametrize("ask", [fetched, looked])
@pytest.mark.parametrize("body", [BLOCKED.body, b"", b"<Error><Code>Forbidden</Code></Error>"])
def test_any_other_403_is_a_block_after_which_nothing_is_sent(
    host_of: Callable[[Answers], FileHost], ask: Ask, body: bytes
) -> None:
    answers = Answers(BLOCKED._replace(body=body))
    host = host_of(answers)
    for _ in range(3):
        with pytest.raises(AccessBlocked, match="refuses this client"):
            ask(host)
    assert len(answers.seen) <= 2  # an answer without a body is asked for once more, with one


def test_at_most_ten_a_second_are_sent_under_the_product_s_name(
    exchange: Exchange, host_of: Callable[[Answers], FileHost]
) -> None:
    answers = Answers(file(MD5))
    host, started_s = host_of(answers), exchange.clock.monotonic_s()
    for _ in range(5 * PER_SECOND):
        looked(host)
    assert exchange.clock.monotonic_s() - started_s >= 4
    names = {request.headers.get("User-Agent", "").partition("/")[0] for request in answers.seen}
    assert names == {"bgresearch"}
    assert {request.method for request in answers.seen} == {"HEAD"}
