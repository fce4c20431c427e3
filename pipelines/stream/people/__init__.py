"""People in a frame: detect, track, pose, in one chain."""
