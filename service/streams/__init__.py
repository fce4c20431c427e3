"""Cameras: what to watch and how, where it runs, and how it is."""
