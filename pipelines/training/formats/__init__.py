"""Other people's skeleton formats, one module each: what to look for, how to read one file, what to refuse and why."""
