"""What can be traded and what coins there are."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from bgresearch.answers import rows_from, shaped
from bgresearch.errors import ParameterRejected, UnknownSymbol
from bgresearch.tables import Row, Shape, code, fields, flag, instant, number, text, word
from bgresearch.wire import Sender

SYMBOLS = Shape(
    "symbols",
    fields("""
        symbol text as the exchange spells it
        market category spot or one of the futures markets
        base category coin that is traded
        quote category coin that it is priced in
        kind category spot, perpetual, delivery
        status category as the exchange names it: online, normal, halt, off ...
        trading flag whether it can be traded now
        price_places count decimals of a price
        price_step number quote coin, smallest change of a price
        amount_places count decimals of an amount
        amount_step number base coin, smallest change of an amount
        min_amount number base coin, smallest order; NaN where there is none
        min_value number USDT, smallest order
        maker number ratio, usual fee
        taker number ratio, usual fee
        min_leverage number times, futures
        max_leverage number times, futures
        funding_hours number hours between two fundings, perpetual contracts
        listed time when it was listed; missing where the exchange does not say
        delisted time when it is or was taken off
        delivery time when it is delivered, contracts with a date
    """),
    ("spot.symbols", "futures.contracts"),
)
LISTINGS = Shape(
    "listings",
    SYMBOLS.fields
    + fields("""
        first_seen time when it was first seen in a list
        last_seen time when it was last seen in one
        gone flag whether it is missing in the newest one
    """),
    SYMBOLS.sources,
)
COINS = Shape(
    "coins",
    fields("""
        coin category the coin
        network category one row per chain
        can_transfer flag between wallets
        can_deposit flag on this chain
        can_withdraw flag on this chain
        needs_tag flag whether an address needs a memo or tag
        withdraw_fee number coin
        withdraw_fee_rate number ratio of the amount, on top
        min_deposit number coin
        min_withdrawal number coin
        deposit_confirmations count blocks
        withdrawal_confirmations count blocks
        withdrawal_places count decimals
        contract text address of the token
        congestion category as the exchange names it
    """),
    ("spot.coins",),
)


def symbols(sender: Sender, market: str) -> pa.Table:
    """Return what is listed in one market."""
    if market == "spot":
        rows = shaped(SYMBOLS, "spot.symbols", _spot, rows_from(sender, "spot.symbols"))
    else:
        answer = rows_from(sender, "futures.contracts", {"productType": market.upper()})
        rows = shaped(SYMBOLS, "futures.contracts", lambda row: _contract(market, row), answer)
    return SYMBOLS.table(rows)


def coins(sender: Sender, coin: str | None) -> list[Row]:
    """Return coins and the chains they move on."""
    try:
        answer = rows_from(sender, "spot.coins", {"coin": coin.upper()} if coin else {})
    except ParameterRejected as error:
        if coin is None:
            raise
        raise _no_coin(coin, error.code, error.http_status) from None
    if coin is not None and not answer:
        raise _no_coin(coin, "00000", 200)
    return shaped(COINS, "spot.coins", _chains, answer)


def _no_coin(coin: str, code: str, http_status: int) -> UnknownSymbol:
    said, hint = f"{coin!r} is no coin of the exchange", "Look at client.coins() for what there is."
    return UnknownSymbol("spot.coins", code, said, http_status=http_status, hint=hint)


def _spot(row: Mapping[str, Any]) -> Row:
    price_places, amount_places = int(row["pricePrecision"]), int(row["quantityPrecision"])
    return {
        **_names(row, "spot"), "kind": "spot", "status": word(row.get("status")),
        "trading": word(row.get("status")) == "online", "price_places": price_places,
        "price_step": _step(1, price_places), "amount_places": amount_places, "amount_step": _step(1, amount_places),
        "min_amount": number(row.get("minTradeAmount")) or None, "min_value": number(row.get("minTradeUSDT")),
        "maker": number(row.get("makerFeeRate")), "taker": number(row.get("takerFeeRate")),
        "listed": instant(row.get("openTime")), "delisted": instant(row.get("offTime")),
    }  # fmt: skip


def _contract(market: str, row: Mapping[str, Any]) -> Row:
    places = int(row["pricePlace"])
    return {
        **_names(row, market), "kind": word(row.get("symbolType")), "status": word(row.get("symbolStatus")),
        "trading": word(row.get("symbolStatus")) == "normal", "price_places": places,
        "price_step": _step(row.get("priceEndStep") or 1, places), "amount_places": int(row["volumePlace"]),
        "amount_step": number(row.get("sizeMultiplier")), "min_amount": number(row.get("minTradeNum")),
        "min_value": number(row.get("minTradeUSDT")), "maker": number(row.get("makerFeeRate")),
        "taker": number(row.get("takerFeeRate")), "min_leverage": number(row.get("minLever")),
        "max_leverage": number(row.get("maxLever")), "funding_hours": number(row.get("fundInterval")),
        "listed": instant(row.get("launchTime")) or instant(row.get("openTime")),
        "delisted": instant(row.get("offTime")), "delivery": instant(row.get("deliveryTime")),
    }  # fmt: skip


def _names(row: Mapping[str, Any], market: str) -> Row:
    return {"symbol": str(row["symbol"]), "market": market, "base": row["baseCoin"], "quote": row["quoteCoin"]}


def _step(units: object, places: int) -> float:
    return float(Decimal(str(units)).scaleb(-places))


def _chains(row: Mapping[str, Any]) -> list[Row]:
    return [
        {
            "coin": code(row["coin"]), "network": text(chain.get("chain")), "can_transfer": flag(row.get("transfer")),
            "can_deposit": flag(chain.get("rechargeable")), "can_withdraw": flag(chain.get("withdrawable")),
            "needs_tag": flag(chain.get("needTag")), "withdraw_fee": number(chain.get("withdrawFee")),
            "withdraw_fee_rate": number(chain.get("extraWithdrawFee")),
            "min_deposit": number(chain.get("minDepositAmount")),
            "min_withdrawal": number(chain.get("minWithdrawAmount")),
            "deposit_confirmations": _count(chain.get("depositConfirm")),
            "withdrawal_confirmations": _count(chain.get("withdrawConfirm")),
            "withdrawal_places": _count(chain.get("withdrawMinScale")), "contract": text(chain.get("contractAddress")),
            "congestion": word(chain.get("congestion")),
        }
        for chain in row.get("chains") or [{}]
    ]  # fmt: skip


def _count(value: object) -> int | None:
    return None if value in (None, "") else int(str(value))
