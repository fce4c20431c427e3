"""PYSKL's preprocessing, step by step and with its draws of random numbers, in numpy."""
