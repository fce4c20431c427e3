"""Rules over time: what goes on, or does not, for longer than somebody wants, within hours of the week."""
