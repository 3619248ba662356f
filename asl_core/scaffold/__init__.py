"""``asl plugins new``: a new plugin package that works and passes its tests from the start."""

from __future__ import annotations

from asl_core.scaffold.names import Names, names_for
from asl_core.scaffold.write import write_plugin

__all__ = ["Names", "names_for", "write_plugin"]
