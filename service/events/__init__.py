"""What happened: actions of people in streams and jobs, kept, filtered by zones and rules, acknowledged, evidenced."""
