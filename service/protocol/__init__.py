"""What the web process and the workers say to each other, typed; imports neither side."""
