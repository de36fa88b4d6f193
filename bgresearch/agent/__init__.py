"""The agent: the one process that holds the unlocked vault and makes private requests. Importing this imports nothing.

protocol.py says what crosses the socket, server.py serves it, client.py asks. No message returns a secret.
"""
