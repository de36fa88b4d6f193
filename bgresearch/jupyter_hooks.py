"""A hook for Jupyter's server that stops a notebook with one of your secrets in it from being saved.

In ``jupyter_server_config.py``::

    from bgresearch.jupyter_hooks import refuse_secrets
    c.FileContentsManager.pre_save_hook = refuse_secrets(finder)

``finder`` has ``find(bytes)``. One made with ``Vault.searcher()`` puts the secrets into the server's memory for as long
as it runs; the server is not the kernel, but weigh it. ``bgresearch scan`` as a pre-commit hook needs no such thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bgresearch.scanning import Finder, in_bytes


def refuse_secrets(finder: Finder) -> Callable[..., None]:
    """Return the hook; it raises an HTTP error, which Jupyter shows in place of saving.

    Parameters
    ----------
    finder : Finder
        Knows the secrets.
    """

    def hook(model: dict[str, Any], path: str, **_: Any) -> None:
        content = model.get("content")
        data = content.encode() if isinstance(content, str) else json.dumps(content, ensure_ascii=False).encode()
        name = path if model.get("type") != "notebook" or path.endswith(".ipynb") else f"{path}.ipynb"
        hits = in_bytes(data, name, finder)
        if hits:
            from tornado.web import HTTPError  # noqa: PLC0415 -- only Jupyter's server, which has it, calls this

            places = "; ".join(
                sorted({f"{hit.where or 'somewhere'}: {hit.field} of key {hit.label!r}" for hit in hits})
            )
            raise HTTPError(400, reason=f"Not saved, it holds a secret. {places}. Remove it, then save again")

    return hook
