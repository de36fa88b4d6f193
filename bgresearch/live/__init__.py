"""Live data over WebSocket: subscriptions, order books, repair of gaps over REST, and recording into the store."""
