"""The subcommands of `actogram`, one module each."""
