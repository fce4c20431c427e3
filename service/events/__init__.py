"""What people did in streams and jobs: stored, filtered by zones and rules, acknowledged, backed by evidence."""
