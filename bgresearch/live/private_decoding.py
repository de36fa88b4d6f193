"""Pushes of private channels as rows of the account verb of the same name. Pure.

A push has the values of the REST row under other names. Here they are renamed, and the verb's own decoder reads them:
so a column means the same in both. What a push does not have at all is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from bgresearch.account.holdings import futures_coin, spot_coin, unified_coin
from bgresearch.account.kinds import FILLS, ORDERS
from bgresearch.account.kinds.positions import open_position_routes
from bgresearch.account.record_type import RecordRoute
from bgresearch.catalogue.answer_row import AnswerRow, KeyMissing, Problems
from bgresearch.core.symbols import Named
from bgresearch.errors import BadResponse
from bgresearch.live.decoding import Unreadable
from bgresearch.schemas import Row
from bgresearch.session.identity import Mode

Values = dict[str, Any]
Rename = Callable[[Values], Values]
Decode = Callable[[Any, Named], list[Row]]
_ENDINGS = {"USDT": "usdt-futures", "USDC": "usdc-futures", "PERP": "usdc-futures", "_CM": "coin-futures",
            "USD": "coin-futures"}  # fmt: skip


def fills_of(mode: Mode) -> Decode:
    """Return the decoder of pushed fills."""
    return partial(_record, partial(FILLS.routes, mode), _same if mode == "classic" else _unified_fill)


def orders_of(mode: Mode) -> Decode:
    """Return the decoder of pushed orders; the value filled so far is amount times average price where none is sent."""
    return partial(_record, partial(ORDERS.routes, mode), _classic_order if mode == "classic" else _unified_order)


def positions_of(mode: Mode) -> Decode:
    """Return the decoder of pushed positions; a closed one has the amount 0."""
    rename = _classic_position if mode == "classic" else _unified_position
    return partial(_record, partial(open_position_routes, mode), rename)


def classic_coins(values: Any, named: Named) -> list[Row]:
    """Return the coin of a push of a classic account."""
    if named.market == "spot":
        return [_read("spot.account_assets", partial(spot_coin, "spot"), _object(values))]
    given = _renamed(_object(values), {"frozen": "locked", "equity": "accountEquity"})
    return [_read("futures.account_accounts", partial(futures_coin, named.market), given)]


def unified_coins(values: Any, _named: Named) -> list[Row]:
    """Return the coins of a push of a unified account."""
    coins = _object(values).get("coin")
    if not isinstance(coins, list):
        raise Unreadable("a unified account is pushed without a list of coins")
    return [_read("uta.account_assets", partial(unified_coin, "unified"), _object(one)) for one in coins]


def market_of(values: Mapping[str, Any]) -> str:
    """Return the market of a unified push: its category, or what its symbol says."""
    if given := str(values.get("category") or "").lower():
        return given
    symbol = str(values.get("symbol") or "")
    return next((market for ending, market in _ENDINGS.items() if symbol.endswith(ending)), "")


def _record(routes: Callable[[str], tuple[RecordRoute, ...]], rename: Rename, values: Any, named: Named) -> list[Row]:
    """Return the record of a push; none if it is of another market, as a unified channel serves all of them."""
    given = rename(_object(values))
    if given.pop(_MARKET, named.market) != named.market:
        return []
    (route,) = routes(named.market)
    return [_read(route.endpoint, route.shape, given)]


_MARKET = "bgresearch market"  # not a name of the exchange


def _read(endpoint: str, shape: Callable[[AnswerRow], Row], values: Values) -> Row:
    try:
        return shape(AnswerRow(values, Problems(endpoint, money=True), "a pushed row"))
    except KeyMissing:
        raise Unreadable(f"a pushed row of {endpoint} lacks its identifying field") from None
    except BadResponse as error:
        raise Unreadable(str(error)) from None


def _object(values: Any) -> Values:
    if isinstance(values, dict):
        return dict(values)
    raise Unreadable(f"a row is no object: {str(values)[:40]!r}")


def _renamed(values: Values, names: Mapping[str, str]) -> Values:
    """Return the values with other names; a name that is there already keeps its value."""
    return {**{ours: values[theirs] for theirs, ours in names.items() if theirs in values}, **values}


def _same(values: Values) -> Values:
    return values


def _unified_fill(values: Values) -> Values:
    action, side = values.get("tradeSide"), values.get("holdSide")
    joined = {"tradeSide": f"{action}_{side}"} if action and side else {}
    return {**_renamed(values, {"execTime": "createdTime"}), **joined, _MARKET: market_of(values)}


def _classic_order(values: Values) -> Values:
    is_spot = "posSide" not in values and "marginCoin" not in values
    given = {
        **_renamed(values, {"instId": "symbol"}), "baseVolume": values.get("accBaseVolume") or "0",
        "quoteVolume": _product(values.get("accBaseVolume"), values.get("priceAvg")),
    }  # fmt: skip
    given_fees = values.get("feeDetail")
    details = [one for one in given_fees if isinstance(one, dict)] if isinstance(given_fees, list) else []
    if not is_spot:
        coin = values.get("marginCoin")
        return {**given, "fee": _sum(one.get("fee") for one in details if one.get("feeCoin") == coin)}
    is_sized_by_cost = values.get("orderType") == "market" and values.get("side") == "buy"
    fees = {
        str(one.get("feeCoin")): {**one, "feeCoinCode": one.get("feeCoin"), "totalFee": one.get("fee")}
        for one in details
    }
    size = values.get("size") if is_sized_by_cost else values.get("newSize") or values.get("size")
    return {**given, "size": size, "feeDetail": fees or ""}


def _unified_order(values: Values) -> Values:
    return {**_renamed(values, {"holdSide": "posSide"}), _MARKET: market_of(values)}


def _classic_position(values: Values) -> Values:
    return _renamed(values, {"instId": "symbol", "posId": "positionId"})


def _unified_position(values: Values) -> Values:
    names = {
        "size": "total", "liqPrice": "liquidationPrice", "marginSize": "positionBalance",
        "totalFundingFee": "totalFunding",
    }  # fmt: skip
    return {**_renamed(values, names), _MARKET: market_of(values)}


def _product(amount: Any, price: Any) -> str:
    try:
        return f"{Decimal(str(amount or 0)) * Decimal(str(price or 0)):f}"
    except InvalidOperation:
        return str(amount)  # the decoder says what cannot be read


def _sum(parts: Any) -> str | None:
    known = [part for part in parts if part not in (None, "")]
    try:
        return f"{sum(map(Decimal, map(str, known))):f}" if known else None
    except InvalidOperation:
        return str(known[0])
