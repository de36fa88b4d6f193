"""Common analyses: pure functions on frames, each with its formula and the source of the formula.

Import the module that you need: ``from bgresearch.research import returns, volatility, carry, order_book, trade_bars``.
No function here makes a request, reads a file or changes the frame that it is given. The results of an account are in
the package ``pnl``, computed in decimals; `bgresearch.client.statement` loads their input. The package ``quality``
checks frames of candles.
"""
