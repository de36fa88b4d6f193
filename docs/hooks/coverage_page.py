"""The page of documentation that lists every endpoint: ``python docs/hooks/coverage_page.py docs/coverage.md``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bgresearch.catalogue.endpoint import Endpoint
from bgresearch.catalogue.loader import load

_WALKS = {"none": "", "time-window": "time", "id-cursor": "ids", "cursor": "cursor", "page": "pages"}
_INTRODUCTION = """\
# All endpoints

Every GET endpoint of the exchange that this package knows, made from the table by
`python docs/hooks/coverage_page.py docs/coverage.md`; a test compares this page with the table. How to use them is
described in [the raw namespace](raw.md).

* **Call**: `client.api.` before it; where an asterisk follows, `client.api.undocumented.`: other clients call it and
  the exchange does not document it. It may disappear or change, and its limit is assumed to be low. Instead of a title
  it has its path and the public clients (ccxt, bitget-api of npm, Bitget.Net, go-bitget) that are the source of its
  parameters and columns, which were not compared with the exchange.
* **Version**: v2 serves classic accounts, v3 unified ones; public rows serve both.
* **Permission**: the authority that a key needs; v2 pages do not name it, so it is inferred from the path.
* **Limit**: requests per second (or per the seconds behind it), counted by address (ip) or by account (uid).
* **Walk**: how `.all(...)` pages, and the largest page in rows.
* **Days**: the longest span of one request, and after `/` the look-back of the exchange; empty if not documented.
* **Columns**: how many fields of a row are described; others are returned as text.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    rows = tuple(load())
    documented = sum(row.documented for row in rows)
    walked = Counter(row.paging.kind != "none" for row in rows)[True]
    summary = (
        f"{len(rows)} endpoints: {documented} documented, {len(rows) - documented} known from other clients; "
        f"{sum(not row.private for row in rows)} are public, {walked} are paginated lists."
    )
    areas = dict.fromkeys(row.area for row in rows)
    return "\n".join([_INTRODUCTION, summary, "", *(line for area in sorted(areas) for line in _area(area, rows))])


def _area(area: str, rows: Iterable[Endpoint]) -> list[str]:
    inside = [row for row in rows if row.area == area]
    return [
        f"## {area}", "",
        "| call | what | version | permission | limit | walk | days | columns |", "|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in inside), "",
    ]  # fmt: skip


def _line(row: Endpoint) -> str:
    limit, paging = row.limit, row.paging
    pace = f"{limit.count}/s" if limit.seconds == 1 else f"{limit.count} per {limit.seconds:g} s"
    walk = _WALKS[paging.kind] + (f", {paging.max_rows}" if paging.kind != "none" and paging.max_rows else "")
    days = f"{row.max_span_days or ''}" + (f" / {row.lookback_days}" if row.lookback_days else "")
    name, title = (
        (f"`{row.id}`", row.title) if row.documented else (f"`{row.id}` *", f"{row.path} ({', '.join(row.sources)})")
    )
    cells = [
        name, title, row.version, row.permission, f"{pace} {limit.scope}", walk, days.strip(), str(len(row.columns)),
    ]  # fmt: skip
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |".replace("  |", " |")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
