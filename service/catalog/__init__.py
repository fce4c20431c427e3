"""What the product knows: joint layouts, networks, actions, and how much fits."""
