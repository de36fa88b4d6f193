"""Whether the exchange says that a symbol is, or was, under maintenance. One public request, no files."""

from __future__ import annotations

from bgresearch.catalogue import load
from bgresearch.catalogue.response import rows_of
from bgresearch.errors import BgresearchError
from bgresearch.http.sender import Sender
from bgresearch.market.candles.plan import CandleSeries

_LIST = "uta.instruments"  # the one list that tells it of spot and of futures


def began_ms(sender: Sender, what: CandleSeries) -> int | None:
    """Return when the maintenance that the exchange tells of begins or began, None if it tells of none.

    Parameters
    ----------
    sender : Sender
        Who asks.
    what : Subject
        Whose maintenance.

    Returns
    -------
    int or None
        Epoch milliseconds; it may lie in the future. None also where the question cannot be answered: a cause is an
        explanation, and no download fails for want of one.

    Notes
    -----
    Source: uta/public/Instruments, ``maintainTime``: set while there is maintenance or one is announced.
    """
    try:
        reply = sender.send(load()[_LIST], {"category": what.market.upper(), "symbol": what.symbol})
        rows = [row for row in rows_of(reply.endpoint, reply.data) if row.get("symbol") == what.symbol]
        told = int(rows[0].get("maintainTime") or 0) if rows else 0
    except (AttributeError, BgresearchError, TypeError, ValueError):
        return None
    return told if told > 0 else None  # unset times are also told as -1
