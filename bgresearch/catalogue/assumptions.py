"""What the code assumes of the exchange beyond the rows of the table: one named entry each, with its source.

Code reads ``.value``; the documentation lists every entry; ``bgresearch doctor`` compares with live answers those that
few requests can show; the sandbox can be made to break each. What a row says of itself (page size, limit, columns)
stays in the row: an entry about rows names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bgresearch.core.intervals import DAY_MS, EXCHANGE_OFFSET_MS, HOUR_MS, MINUTE_MS

T = TypeVar("T")


@dataclass(frozen=True)
class Assumption(Generic[T]):
    """One fact that code rests on.

    Attributes
    ----------
    name : str
        ``area.fact``, its only name in this package.
    claim : str
        A sentence that is true as long as it holds.
    value : object
        What code uses of it; True where only the claim matters.
    source : str
        A page of the exchange's documentation, or who measured it.
    verbs : tuple of str
        The verbs that rest on it.
    otherwise : str
        What becomes of those verbs where it does not hold.
    asked : bool
        Whether a few requests can show it; otherwise the source is all that speaks for it.
    warns : bool
        Whether its verbs warn where doctor saw it differ; otherwise they cope, and the log says so.
    """

    name: str
    claim: str
    value: T
    source: str
    verbs: tuple[str, ...]
    otherwise: str
    asked: bool = True
    warns: bool = False


_CANDLES = ("candles", "download", "panel")

CANDLE_ROUTES = Assumption(
    "candles.page_rows",
    "A page of candles holds as many rows as the row of the table says.",
    (
        "spot.candles", "spot.history_candles", "futures.candles", "futures.history_candles",
        "futures.history_mark_candles", "futures.history_index_candles", "uta.candles", "uta.history_candles",
    ),
    "spot/market/Get-Candle-Data, contract/market/Get-Candle-Data, uta/public/Get-Candle-Data; v3: clients",
    _CANDLES, "What a page lacks is asked for again; pages that doctor found smaller are planned smaller.",
)  # fmt: skip
RECENT_DAYS: Assumption[Mapping[str, int]] = Assumption(
    "candles.lookback_days",
    "The route of recent candles reaches back so many days, by interval.",
    {
        "1m": 30, "3m": 30, "5m": 30, "15m": 52, "30m": 62, "1h": 83, "2h": 120, "4h": 240, "6h": 360, "12h": 720,
        "1d": 1440, "3d": 4320, "1w": 10080, "1M": 43200,
    },
    "spot/market/Get-Candle-Data, contract/market/Get-Candle-Data; from 12h on what ccxt 4.5.90 relies upon",
    _CANDLES, "History routes have what it lacks; the look-back that was seen is remembered.",
)  # fmt: skip
UNIFIED_CANDLES = Assumption(
    "candles.unified_rows", "The recent route of v3 gives out so many candles in all.", 1000,
    "uta/changelog of 2025-11-28", _CANDLES,
    "Other routes have what it lacks; the look-back that was seen is remembered.",
)  # fmt: skip
UNIFIED_HISTORY_DAYS = Assumption(
    "candles.unified_history_days", "History candles of v3 reach back so many days.", 90,
    "uta/public/Get-History-Candle-Data", _CANDLES,
    "Other routes have what it lacks; the look-back that was seen is remembered.",
)  # fmt: skip
EMPTY_BEYOND = Assumption(
    "candles.empty_beyond_lookback", "Beyond its look-back a route answers success with an empty list.", True,
    "measured by third parties; contract/market/Get-Candle-Data", _CANDLES,
    "A route that refuses is left out, and the others are asked.",
)  # fmt: skip
START_INCLUDED = Assumption(
    "candles.start_included", "A candle that opens at startTime is in the answer of the recent routes.", True,
    "measured by third parties", _CANDLES,
    "Neighbours are asked for on both sides, and rows are cut: verbs stay right.",
)  # fmt: skip
END_EXCLUDED = Assumption(
    "candles.end_excluded", "A candle that opens at endTime is not in the answer.", True,
    "one measurement by a third party; clients agree; the documentation says before", _CANDLES,
    "Two more rows than needed are allowed for, and rows are cut: verbs stay right.",
)  # fmt: skip
OLDEST_FIRST = Assumption(
    "candles.oldest_first", "Candles come oldest first.", True, "examples of spot/market/Get-Candle-Data", _CANDLES,
    "Rows are sorted and checked: verbs stay right.",
)  # fmt: skip
UTC_WORDS = Assumption(
    "candles.utc_anchor", "Candles asked for as 6Hutc, 1Dutc, 1Wutc ... open on boundaries of UTC.", 0,
    "spot/market/Get-Candle-Data; ccxt issue 20521", ("candles", "download", "panel", "funding_rates"),
    "Rows that open elsewhere are refused: IncompleteData.", warns=True,
)  # fmt: skip
PLAIN_WORDS = Assumption(
    "candles.exchange_anchor", "Candles of six hours and longer open on boundaries of UTC+8 unless UTC is asked for.",
    EXCHANGE_OFFSET_MS, "examples of spot/market/Get-Candle-Data; ccxt issue 20521", _CANDLES,
    "Rows that open elsewhere are refused: IncompleteData.", warns=True,
)  # fmt: skip
FORMING_IN_RECENT = Assumption(
    "candles.recent_has_open_bar", "The recent route ends with the candle that is not closed yet.", True,
    "one measurement by a third party", ("candles",), "include_open=True gives closed candles alone.", warns=True,
)  # fmt: skip
NO_FORMING_IN_HISTORY = Assumption(
    "candles.history_has_no_open_bar", "The history routes give closed candles alone.", True,
    "one measurement by a third party", _CANDLES, "Rows are cut at the last close: verbs stay right.",
)  # fmt: skip
FINAL_AFTER_MS: Assumption[Mapping[str, int]] = Assumption(
    "candles.final_after_ms",
    "A candle does not change any more so many milliseconds after its close, by kind of price.",
    {"last": 2_000, "mark": MINUTE_MS, "index": MINUTE_MS},
    "a recording: the last push of a closed bar came after 0.43 s; ccxt issue 25289 for mark", _CANDLES,
    "The next call compares the newest stored candle, fetches it again and warns; from then on candles are taken as "
    "closed later, as late as they were seen to change.",
)  # fmt: skip
LONGEST_SPAN_DAYS = Assumption(
    "candles.longest_span_days", "A request for futures or v3 candles may span so many days.", 90,
    "contract/market/Get-Candle-Data, uta/public/Get-History-Candle-Data", _CANDLES,
    "Less is asked for at a time; a shorter span that doctor found is planned with.",
)  # fmt: skip
REMAINING_HEADER = Assumption(
    "limits.remaining_header", "Every answer says in this header how many calls of the endpoint's window are left.",
    "x-mbx-used-remain-limit", "common/faq Q11; measured by a third party: it counts down", (),
    "Requests are counted here anyway.",
)  # fmt: skip
ADDRESS_LIMIT = Assumption(
    "limits.address", "An address may send 6000 requests a minute, and is refused for five minutes after more.", 6000,
    "common/faq Q10; common/changelog 2025-08-11", (), "A refusal stops every process of this machine for a while.",
    asked=False,
)  # fmt: skip
LOWEST_LEVEL = Assumption(
    "limits.lowest_level", "No account, whatever its VIP level, is allowed less than the limits of the table.", True,
    "copies of the documentation of 2026: limits of classic accounts follow VIP levels since 2026-07-29 (level 1 has "
    "60 a second, level 2 has 80, levels 3 to 7 have 100), without the endpoints that this is about; no GET answers "
    "with an account's level",
    (), "Every account is kept to the limits of the table, those of the lowest level; a refusal (429) is waited out.",
    asked=False,
)  # fmt: skip
FIELDS = Assumption(
    "rows.fields", "Answers have the fields of the table, of the types that it names.",
    (
        "spot.symbols", "spot.tickers", "spot.coins", "spot.orderbook", "spot.fills", "futures.contracts",
        "futures.tickers", "futures.current_fund_rate", "futures.open_interest", "futures.fills",
        "futures.history_fund_rate", "uta.instruments", "uta.tickers", "uta.orderbook",
    ),
    "the page of each row", ("symbols", "tickers", "coins", "order_book", "funding", "open_interest"),
    "New fields are kept as text; unreadable values are missing, and a warning names them.",
)  # fmt: skip
WHOLE_LISTS = Assumption(
    "symbols.whole_list", "A list of symbols comes whole, in one answer.", ("spot", "usdt-futures", "usdc-futures"),
    "spot/market/Get-Symbols, contract/market/Get-All-Symbols-Contracts", ("symbols", "listings", "download", "panel"),
    "The verb compares the list with the symbols that have a price, and warns that it is not complete.", warns=True,
)  # fmt: skip
UNKNOWN_REFUSED = Assumption(
    "symbols.unknown_refused", "A symbol that does not exist is refused with a code, not answered with nothing.", True,
    "spot/error-code/restapi (40034)", ("candles", "tickers", "trades"),
    "An empty answer is compared with the list of symbols.",
)  # fmt: skip
FUNDING_PAGES = Assumption(
    "funding.pages", "Funding rates come newest first, and page 2 goes on right behind page 1.", True,
    "contract/market/Get-History-Funding-Rate", ("funding_rates", "panel"),
    "A page that comes again is an error; settlements missing between others are asked for again, and named.",
    warns=True,
)  # fmt: skip
FUNDING_ROWS = Assumption(
    "funding.page_rows", "A page of funding rates holds as many rows as the row of the table says.",
    ("futures.history_fund_rate",), "contract/market/Get-History-Funding-Rate; measured: more is cut to 100",
    ("funding_rates",), "Pages are walked until they end, however long they are.",
)  # fmt: skip
TRADES_DAYS = Assumption(
    "trades.lookback_days", "Past trades are answered as far back as the row of the table says.",
    ("spot.fills_history", "futures.fills_history"), "spot/market/Get-Market-Trades, contract/market/Get-Fills-History",
    ("trades",),
    "A span without trades in which candles have a volume is refused (IncompleteData); beyond what doctor saw "
    "answered it comes from the archive.",
)  # fmt: skip
TRADES_NEWEST_FIRST = Assumption(
    "trades.newest_first", "Trades come newest first.", True, "examples of spot/market/Get-Market-Trades", ("trades",),
    "Pages are followed by the smallest id, in whatever order they come.",
)  # fmt: skip
TRADES_ROWS = Assumption(
    "trades.page_rows", "A page of past trades holds as many rows as the row of the table says.",
    ("spot.fills_history", "futures.fills_history"), "spot/market/Get-Market-Trades", ("trades",),
    "Pages are walked until they end, however long they are.",
)  # fmt: skip
TRADES_CURSOR = Assumption(
    "trades.id_cursor", "idLessThan gives what is older than the id, without it.", True,
    "spot/market/Get-Market-Trades", ("trades",), "Trades that come again are dropped by their id.",
)  # fmt: skip
TRADE_ID_CLOCK = Assumption(
    "trades.id_clock", "The upper bits of a trade's id count milliseconds from an epoch.", (1_435_725_920_677, 22),
    "measured here on ten pairs of 2025-2026 and 65 rows of the archive", ("trades",),
    "An id is used only where it falls into the second of its trade.",
)  # fmt: skip
BOOK_SORTED = Assumption(
    "order_book.best_first", "Both sides of an order book come best price first.", True,
    "examples of spot/market/Get-Orderbook", ("order_book",), "Levels are sorted by their price: the verb stays right.",
)  # fmt: skip
HEARTBEAT = Assumption(
    "stream.heartbeat", "The text ping is answered with the text pong.", ("ping", "pong"),
    "common/websocket-intro; measured: after 0.1 s", ("stream", "record"),
    "A connection without an answer is opened again, and what was missed is fetched or named as a gap.", warns=True,
)  # fmt: skip
PING_WITHIN = Assumption(
    "stream.ping_within_s", "A connection that sends no ping for so many seconds is closed.", 120,
    "common/websocket-intro; measured: 127 s and 142 s", ("stream", "record"), "Pings are sent much more often.",
    asked=False,
)  # fmt: skip
SUBSCRIBE_ARGUMENTS = Assumption(
    "stream.subscribe_arguments",
    "So many arguments in a subscribe message are safe (25 order books end the connection).",
    10, "measured by a third party, 4 of 4", ("stream", "record"), "A refused connection is opened again.", asked=False,
)  # fmt: skip
BOOK_SEQUENCE = Assumption(
    "stream.book_sequence", "An update of an order book carries in pseq the seq of the one before it.", True,
    "measured by a third party on v2 and v3; ccxt", ("stream", "record"),
    "A book that cannot be continued is dropped and subscribed to again; a wrong one is never shown.", warns=True,
)  # fmt: skip
BOOK_CHECKSUM = Assumption(
    "stream.book_checksum", "Order books come without a checksum, with 0, or with one that is right.", True,
    "documentation copies of 2026: gone since 2026-05-19", ("stream", "record"),
    "A book whose checksum differs is dropped; a wrong one is never shown.", warns=True,
)  # fmt: skip
SNAPSHOT_FIRST = Assumption(
    "stream.snapshot_first", "The first push of trades and order books is a snapshot, and comes at once.", True,
    "common/websocket-intro; recordings", ("stream", "record"),
    "Updates without a snapshot are not shown; the connection is opened again.", warns=True,
)  # fmt: skip
SPLITS_AS_TRADED = Assumption(
    "candles.splits_as_traded",
    "Candles of a contract step at a split of its stock: the exchange does not adjust them.", True,
    "a guess from the records of trading halts; candles of stock tokens in spot were seen to be adjusted",
    ("candles", "panel"), 'adjust="splits" leaves to the exchange what doctor saw it adjust, and warns.',
)  # fmt: skip
ARCHIVE_ABSENT = Assumption(
    "archive.absent", "A file that does not exist is answered with HTTP 403 and this text.",
    "<Code>AccessDenied</Code>", "measured by a third party", ("trades", "download", "import_archive"),
    "Any other answer is an error, never an absence.", warns=True,
)  # fmt: skip
ARCHIVE_PUBLISHED_MS = Assumption(
    "archive.published_after_ms", "A day's file is there so long after midnight UTC of its day.",
    2 * DAY_MS + 3 * HOUR_MS,
    "measured by a third party", ("trades", "download"), "A file that is late is a gap that is asked for again.",
)  # fmt: skip
ARCHIVE_ZONE_MS = Assumption(
    "archive.zone", "The day of a file is one of UTC+8: it begins at 16:00 UTC of the day before.", EXCHANGE_OFFSET_MS,
    "measured by third parties on 120 files, and here on excerpts", ("trades", "download"),
    "A file whose rows are of another day is set aside and not stored.", warns=True,
)  # fmt: skip
ARCHIVE_HEADER = Assumption(
    "archive.header", "Files of trades have these columns.",
    ("trade_id", "timestamp", "price", "side", "volume(quote)", "size(base)"), "excerpts of real files",
    ("trades", "import_archive"), "A file with other columns is not read.", warns=True,
)  # fmt: skip
ARCHIVE_SECONDS = Assumption(
    "archive.whole_seconds", "Times of trades in files are cut to whole seconds since 2024.", True,
    "measured by third parties, and here on excerpts", ("trades",), "attrs name the precision that times have.",
)  # fmt: skip

ASSUMPTIONS: tuple[Assumption[Any], ...] = tuple(
    found for found in list(globals().values()) if isinstance(found, Assumption)
)
"""Every entry, in the order in which the documentation lists them."""


def assumption(name: str) -> Assumption[Any]:
    """Return the entry of that name.

    Raises
    ------
    KeyError
        There is none.
    """
    return _BY_NAME[name]


_BY_NAME = {one.name: one for one in ASSUMPTIONS}
