"""The page of documentation that explains every error: ``python docs/hooks/errors_page.py docs/errors.md``."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from bgresearch import errors
from bgresearch.catalogue.error_codes import error_codes

_INTRODUCTION = """\
# Errors from A to Z

Made from the package's exceptions and its table of the exchange's codes by
`python docs/hooks/errors_page.py docs/errors.md`; a test compares this page with them. Every message of this package
says what failed, with which input, what the exchange said and what to do next; `error.hint` has the last part alone.

## Exceptions

Catch `bgresearch.BgresearchError` for all of them.

| exception | when |
|---|---|
"""
_CODES = """
## Codes of the exchange

`error.code` of an `ExchangeError`. **Retry**: what helps, and is done for you before an error is raised: *no* (nothing
but another request), *yes* (the same request again), *cooldown* (again after a pause), *resync* (again after the
exchange's clock was read).

| code | kind | retry | meaning |
|---|---|---|---|
"""
_KINDS = {
    "auth": "key, signature or passphrase", "timestamp": "clock", "permission": "permission", "ip": "network address",
    "rate": "too many requests", "param": "parameter", "symbol": "symbol or coin", "maintenance": "maintenance",
    "other": "other",
}  # fmt: skip


def page() -> str:
    """Return the whole page as Markdown."""
    kinds = sorted(
        (one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.BgresearchError)),
        key=lambda one: one.__name__,
    )
    classes = [f"| `{one.__name__}` | {_first_line(one)} |" for one in kinds]
    codes = [
        f"| `{code}` | {_KINDS[entry.group]} | {entry.retry} | {entry.meaning.replace('|', '/')} |"
        for code, entry in sorted(error_codes().items(), key=lambda pair: (int(pair[0]), pair[0]))
    ]
    return _INTRODUCTION + "\n".join(classes) + "\n" + _CODES + "\n".join(codes) + "\n"


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ").replace("|", "/").replace("``", "`")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
