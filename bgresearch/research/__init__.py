"""Analysis that is asked for all the time: pure functions on frames, each with its formula and where that comes from.

Import the module that is needed: ``from bgresearch.research import returns, volatility, carry, book, flow``. Nothing
here asks the exchange, reads a file or changes the frame it is given. What an account itself earned is in ``pnl``,
``curves``, ``reconciling`` and ``taxes``, reckoned in decimals; `bgresearch.client.statement` brings what they need.
"""
