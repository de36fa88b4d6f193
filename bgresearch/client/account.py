"""``client.account``: what one account holds and what it traded, the same columns for classic and unified accounts.

Own trades older than 90 days are gone from the exchange: what was loaded once is kept for good.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from bgresearch.client.context import ClientContext
from bgresearch.core.verbs import Verbs, composed_of

if TYPE_CHECKING:
    from bgresearch.client.account_assets import AssetVerbs
    from bgresearch.client.account_holdings import HoldingVerbs
    from bgresearch.client.account_records import AccountRecords
    from bgresearch.client.account_trades import RecordVerbs
    from bgresearch.client.account_transfers import MovementVerbs

    class _Parts(RecordVerbs, MovementVerbs, HoldingVerbs, AssetVerbs):
        """What type checkers, editors and the documentation see: the verbs of all parts."""
else:
    _Parts = Verbs


@composed_of({
    "bgresearch.client.account_trades:RecordVerbs": "fills orders plan_orders closed_positions bills",
    "bgresearch.client.account_transfers:MovementVerbs":
        "transfers deposits withdrawals conversions loans repayments interest earn_records tax_records",
    "bgresearch.client.account_holdings:HoldingVerbs":
        "balances positions open_orders open_plan_orders fee_rates earn sub_accounts",
    "bgresearch.client.account_assets:AssetVerbs": "archive assets",
})  # fmt: skip
class AccountVerbs(_Parts):
    """What ``client.account`` is: the verbs that need a key.

    Parameters
    ----------
    context : ClientContext
        What the client is connected to.
    """

    def __init__(self, context: ClientContext) -> None:
        self._context = context

    @cached_property
    def _shared(self) -> AccountRecords:
        from bgresearch.client.account_records import AccountRecords  # noqa: PLC0415 - only for private records

        return AccountRecords(self._context)
