"""The way from nothing to a checked read-only key: what to say, what to look at, what to decide.

Forms, terminal and agent share this room. No widget, no prompt, no socket and no vault may enter it; what asks an
exchange does so through the `Sender` that it is given.
"""
