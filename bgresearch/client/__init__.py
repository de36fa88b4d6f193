"""Single rows of the table as calls: their words, what they may be given, how their lists are walked to the end."""
