"""How good a frame is: its provenance, its gaps and their causes, its outliers."""
