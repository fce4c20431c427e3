"""Pictures of training data and of what networks make of it: skeletons that move, heatmaps, confusion, focus."""
