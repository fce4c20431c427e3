"""Uploads and their results."""
