"""How fast networks run, measured."""
