"""What a private stream may have missed, fetched over REST: records by their times, and what is open or held now."""

from __future__ import annotations

from collections.abc import Mapping

from bgresearch.account.holdings import account_coins
from bgresearch.account.kinds import CLOSED_POSITIONS, FILLS, ORDERS
from bgresearch.account.record_history import walked
from bgresearch.account.record_type import RecordKind
from bgresearch.core.spans import Span
from bgresearch.live.channels import Subscription
from bgresearch.schemas import Row
from bgresearch.session.identity import Mode
from bgresearch.session.session import Session

_MARGIN_MS = 60_000  # lists may be later than pushes
_AHEAD_MS = 5_000
_MODES: Mapping[str, Mode] = {"v2": "classic", "v3": "unified"}


class AccountRepair:
    """Fetches what a private stream may have missed, through the same lists as the account's verbs.

    Parameters
    ----------
    source : Session
        Exchange and store.
    """

    def __init__(self, source: Session) -> None:
        self._source = source

    def missed(self, one: Subscription, since_ms: int) -> list[Row]:
        """Return the rows that may have been pushed since an instant; of positions and balances those of now.

        Raises
        ------
        BgresearchError
            As the account verb of the same name.
        """
        name = one.channel.name
        if name == "fills":
            return self._recorded(FILLS, one, since_ms)
        if name == "orders":
            return [*self._recorded(ORDERS, one, since_ms), *self._open(ORDERS, one)]
        if name == "positions":
            return self._open(CLOSED_POSITIONS, one)
        return account_coins(self._source.sender, _MODES[one.channel.version], one.named.market)

    def _recorded(self, kind: RecordKind, one: Subscription, since_ms: int) -> list[Row]:
        """Return records by their times, up to a little after now, as the exchange's clock may be ahead."""
        now_ms = self._source.clock.now_ms()
        rows: list[Row] = []
        for route in kind.routes(_MODES[one.channel.version], one.named.market):
            start_ms, end_ms = max(since_ms - _MARGIN_MS, now_ms - route.lookback_ms), now_ms + _AHEAD_MS
            while start_ms < end_ms:
                piece = Span(start_ms, min(start_ms + route.longest_ms, end_ms))
                rows += walked(kind, route, self._source.sender, piece)
                start_ms = piece.end_ms
        return rows

    def _open(self, kind: RecordKind, one: Subscription) -> list[Row]:
        routes = kind.open(_MODES[one.channel.version], one.named.market)
        return [row for route in routes for row in walked(kind, route, self._source.sender)]
