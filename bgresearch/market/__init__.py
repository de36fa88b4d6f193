"""Public data: quotes, listings, history, sentiment, fees, candles and recordings."""
