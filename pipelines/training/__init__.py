"""From skeletons to weights: datasets, augmentation, the loop, metrics, reports."""
