"""Clips: one clip, a batch, the store that holds them, packed files."""
