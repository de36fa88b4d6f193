"""Candles: what is missing in the store, the plan to fetch it, the download and its verification."""
