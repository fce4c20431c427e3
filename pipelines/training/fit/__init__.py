"""One run of a recipe: sequences, batches, objective, loop, measuring, and the folder that it leaves behind."""
