"""Which globals of a pickle may be the types of values that are not read, and are skipped."""

from __future__ import annotations

import sys

__all__ = ["is_data"]

#: modules of the standard library whose types hold data and nothing else
_OF_DATA = {
    "collections", "copyreg", "datetime", "decimal", "enum", "fractions", "ipaddress", "pathlib", "time", "uuid",
    "zoneinfo",
}  # fmt: skip
_BUILTINS = {"set", "frozenset", "complex", "range", "slice", "object", "bytearray", "list", "tuple", "dict"}


def is_data(module: str, name: str) -> bool:
    """Whether a global may be the type of a value, which is skipped, rather than a function to be called.

    Neither is run; but a file that names ``os.system`` is hostile, and is refused as a whole. So of the standard
    library a few modules of plain data pass. Of others all does that can be a name, for their types are many.
    """
    if module in ("builtins", "__builtin__"):
        return name in _BUILTINS
    top = module.partition(".")[0]
    if not all(part.isidentifier() for part in f"{module}.{name}".split(".")) or top in ("numpy", "asl_core"):
        return False
    return top in _OF_DATA if top in sys.stdlib_module_names or top in ("nt", "posix") else True
