"""Invented accounts, booked twice: every event goes into records as an exchange tells them and into books of its own.

Nothing here is shared with what is tested: amounts are decimals, sums are kept by cause as they happen, and profits
come from averages of fractions. Frames get the float64 that a client makes of the texts.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, setcontext
from fractions import Fraction
from typing import Any

import pandas as pd

from bgresearch.account.kinds import BILLS, DEPOSITS, FILLS, TRANSFERS, WITHDRAWALS

START_MS = 1_760_000_000_000
HOUR_MS = 3_600_000
EIGHT = Decimal("1e-8")
SPOT = {"BTCUSDT": (2, 6), "ETHUSDT": (2, 4), "PEPEUSDT": (8, 0), "ETHBTC": (6, 4), "BTCUSDC": (2, 6)}
COINS = {
    "BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT"), "PEPEUSDT": ("PEPE", "USDT"), "ETHBTC": ("ETH", "BTC"),
    "BTCUSDC": ("BTC", "USDC"),
}  # fmt: skip
FUTURES = {
    ("usdt-futures", "BTCUSDT"): (1, 4, "USDT"), ("usdt-futures", "ETHUSDT"): (2, 3, "USDT"),
    ("usdc-futures", "ETHPERP"): (2, 3, "USDC"), ("coin-futures", "BTCUSD"): (1, 4, "BTC"),
}  # fmt: skip
LEVELS = {"BTC": 60_000.0, "ETH": 3_000.0, "PEPE": 0.0021, "USDC": 1.0, "BGB": 4.5, "USDT": 1.0}


def floor8(value: Fraction) -> Decimal:
    return Decimal(value.numerator * 10**8 // value.denominator) * EIGHT


def even8(value: Fraction) -> Decimal:
    """Return it to eight decimals, halves to even."""
    with_room = Decimal(value.numerator * 10**30 // value.denominator) * Decimal("1e-30")
    return with_room.quantize(EIGHT, ROUND_HALF_EVEN, context=Context(prec=80))


def exact(value: Decimal) -> Fraction:
    return Fraction(value)


@dataclass
class Held:
    size: Decimal = Decimal(0)  # negative for short
    cost: Decimal = Decimal(0)


@dataclass
class Synthetic:
    """One invented account.

    Its mode, the position mode, and whether fees are paid in BGB follow from the seed.
    """

    seed: int
    fills: list[dict[str, Any]] = field(default_factory=list)
    bills: list[dict[str, Any]] = field(default_factory=list)
    funding: list[dict[str, Any]] = field(default_factory=list)
    transfers: list[dict[str, Any]] = field(default_factory=list)
    deposits: list[dict[str, Any]] = field(default_factory=list)
    withdrawals: list[dict[str, Any]] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        setcontext(Context(prec=60))
        self.draw = random.Random(self.seed)  # noqa: S311 - a story, no secret
        self.unified = self.seed % 2 == 0
        self.hedged = self.seed % 4 < 2
        self.in_bgb = self.seed % 3 == 0
        self.now = START_MS
        self.serial = 0
        self.books: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.first: dict[tuple[str, str], Decimal] = {}
        self.sums: defaultdict[tuple[str, str], defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self.held: defaultdict[tuple[str, str, str], Held] = defaultdict(Held)
        self.levels = dict(LEVELS)
        self._live()

    # the story

    def _live(self) -> None:
        for coin, amount in (("USDT", "52345.67"), ("USDC", "9000.5"), ("BTC", "0.75"), ("BGB", "120.25")):
            self._open_book("spot", coin, Decimal(amount))
        for account, coin, amount in (
            ("usdt-futures", "USDT", "15000.12"), ("usdc-futures", "USDC", "8000"), ("coin-futures", "BTC", "0.5"),
        ):  # fmt: skip
            self._open_book(account, coin, Decimal(amount))
        self.remember_prices()
        steps = [self._buy_or_sell] * 8 + [self._trade_contract] * 8 + [self._move_money, self._reward]
        for _ in range(45):
            self.now += self.draw.randrange(60_000, 4 * HOUR_MS)
            for coin in self.levels:
                if coin != "USDT":
                    self.levels[coin] *= 1 + self.draw.gauss(0, 0.01 if coin != "USDC" else 0.0001)
            self.remember_prices()
            if self.draw.random() < 0.3:
                self._settle()
            self.draw.choice(steps)()
        self.now += HOUR_MS
        self.remember_prices()
        self.end = self.now + 1

    def _open_book(self, account: str, coin: str, amount: Decimal) -> None:
        self.books[self._where(account), coin] += amount
        self.first[self._where(account), coin] = self.books[self._where(account), coin]

    def _where(self, account: str) -> str:
        return "unified" if self.unified else account

    def price(self, coin: str, places: int = 8) -> Decimal:
        return Decimal(repr(self.levels[coin])).quantize(Decimal(1).scaleb(-places)) if coin != "USDT" else Decimal(1)

    def remember_prices(self) -> None:
        """Keep what coins and contracts cost now, as candles would tell it."""
        result = {coin: float(self.price(coin, 10 if coin == "PEPE" else 6)) for coin in self.levels if coin != "USDT"}
        self.marks.append({"time": self.now, **result})

    def at(self, coin: str) -> Decimal:
        """Return the price of a coin as it was remembered last."""
        return Decimal(1) if coin == "USDT" else Decimal(repr(self.marks[-1][coin]))

    # what happens

    def _buy_or_sell(self) -> None:
        symbol = self.draw.choice(list(SPOT))
        base, quote = COINS[symbol]
        places, size_places = SPOT[symbol]
        rate = self.levels[base] / self.levels[quote]
        buy = self.draw.random() < 0.6 or self._held("spot", base) <= 0
        worth = self.draw.uniform(50, 900) / self.levels[quote]
        size = Decimal(repr(worth / rate)).quantize(Decimal(1).scaleb(-size_places), ROUND_FLOOR)
        if not buy:
            part = Decimal(repr(self.draw.uniform(0.1, 0.9)))
            size = min(size, self._held("spot", base) * part).quantize(Decimal(1).scaleb(-size_places), ROUND_FLOOR)
        same_instant = self.draw.random() < 0.4
        for part in self._parts(size, size_places):
            price = Decimal(repr(rate * (1 + self.draw.gauss(0, 0.0005)))).quantize(Decimal(1).scaleb(-places))
            value = floor8(exact(price) * exact(part))
            if not part or not value:
                continue
            self._spot_fill(symbol, buy=buy, price=price, size=part, value=value)
            self.now += 0 if same_instant else self.draw.randrange(1, 2000)

    def _held(self, account: str, coin: str) -> Decimal:
        return self.books[self._where(account), coin]

    def _parts(self, size: Decimal, places: int) -> list[Decimal]:
        count = self.draw.choice([1, 1, 2, 3, 5])
        one = (size / count).quantize(Decimal(1).scaleb(-places), ROUND_FLOOR)
        return [*[one] * (count - 1), size - one * (count - 1)]

    def _spot_fill(self, symbol: str, *, buy: bool, price: Decimal, size: Decimal, value: Decimal) -> None:
        base, quote = COINS[symbol]
        got, gave = ((base, size), (quote, value)) if buy else ((quote, value), (base, size))
        fee_coin, fee = got[0], floor8(exact(got[1]) / 1000)
        other = None
        if self.in_bgb and self.draw.random() < 0.7:
            worth = exact(value) * Fraction(repr(self.levels[quote])) / Fraction(repr(self.levels["BGB"])) / 1250
            fee_coin, fee = "BGB", floor8(worth)
            if self.draw.random() < 0.3:  # not enough of it: the rest in what came in
                other = (got[0], floor8(exact(got[1]) / 3000))
        fees = {fee_coin: fee}
        if other and other[1]:
            fees[other[0]] = other[1]
        fill_id = self._fill("spot", symbol, "", "buy" if buy else "sell", price, size, value, fees, None)
        with_it = fees.pop(got[0], Decimal(0))
        word = "BUY" if buy else "SELL"
        self._book("spot", got[0], got[1], with_it, "trade", word, fill_id, symbol, "trading")
        self._book("spot", gave[0], -gave[1], Decimal(0), "trade", word, fill_id, symbol, "trading")
        for coin, paid in fees.items():
            if paid:
                self._book("spot", coin, -paid, Decimal(0), "fee", "DEDUCTION_HANDLING_FEE", fill_id, symbol, "fees")

    def _trade_contract(self) -> None:
        market, symbol = self.draw.choice(list(FUTURES))
        places, size_places, _ = FUTURES[market, symbol]
        coin = "ETH" if symbol.startswith("ETH") else "BTC"
        size = Decimal(repr(self.draw.uniform(200, 4000) / self.levels[coin]))
        size = size.quantize(Decimal(1).scaleb(-size_places), ROUND_FLOOR)
        side = self.draw.choice(["long", "short"]) if self.hedged else ""
        held = self.held[market, symbol, side]
        buy = self.draw.random() < 0.5
        if self.hedged:  # closes at most what is held
            closing = held.size != 0 and self.draw.random() < 0.5
            buy = (side == "long") != closing
            size = min(size, abs(held.size)) if closing else size
        if held.size and self.draw.random() < 0.25:
            buy, size = held.size < 0, abs(held.size)  # closes all of it
        forced = held.size != 0 and (held.size < 0) == buy and size <= abs(held.size) and self.draw.random() < 0.1
        for part in self._parts(size, size_places):
            if part:
                price = Decimal(repr(self.levels[coin] * (1 + self.draw.gauss(0, 0.0005))))
                price = price.quantize(Decimal(1).scaleb(-places))
                self._contract_fill(market, symbol, side, buy=buy, price=price, size=part, forced=forced)
                self.now += self.draw.randrange(1, 500)

    def _contract_fill(
        self, market: str, symbol: str, side: str, *, buy: bool, price: Decimal, size: Decimal, forced: bool
    ) -> None:  # fmt: skip
        margin = FUTURES[market, symbol][2]
        held, value = self.held[market, symbol, side], price * size
        profit, closes = Decimal(0), held.size != 0 and (held.size < 0) == buy
        if closes:
            closed = min(size, abs(held.size))
            back = value if closed == size else floor8(exact(value) * exact(closed) / exact(size))
            whole = closed == abs(held.size)
            cost = held.cost if whole else floor8(exact(held.cost) * exact(closed) / exact(abs(held.size)))
            earned = exact(back - cost) if held.size > 0 else exact(cost - back)
            if market == "coin-futures":
                profit = even8(earned * exact(closed) / exact(back))
            else:
                profit = back - cost
                profit = profit if held.size > 0 else -profit
            held.size += closed if buy else -closed
            held.cost -= cost
            if closed < size:
                held.size, held.cost = (size - closed) * (1 if buy else -1), value - back
        else:
            held.size += size if buy else -size
            held.cost += value
        charged = exact(size) if market == "coin-futures" else exact(value)
        fees = {margin: floor8(charged * 6 / 10_000)}
        if self.in_bgb and margin == "USDT":
            fees = {"BGB": floor8(exact(value) / Fraction(repr(self.levels["BGB"])) / 2000)}
        fill_id = self._fill(market, symbol, side, "buy" if buy else "sell", price, size, value, fees, profit)
        kind = f"{'close' if closes else 'open'}_{side or ('long' if buy != closes else 'short')}"
        fee = fees.pop(margin, Decimal(0))
        word = f"burst_{kind}" if forced else kind
        kind = "liquidation" if forced else kind
        if profit or fee:
            self._book(market, margin, profit, fee, kind, word, fill_id, symbol, "trading")
        for coin, paid in fees.items():
            self._book("spot", coin, -paid, Decimal(0), "fee", "DEDUCTION_HANDLING_FEE", fill_id, "", "fees")

    def _settle(self) -> None:
        for (market, symbol, _), held in self.held.items():
            if not held.size:
                continue
            margin = FUTURES[market, symbol][2]
            rate = Fraction(self.draw.randrange(-30, 31), 100_000)
            worth = exact(abs(held.size)) if market == "coin-futures" else exact(held.cost)
            received = floor8(-worth * rate * (1 if held.size > 0 else -1))
            if received:
                row = {"time": self.now, "market": market, "symbol": symbol, "coin": margin, "amount": float(received)}
                self.funding.append(row)
                word = "contract_settle_fee"
                self._book(market, margin, received, Decimal(0), "funding", word, "", symbol, "funding")
        self.now += 7

    def _move_money(self) -> None:
        what = self.draw.choice(["deposit", "withdrawal", "transfer", "transfer", "outside"])
        coin = self.draw.choice(["USDT", "USDT", "BTC"])
        amount = Decimal(repr(self.draw.uniform(5, 300))).quantize(Decimal("1e-4"))
        amount = amount if coin == "USDT" else (amount / 10_000).quantize(EIGHT)
        if what == "deposit":
            self._movement(self.deposits, "deposit", coin, amount, Decimal(0))
        elif what == "withdrawal":
            self._movement(
                self.withdrawals, "withdrawal", coin, amount, Decimal("0.0001") if coin == "BTC" else Decimal(1)
            )
        else:
            target = "funding" if what == "outside" else "usdt-futures" if coin == "USDT" else "coin-futures"
            self._transfer("spot", target, coin, amount)

    def _movement(self, rows: list[dict[str, Any]], name: str, coin: str, amount: Decimal, fee: Decimal) -> None:
        record_id = self._id()
        incoming = name == "deposit"
        late = self.draw.randrange(0, 20 * 60_000)  # asked for, then booked
        row = {"time": self.now, f"{name}_id": record_id, "coin": coin, "amount": float(amount), "status": "success",
               "network": "ERC20", "transaction_id": f"0x{record_id}"}  # fmt: skip
        rows.append(row if incoming else row | {"fee": float(fee)})
        self.now += late
        word = ("TRANSFER_IN" if incoming else "TRANSFER_OUT") if self.unified else name.upper()
        kind, change = ("transfer_in", amount) if incoming else ("transfer_out", -amount)
        bill_id = self._book("spot", coin, change, fee, kind, word, record_id, "", f"{name}s")
        if self.unified:  # its ledger tells them as transfers, too
            self._transfer_row(bill_id, coin, amount, None if incoming else "unified", "unified" if incoming else None)

    def _transfer(self, source: str, target: str, coin: str, amount: Decimal) -> None:
        if self.unified and target != "funding":
            return  # one balance
        record_id = self._id()
        for account, change in ((source, -amount), (target, amount)):
            if account == "funding":
                continue
            kind = "transfer_in" if change > 0 else "transfer_out"
            bill_id = self._book(account, coin, change, Decimal(0), kind, kind.upper(), record_id, "", "transfers")
        if self.unified:
            self._transfer_row(bill_id, coin, amount, "unified", None)
        else:
            self._transfer_row(record_id, coin, amount, source, target)

    def _transfer_row(self, record_id: str, coin: str, amount: Decimal, source: str | None, target: str | None) -> None:
        self.transfers.append({"time": self.now, "transfer_id": record_id, "coin": coin, "amount": float(amount),
                               "source": source, "target": target, "status": "success"})  # fmt: skip

    def _reward(self) -> None:
        amount = Decimal(self.draw.randrange(1, 10**6)) * Decimal("1e-6")
        self._book("spot", "BGB", amount, Decimal(0), "reward", "REBATE_REWARDS", "", "", "other")

    # how it is reported and booked

    def _id(self) -> str:
        self.serial += 1
        return str(10**18 + self.seed * 10**12 + self.serial)

    def _fill(  # noqa: PLR0917 - a row of an exchange
        self, market: str, symbol: str, position: str, side: str, price: Decimal, size: Decimal, value: Decimal,
        fees: dict[str, Decimal], profit: Decimal | None,
    ) -> str:  # fmt: skip
        fill_id = self._id()
        (coin, fee), *others = fees.items()
        self.fills.append({
            "time": self.now, "fill_id": fill_id, "order_id": "1", "market": market, "symbol": symbol, "side": side,
            "role": "taker", "price": float(price), "amount": float(size), "value": float(value), "fee": float(fee),
            "fee_coin": coin, "other_fees": ", ".join(f"{paid:f} {name}" for name, paid in others) or None,
            "profit": None if profit is None else float(profit), "position": position or None,
        })  # fmt: skip
        return fill_id

    def _book(  # noqa: PLR0917 - a line of a ledger
        self, account: str, coin: str, amount: Decimal, fee: Decimal, kind: str, word: str, record_id: str, symbol: str,
        cause: str,
    ) -> str:  # fmt: skip
        where = self._where(account)
        self.first.setdefault((where, coin), self.books[where, coin])
        self.books[where, coin] += amount - fee
        self.sums[where, coin][cause] += amount
        self.sums[where, coin]["fees"] -= fee
        bill_id = self._id()
        self.bills.append({
            "time": self.now, "bill_id": bill_id, "account": where, "market": account, "symbol": symbol or None,
            "coin": coin, "kind": kind, "word": word, "amount": float(amount), "fee": float(fee),
            "balance": float(self.books[where, coin]), "record_id": record_id,
        })  # fmt: skip
        return bill_id

    # what a client would have made of it

    def frames(self) -> dict[str, pd.DataFrame]:
        shapes = {
            "fills": FILLS,
            "bills": BILLS,
            "transfers": TRANSFERS,
            "deposits": DEPOSITS,
            "withdrawals": WITHDRAWALS,
        }
        return {
            name: kind.shape.frame(kind.shape.table(_plain(getattr(self, name), kind))) for name, kind in shapes.items()
        }

    def prices(self) -> dict[str, pd.Series]:
        frame = pd.DataFrame(self.marks)
        index = pd.DatetimeIndex(pd.to_datetime(frame["time"], unit="ms", utc=True)).as_unit("ms")
        return {coin: pd.Series(frame[coin].to_numpy(), index=index) for coin in self.levels if coin != "USDT"}

    def contract_marks(self) -> dict[str, pd.Series]:
        prices = self.prices()
        return {symbol: prices["ETH" if symbol.startswith("ETH") else "BTC"] for _, symbol in FUTURES}

    # what it is worth, reckoned another way

    def equity(self, *, at_the_start: bool) -> Fraction:
        row = self.marks[0 if at_the_start else -1]
        result = {(bill["account"], bill["coin"]) for bill in self.bills}
        total = Fraction(0)
        for book in result:
            amount = self.first[book] if at_the_start else self.books[book]
            total += exact(amount) * (1 if book[1] == "USDT" else Fraction(repr(row[book[1]])))
        if at_the_start:
            return total
        for (market, symbol, _), held in self.held.items():
            if not held.size:
                continue
            mark = Fraction(repr(row["ETH" if symbol.startswith("ETH") else "BTC"]))
            worth = abs(exact(held.size)) * mark
            profit = (worth - exact(held.cost)) * (1 if held.size > 0 else -1)
            margin = FUTURES[market, symbol][2]
            if market == "coin-futures":
                profit = exact(even8(profit * abs(exact(held.size)) / worth))
            total += profit * (1 if margin == "USDT" else Fraction(repr(row[margin])))
        return total


def _plain(rows: list[dict[str, Any]], kind: Any) -> list[dict[str, Any]]:
    names = {field.name for field in kind.shape.fields}
    return [{name: value for name, value in row.items() if name in names} for row in rows]
