"""Pages of the Python reference: which part of the package is on which page. The text is the docstrings'."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

_PAGES = (
    ("connect", "Connecting", ("bgresearch.connect.connect",)),
    ("client", "The client", ("bgresearch.client.client.Client",)),
    ("account", "Your account", ("bgresearch.client.account.AccountVerbs",)),
    ("raw", "The raw namespace", ("bgresearch.client.api.ApiCall",)),
    ("research", "Research", ("bgresearch.research.*",)),
    ("charts", "Charts", ("bgresearch.accessor", "bgresearch.charts.*")),
    ("exports", "Exports", ("bgresearch.exports.*",)),
    ("query", "SQL, Polars and Dask", ("bgresearch.query.*",)),
    ("permissions", "Permissions", ("bgresearch.keys.permissions.Permissions",)),
    ("forms", "Forms", ("bgresearch.forms.entry_points",)),
    ("frames", "Frames", ("bgresearch.frames",)),
    ("catalogue", "The table", ("bgresearch.catalogue.loader", "bgresearch.catalogue.endpoint")),
    ("errors", "Errors", ("bgresearch.errors",)),
    ("vault", "The vault", ("vault.vault.Vault", "vault.credential.Credential", "vault.errors")),
    ("sandbox", "The sandbox exchange", ("bgresearch.sandbox.exchange.Exchange", "bgresearch.sandbox.faults.Faults")),
)
"""File, title and content: dotted names, or a package with every module in it, if there is one."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield the pages in their order."""
    for name, title, wanted in _PAGES:
        entries = [one for pattern in wanted for one in _found(pattern)]
        if entries:
            yield f"reference/{name}.md", "\n".join([f"# {title}\n", *entries])


def _found(pattern: str) -> Iterator[str]:
    """Yield the entries for mkdocstrings: the name itself; for an asterisk the package, if there is one, and modules.

    Only modules with an example are listed; the others are internal.
    """
    package = pattern.removesuffix(".*")
    if package == pattern:
        yield f"::: {pattern}\n"
        return
    spec = importlib.util.find_spec(package)
    if spec is not None:
        yield f"::: {package}\n    options:\n      members: false\n"
        for place in spec.submodule_search_locations or ():
            for file in sorted(Path(place).rglob("*.py")):
                if file.name != "__init__.py" and ">>> " in file.read_text(encoding="utf-8"):
                    yield f"::: {'.'.join([package, *file.relative_to(place).with_suffix('').parts])}\n"
