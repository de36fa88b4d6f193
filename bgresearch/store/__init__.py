"""What is already known: Parquet partitions, each with its ledger in the footer. Never talks to the exchange."""

from bgresearch.store.digest import digest_of
from bgresearch.store.layout import Series
from bgresearch.store.ledger import Gap, Ledger
from bgresearch.store.lost import LostRows
from bgresearch.store.partitions import Store, StoreWarning

__all__ = ["Gap", "Ledger", "LostRows", "Series", "Store", "StoreWarning", "digest_of"]
