"""Compute: device and precision, processes, signals, seeds."""
