"""From frames to events, one stage per module; pipeline.py alone knows their order."""
