"""Addresses that somebody else names: what may be opened, where it may lead, and how it is shown."""
