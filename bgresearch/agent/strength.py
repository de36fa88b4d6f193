"""How hard a new master password is to guess; said in a number and in fixed sentences, never with any part of it."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

from bgresearch.errors import ConfigurationError
from vault.hidden import Hidden, without_frames

LONGEST = 72  # characters; what is behind them makes it only stronger, and takes long to judge

_lock = threading.Lock()  # one at a time: it is work for the processor alone


def strength(password: Hidden[str]) -> dict[str, Any]:
    """Return ``score`` (0 too guessable to 4 very strong), ``guesses_log10`` and ``words``.

    Raises
    ------
    ConfigurationError
        The package that judges is not installed.
    """
    try:
        judge: Any = import_module("zxcvbn")
    except ImportError:
        raise ConfigurationError(
            "the zxcvbn package is not installed.", hint="pip install 'bgresearch[forms]'."
        ) from None
    with _lock:
        return _judged(judge, password)


@without_frames
def _judged(judge: Any, password: Hidden[str]) -> dict[str, Any]:
    if password.value == "":
        return {"score": 0, "guesses_log10": 0.0, "words": []}
    found = Hidden(judge.zxcvbn(password.value[:LONGEST]))
    feedback = found.value["feedback"]
    words = [feedback["warning"], *feedback["suggestions"]]
    return {
        "score": int(found.value["score"]), "guesses_log10": round(float(found.value["guesses_log10"]), 2),
        "words": [sentence for sentence in words if sentence],
    }  # fmt: skip
