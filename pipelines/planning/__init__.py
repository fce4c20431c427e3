"""How much a number of cameras needs, by what was measured: a sum and a simulation."""
