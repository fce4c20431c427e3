"""Worker processes: messages, the process, the supervisor that keeps them alive."""
