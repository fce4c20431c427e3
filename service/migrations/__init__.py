"""The schema's history: one file per change, run once before the server takes requests."""
