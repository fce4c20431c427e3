"""Where events go besides the live channel: webhooks, MQTT, a JSONL file; each keeps its own position in the log."""
