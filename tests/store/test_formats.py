"""Every kept file with a ``format``: what is newer is named and left alone, what is no format is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import bgresearch as bg
from bgresearch.errors import OfflineError, StoreError
from bgresearch.store import Store, pins
from bgresearch.store.coverage import FORMAT, Ledger, _digest
from bgresearch.store.layout import NewerFormat
from bgresearch.store.remote.manifest import BadManifest, Publication, from_json, host_of, marker

NOW_MS = 1_795_165_230_000
NO_FORMAT = [-1, 0, 1.0, 0.5, "1", "", None, True, [1], {}, -(10**30)]
NEWER = [FORMAT + 1, 99, 10**30]
Read = Callable[[Path, object], object]


def rewritten(path: Path, value: object) -> None:
    first, end, rest = path.read_bytes().partition(b"\n" if path.suffix == ".answer" else b"\0")
    path.write_bytes(json.dumps(json.loads(first) | {"format": value}).encode() + end + rest)


def marker_of_the_store(root: Path, value: object) -> object:
    rewritten(root / ".bgresearch.json", value)
    return Store(root).owner()


def ledger(_root: Path, value: object) -> object:
    body = json.loads(Ledger().to_json()) | {"format": value}
    del body["digest"]
    return Ledger.from_json(json.dumps({**body, "digest": _digest(body)}).encode())


def manifest(_root: Path, value: object) -> object:
    made = Publication("https://api.bitget.com", NOW_MS, ())
    return from_json(json.dumps(json.loads(made.to_json()) | {"format": value}).encode())


def marker_of_a_publication(_root: Path, value: object) -> object:
    return host_of(json.dumps(json.loads(marker("https://api.bitget.com")) | {"format": value}).encode())


def pin(root: Path, value: object) -> object:
    if not list(root.rglob(pins.MANIFEST)):
        pins.create(root, "one", NOW_MS)
    rewritten(next(root.rglob(pins.MANIFEST)), value)
    return pins.load(root, "one")


def snapshot(root: Path, value: object) -> object:
    (answer,) = root.rglob("*.answer")
    rewritten(answer, value)
    with bg.connect(sandbox=True, data_dir=root, offline=True) as client:
        return client.order_book("BTCUSDT")


KINDS: list[Read] = [marker_of_the_store, ledger, manifest, marker_of_a_publication, pin, snapshot]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with candles and a kept answer."""
    with bg.connect(sandbox=True, data_dir=tmp_path, progress=False) as client:
        client.candles("BTCUSDT", "1h", "2026-09-01", "2026-09-02")
        client.order_book("BTCUSDT")
    return tmp_path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_no_format_is_damaged_and_what_is_newer_is_named(kind: Read, root: Path) -> None:
    for value in NO_FORMAT:
        with pytest.raises((StoreError, ValueError, BadManifest, OfflineError)) as caught:
            kind(root, value)
        assert "newer" not in str(caught.value), value
    for value in NEWER:
        with pytest.raises((StoreError, NewerFormat, BadManifest), match="update bgresearch"):
            kind(root, value)
