"""What a notebook's cell does that a script's line does not: bars are widgets, and the stop button interrupts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client import BlockingKernelClient, KernelManager

from tests.conftest import PATIENCE_S

BEGIN = """
import bgresearch as bg
from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.faults import Faults
faults = Faults()
faults.inject("latency", amount={latency_s})
client = bg.connect(sandbox=Exchange(faults=faults), progress={progress})
asked = ("BTCUSDT", "1m", "2026-01-01", "2026-01-15")  # too little to come from the archive
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "BGRESEARCH_DATA_DIR": str(tmp_path), "IPYTHONDIR": str(tmp_path)})
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE_S)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client: BlockingKernelClient, code: str, heard: Callable[[dict[str, Any]], object] = lambda _: None) -> Any:
    """Run a cell, tell every message that it sends, and return the reply."""
    return client.execute_interactive(code, timeout=PATIENCE_S, output_hook=heard)["content"]


def test_a_bar_in_a_notebook_is_a_widget_that_tells_rows_and_the_share_of_the_limit(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    words: list[str] = []

    def listen(message: dict[str, Any]) -> None:
        value = message["content"].get("data", {}).get("state", {}).get("value", "")
        words.append(str(value).replace("\N{FIGURE SPACE}", " "))

    assert run(kernel[1], BEGIN.format(latency_s=0.05, progress=True))["status"] == "ok"
    assert run(kernel[1], "rows = len(client.candles(*asked))", listen)["status"] == "ok"
    assert any("BTCUSDT 1m" in word for word in words)
    assert any("rows/s" in word and "of the limit" in word for word in words)
    styles: list[str] = []
    early = "from bgresearch.core.progress import shown\nwith shown(True, 100, 'short') as done: done(99)"
    run(kernel[1], early, lambda message: styles.append(str(message["content"].get("data", {}).get("state"))))
    assert any("short" in style for style in styles)
    assert not any("danger" in style for style in styles)


@pytest.mark.slow
def test_the_stop_button_ends_a_download_and_what_was_complete_is_not_asked_for_again(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    manager, client = kernel
    assert run(client, BEGIN.format(latency_s=0.1, progress="lambda done, total: print(done, flush=True)"))
    pressed: list[int] = []

    def press(message: dict[str, Any]) -> None:
        result = message["content"].get("text", "").split()
        if not pressed and message["msg_type"] == "stream" and int(result[-1]) > 1_000:
            pressed.append(int(result[-1]))
            manager.interrupt_kernel()

    assert run(client, "client.candles(*asked)", press)["ename"] == "KeyboardInterrupt"
    result: list[str] = []
    assert run(client, "before = client.requests_sent")["status"] == "ok"
    again = "print(len(client.candles(*asked, progress=False)), client.requests_sent - before)"
    run(client, again, lambda message: result.append(message["content"].get("text", "")))
    rows, requests = map(int, "".join(result).split())
    assert rows == 14 * 24 * 60
    assert requests < (rows - pressed[0]) / 198 + 20  # pages of 198 new rows; what was on its way when it was stopped
