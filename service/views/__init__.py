"""Views that users save: the question that a page asks, under a name."""
