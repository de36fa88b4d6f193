"""Reading a list of the exchange to its end, page by page."""
