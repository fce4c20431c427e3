"""Pictures for people: drawn frames, colours, the actogram."""
