"""Jobs: videos that are analysed once, and their results."""
