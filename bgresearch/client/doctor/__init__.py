"""Compares what the code assumes of the exchange with a few live answers, and this machine with what is needed."""
