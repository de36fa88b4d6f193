"""Read-only research toolkit for the Bitget exchange: history and account data as plain, complete DataFrames.

Importing this is cheap; pandas and the network come with the first `connect`.

Examples
--------
>>> import bgresearch as bg
>>> client = bg.connect(sandbox=True)                                       # doctest: +SKIP
>>> client.candles("BTCUSDT", "1m", "2026-01-01", "2026-01-02")             # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bgresearch.client.client import Client
    from bgresearch.connect import connect, doctor
    from bgresearch.errors import (
        AddressRejected,
        AgentError,
        AgentUnavailable,
        AuthenticationError,
        BadResponse,
        BgresearchError,
        CatalogueError,
        ConfigurationError,
        ExchangeError,
        ExchangeUnavailable,
        IncompleteData,
        InvalidInput,
        NetworkError,
        OfflineError,
        ParameterRejected,
        PermissionDenied,
        RateLimited,
        StoreError,
        TimestampError,
        UnknownSymbol,
    )
    from bgresearch.forms.entry_points import check, explore, keys, setup, unlock

__version__ = "0.1.0"

__all__ = [
    "AddressRejected", "AgentError", "AgentUnavailable", "AuthenticationError", "BadResponse", "BgresearchError",
    "CatalogueError", "Client", "ConfigurationError", "ExchangeError", "ExchangeUnavailable", "IncompleteData",
    "InvalidInput", "NetworkError", "OfflineError", "ParameterRejected", "PermissionDenied", "RateLimited",
    "StoreError", "TimestampError", "UnknownSymbol", "__version__", "check", "connect", "doctor", "explore", "keys",
    "setup", "unlock",
]  # fmt: skip

_FORMS = dict.fromkeys(("check", "explore", "keys", "setup", "unlock"), "bgresearch.forms.entry_points")
_HOMES = {
    "Client": "bgresearch.client.client",
    "connect": "bgresearch.connect",
    "doctor": "bgresearch.connect",
    **_FORMS,
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        there = ", ".join(one for one in _HOMES if one.islower())
        hint = f"It has {there}. Data comes from a client: bg.connect().candles(...)"
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}. {hint}")
    value = getattr(importlib.import_module(_HOMES.get(name, "bgresearch.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """The package itself: ``connect`` and ``keys`` are functions, also after a module of that name was imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in __all__ and isinstance(value, ModuleType):  # the import system binds what it has loaded
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

if "IPython" in sys.modules:
    from bgresearch.forms.completion import activate

    activate()
