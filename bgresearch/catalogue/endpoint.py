"""The type of one table row. Frozen; independent of files, requests and secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

START, END = "startTime", "endTime"


Scope = Literal["ip", "uid"]
PagingKind = Literal["none", "time-window", "id-cursor", "cursor", "page"]
Response = Literal["list", "object", "array-rows"]
Kind = Literal[
    "string", "enum", "id", "decimal", "percent", "int", "ms", "flag", "bool", "list", "object", "json"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``count`` requests in any ``seconds`` for one network address (ip) or one account (uid)."""

    count: int
    seconds: float
    scope: Scope


class Param(NamedTuple):
    """One request parameter, in the exchange's spelling."""

    name: str
    required: bool = False
    maximum: int | None = None
    default: str | None = None
    enum: tuple[str, ...] = ()


class Column(NamedTuple):
    """One field of a response row.

    ``path`` is the dotted path from ``data`` (``fillList.feeDetail.totalFee``), ``name`` its last part. ``alias`` is
    the plain name of an unnamed array position.
    """

    name: str
    kind: Kind
    unit: str = ""
    path: str = ""
    alias: str = ""
    enum: tuple[str, ...] = ()
    deprecated: bool = False


class Paging(NamedTuple):
    """How to fetch the rows beyond the first response."""

    kind: PagingKind = "none"
    params: tuple[str, ...] = ()
    default_rows: int | None = None
    max_rows: int | None = None
    cursor_from: str = ""
    max_pages: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """One GET endpoint of the exchange: a frozen row of the table.

    Attributes
    ----------
    id : str
        ``area.name``, its only name in this package.
    permission : str
        ``public``; ``any`` (every valid key); a v2 code such as ``stor``; or a v3 authority such as ``uta_mgt:read``.
    response : str
        ``list`` of objects, one ``object``, or ``array-rows`` (lists without keys).
    rows_at : str
        Key below ``data`` that holds the rows; empty for ``data`` itself.
    time : str
        The column that orders the rows, empty if there is none.
    max_span_days, lookback_days : int or None
        Longest time span of one request; how far back the exchange answers.
    documented : bool
        False if it is known only from other clients; such a row has no page.
    sources : tuple of str
        The public clients that a row without a page is known from; empty for documented rows.
    """

    id: str
    method: Literal["GET"]
    path: str
    title: str
    page: str
    permission: str
    limit: Limit
    params: tuple[Param, ...]
    paging: Paging
    max_span_days: int | None
    lookback_days: int | None
    response: Response
    rows_at: str
    time: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    documented: bool
    sources: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Endpoint {self.id}: {self.method} {self.path}>"

    @property
    def call(self) -> str:
        """How it is called by its id."""
        return f"client.api.{self.id}" if self.documented else f"client.api.undocumented.{self.id}"

    @property
    def area(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """The part of the id after the dot."""
        return self.id.partition(".")[2]

    @property
    def version(self) -> Literal["v2", "v3"]:
        """API generation: v2 is the classic account's, v3 the unified account's."""
        return "v3" if self.path.startswith("/api/v3/") else "v2"

    @property
    def private(self) -> bool:
        """Whether a signed request is needed."""
        return self.permission != "public"

    def param(self, name: str) -> Param | None:
        """Return the parameter of that name, or None."""
        return next((param for param in self.params if param.name == name), None)
