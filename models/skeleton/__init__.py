"""Layouts, graphs and features of skeletons: numpy, the same functions in training and in serving."""
