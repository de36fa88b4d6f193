"""The page of all verbs and their columns, made of the verbs: ``python docs/hooks/verbs_page.py > docs/verbs.md``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.schemas import DTYPES, Shape, pages_of

_HEAD = """# The verbs

<!-- Made by `python docs/hooks/verbs_page.py > docs/verbs.md`; a test holds it to the verbs. -->

Every verb returns a DataFrame with these columns, whichever version of the exchange's API answers: v2 for classic
accounts, v3 for unified ones. Where the exchange sends no value a column is there and empty. Times are UTC; numbers are
float64, and their exact text is in `client.api.<area>.<name>.raw(...)`. The origin of a frame is in
`df.attrs["bgresearch"]`. `help(client.tickers)` has the arguments in full, what is stored and what a call costs.

Symbols are written as the exchange does (`BTCUSDT`, with `market=`), or as ccxt does, which names the market as well:
`BTC/USDT` (spot), `BTC/USDT:USDT`, `BTC/USDC:USDC` and `BTC/USD:BTC` (futures). What spot calls LUNA, $ALT and
MEMECOIN is LUNA2, ALT and MEME in futures: ccxt's spelling finds it under either name, and an error names the other.

What people type elsewhere is understood where it can mean one thing only: `BTC-USDT`, `btc_usdt`, `BTCUSDT_UMCBL`,
`BTC-USDT-SWAP`; intervals `1H`, `60min`, `1hour`, `1D`; markets `USDT-FUTURES`, and `futures` or `perp` with a symbol
that says which; times `"30d"` (ago), `"1mo"`, `"ytd"`, and `last="7d"` instead of a start. `m` is a minute and `M` a
month, everywhere. Records of the account without a start go as far back as there is. A wrong name (`klines`, `balance`,
`since=`, `limit=`) is answered with the right one, and Tab completes what is in quotes in a notebook.

Four verbs return something else: `client.candles` (index open_time; open, high, low, close, volume, quote_volume),
`client.panel` (index known_at; a column per field and symbol), `client.server_time()` (a Timestamp) and
`client.permissions()`. [Live data](live.md) has the same columns: `client.stream`, `client.record`.

## Values that cannot be read

An exchange sends an odd value now and then: an empty precision, `Infinity`, an object where a number is documented.

* In everything about now and in public lists the value is missing (numbers are NaN), all other values and rows are
  given, and one `UndocumentedData` warning per answer names row, field and value. A row that does not say what it is
  about (no symbol, no coin) is left out, and named as well. If no row can be read, that is a `BadResponse`.
* In the records of an account (`fills`, `orders`, `bills`, `deposits` and the other histories) an amount, an id or a
  time that cannot be read raises `BadResponse`, which names record, field and value: a fee that is missing would be
  counted as none. Other fields are missing and named.
* Records with such a hole are not stored as final: the next call requests them again, and warns again.
* Candles never have holes: a page that holds anything but numbers is invalid.

Coins and symbols are spelled as the exchange does (`rAAPL`), by every verb alike.

## What is missing for one kind of account

* `account.orders`, `account.open_orders`: unified accounts have no `profit`, classic ones no `cancel_reason` of
  futures.
* `account.plan_orders`, `account.open_plan_orders`: unified accounts have no `side` and no `executed_order_id`, and
  no rows of spot.
* `account.bills`: `kind` is common to both, so a deposit is a transfer_in, as unified ledgers call it; `word` is the
  exchange's own. Classic spot lines name no `symbol`. `balance` is that of `account`: a wallet, or the unified account
  as a whole. What moves between spot and futures is no line of a unified ledger.
* `account.transfers`: unified accounts have no `client_id` and not the wallet on the other side; their ledger lists
  deposits and withdrawals as transfers, but not what moves between spot and futures.
* `account.conversions`: unified accounts have no id (it is made of the record) and no `fee`, and one pair is requested
  at a time.
* `account.loans`, `account.repayments`, `account.interest`: unified accounts have amounts only, from their ledger.
* `account.earn_records`: classic accounts only. `account.earn`: classic accounts have no `product`.
* `account.balances`: unified accounts have no value of the funding wallet.
* `account.closed_positions`: of unified accounts it takes a key that may also write, although it only reads.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for title, prefix, verbs in (
        ("Markets", "client", _verbs(Client)), ("Accounts", "client.account", _verbs(AccountVerbs)),
    ):  # fmt: skip
        parts.append(f"## {title}\n")
        parts += [_section(prefix, name, verb) for name, verb in verbs]
    return "\n".join(parts)


def _verbs(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the verbs of a class by name."""
    yield from ((name, getattr(cls, name)) for name in sorted(dir(cls)) if hasattr(getattr(cls, name), "shape"))


def _section(prefix: str, name: str, verb: Any) -> str:
    shape: Shape = verb.shape
    first, *_ = inspect.cleandoc(verb.__doc__).splitlines()
    lines = [
        f"### `{prefix}.{name}({_arguments(verb)})`",
        "",
        first,
        "",
        "| column | type | what it is |",
        "|---|---|---|",
    ]
    for field in shape.fields:
        place = " (index)" if field.name == shape.index else ""
        lines.append(f"| {field.name}{place} | {DTYPES[field.kind]} | {field.meaning} |")
    return "\n".join([*lines, "", f"Answered by {', '.join(pages_of(shape))}.", ""])


def _arguments(verb: Any) -> str:
    """Return the signature without self and without types."""
    parameters = list(inspect.signature(verb).parameters.values())[1:]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare))[1:-1]


if __name__ == "__main__":
    sys.stdout.write(page())
