"""What a reader of the main job has to follow: modules that `connect` loads, and files that `candles` enters."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from functools import cache

CODE = """
import json, sys, tempfile, threading
from datetime import timedelta
from pathlib import Path

import bgresearch

ROOT = str(Path(bgresearch.__file__).parent) + "/"


def entered(call):
    '''Return the files whose functions a call enters, one entry per function; what the exchange does is left out.'''
    order = {}

    def note(frame, event, _):
        code, name = frame.f_code, frame.f_code.co_filename
        if event != "call" or not name.startswith(ROOT):
            return
        while frame is not None:
            if frame.f_code.co_filename.startswith(ROOT + "sandbox/"):
                return
            frame = frame.f_back
        order.setdefault(code, name.removeprefix(ROOT))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return list(order.values())


found = {}
with tempfile.TemporaryDirectory() as folder:
    bgresearch.connect(data_dir=folder + "/one").close()
    found["modules"] = sorted(name for name in sys.modules if name.split(".")[0] in ("bgresearch", "vault"))
    with bgresearch.connect(sandbox=True, data_dir=folder + "/two", progress=False) as client:
        client.candles  # loads what the verb needs
        day = client.now.floor("D")
        ask = lambda: client.candles("BTCUSDT", "1h", day - timedelta(days=3), day)
        found["cold"], found["stored"] = entered(ask), entered(ask)
print(json.dumps(found))
"""


@cache
def measured() -> dict[str, list[str]]:
    text = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout  # noqa: S603
    found: dict[str, list[str]] = json.loads(text)
    return found


def steps(files: list[str]) -> list[str]:
    """Return the files of a call that do something; values like spans, and errors, are known once and read nowhere."""
    return [file for file in files if not file.startswith(("core/", "errors"))]


def returns(files: list[str]) -> int:
    """Return how often a reader who opens each function once comes back to a file that was left."""
    left, count = set[str](), 0
    for before, file in itertools.pairwise(files):
        left.add(before)
        count += file != before and file in left
    return count


def test_connect_loads_few_modules() -> None:
    modules = measured()["modules"]
    print(f"connect loads {len(modules)} modules")
    assert len(modules) < 70, modules


def test_candles_enters_few_files() -> None:
    for name, most, most_returns in (("cold", 32, 80), ("stored", 18, 26)):
        files = measured()[name]
        doing = steps(files)
        print(
            f"{name}: {len({*files})} files, {len({*doing})} without values and errors; {returns(doing)} returns: "
            f"{' '.join(dict.fromkeys(doing))}"
        )
        assert len({*files}) <= most
        assert returns(doing) <= most_returns
