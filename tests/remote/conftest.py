"""A store to publish, an S3 server to publish it to, and addresses of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from bgresearch.client.client import Client
from bgresearch.connect import connect
from bgresearch.core.spans import Span
from bgresearch.store import Series, Store
from bgresearch.store.remote.object_storage import Remote
from tests.remote.s3 import CREDENTIALS, S3Server
from tests.store.conftest import candles

HOST = "https://api.bitget.com"
DEC_MS, DAY_MS = 1_764_547_200_000, 86_400_000  # 2025-12-01
MONTHS = (DEC_MS, DEC_MS + 31 * DAY_MS, DEC_MS + 62 * DAY_MS)  # December, January, February
SYMBOLS = ("BTCUSDT", "ETHUSDT", "XRPUSDT")
START, END = "2025-12-01", "2026-02-03"
_numbers = count()

Places = Callable[[str], str]


def series_of(symbol: str, market: str = "spot") -> Series:
    return Series(
        "candles", (("market", market), ("price", "last"), ("symbol", symbol), ("interval", "1m")), "open_time"
    )


def fill(folder: Path, symbol: str, first_ms: int, last_ms: int, *, base: float = 100.0, market: str = "spot") -> None:
    span = Span(first_ms, last_ms)
    Store(folder, host=HOST).write(series_of(symbol, market), candles(span, base), [span], source="spot.candles")


def keep_fills(folder: Path) -> None:
    """Keep something that belongs to an account."""
    fills = Series("account/4711/fills", (), "time", private=True)
    rows = pa.table({"time": pa.array([DEC_MS], pa.timestamp("ms", "UTC")), "amount": [1.5]})
    Store(folder, host=HOST).write(fills, rows, [Span(DEC_MS, DEC_MS + DAY_MS)])


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture
def aws(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Have the environment of somebody who has such a bucket."""
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def bucket(aws: S3Server) -> str:
    name = f"bucket-{next(_numbers)}"
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir(name)
    return name


@pytest.fixture(params=["s3", "file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty address of each kind."""
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('bucket')}/prices/v1"
    return f"file://{tmp_path}/published" if request.param == "file" else f"memory://published-{next(_numbers)}"


@pytest.fixture
def memory() -> str:
    return f"memory://published-{next(_numbers)}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a store of three symbols and two days of three months."""
    for number, symbol in enumerate(SYMBOLS):
        for month_ms in MONTHS:
            fill(tmp_path / "data", symbol, month_ms, month_ms + 2 * DAY_MS, base=100.0 + number)
    return tmp_path / "data"


@pytest.fixture
def local(folder: Path) -> Client:
    return connect(data_dir=folder, offline=True, progress=False)


class Listening(Remote):
    """Notes which objects are asked for and which are written; fails when it is configured to."""

    def __init__(self, url: str, fail_at: int | None = None) -> None:
        super().__init__(url)
        self.asked: list[str] = []
        self.written: list[str] = []
        self._fail_at = fail_at

    def read(self, name: str) -> bytes:
        self.asked.append(name)
        return super().read(name)

    def write(self, name: str, data: bytes) -> str:
        if len(self.written) == self._fail_at:
            raise ConnectionError("on purpose")
        self.written.append(name)
        return super().write(name, data)
