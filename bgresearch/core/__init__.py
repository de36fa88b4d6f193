"""Values and mechanisms without a subject: clock, spans, intervals, time grid, timestamps, symbols, progress, threads."""
