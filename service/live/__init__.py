"""The live channel: a durable log of what happened, and the WebSocket that tells it."""
