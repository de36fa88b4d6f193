"""A hook for Jupyter's server that stops a notebook with one of your secrets in it from being saved.

In ``jupyter_server_config.py``::

    from bgresearch.jupyter_hooks import refuse_secrets_of_agent
    c.FileContentsManager.pre_save_hook = refuse_secrets_of_agent()

The agent searches, so no secret is in the server's memory. While it is locked or not running, files are saved
unsearched and the log says so; with ``strict=True`` they are not saved. `refuse_secrets` takes a finder of your own:
one made with ``Vault.searcher()`` puts the secrets into the server's memory for as long as it runs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bgresearch.errors import BgresearchError
from bgresearch.keys.leak_scan import Finder, in_bytes
from vault import Leak, VaultError

if TYPE_CHECKING:
    from bgresearch.agent.client import Agent

_log = logging.getLogger(__name__)


def refuse_secrets_of_agent(*, strict: bool = False, agent: Agent | None = None) -> Callable[..., None]:
    """Return the hook that has the agent search for its vault's secrets.

    Parameters
    ----------
    strict : bool
        Whether a file that cannot be searched, as the agent is locked or not running, is refused as well.
    agent : Agent, optional
        The user's own by default; nothing is opened before something is saved.
    """
    from bgresearch.agent.client import Agent  # noqa: PLC0415 - there is none on every platform

    search = refuse_secrets(_AgentFinder(agent or Agent()))

    def hook(model: dict[str, Any], path: str, **said: Any) -> None:
        try:
            search(model=model, path=path, **said)
        except (BgresearchError, VaultError) as error:
            if strict:
                raise _refusal(503, f"Not saved, as it cannot be searched for secrets: {error}") from None
            log = getattr(said.get("contents_manager"), "log", _log)  # Jupyter's own, where people look
            log.warning("bgresearch: %s is saved, but was not searched for secrets: %s", path, error)

    return hook


def refuse_secrets(finder: Finder) -> Callable[..., None]:
    """Return the hook; it raises an HTTP error, which Jupyter shows in place of saving.

    Parameters
    ----------
    finder : Finder
        Searches for the secrets.
    """

    def hook(model: dict[str, Any], path: str, **_: Any) -> None:
        content = model.get("content")
        data = content.encode() if isinstance(content, str) else json.dumps(content, ensure_ascii=False).encode()
        name = path if model.get("type") != "notebook" or path.endswith(".ipynb") else f"{path}.ipynb"
        hits = in_bytes(data, name, finder)
        if hits:
            places = "; ".join(
                sorted({f"{hit.where or 'somewhere'}: {hit.field} of key {hit.label!r}" for hit in hits})
            )
            raise _refusal(400, f"Not saved, it holds a secret. {places}. Remove it, then save again")

    return hook


class _AgentFinder:
    """A finder that has the agent search."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def find(self, data: bytes) -> list[Leak]:
        return self._agent.search(data)


def _refusal(status: int, reason: str) -> Exception:
    from tornado.web import HTTPError  # noqa: PLC0415 - only Jupyter's server, which has it, calls this

    error: Exception = HTTPError(status, reason=" ".join(reason.split()))
    return error
