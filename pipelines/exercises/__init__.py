"""Exercises: angles of joints over time and repetitions, from skeletons alone."""
