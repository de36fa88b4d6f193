"""The WebSocket side of the embedded exchange: what a connection receives, from the same markets as REST."""
