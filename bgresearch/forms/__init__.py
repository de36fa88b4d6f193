"""A notebook's forms. Importing this is cheap; widgets are loaded with the first form.

A form never sees what is typed into it: the browser seals that for the agent, and the kernel relays ciphertext.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bgresearch.forms.sealed_input import SealedField, SealedInput

_MODULES = {"SealedField": "sealed_input", "SealedInput": "sealed_input"}

__all__ = ["SealedField", "SealedInput"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
