"""Files as the archive has them, made by hand, and a client with the sandbox's archive over a real socket."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.archive.containers import workbook
from bgresearch.sandbox.archive.rows import Table
from bgresearch.sandbox.messages import Request, Response
from bgresearch.sandbox.server import Server

Served = Callable[..., Client]
TRADES = "trade_id,timestamp,price,side,volume(quote),size(base)"
KLINES = "timestamp,open,high,low,close,basevolume,usdtvolume"
QUOTES = "timestamp,ask_price,bid_price,ask_volume,bid_volume"


def csv(header: str, *rows: str) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def xlsx(header: str, rows: Sequence[tuple[str, ...]]) -> bytes:
    return workbook(Table(tuple(header.split(",")), list(rows)))


def packed(path: Path, member: str, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, data)
    path.write_bytes(out.getvalue())
    return path


class Counting:
    """Passes requests on to the archive, and tells when so many have come."""

    def __init__(self, exchange: Exchange) -> None:
        self._inner, self._lock = exchange.archive, threading.Lock()
        self._left, self.reached = 0, threading.Event()

    def wait_for(self, requests: int) -> None:
        with self._lock:
            self._left = requests
            self.reached.clear()

    def answer(self, request: Request, now_ms: int) -> Response:
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self.reached.set()
        return self._inner.answer(request, now_ms)


@pytest.fixture
def served(exchange: Exchange, tmp_path: Path) -> Iterator[Served]:
    """Return a function that connects over loopback to the exchange of this test and to its archive."""
    with Server(exchange) as server:

        def new(folder: str = "served", **options: object) -> Client:
            usual = {
                "base_url": server.url, "archive_url": f"{server.url}/online", "data_dir": tmp_path / folder,
                "clock": exchange.clock, "progress": False,
            }  # fmt: skip
            return bgresearch.connect(**(usual | options))  # type: ignore[arg-type]

        yield new
