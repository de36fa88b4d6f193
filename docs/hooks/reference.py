"""Pages of the Python reference: which part of the package is told on which page. The words are the docstrings'."""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Iterator

_PAGES = (
    ("connect", "Connecting", ("bgresearch.connect.connect",)),
    ("client", "The client", ("bgresearch.client.Client",)),
    ("account", "Your account", ("bgresearch.account.verbs.AccountVerbs",)),
    ("raw", "The raw namespace", ("bgresearch.namespace.Call",)),
    ("research", "Research", ("bgresearch.research.*",)),
    ("lenses", "Charts, exports and lenses", ("bgresearch.lenses.*",)),
    ("permissions", "Permissions", ("bgresearch.permissions.Permissions",)),
    ("forms", "Forms", ("bgresearch.forms.doors",)),
    ("frames", "Frames", ("bgresearch.frames",)),
    ("catalogue", "The table", ("bgresearch.catalogue.loading", "bgresearch.catalogue.model")),
    ("errors", "Errors", ("bgresearch.errors",)),
    ("vault", "The vault", ("vault.vault.Vault", "vault.credential.Credential", "vault.errors")),
    ("sandbox", "The sandbox exchange", ("bgresearch.sandbox.exchange.Exchange", "bgresearch.sandbox.faults.Faults")),
)
"""File, title, and what is told: a dotted name, or a package with every module in it, if there is one."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield the pages in their order."""
    for name, title, wanted in _PAGES:
        told = [one for pattern in wanted for one in _found(pattern)]
        if told:
            body = "\n".join(f"::: {one}\n" for one in dict.fromkeys(told))
            yield f"reference/{name}.md", f"# {title}\n\n{body}"


def _found(pattern: str) -> list[str]:
    """Return the name itself; for an asterisk the package, if there is one, and its modules."""
    package = pattern.removesuffix(".*")
    spec = importlib.util.find_spec(package) if package != pattern else None
    if spec is None:
        return [] if package != pattern else [pattern]
    modules = pkgutil.iter_modules(spec.submodule_search_locations or ())
    return [package, *(f"{package}.{module.name}" for module in modules if not module.name.startswith("_"))]
