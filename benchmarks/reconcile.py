"""How long it takes to reconcile a busy account with its ledger, and how much memory: an invented one of many fills.

python benchmarks/reconcile.py [--fills 100000]
"""

from __future__ import annotations

import argparse
import resource
import time
from decimal import Decimal

import numpy as np
import pandas as pd

from bgresearch.account.kinds import BILLS, FILLS
from bgresearch.research.pnl.pnl import own_pnl
from bgresearch.research.pnl.reconcile import reconcile

START_MS = 1_760_000_000_000


def account(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Buys and sells in turn, every second, each of two lines; balances follow."""
    draw = np.random.default_rng(7)
    held = {"BTC": Decimal(5), "USDT": Decimal(50_000)}
    fills, bills = [], []
    for at in range(count):
        buy = at % 2 == 0
        amount = Decimal(int(draw.integers(1, 10_000))).scaleb(-6)
        value = amount * Decimal(int(draw.integers(5_900_000, 6_100_000))).scaleb(-2)
        got, gave = (("BTC", amount), ("USDT", value)) if buy else (("USDT", value), ("BTC", amount))
        fee = (got[1] / 1000).quantize(Decimal("1e-8"))
        when = START_MS + at * 1000
        fills.append({"time": when, "fill_id": str(at), "market": "spot", "symbol": "BTCUSDT", "fee_coin": got[0],
                      "side": "buy" if buy else "sell", "amount": float(amount), "value": float(value),
                      "fee": float(fee)})  # fmt: skip
        for serial, (coin, change, paid) in enumerate(((*got, fee), (gave[0], -gave[1], Decimal(0)))):
            held[coin] += change - paid
            line = {"time": when, "bill_id": str(2 * at + serial), "account": "spot", "coin": coin, "kind": "trade"}
            bills.append(line | {"amount": float(change), "fee": float(paid), "balance": float(held[coin])})
    return FILLS.shape.frame(FILLS.shape.table(fills)), BILLS.shape.frame(BILLS.shape.table(bills))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fills", type=int, default=20_000)
    count = parser.parse_args().fills
    fills, bills = account(count)
    end = START_MS + count * 1000
    prices = {"BTC": pd.Series([60_000.0], index=[pd.Timestamp(START_MS, unit="ms", tz="UTC")])}
    for name, run in (
        ("reconcile", lambda: reconcile(fills, bills)),
        ("reconcile, one fill in ten missing", lambda: reconcile(fills[np.arange(count) % 10 > 0], bills)),
        ("reconcile, fees read the wrong way", lambda: reconcile(fills, bills, fees="within")),
        ("profit, average cost", lambda: own_pnl(fills, bills, START_MS, end, prices=prices)),
        ("profit, first in first out", lambda: own_pnl(fills, bills, START_MS, end, prices=prices, method="fifo")),
    ):
        begun = time.perf_counter()
        found = run()
        seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name:36} {count:>9,} fills  {seconds:6.1f} s  peak {peak:,.0f} MB  {str(found).splitlines()[0]}")


if __name__ == "__main__":
    main()
