"""What the exchange says to everybody: one module per family of answers, each with its shapes and what it asks.

Nothing in here needs a key, knows the sandbox or keeps a file; histories (`trades`, `funding`) are kept through the
store they are given.
"""
