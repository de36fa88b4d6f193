"""One plain verdict about one stage of checking a key; it never holds a value of a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from bgresearch.errors import InvalidInput

Stage = Literal["reach", "clock", "key", "signature", "passphrase", "address", "environment", "mode", "permissions"]
STAGES: tuple[Stage, ...] = get_args(Stage)

_MAX_CHARACTERS = 1000  # of words and of a hint; ours stay far below
_CODE = re.compile(r"[0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one stage of a check found.

    Attributes
    ----------
    stage : str
        One of `STAGES`, which are in the order of the check.
    passed : bool or None
        Whether it passed; None where it was not checked or is not known.
    words : str
        The verdict, one or two plain sentences.
    hint : str
        What to do next; empty if nothing. A stage that passed may have one, as advice.
    code : str
        The exchange's error code; empty if there was none.
    """

    stage: Stage
    passed: bool | None
    words: str
    hint: str = ""
    code: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Finding:
        """Return the finding that `to_json` wrote.

        Raises
        ------
        InvalidInput
            It is not one.
        """
        if not isinstance(said, Mapping) or set(said) != {"stage", "passed", "words", "hint", "code"}:
            raise InvalidInput("finding", "it needs stage, passed, words, hint and code, and nothing else.")
        if said["stage"] not in STAGES:
            raise InvalidInput("finding", f"its stage must be one of {', '.join(STAGES)}.")
        if said["passed"] is not None and type(said["passed"]) is not bool:
            raise InvalidInput("finding", "passed must be true, false or null.")
        for name in ("words", "hint", "code"):
            if not isinstance(said[name], str) or len(said[name]) > _MAX_CHARACTERS:
                raise InvalidInput("finding", f"{name} must be a text of at most {_MAX_CHARACTERS} characters.")
        if not _CODE.fullmatch(said["code"]):
            raise InvalidInput("finding", "its code must be digits.")
        return cls(cast(Stage, said["stage"]), said["passed"], said["words"], said["hint"], said["code"])
