"""Parameters as the exchange reads them: decoded, required, listed, bounded, in time; unknown ones are ignored.

v2 answers with one code per kind of mistake, v3 with 25200 for all of them; where several v2 codes are documented for
one mistake, the row's area decides.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from bgresearch.catalogue import Endpoint, Param
from bgresearch.sandbox.call import Refusal

DAY_MS = 86_400_000
DEEPEST_ROW = 20_000  # spot/error-code/restapi, 40303

WITHDRAWN_PRODUCTS = frozenset({"SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"})
"""An older demo system's products: withdrawn, yet still accepted (seen in 2026); they hold nothing."""

# Asking for too much is cut short instead of refused (seen, not documented).
_CUT = frozenset({"futures.history_fund_rate", "spot.fills", "futures.fills", "uta.fills"})
# Accepted although the lists lack it (seen; clients use it).
_UNLISTED = {"futures": {"granularity": "2H"}}
_FOLDED = {"productType": str.upper, "category": str.upper, "kLineType": str.upper, "type": str.lower}
_LONGEST_VALUE = 1_000  # characters; the address of a request would be refused long before
_SIZES = ("limit", "pageSize")
_PAGES = ("pageNo", "pageNum", "cursor")
_INTEGER = re.compile(r"[0-9]{1,18}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_OLD_ID = re.compile(r".+_(UMCBL|DMCBL|CMCBL|SPBL|SUMCBL|SDMCBL)", re.IGNORECASE)


class _Codes(NamedTuple):
    """One code per kind of mistake."""

    missing: str
    value: str
    check: str
    order: str
    span: str
    age: str
    symbol: str


_V3 = _Codes("25200", "25200", "25200", "25200", "25200", "25200", "25100")
_V2 = _Codes("40019", "40020", "400172", "20001", "00001", "43111", "40034")
_AREAS = {
    "spot": _V2._replace(order="42072"),
    "futures": _V2._replace(order="40707", span="40705", age="40704"),
    "tax": _V2._replace(span="70008"),
}


def decode(query: str, endpoint: Endpoint) -> dict[str, str]:
    """Return the parameters of a percent-encoded query; of a repeated name the first counts, empty ones are left out.

    Raises
    ------
    Refusal
        If an escape is no escape or the bytes are no UTF-8.
    """
    if _BAD_ESCAPE.search(query):
        raise Refusal(_codes(endpoint).check, "Parameter verification failed")
    try:
        pairs = parse_qsl(query, keep_blank_values=False, errors="strict")
    except UnicodeDecodeError:
        raise Refusal(_codes(endpoint).check, "Parameter verification failed") from None
    return dict(reversed(pairs))


def check(endpoint: Endpoint, params: dict[str, str], now_ms: int) -> dict[str, str]:
    """Return the parameters as the exchange takes them: known ones, spelling folded, sizes cut where it cuts.

    Parameters
    ----------
    endpoint : Endpoint
        The row that says what is right.
    params : dict of str to str
        Decoded.
    now_ms : int
        The exchange's clock, for how far back one may ask.

    Raises
    ------
    Refusal
        With the code of the first mistake.
    """
    codes = _codes(endpoint)
    taken: dict[str, str] = {}
    for param in endpoint.params:
        value = params.get(param.name)
        if value is None:
            if param.required:
                raise Refusal(codes.missing, f"Parameter {param.name} cannot be empty")
            continue
        if len(value) > _LONGEST_VALUE:
            raise Refusal(codes.check, f"Parameter {param.name} error")
        taken[param.name] = _value(endpoint, param, value, codes)
    _check_times(endpoint, taken, now_ms, codes)
    _check_depth(endpoint, taken)
    return taken


def _codes(endpoint: Endpoint) -> _Codes:
    return _V3 if endpoint.version == "v3" else _AREAS.get(endpoint.area, _V2)


def _value(endpoint: Endpoint, param: Param, value: str, codes: _Codes) -> str:
    if param.enum:
        return _listed(endpoint, param, value, codes)
    if param.name in _SIZES or (param.name in _PAGES and param.maximum is not None):
        return _bounded(endpoint, param, value, codes)
    if param.name in ("startTime", "endTime") and not _INTEGER.fullmatch(value):
        raise Refusal(codes.value, f"Parameter {param.name} error")
    if param.name == "symbol" and _OLD_ID.fullmatch(value):
        raise Refusal(codes.symbol, f"Parameter {value} does not exist")
    return value


def _listed(endpoint: Endpoint, param: Param, value: str, codes: _Codes) -> str:
    fold = _FOLDED.get(param.name)
    spelling = {fold(word): word for word in param.enum} if fold else dict.fromkeys(param.enum)
    found = fold(value) if fold else value
    if found in spelling:
        return spelling[found] or found
    if param.name == "productType" and found in WITHDRAWN_PRODUCTS:
        return found
    if _UNLISTED.get(endpoint.area, {}).get(param.name) == value:
        return value
    if param.name in ("granularity", "interval", "limit"):
        raise Refusal(codes.check, "Parameter verification failed")
    raise Refusal(codes.value, f"Parameter {param.name} error")


def _bounded(endpoint: Endpoint, param: Param, value: str, codes: _Codes) -> str:
    if not _INTEGER.fullmatch(value) or int(value) == 0:
        raise Refusal(codes.check, f"Parameter verification failed: {param.name} must be a positive number")
    if param.maximum is None or int(value) <= param.maximum:
        return value
    if endpoint.id in _CUT and param.name in _SIZES:
        return str(param.maximum)
    raise Refusal(codes.check, f"Parameter verification failed: {param.name} must be at most {param.maximum}")


def _check_times(endpoint: Endpoint, params: dict[str, str], now_ms: int, codes: _Codes) -> None:
    if "startTime" not in params:
        return
    start = int(params["startTime"])
    if "endTime" in params:
        end = int(params["endTime"])
        if start > end:
            raise Refusal(codes.order, "startTime should be less than endTime")
        if endpoint.max_span_days is not None and end - start > endpoint.max_span_days * DAY_MS:
            days = endpoint.max_span_days
            raise Refusal(_span_code(codes, days), f"startTime and endTime interval cannot be greater than {days} days")
    if endpoint.private and endpoint.lookback_days is not None:
        oldest = now_ms - endpoint.lookback_days * DAY_MS
        if start < oldest:
            raise Refusal(codes.age, f"Only data of the last {endpoint.lookback_days} days can be queried")


def _span_code(codes: _Codes, days: int) -> str:
    """Return the code of a too long span: 40705 means 90 days, 70008 30; other limits are in the text of 00001."""
    fixed = {"40705": 90, "70008": 30}
    return codes.span if fixed.get(codes.span, days) == days else "00001"


def _check_depth(endpoint: Endpoint, params: dict[str, str]) -> None:
    """Refuse pages that are no number or, in v2, begin below the deepest row the exchange serves."""
    if endpoint.paging.kind != "page":
        return
    names = endpoint.paging.params
    page = next((params[name] for name in names if name in _PAGES and name in params), "1")
    size = next((params[name] for name in names if name in _SIZES and name in params), None)
    if not _INTEGER.fullmatch(page) or int(page) == 0:
        raise Refusal(_codes(endpoint).check, "Parameter verification failed: the page must be a positive number")
    if endpoint.version == "v2" and (int(page) - 1) * int(size or endpoint.paging.default_rows or 1) >= DEEPEST_ROW:
        raise Refusal("40303", "Can only query up to 20,000 data")
