"""What is wrong with an installation, found without a server, without weights and without a usable home."""
