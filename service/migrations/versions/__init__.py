"""One migration per file, named by the order they came in."""
