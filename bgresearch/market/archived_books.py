"""Best quotes and books of 500 levels, which the bulk archive alone has: fetched when asked for, kept as recordings."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bgresearch.archives.archive_file import Data
from bgresearch.archives.archive_reader import BOOK_SCHEMA, QUOTE_SCHEMA
from bgresearch.archives.wanted import wanted_files
from bgresearch.core.progress import Wish, shown
from bgresearch.core.spans import Span, iso
from bgresearch.core.symbols import Named
from bgresearch.errors import OfflineError
from bgresearch.market.archived import ArchiveUse, checked_choice, fetch_archived, reachable
from bgresearch.market.candles.plan import subject
from bgresearch.market.candles.read_through import daily_reference
from bgresearch.schemas import Shape, fields
from bgresearch.session.session import Session
from bgresearch.store import Series

_EVERY = "archive"  # no regular length: images are some seconds apart

QUOTES = Shape(
    "quotes",
    fields("""
        time time when it was so, to the second
        place count 0; 1, 2 ... where several share the second
        bid number quote coin; missing where there was no bid
        bid_size number base coin
        ask number quote coin; missing where there was no ask
        ask_size number base coin
    """),
    (),
    index="time",
)
BOOKS = Shape(
    "books",
    fields("""
        time time when it was so, to the second
        place count 0; 1, 2 ... where several share the second
        side category bid or ask
        level count 1 is the best, up to 500
        price number quote coin
        amount number base coin
    """),
    (),
    index="time",
)
_SHAPES = {"quotes": (QUOTES, QUOTE_SCHEMA, ("place",)), "books": (BOOKS, BOOK_SCHEMA, ("place", "side", "level"))}


def series_of_books(data: Data, named: Named) -> Series:
    """Return where quotes or books are stored: with the recordings, a file a day."""
    keys = (("kind", data), ("market", named.market), ("symbol", named.symbol), ("every", _EVERY))
    return Series("recorded", keys, "time", unique=_SHAPES[data][2])


def archived_books(session: Session, data: Data, named: Named, span: Span, wish: Wish) -> pd.DataFrame:
    """Return quotes or books of a span; the verbs of the client, which document it."""
    series, use = series_of_books(data, named), ArchiveUse()
    shape, schema, _unique = _SHAPES[data]
    session.store.check_host()
    table, _ = session.store.read_after(lambda: _fetch(session, data, named, series, span, wish, use), series, span)
    session.store.refuse_lost(series, span)  # it was stored, was damaged, and the archive no longer has it
    missing = session.store.missing(series, span)
    rows = schema.empty_table() if table is None else table.cast(schema)
    return shape.frame(
        rows, host=session.sender.host, **named._asdict(), asked=[iso(span.start_ms), iso(span.end_ms)],
        gaps=use.causes(missing), **use.words(),
    )  # fmt: skip


def _fetch(  # noqa: PLR0917 - what is wanted, and who is informed
    session: Session, data: Data, named: Named, series: Series, span: Span, wish: Wish, use: ArchiveUse
) -> None:  # fmt: skip
    missing = session.store.missing(series, span)
    if not missing:
        return
    if session.offline:
        raise OfflineError(
            f"{data} of {named.symbol} are not all kept: {missing[0]} is missing.", missing=missing,
            hint="Connect without offline=True to fetch them." + session.store.aside_hint(series, span),
        )  # fmt: skip
    checked_choice("archive", session)
    fetch_whole_files(session, data, named, series, missing, wish, use)


def fetch_whole_files(  # noqa: PLR0917 - what is wanted, and who is informed
    session: Session, data: Data, named: Named, series: Series, missing: Sequence[Span], wish: Wish, use: ArchiveUse
) -> None:
    """Fetch every file that holds a part of what is missing, and keep all of it that is not kept yet."""
    wanted = wanted_files(named.market, named.symbol, data, missing, session.clock.now_ms())
    if not (wanted.files and reachable(session)):
        use.gaps += wanted.gaps
        return
    what = subject(named.symbol, "1m", named.market, "last", "utc")
    reference, listed_ms = daily_reference(session, what, wanted.spans)
    wanted = wanted_files(
        named.market, named.symbol, data, missing, session.clock.now_ms(), listed_ms=listed_ms
    )  # fmt: skip
    whole = [part for file in wanted.spans for part in session.store.missing(series, file)]
    title = f"{data} of {named.symbol}"
    with shown(wish, len(wanted.files), title, unit="files", least=4) as done:
        found = fetch_archived(session, series, wanted, whole, reference, done=lambda _file: done(1))
    use.add(wanted, found)
