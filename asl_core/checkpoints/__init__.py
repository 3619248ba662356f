"""Checkpoints: our format, external ones, transfer."""
