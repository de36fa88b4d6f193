"""Stands for the agent: a process that opens sealed boxes and answers lines of JSON. It prints no text that it opened.

Started by the notebook's kernel, as the agent is; what was sealed is in this process's memory and in no other's.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from vault.intake import Intake

FIELDS = {
    "key": ("api_key", "secret_key", "passphrase"), "create": ("password",), "strength": ("password",),
    "unlock": ("password",), "confirm": ("first", "second"),
}  # fmt: skip


def main() -> None:
    intake, opened = Intake(), []
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        if "purpose" in asked:
            answer = {"offer": intake.offer("research", 300, fields=FIELDS[asked["purpose"]])}
            if asked["purpose"] == "confirm":
                answer["asked"] = [3, 7]
        else:
            opened.append(intake.open(asked["box"]))
            lengths = {name: len(text.value) for name, text in opened[-1].items()}
            answer = {"lengths": lengths, "score": min(4, sum(lengths.values()) // 5), "words": ["Add another word."]}
        print(json.dumps({**answer, "fingerprint": intake.fingerprint}), flush=True)


if __name__ == "__main__":
    main()
