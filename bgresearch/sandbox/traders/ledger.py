"""The running balances of a ledger. Pure."""

from __future__ import annotations

from collections import defaultdict

from bgresearch.sandbox.traders.records import LedgerEntry

Line = tuple[int, int, str, str, str, str, int, int, bool]
"""An `LedgerEntry` before the balances are known."""


def balanced(lines: list[Line]) -> list[LedgerEntry]:
    """Return the ledger in order, every line with the balance after it."""
    wallets: defaultdict[tuple[str, str], int] = defaultdict(int)
    unified: defaultdict[str, int] = defaultdict(int)
    done = []
    for line in sorted(lines):
        _, _, wallet, coin, _, _, change, fee, _ = line
        wallets[wallet, coin] += change + fee
        if wallet != "funding":
            unified[coin] += change + fee
        done.append(LedgerEntry(*line, wallets[wallet, coin], unified[coin]))
    return done
