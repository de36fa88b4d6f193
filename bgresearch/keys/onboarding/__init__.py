"""Setting up a checked read-only key: messages, checks and decisions.

Forms, terminal and agent share this package. It imports no widget, prompt, socket or vault; requests to an exchange go
through the `Sender` that is passed in.
"""
