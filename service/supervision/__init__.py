"""Starts, watches, places and blames worker processes."""
