"""The page of doctor and of all assumptions, made of them: ``python docs/hooks/doctor_page.py > docs/doctor.md``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from bgresearch.catalogue.assumptions import ASSUMPTIONS, Assumption

_HEAD = """# Doctor: does the exchange still answer as assumed?

<!-- Made by `python docs/hooks/doctor_page.py > docs/doctor.md`; a test holds it to the code. -->

The package rests on facts that the exchange may change without a word: how many rows a page has, how far back a route
answers, whether an end is included, which rule the updates of an order book follow. Each is one named entry in
`bgresearch/catalogue/assumptions.py`, with its source. Code reads it there, and doctor compares it with live answers.

```sh
bgresearch doctor                   # a table, and bgresearch-doctor.json to attach to an issue
bgresearch doctor --no-streams --json
bgresearch doctor --key research    # what the key may do is said, too
```

```python
import bgresearch as bg

report = bg.doctor(bg.connect(sandbox=True), streams=False)  # without a client: the exchange itself
print(report.summary)
report.save("bgresearch-doctor.json")
```

First comes this machine: Python, the data folder, the certificate, the clock, whether the exchange answers. Then at
most 80 public requests, inside every rate limit and counted with those of all your processes; a minute of trades and an
order book; the trades of one day from the archive. It takes about a minute and a half.

| result | meaning |
|---|---|
| holds | an answer shows it |
| differs | an answer contradicts it |
| could not be asked | no answer came, or none that shows it |

## What becomes of a difference

It is kept in the data folder (`differences.json`, learned look-backs in `reaches.json`) for 30 days, or until doctor
sees the assumption hold again. Smaller pages, shorter look-backs and spans and later closes are used: requests are
planned with them, and spans beyond a look-back are refused instead of given without rows. Everything else is said when
a verb that rests on it is called, once a day: as a warning (`UndocumentedData`), or in the log (level INFO) where the
verb copes anyway.

## The report

JSON: `format`, `time`, `host`, `versions`, `requests`, `summary` and `findings` with `name`, `status`, `text`, and
`claim`, `source` and `verbs` of the assumption. No secret is in it, no label of a key, no user id and no address; of a
key it says the kind of account, the verdict and the codes of its authorities.

## Trying it

`exchange.habits.change(name)` lets the sandbox exchange differ in one of these ways; the tests do that with each.

```python
from bgresearch.sandbox import Exchange

exchange = Exchange()
exchange.habits.change("order_book.best_first")
with bg.connect(sandbox=exchange, data_dir="another-folder") as client:
    print(client.doctor(streams=False).differing[0].text)
```

## Every assumption
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *map(_section, ASSUMPTIONS)])


def _section(one: Assumption[Any]) -> str:
    asked = "" if one.asked else "\n* Not asked: a few requests cannot show it."
    verbs = ", ".join(f"`{verb}`" for verb in one.verbs) or "all"
    return (
        f"### `{one.name}`\n\n{one.claim}\n\n{_value(one.value)}* Source: {one.source}\n* Verbs: {verbs}\n"
        f"* Otherwise: {one.otherwise}{asked}\n"
    )


def _value(value: object) -> str:
    if value is True:
        return ""
    if isinstance(value, Mapping):
        shown = ", ".join(f"{name}: {one}" for name, one in value.items())
    else:
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"* Value: `{shown}`\n"


if __name__ == "__main__":
    sys.stdout.write(page())
