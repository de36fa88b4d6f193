"""Analysis that is asked for all the time: pure functions on frames, each with its formula. No requests, no files."""
