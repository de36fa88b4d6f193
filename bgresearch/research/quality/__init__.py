"""Data quality of a frame: its provenance, its gaps and their causes, its outliers."""
