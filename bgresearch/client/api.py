"""Every row of the table as a callable: ``client.api.spot.tickers(symbol="BTCUSDT")``. Thin on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from bgresearch.catalogue import Endpoint, load
from bgresearch.client.api_pages import ApiContext, gathered, paged
from bgresearch.client.api_parameters import validated, validated_walk
from bgresearch.client.api_signatures import describe, signature, turning
from bgresearch.core.no_copies import NoCopies
from bgresearch.core.progress import checked_wish
from bgresearch.http.sender import Reply

if TYPE_CHECKING:
    import pandas as pd


_AGED = "``max_age=`` (seconds) caches the response, and returns one that is younger without a request."
_RAW = f"""\
One request, two where the answer is empty: what the body says, that is the value of its ``data``, as the exchange
spelled it. {_AGED}"""
_BODY = f"One request, two where the answer is empty: the whole body as bytes, envelope and all. {_AGED}"
_ALL = """\
Every row to the end of the list, as one typed frame; as many requests as that takes.

Each record is there once; rows come in the exchange's order, mostly the newest first. Pages are kept in the data folder
until the list is complete: after an interruption the same call resumes where it stopped, for a day (an hour where the
list has no times). ``resume=False`` starts over. ``progress=`` overrides the client's. Times are half-open: startTime
is included, endTime is not; without an end it is now, without a start it is the documented look-back."""
_PAGES = "The walk of ``.all`` as an iterator of typed frames, one a page, with only a few pages in memory."


class ApiCall:
    """One endpoint: call it for a frame; ``.all`` and ``.pages`` walk it; ``.raw`` and ``.body`` leave it as it is.

    Parameters are those of the exchange, in its spelling; they are checked before a request is spent. Times may be
    dates, datetimes, Timestamps or epoch milliseconds, and naive ones mean UTC. In addition a call, ``.raw`` and
    ``.body`` take ``max_age=`` (seconds): the response is cached, and a younger one is returned without a request;
    offline, any cached response is returned.

    Attributes
    ----------
    endpoint : Endpoint
        The row of the table.
    raw, body, all, pages : Form
        The other ways to ask; each has its own documentation.
    """

    def __init__(self, context: ApiContext, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._context = context
        self.__name__ = endpoint.name
        self.__qualname__ = endpoint.id
        self.__doc__ = describe(endpoint)
        self.__signature__ = signature(endpoint)
        # attributes and not properties: IPython completes the parameters of what it can see without running it
        self.raw = ApiMethod(self, "raw", _RAW, lambda params: self._send(params)[0].data)
        self.body = ApiMethod(self, "body", _BODY, lambda params: self._send(params)[0].body)
        self.all = ApiMethod(self, "all", _ALL, self._all, options={"progress": None, "resume": True})
        self.pages = ApiMethod(self, "pages", _PAGES, self._pages, options={"resume": True})
        self.__doc__ = f"{self.__doc__}\n\n{_AGED}"

    def __call__(self, **params: object) -> pd.DataFrame:
        """Return the answer as a typed frame; one request, and another one where the answer is empty."""
        from bgresearch.frames import decode  # noqa: PLC0415 - pandas, only where a frame is wanted

        reply, words = self._send(params)
        frame = decode(self.endpoint, reply.body, self._context.clock)
        frame.attrs["bgresearch"] = {
            **frame.attrs.get("bgresearch", {}), "endpoint": self.endpoint.id, "host": self._context.sender.host,
            "label": self._context.sender.label, "received_ms": reply.received_ms, **words,
        }  # fmt: skip
        return frame

    def _send(self, params: dict[str, object]) -> tuple[Reply, dict[str, Any]]:
        """Return the reply, and how old it is where it is kept."""
        max_age = cast("float | None", params.pop("max_age", None))
        checked = validated(self.endpoint, params, now_ms=self._context.clock.now_ms())
        if max_age is None and not self._context.offline:
            return self._context.ask(self.endpoint, checked), {}
        answers = self._context.answers(max_age)
        return answers.send(self.endpoint, checked), answers.words()

    def _all(self, params: dict[str, object]) -> pd.DataFrame:
        wish, resume = params.pop("progress", None), params.pop("resume", True) is not False
        progress = self._context.progress if wish is None else checked_wish(wish)
        if self.endpoint.paging.kind == "none":
            return self(**params)
        return gathered(self._context, self.endpoint, self._walk_params(params), progress=progress, resume=resume)

    def _pages(self, params: dict[str, object]) -> Iterator[pd.DataFrame]:
        resume = params.pop("resume", True) is not False
        if self.endpoint.paging.kind == "none":
            return iter([self(**params)])
        return paged(self._context, self.endpoint, self._walk_params(params), resume=resume)

    def _walk_params(self, params: dict[str, object]) -> dict[str, object]:
        return validated_walk(self.endpoint, params, turning(self.endpoint), now_ms=self._context.clock.now_ms())

    def __repr__(self) -> str:
        return f"<{self.endpoint.id}{self.__signature__}: {self.endpoint.title}>"


class ApiMethod(NoCopies):
    """One way to ask an endpoint, with its signature and documentation: ``client.api.spot.fills.all``."""

    def __init__(
        self, call: ApiCall, name: str, words: str, ask: Callable[[dict[str, object]], Any], *,
        options: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        self._id = f"{call.endpoint.id}.{name}"
        self._ask = ask
        self.__name__, self.__qualname__ = name, self._id
        self.__doc__ = f"{words}\n\n{call.__doc__}"
        self.__signature__ = signature(call.endpoint, walk=options)

    def __call__(self, **params: object) -> Any:
        """Ask."""
        return self._ask(params)

    def __repr__(self) -> str:
        return f"<{self._id}{self.__signature__}>"


class Area:
    """The endpoints of one area, by name."""

    def __init__(self, name: str, context: ApiContext, endpoints: Iterable[Endpoint]) -> None:
        self._name, self._context = name, context
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}

    def __getattr__(self, name: str) -> ApiCall:
        endpoint = self.__dict__.get("_endpoints", {}).get(name)
        if endpoint is None:
            row = f"{self.__dict__.get('_name')}.{name}"
            if row in load() and not load()[row].documented:
                raise AttributeError(f"{row} is not documented by the exchange; call client.api.undocumented.{row}().")
            raise AttributeError(_unknown(f"endpoint {row}", name, self))
        call: ApiCall = self.__dict__.setdefault(name, ApiCall(self._context, endpoint))
        return call

    def __dir__(self) -> list[str]:
        return sorted(self.__dict__.get("_endpoints", ()))

    def __repr__(self) -> str:
        return f"<{self._name}: {len(self._endpoints)} endpoints>"


class Api:
    """Every endpoint that the exchange documents, by area; ``undocumented`` has the others."""

    def __init__(self, context: ApiContext, *, documented: bool = True) -> None:
        endpoints: dict[str, list[Endpoint]] = {}
        for endpoint in load():
            if endpoint.documented == documented:
                endpoints.setdefault(endpoint.area, []).append(endpoint)
        self._context, self._documented = context, documented
        self._areas = {name: Area(name, context, group) for name, group in endpoints.items()}

    @cached_property
    def undocumented(self) -> Api:
        """The endpoints that other clients call and the documentation lacks: their rate limits are assumed.

        Examples
        --------
        >>> client.api.undocumented.uta.account_info()                                  # doctest: +SKIP
        """
        return Api(self._context, documented=False)

    def __getattr__(self, name: str) -> Area:
        try:
            return self.__dict__["_areas"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(_unknown(f"area {name}", name, self)) from None

    def __dir__(self) -> list[str]:
        others = ("undocumented",) if self.__dict__.get("_documented") else ()
        return sorted((*self.__dict__.get("_areas", ()), *others))

    def __repr__(self) -> str:
        return f"<api: {', '.join(dir(self))}>"


def _unknown(what: str, name: str, place: Area | Api) -> str:
    near = get_close_matches(name, dir(place), 3)
    return f"there is no {what}; " + (f"did you mean {' or '.join(near)}?" if near else "see dir() for what there is.")
