"""The worker process: everything here runs beside the networks, never in the web process."""
