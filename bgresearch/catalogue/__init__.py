"""The endpoint table: every GET endpoint of the exchange, one row each, and the only list of paths.

Sources: the exchange's API documentation of December 2025 (rows with a ``page``) and, for the rows without one,
public client libraries. Left out on purpose: everything that is not a GET, including the few
POST calls that only read, because a package that never sends a body cannot place an order; and one undocumented GET
that returns a sub-account's key with its SecretKey. No column is a secret.
v2 pages do not say which authority an endpoint needs; those codes are inferred from the path.
"""

from bgresearch.catalogue.endpoint import Column, Endpoint, Limit, Paging, Param
from bgresearch.catalogue.error_codes import ErrorCode, error_code, error_codes
from bgresearch.catalogue.loader import Catalogue, load, parse

__all__ = [
    "Catalogue", "Column", "Endpoint", "ErrorCode", "Limit", "Paging", "Param", "error_code", "error_codes", "load",
    "parse",
]  # fmt: skip
