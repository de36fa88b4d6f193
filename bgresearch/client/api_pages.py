"""The rows of a whole walk as one frame, or page by page; what was interrupted is taken up again."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.endpoint import END, START
from bgresearch.core.clock import Clock
from bgresearch.core.intervals import DAY_MS, HOUR_MS
from bgresearch.core.no_copies import NoCopies
from bgresearch.core.progress import Wish, shown
from bgresearch.core.spans import Span, iso
from bgresearch.errors import OfflineError
from bgresearch.http.confirming_sender import confirming
from bgresearch.http.pagination.paginator import Paginator, State, fresh_rows
from bgresearch.http.pagination.strategy import cut, spans_of, way_of
from bgresearch.http.sender import Reply, Sender
from bgresearch.session.cached_sender import CachedSender
from bgresearch.session.session import Session
from bgresearch.store import Store
from bgresearch.store.checkpoints import CheckpointFile, checkpoint

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_STALE_TIMED_MS = DAY_MS  # an unfinished walk over times is taken up again for so long: the past does not change
_STALE_MS = HOUR_MS  # one over a list of what is now
_ROWS_A_TABLE = 10_000  # decoded at a time


@dataclass(frozen=True)
class ApiContext(NoCopies):
    """The parts that calls of the raw namespace use.

    Attributes
    ----------
    sender : Sender
        Sends requests to the exchange.
    store : Store
        Its data folder has the pages of unfinished lists.
    clock : Clock
        The clock.
    offline : bool
        Whether requests to the exchange are forbidden.
    progress : "auto", bool or callable
        Whether longer work shows a bar.
    """

    sender: Sender
    store: Store
    clock: Clock
    offline: bool = False
    progress: Wish = "auto"

    def answers(self, max_age: float | None) -> CachedSender:
        """Return who answers from the store what is young enough; offline, whatever its age."""
        return CachedSender(Session(self.sender, self.store, self.clock, self.offline), max_age)

    def ask(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        """Return the exchange's reply to one request.

        Raises
        ------
        OfflineError
            Asking is forbidden.
        """
        if self.offline:
            raise OfflineError(
                f"{endpoint.id} needs the exchange and offline=True forbids it.", hint="Connect without offline=True."
            )
        return confirming(self.sender).send(endpoint, params)


def gathered(
    context: ApiContext, endpoint: Endpoint, params: Mapping[str, object], *, progress: Wish, resume: bool
) -> pd.DataFrame:
    """Return every row of a list as one typed frame."""
    from bgresearch.frames import to_frame  # noqa: PLC0415 - pandas, only where a frame is wanted

    with _walk(context, endpoint, params, resume=resume) as (walk, kept):
        rows = 0
        with shown(progress, 0, endpoint.id, least=0) as grow:
            for page in walk.pages():
                grow(len(page))
                rows += len(page)
        table = _table(endpoint, kept, context.clock)
        about = _about(context, endpoint, walk, kept)
        kept.drop()
    frame = to_frame(table, **about)
    time = endpoint.time
    if walk.extended and time in frame:  # what came after an interruption is newer than what was there
        frame = frame.sort_values(time, ascending=False, kind="stable", ignore_index=True)
    return frame


def paged(
    context: ApiContext, endpoint: Endpoint, params: Mapping[str, object], *, resume: bool
) -> Iterator[pd.DataFrame]:
    """Yield a typed frame for every page of a list, first those saved by an interrupted run."""
    from bgresearch.frames import to_frame, to_table  # noqa: PLC0415

    with _walk(context, endpoint, params, resume=resume) as (walk, kept):
        for rows in _known_and_new(walk, kept):
            table = to_table(endpoint, _wrapped(endpoint, rows), context.clock)
            yield to_frame(table, **_about(context, endpoint, walk, kept))
        kept.drop()


def _known_and_new(walk: Paginator, kept: CheckpointFile) -> Iterator[list[Any]]:
    for line in kept.lines():
        if line["rows"] and (rows := fresh_rows(line)):
            yield rows
    yield from (rows for rows in walk.pages() if rows)


@contextlib.contextmanager
def _walk(
    context: ApiContext, endpoint: Endpoint, params: Mapping[str, object], *, resume: bool
) -> Iterator[tuple[Paginator, CheckpointFile]]:
    """Open a list; resume an interrupted run where there is one."""
    now = context.clock.now_ms()
    way = way_of(endpoint, params)
    spans = spans_of(way, params, now)
    timed = endpoint.param(END) is not None and (bool(spans) or START in params)
    apart = {way.size_name, START, END} if timed else {way.size_name}
    fixed = {name: value for name, value in params.items() if name not in apart}
    opened = timed and END not in params
    about = {
        "walk": {
            "host": context.sender.host, "label": context.sender.label, "endpoint": endpoint.id,
            "params": {name: str(value) for name, value in params.items()},
        },
        "begun_ms": now,
        "state": State([*spans] if timed else [None], until_ms=now if opened else 0).line(),
    }  # fmt: skip
    begun_after = now - (_STALE_TIMED_MS if timed else _STALE_MS)
    if context.offline:
        context.ask(endpoint, {})
    with checkpoint(context.store, about, private=endpoint.private, begun_after_ms=begun_after, resume=resume) as kept:
        walk = Paginator(way, fixed, lambda asked: context.ask(endpoint, asked).data, kept, context.clock)
        walk.replay()
        if kept.resumed and walk.until_ms and walk.until_ms < now:
            walk.extend(cut(way, Span(walk.until_ms, now)), now)
        yield walk, kept
        if walk.forgotten is not None:
            _say_forgotten(endpoint, walk.forgotten)


def _say_forgotten(endpoint: Endpoint, span: Span) -> None:
    warnings.warn(
        f"{endpoint.id}: {span} is older than the {endpoint.lookback_days} days that the exchange serves; the result "
        "has only the rows of it that were received before.", UserWarning, stacklevel=5,
    )  # fmt: skip


def _about(context: ApiContext, endpoint: Endpoint, walk: Paginator, kept: CheckpointFile) -> dict[str, object]:
    return {
        "endpoint": endpoint.id, "source": endpoint.page or "other clients", "host": context.sender.host,
        "label": context.sender.label, "begun": iso(kept.header["begun_ms"]), "requests": walk.asked,
        "kept_pages": kept.resumed,
    }  # fmt: skip


def _table(endpoint: Endpoint, kept: CheckpointFile, clock: Clock) -> pa.Table:
    """Return all kept rows as one table, decoded some thousand at a time."""
    import pyarrow as pa  # noqa: PLC0415

    from bgresearch.frames import to_table  # noqa: PLC0415

    tables, waiting = [], []
    for line in kept.lines():
        waiting += fresh_rows(line)
        if len(waiting) >= _ROWS_A_TABLE:
            tables.append(to_table(endpoint, _wrapped(endpoint, waiting), clock))
            waiting = []
    if waiting or not tables:
        tables.append(to_table(endpoint, _wrapped(endpoint, waiting), clock))
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(tables, promote_options="default").unify_dictionaries()


def _wrapped(endpoint: Endpoint, rows: list[Any]) -> Any:
    """Return rows as an answer has them."""
    return {endpoint.rows_at: rows} if endpoint.rows_at else rows
