"""Clock, spans, intervals, time grid, timestamps, symbols, progress, threads: what needs no other package."""
