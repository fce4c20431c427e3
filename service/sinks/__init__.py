"""Where events go besides the live channel: webhooks, MQTT, a JSONL file; each with a place of its own in the log."""
