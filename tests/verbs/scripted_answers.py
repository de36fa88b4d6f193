"""A sender that answers from a function, for shapes that the sandbox does not send."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bgresearch.catalogue import Endpoint
from bgresearch.http.sender import Reply

Answer = Callable[[str, Mapping[str, object]], Any]


class ScriptedSender:
    """Answers ``data`` for id and parameters; remembers what it was asked."""

    label, host, demo = "scripted", "http://127.0.0.1:1", False

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[tuple[str, dict[str, object]]] = []

    @property
    def sent(self) -> int:
        return len(self.asked)

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        self.asked.append((endpoint.id, dict(params)))
        data = self._answer(endpoint.id, params)
        body = json.dumps({"code": "00000", "msg": "success", "data": data}).encode()
        return Reply(endpoint, data, body, attempts=1, received_ms=0, asked_ms=0)
