"""What stored events and tracks say of hours, days, cameras and people: sums made by the database, read only."""
