"""What a docstring says once the code has run: verbs have their columns written in by `bgresearch.schemas`."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import griffe

from bgresearch.schemas import DTYPES, Shape


class Written(griffe.Extension):
    """Takes the text of a verb from the verb, and its columns as a table from its shape."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Give a verb its written docstring."""
        if func.docstring is None or not any("documented" in str(one.value) for one in func.decorators):
            return
        owner: Any = importlib.import_module(func.module.path)
        for name in func.path.removeprefix(f"{func.module.path}.").split("."):
            owner = getattr(owner, name)
        func.docstring.value = with_table(inspect.cleandoc(owner.__doc__), owner.shape)


def with_table(text: str, shape: Shape) -> str:
    """Return a verb's docstring with its columns as a table instead of as lines."""
    head, mark, rest = text.partition("Returns\n-------\nDataFrame\n")
    kept = rest[rest.index("\n\n") :] if "\n\n" in rest else ""
    names = [f"`{field.name}`{' (index)' if field.name == shape.index else ''}" for field in shape.fields]
    rows = [
        f"    | {name} | {DTYPES[field.kind]} | {field.meaning} |"
        for name, field in zip(names, shape.fields, strict=True)
    ]
    return (
        "\n".join(
            [
                f"{head}{mark}    A row each, with these columns:",
                "",
                "    | column | type | what it is |",
                "    |---|---|---|",
                *rows,
            ]
        )
        + kept
    )
