"""Stand-ins for networks, clocks and sources; small, deterministic, without patches."""
