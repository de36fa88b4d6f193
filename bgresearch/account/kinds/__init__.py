"""The kinds of private records of an account: one `RecordKind` each, and nothing else."""

from __future__ import annotations

from bgresearch.account.kinds.bills import BILLS
from bgresearch.account.kinds.fills import FILLS
from bgresearch.account.kinds.lending import INTEREST, LOANS, REPAYMENTS
from bgresearch.account.kinds.movements import DEPOSITS, TRANSFERS, WITHDRAWALS
from bgresearch.account.kinds.orders import ORDERS, PLAN_ORDERS
from bgresearch.account.kinds.positions import CLOSED_POSITIONS
from bgresearch.account.kinds.statements import CONVERSIONS, EARN_RECORDS, TAX_RECORDS
from bgresearch.account.record_type import RecordKind

KINDS: dict[str, RecordKind] = {
    kind.name: kind
    for kind in (
        FILLS, ORDERS, PLAN_ORDERS, CLOSED_POSITIONS, BILLS, TRANSFERS, DEPOSITS, WITHDRAWALS, CONVERSIONS, LOANS,
        REPAYMENTS, INTEREST, EARN_RECORDS, TAX_RECORDS,
    )
}  # fmt: skip
"""Every kind by name; a name is that of the verb and of the folder."""

__all__ = [
    "BILLS", "CLOSED_POSITIONS", "CONVERSIONS", "DEPOSITS", "EARN_RECORDS", "FILLS", "INTEREST", "KINDS", "LOANS",
    "ORDERS", "PLAN_ORDERS", "REPAYMENTS", "TAX_RECORDS", "TRANSFERS", "WITHDRAWALS",
]  # fmt: skip
