"""Private records of an account: their kinds, their history in the store, holdings and balances."""
