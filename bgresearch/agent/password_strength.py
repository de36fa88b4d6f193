"""How hard a new master password is to guess; said in a number and in fixed sentences, never with any part of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
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
        from zxcvbn import zxcvbn  # noqa: PLC0415 - an extra; its lists of words take a moment
    except ImportError:
        raise ConfigurationError(
            "the zxcvbn package is not installed.", hint="pip install 'bgresearch[forms]'."
        ) from None
    with _lock:
        return _judged(zxcvbn, password)


@without_frames
def _judged(judge: Callable[[str], Any], password: Hidden[str]) -> dict[str, Any]:
    if password.value == "":
        return {"score": 0, "guesses_log10": 0.0, "words": []}
    found = Hidden(judge(password.value[:LONGEST]))
    feedback = found.value["feedback"]
    words = [feedback["warning"], *feedback["suggestions"]]
    return {
        "score": int(found.value["score"]), "guesses_log10": round(float(found.value["guesses_log10"]), 2),
        "words": [sentence for sentence in words if sentence],
    }  # fmt: skip
