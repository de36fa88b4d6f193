"""Clock, spans, intervals, time grid, timestamps, symbols, progress, threads; depends on no other package."""
