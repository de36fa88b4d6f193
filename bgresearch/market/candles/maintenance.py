"""Whether the exchange says that a symbol is, or was, under maintenance. One public request, no files."""

from __future__ import annotations

from bgresearch.catalogue import load
from bgresearch.catalogue.response import rows_of
from bgresearch.errors import BgresearchError
from bgresearch.http.sender import Sender
from bgresearch.market.candles.plan import CandleSeries

_LIST = "uta.instruments"  # the one list that has it for spot and futures


def began_ms(sender: Sender, what: CandleSeries) -> int | None:
    """Return when the maintenance that the exchange reports begins or began, None if it reports none.

    Parameters
    ----------
    sender : Sender
        Sends the request.
    what : CandleSeries
        The series to look up.

    Returns
    -------
    int or None
        Epoch milliseconds; may be in the future. None also if the request fails: a cause only explains a gap, and no
        download fails for want of one.

    Notes
    -----
    Source: uta/public/Instruments, ``maintainTime``: set while there is maintenance or one is announced.
    """
    try:
        reply = sender.send(load()[_LIST], {"category": what.market.upper(), "symbol": what.symbol})
        rows = [row for row in rows_of(reply.endpoint, reply.data) if row.get("symbol") == what.symbol]
        began = int(rows[0].get("maintainTime") or 0) if rows else 0
    except (AttributeError, BgresearchError, TypeError, ValueError):
        return None
    return began if began > 0 else None  # unset times are also sent as -1
