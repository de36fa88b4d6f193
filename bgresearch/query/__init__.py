"""The store through SQL (DuckDB), Polars and Dask, without a request."""
