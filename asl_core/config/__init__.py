"""Configuration: sources of settings, resolving, the configuration of a run."""
