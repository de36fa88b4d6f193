"""The made-up accounts of the embedded exchange: their keys, orders, fills and ledgers."""
