"""What is already known: Parquet partitions, each with its ledger in the footer. Never talks to the exchange."""

from bgresearch.store.coverage import Gap, Ledger
from bgresearch.store.layout import Series
from bgresearch.store.lost_rows import LostRows
from bgresearch.store.parquet_file import digest_of
from bgresearch.store.store import Store, StoreWarning

__all__ = ["Gap", "Ledger", "LostRows", "Series", "Store", "StoreWarning", "digest_of"]
