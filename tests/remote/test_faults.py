"""What can go wrong with object storage is said in words, heals where it can, and never tells a secret."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import logging
import pickle
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pandas as pd
import pytest

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from bgresearch.store.remote.object_storage import Remote
from tests.remote.conftest import START, SYMBOLS, fill
from tests.remote.s3 import CREDENTIALS, S3Server

SPAN = (START, "2025-12-03")
SECRET = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]


def damage(place: Path) -> None:
    whole = bytearray(place.read_bytes())
    whole[len(whole) // 2] ^= 1
    place.write_bytes(whole)


def test_a_bucket_that_does_not_exist_is_named(aws: S3Server, local: Client) -> None:
    with pytest.raises(StoreError, match=r"there is no bucket 'no-such-bucket'.*Make it first"):
        local.publish("s3://no-such-bucket/x")
    with pytest.raises(StoreError, match="no store is published at s3://no-such-bucket/x"):
        bg.connect(store="s3://no-such-bucket/x")


def test_a_key_that_nobody_knows_is_said_to_be_unknown(aws: S3Server, local: Client) -> None:
    with S3Server(denies=True) as server:
        options = {"endpoint_url": server.url}
        for refused in (
            lambda: local.publish("s3://some-bucket/x", storage_options=options),
            lambda: bg.connect(store="s3://some-bucket/x", storage_options=options),
        ):
            with pytest.raises(StoreError, match=r"credentials are not known there.*AWS_PROFILE"):
                refused()


def test_an_address_where_nobody_listens_is_said_to_be_one(aws: S3Server) -> None:
    quick = {"endpoint_url": "http://127.0.0.1:1", "config_kwargs": {"retries": {"max_attempts": 0}}}
    with pytest.raises(
        StoreError, match=r"s3://some-bucket/x/manifest.json: the address cannot be reached.*AWS_ENDPOINT_URL"
    ):
        bg.connect(store="s3://some-bucket/x", storage_options=quick)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, "ExpiredToken", "the credentials have expired.*AWS_SESSION_TOKEN"),
        (403, "InvalidAccessKeyId", "not known there"),
        (403, "SignatureDoesNotMatch", "the secret is wrong"),
        (403, "RequestTimeTooSkewed", "the clock of this machine is wrong"),
        (400, "PermanentRedirect", "in another region.*AWS_DEFAULT_REGION"),
        (400, "AuthorizationHeaderMalformed", "in another region"),
        (403, "AccessDenied", "access is denied.*GetObject to read; ListBucket, PutObject"),
    ],
)
def test_what_a_bucket_refuses_is_said_by_its_cause(
    aws: S3Server, local: Client, status: int, code: str, words: str
) -> None:
    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the server's name

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        options = {"endpoint_url": f"http://127.0.0.1:{server.server_port}"}
        try:
            with pytest.raises(StoreError, match=words) as caught:
                bg.connect(store="s3://some-bucket/x", storage_options=options)
            with pytest.raises(StoreError, match=words):
                local.publish("s3://some-bucket/x", storage_options=options)
        finally:
            server.shutdown()
            thread.join()
    assert SECRET not in str(caught.value)


def test_an_endpoint_that_is_none_is_said_to_be_one_and_never_repeated(aws: S3Server, local: Client) -> None:
    options = {"endpoint_url": "no such u:secret@place"}
    for refused in (
        lambda: bg.connect(store="s3://some-bucket/x", storage_options=options),
        lambda: local.publish("s3://some-bucket/x", storage_options=options),
    ):
        with pytest.raises(StoreError, match=r"the driver said ValueError.*AWS_ENDPOINT_URL") as caught:
            refused()
        assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_missing_credentials_are_said_to_be_missing(
    aws: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match=r"no credentials were found.*AWS_PROFILE"):
        bg.connect(store="s3://some-bucket/x")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreError, match="profile of AWS_PROFILE does not exist"):
        bg.connect(store="s3://some-bucket/x")


@pytest.mark.parametrize(
    "url",
    [
        "", "s3://", "bucket/prefix", "nope://x/y", "simplecache::s3://b/x", "s3://key:secret@bucket/prefix",
        "s3://key:half/secret@bucket/prefix", "s3:///key:secret@bucket/x", "key:secret@bucket/prefix",
        "simplecache::s3://key:secret@b/x", "https://127.0.0.1:1/x?signature=secret", "https://u:secret@127.0.0.1:1/x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_credentials_in_one_are_not_repeated(url: str, local: Client) -> None:
    for refused in (lambda: bg.connect(store=url), lambda: local.publish(url)):
        with pytest.raises(InvalidInput) as caught:
            refused()
        assert "secret" not in str(caught.value)


def test_without_the_extra_the_way_to_install_it_is_said() -> None:
    code = """
import sys
sys.modules["s3fs"] = None
import bgresearch as bg
try:
    bg.connect(store="s3://bucket/x")
except bg.ConfigurationError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "s3://bucket/x needs fsspec, and s3fs for s3://. Install it: pip install 'bgresearch[s3]'.\n"


def test_store_excludes_keys_and_the_sandbox() -> None:
    for options in ({"key": "x"}, {"sandbox": True}):
        with pytest.raises(ConfigurationError, match="store= is read without an exchange"):
            bg.connect(store="memory://x", **options)


def test_a_damaged_object_is_never_believed_and_is_sent_again(local: Client, tmp_path: Path) -> None:
    url, place = f"file://{tmp_path}/far", tmp_path / "far"
    local.publish(url)
    whole = local.candles("BTCUSDT", "1m", *SPAN)
    hurt = next(path for path in sorted(place.rglob("2025-12-*.parquet")) if "BTCUSDT" in str(path))
    damage(hurt)
    far = bg.connect(store=url, data_dir=tmp_path / "reader")
    with pytest.raises(StoreError, match=f"{hurt.name} is damaged. Publish again"):
        far.candles("BTCUSDT", "1m", *SPAN)
    flaws = far.verify(repair=True)
    assert [(one.kind, one.path.name) for one in flaws.flaws] == [("damaged", "2025-12.parquet")]
    assert not flaws.sound
    assert local.publish(url).sent == 1
    assert far.verify().sound
    pd.testing.assert_frame_equal(far.candles("BTCUSDT", "1m", *SPAN), whole)
    hurt.unlink()
    assert [one.kind for one in far.verify().flaws] == ["damaged"]


def test_an_object_that_was_changed_in_a_bucket_is_sent_again(bucket: str, local: Client, tmp_path: Path) -> None:
    url = f"s3://{bucket}/x"
    local.publish(url)
    remote = Remote(url)
    name = next(name for name in sorted(remote.found()) if name.endswith(".parquet"))
    intact = remote.read(name)
    remote.write(name, intact[:-1] + b"?")  # as long as before
    with pytest.raises(StoreError, match="is damaged"):
        bg.connect(store=url, data_dir=tmp_path / "reader").candles("BTCUSDT", "1m", *SPAN)
    assert local.publish(url).sent == 1
    assert remote.read(name) == intact


def test_what_is_kept_of_a_publication_on_this_machine_is_looked_at_before_it_is_believed(
    local: Client, memory: str, tmp_path: Path
) -> None:
    local.publish(memory)
    whole = local.candles("BTCUSDT", "1m", *SPAN)
    for _ in range(2):
        far = bg.connect(store=memory, data_dir=tmp_path / "reader")
        pd.testing.assert_frame_equal(far.candles("BTCUSDT", "1m", *SPAN), whole)
        [kept] = (tmp_path / "reader").rglob("*.parquet")
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.stem
        damage(kept)


def test_a_manifest_that_was_changed_or_is_newer_is_refused(local: Client, memory: str) -> None:
    local.publish(memory)
    intact = Remote(memory).read("manifest.json")
    manifest = json.loads(intact)
    for text, words in [
        (intact[:-30], "is damaged"),
        (json.dumps({**manifest, "files": manifest["files"][1:]}).encode(), "its digest is another one"),
        (json.dumps({**manifest, "format": 2}).encode(), "newer version"),
        (b"[]", "is damaged"),
    ]:
        Remote(memory).write("manifest.json", text)
        with pytest.raises(StoreError, match=words):
            bg.connect(store=memory)
        with pytest.raises(StoreError, match=words):
            local.publish(memory)


def test_a_publication_on_a_web_server_is_read_and_never_written(local: Client, tmp_path: Path) -> None:
    fill(Path(local.data_dir), "$ALTUSDT", *(int(pd.Timestamp(one, tz="UTC").timestamp()) * 1000 for one in SPAN))
    local.publish(f"file://{tmp_path}/far")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            seen.append(self.command)

    seen: list[str] = []
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "far"))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        far = bg.connect(store=url, data_dir=tmp_path / "reader")
        for symbol in ("BTCUSDT", "$ALTUSDT"):  # the name of the second one's folder has a percent sign
            pd.testing.assert_frame_equal(far.candles(symbol, "1m", *SPAN), local.candles(symbol, "1m", *SPAN))
        with pytest.raises(InvalidInput, match="can only be read"):
            Remote(url).write("x", b"x")
        with pytest.raises(InvalidInput, match="can only be read"):
            Remote(url).remove(["x"])
        with pytest.raises(InvalidInput, match="can only be read"):
            local.publish(url)
        assert set(seen) <= {"GET", "HEAD"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
def test_credentials_are_in_nothing_that_is_said_kept_or_published(
    bucket: str, server: S3Server, local: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="bgresearch")
    options = {"key": CREDENTIALS["AWS_ACCESS_KEY_ID"], "secret": SECRET, "endpoint_url": server.url}
    url = f"s3://{bucket}/x"
    seen: list[object] = [local.publish(url, storage_options=options)]
    far = bg.connect(store=url, data_dir=tmp_path / "reader", storage_options=options)
    frame = far.candles(SYMBOLS[0], "1m", *SPAN)
    seen += [far, far._source, far._source.store, far._source.store.remote, frame.attrs, Remote(url, options).found()]
    with pytest.raises(StoreError) as caught:
        Remote(f"s3://{bucket}x/y", options).write("x", b"x")
    seen += [caught.value, pickle.dumps(caught.value), caught.value.__cause__, caplog.text]
    assert SECRET not in "\n".join(map(repr, seen))
    remote = Remote(url, options)
    published = [remote.read(name) for name in remote.found()]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in data for data in [*published, *kept])
