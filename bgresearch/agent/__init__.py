"""The agent: the one process that holds the unlocked vault and makes private requests. Importing this imports nothing.

protocol.py defines the messages, server.py answers them, client.py sends them. No message returns a secret.
"""
