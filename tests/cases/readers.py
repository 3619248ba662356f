"""Readers: label files and other joins by key, files beside those that are read, metadata, checkpoints, formats."""

from __future__ import annotations
