"""Who answers what: endpoint ids of the table mapped to functions; every other row is answered from its columns."""

from __future__ import annotations

from bgresearch.sandbox.call import Responder
from bgresearch.sandbox.responders.books import BOOK_RESPONDERS
from bgresearch.sandbox.responders.candles import CANDLE_RESPONDERS
from bgresearch.sandbox.responders.contract_events import CONTRACT_EVENT_RESPONDERS
from bgresearch.sandbox.responders.contracts import CONTRACT_RESPONDERS
from bgresearch.sandbox.responders.futures_account import FUTURES_ACCOUNT_RESPONDERS
from bgresearch.sandbox.responders.listings import LISTING_RESPONDERS
from bgresearch.sandbox.responders.sentiment import MOOD_RESPONDERS
from bgresearch.sandbox.responders.service import SERVICE_RESPONDERS
from bgresearch.sandbox.responders.spot_account import SPOT_ACCOUNT_RESPONDERS
from bgresearch.sandbox.responders.terms import TERM_RESPONDERS
from bgresearch.sandbox.responders.tickers import TICKER_RESPONDERS
from bgresearch.sandbox.responders.unified import UNIFIED_RESPONDERS

RESPONDERS: dict[str, Responder] = {
    **SERVICE_RESPONDERS,
    **LISTING_RESPONDERS,
    **TICKER_RESPONDERS,
    **CANDLE_RESPONDERS,
    **BOOK_RESPONDERS,
    **CONTRACT_RESPONDERS,
    **CONTRACT_EVENT_RESPONDERS,
    **SPOT_ACCOUNT_RESPONDERS,
    **FUTURES_ACCOUNT_RESPONDERS,
    **UNIFIED_RESPONDERS,
    **MOOD_RESPONDERS,
    **TERM_RESPONDERS,
}
