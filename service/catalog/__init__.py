"""The catalog: joint layouts, networks and actions."""
