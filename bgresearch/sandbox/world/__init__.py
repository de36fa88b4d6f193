"""The made-up markets of the embedded exchange: prices, candles, trades, funding."""
