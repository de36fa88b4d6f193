"""Recording of endpoints that only give a snapshot of now, on a schedule, and reading the recordings back."""
