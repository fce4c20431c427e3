"""From torch networks and published checkpoints to folders that can be served."""
