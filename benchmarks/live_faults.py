"""Live recording through faults and kills: is what was recorded equal to a download, and what does a kill cost?

    python benchmarks/live_faults.py [--faults 60] [--kills 50] [--gaps 200]

Ten minutes (of the exchange's time) of trades and candles of five symbols through 60 faults, recordings of trades
killed 50 times with SIGKILL and half as often those of order books, an order book through 200 lost updates; 0 leaves a
part out. Ends with status 1 if a row differs, a file is damaged, or a kill cost more than 5 s.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import bgresearch
from bgresearch.client.client import Client
from bgresearch.sandbox import Exchange
from tests.live.test_live_recording import SYMBOLS, compared, killed
from tests.live.test_streams import through_gaps

MOST_LOST_S = 5.0


@contextmanager
def clients(folder: Path) -> Iterator[Any]:
    """Give a function that connects to an exchange with an empty folder; close what it made."""
    made: list[Client] = []

    def new(exchange: Exchange, **options: Any) -> Client:
        usual = {"sandbox": exchange, "data_dir": folder / f"data-{len(made)}", "progress": False}
        made.append(bgresearch.connect(**(usual | options)))
        return made[-1]

    try:
        yield new
    finally:
        for one in made:
            one.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--gaps", type=int, default=200)
    wanted = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="bg-") as name, clients(Path(name)) as fresh:
        folder = Path(name)
        for channel in ("trades", "candles") if wanted.faults else ():
            equal = compared(
                Exchange(speed=60), fresh, channel, folder / channel, symbols=SYMBOLS, faults=wanted.faults,
                seconds=max(wanted.faults / 2, 3),
            )  # fmt: skip
            print(f"{channel} of {len(SYMBOLS)} symbols through {wanted.faults} faults: {equal} rows, all equal")
        for channel, kills in (("trades", wanted.kills), ("order_book", wanted.kills // 2)):
            losses = killed(Exchange(), fresh, folder / f"killed-{channel}", channel, kills) or [0.0]
            worst = max(worst, *losses)
            mean = sum(losses) / len(losses)
            print(f"{channel} killed {kills} times: no file damaged, {mean:.1f} s lost on average, "
                  f"at most {max(losses):.1f} s, all named", flush=True)  # fmt: skip
        exchange = Exchange(speed=60)
        images = through_gaps(exchange, fresh(exchange), gaps=wanted.gaps) if wanted.gaps else 0
        print(f"an order book through {wanted.gaps} gaps: {images} images compared, all equal, none crossed")
    return int(worst > MOST_LOST_S)


if __name__ == "__main__":
    sys.exit(main())
