"""Files: atomic writes, JSON, TOML, the run folder."""
