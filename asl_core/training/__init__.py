"""Training: the run, its loop, its checks."""
