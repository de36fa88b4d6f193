"""The WebSocket side of the embedded exchange: what a connection is told, from the same markets as REST."""
