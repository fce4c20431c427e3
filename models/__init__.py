"""Networks, graphs, weights and runtimes. Imports nothing of ours."""
