"""How hard a new master password is to guess, as a number and fixed sentences, never with any part of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from bgresearch.errors import ConfigurationError
from vault.hidden import Hidden, without_frames

LONGEST = 72  # characters; further ones only make it stronger, and take long to score

_lock = threading.Lock()  # one at a time: it is CPU-bound


def strength(password: Hidden[str]) -> dict[str, Any]:
    """Return ``score`` (0 too guessable to 4 very strong), ``guesses_log10`` and ``words``.

    Raises
    ------
    ConfigurationError
        The package that scores passwords is not installed.
    """
    try:
        from zxcvbn import zxcvbn  # noqa: PLC0415 - an extra; its word lists load slowly
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
    sentences = [feedback["warning"], *feedback["suggestions"]]
    return {
        "score": int(found.value["score"]), "guesses_log10": round(float(found.value["guesses_log10"]), 2),
        "words": [sentence for sentence in sentences if sentence],
    }  # fmt: skip
