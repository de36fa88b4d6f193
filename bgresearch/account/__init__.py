"""Private records of an account: what each kind is, its history in the store, holdings and balances."""
