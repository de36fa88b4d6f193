"""What a client is connected to: sender, store, clock, account identity, cached responses."""
