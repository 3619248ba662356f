"""Data of a run: transforms, splits, audit, packing."""
