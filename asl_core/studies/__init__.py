"""Studies: curricula and comparisons of runs."""
