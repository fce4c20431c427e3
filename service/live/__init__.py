"""The live channel: the WebSockets that tell clients what happens, and what was stored while they were away."""
