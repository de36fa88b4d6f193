"""A sandbox whose lists go wrong after some pages, as lists of exchanges do."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import parse_qsl

from bgresearch.catalogue import Endpoint, load
from bgresearch.sandbox import Exchange, Request, Response

Bend = Literal["first page again", "last page again", "refused", "nothing"]
BENDS: tuple[Bend, ...] = ("first page again", "last page again", "refused", "nothing")
TURNS = ("cursor", "idLessThan", "pageNo", "pageNum")
SIZES = ("limit", "pageSize")


class Bent(Exchange):
    """The sandbox; while `bent`, each list of a row of the table is served for so many pages and no more."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.requests = 0
        self._row_id, self._bend, self._pages = "", "", 0
        self._answers: defaultdict[str, dict[str, Response]] = defaultdict(dict)

    @contextmanager
    def bent(self, row_id: str, bend: Bend, pages: int) -> Iterator[None]:
        self._row_id, self._bend, self._pages = row_id, bend, pages
        self._answers.clear()
        try:
            yield
        finally:
            self._row_id = ""

    def handle(self, request: Request) -> Response:
        self.requests += 1
        response = super().handle(request)
        path, _, query = request.target.partition("?")
        endpoint = load().at_path(path)
        if endpoint is None or endpoint.id != self._row_id:
            return response
        params = dict(parse_qsl(query))
        turn = next((params.pop(name) for name in TURNS if name in params), "1")
        whole = self._answers[json.dumps(params, sort_keys=True)]
        if turn in whole or len(whole) < self._pages:
            return whole.setdefault(turn, response)
        return self._wrong(endpoint, list(whole.values()), response)

    def _wrong(self, endpoint: Endpoint, whole: list[Response], response: Response) -> Response:
        if self._bend == "first page again":
            return whole[0]
        if self._bend == "last page again":
            return whole[-1]
        if self._bend == "refused":
            return Response(400, response.headers, b'{"code":"40017","msg":"wrong parameter","data":null}')
        answer = json.loads(response.body)
        data = answer["data"]
        answer["data"] = {**data, endpoint.rows_at: []} if isinstance(data, dict) and endpoint.rows_at else []
        return response._replace(body=json.dumps(answer).encode())
