"""What can be traded and what coins there are."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from bgresearch.catalogue.answer_row import AnswerRow, spelled
from bgresearch.errors import BgresearchError, ParameterRejected, UnknownSymbol
from bgresearch.http.rows import rows_from, shaped
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape, fields

FEW_LATE = 3  # symbols that one of two lists may have before the other

SYMBOLS = Shape(
    "symbols",
    fields("""
        symbol text as the exchange spells it
        market category spot or one of the futures markets
        base category coin that is traded
        quote category coin that it is priced in
        kind category spot, perpetual, delivery, or stock: a token or perpetual contract on a real-world asset
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
    """Return the symbols of one market."""
    if market == "spot":
        rows = shaped("spot.symbols", _spot, rows_from(sender, "spot.symbols"))
    else:
        answer = rows_from(sender, "futures.contracts", {"productType": market.upper()})
        rows = shaped("futures.contracts", lambda row: _contract(market, row), answer)
    return SYMBOLS.table(rows)


def priced_but_not_listed(sender: Sender, market: str, listed: pa.Table) -> list[str]:
    """Return the symbols of a market that have a price and are not in a list of it; none while these are few.

    A list that is not complete looks like one that is.
    """
    row_id = "spot.tickers" if market == "spot" else "futures.tickers"
    params = {} if market == "spot" else {"productType": market.upper()}
    try:
        priced = {row["symbol"] for row in shaped(row_id, _symbol, rows_from(sender, row_id, params))}
    except BgresearchError:  # nothing to compare with; the list itself was answered
        return []
    absent = sorted(priced - set(listed.column("symbol").to_pylist()))
    return absent if len(absent) > FEW_LATE + len(priced) // 50 else []


def coins(sender: Sender, coin: str | None) -> list[Row]:
    """Return coins with their networks."""
    try:
        answer = rows_from(sender, "spot.coins", {"coin": spelled(coin)} if coin else {})
    except ParameterRejected as error:
        if coin is None:
            raise
        raise _no_coin(coin, error.code, error.http_status) from None
    if coin is not None and not answer:
        raise _no_coin(coin, "00000", 200)
    return shaped("spot.coins", _coin, answer)


def _no_coin(coin: str, code: str, http_status: int) -> UnknownSymbol:
    said, hint = f"{coin!r} is no coin of the exchange", "Look at client.coins() for what there is."
    return UnknownSymbol("spot.coins", code, said, http_status=http_status, hint=hint)


def _symbol(row: AnswerRow) -> Row:
    return {"symbol": row.key("symbol")}


def _spot(row: AnswerRow) -> Row:
    price_places = row.count("pricePrecision", needed=True)
    amount_places = row.count("quantityPrecision", needed=True)
    return {
        **_names(row, "spot"), "kind": "stock" if row.flag("isRwa") or row.flag("isReality") else "spot",
        "status": row.word("status"),
        "trading": row.word("status") == "online", "price_places": price_places,
        "price_step": _step(1.0, price_places), "amount_places": amount_places,
        "amount_step": _step(1.0, amount_places),
        "min_amount": row.number("minTradeAmount") or None, "min_value": row.number("minTradeUSDT"),
        "maker": row.number("makerFeeRate"), "taker": row.number("takerFeeRate"),
        "listed": row.time("openTime"), "delisted": row.time("offTime"),
    }  # fmt: skip


def _contract(market: str, row: AnswerRow) -> Row:
    places = row.count("pricePlace", needed=True)
    return {
        **_names(row, market), "kind": _kind(row), "status": row.word("symbolStatus"),
        "trading": row.word("symbolStatus") == "normal", "price_places": places,
        "price_step": _step(row.number("priceEndStep") or 1.0, places),
        "amount_places": row.count("volumePlace", needed=True),
        "amount_step": row.number("sizeMultiplier"), "min_amount": row.number("minTradeNum"),
        "min_value": row.number("minTradeUSDT"), "maker": row.number("makerFeeRate"),
        "taker": row.number("takerFeeRate"), "min_leverage": row.number("minLever"),
        "max_leverage": row.number("maxLever"), "funding_hours": row.number("fundInterval"),
        "listed": row.time("launchTime") or row.time("openTime"),
        "delisted": row.time("offTime"), "delivery": row.time("deliveryTime"),
    }  # fmt: skip


def _kind(row: AnswerRow) -> str | None:
    kind = row.word("symbolType")
    return "stock" if kind == "perpetual" and row.flag("isRwa") else kind


def _names(row: AnswerRow, market: str) -> Row:
    return {
        "symbol": row.key("symbol"),
        "market": market,
        "base": row.code("baseCoin", needed=True),
        "quote": row.code("quoteCoin", needed=True),
    }


def _step(units: float, places: int | None) -> float | None:
    return None if places is None else float(Decimal(str(units)).scaleb(-places))


def _coin(row: AnswerRow) -> list[Row]:
    coin: Row = {"coin": spelled(row.key("coin")), "can_transfer": row.flag("transfer")}
    return [coin | _network(chain) for chain in row.nested("chains", needed=True)] or [coin]


def _network(chain: AnswerRow) -> Row:
    return {
        "network": chain.text("chain", needed=True), "can_deposit": chain.flag("rechargeable"),
        "can_withdraw": chain.flag("withdrawable"), "needs_tag": chain.flag("needTag"),
        "withdraw_fee": chain.number("withdrawFee"), "withdraw_fee_rate": chain.number("extraWithdrawFee"),
        "min_deposit": chain.number("minDepositAmount"), "min_withdrawal": chain.number("minWithdrawAmount"),
        "deposit_confirmations": chain.count("depositConfirm"),
        "withdrawal_confirmations": chain.count("withdrawConfirm"),
        "withdrawal_places": chain.count("withdrawMinScale"), "contract": chain.text("contractAddress"),
        "congestion": chain.word("congestion"),
    }  # fmt: skip
