"""Profit and loss of an own account, from its records in exact decimals."""
