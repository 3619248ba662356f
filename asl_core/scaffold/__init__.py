"""``asl plugins new``: a package of somebody's own, which works and is tested before a line of it is written."""

from __future__ import annotations

from asl_core.scaffold.names import Names, names_for
from asl_core.scaffold.write import write_plugin

__all__ = ["Names", "names_for", "write_plugin"]
