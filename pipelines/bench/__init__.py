"""How steady the answers are, measured on clips."""
