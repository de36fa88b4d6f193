"""The five calls that open a form in a notebook. They report a missing notebook or extra."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bgresearch.core.verbs import any_spelling
from bgresearch.errors import ConfigurationError

if TYPE_CHECKING:
    from bgresearch.client.client import Client
    from bgresearch.forms.explorer import Explorer
    from bgresearch.forms.key_manager import Manager
    from bgresearch.forms.permission_report import PermissionReport
    from bgresearch.forms.unlock import Unlock
    from bgresearch.forms.wizard import Wizard

_NEEDED = ("anywidget", "ipywidgets")


@any_spelling
def setup() -> Wizard:
    """Return the wizard: from nothing to a checked read-only key in the vault and the first DataFrame.

    Show it as a cell's last line. What is typed is sealed in the browser; this process sees ciphertext. Called again,
    also from another kernel, it continues where it stopped. In a terminal: ``bgresearch setup``.

    Raises
    ------
    ConfigurationError
        Not in a notebook, or the extra ``forms`` is missing.

    Examples
    --------
    >>> import bgresearch as bg
    >>> bg.setup()                                                                       # doctest: +SKIP
    """
    _need("bgresearch setup")
    from bgresearch.forms.agent_access import AgentAccess
    from bgresearch.forms.wizard import Wizard

    return Wizard(AgentAccess())


@any_spelling
def keys() -> Manager:
    """Return the table of keys, with check, rotate, rename, remove, and what to do about a compromised one.

    Raises
    ------
    ConfigurationError
        Not in a notebook, or the extra ``forms`` is missing.
    """
    _need("bgresearch keys list")
    from bgresearch.forms.agent_access import AgentAccess
    from bgresearch.forms.key_manager import Manager

    return Manager(AgentAccess())


@any_spelling
def unlock() -> Unlock:
    """Return the form that opens the vault: password or recovery code, sealed in the browser.

    Raises
    ------
    ConfigurationError
        Not in a notebook, or the extra ``forms`` is missing.
    """
    _need("bgresearch vault unlock")
    from bgresearch.forms.agent_access import AgentAccess
    from bgresearch.forms.unlock import Unlock

    return Unlock(AgentAccess())


@any_spelling
def check(name: str) -> PermissionReport:
    """Return the permission report of a stored key, from the exchange: three or four requests.

    Parameters
    ----------
    name : str
        The key's label.

    Raises
    ------
    ConfigurationError
        Not in a notebook, the extra ``forms`` is missing, no such key, or the vault is locked.
    """
    _need(f"bgresearch check {name}")
    from bgresearch.forms.agent_access import AgentAccess
    from bgresearch.forms.permission_report import PermissionReport

    return PermissionReport(AgentAccess(), name)


@any_spelling
def explore(client: Client | None = None) -> Explorer:
    """Return the data explorer; ``.frame`` has what was downloaded last.

    Parameters
    ----------
    client : Client, optional
        The client to download with; one for public data by default.

    Raises
    ------
    ConfigurationError
        Not in a notebook, or the extra ``forms`` is missing.
    """
    _need("bgresearch explore")
    from bgresearch.connect import connect
    from bgresearch.forms.explorer import Explorer

    return Explorer(client or connect(progress=False))


def _need(command: str) -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"Forms need {', '.join(missing)}.",
            hint=f"Type: pip install 'bgresearch[forms]'. In a terminal: {command}.",
        )
    if "ipykernel" not in sys.modules:
        raise ConfigurationError("Forms are shown in a notebook; this is not one.", hint=f"In a terminal: {command}.")
