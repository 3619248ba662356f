"""Values of types that are not read: each stands in a pickle's data as an inert mark, so that it can be skipped."""

from __future__ import annotations

import sys

import attrs

__all__ = ["Opaque", "is_data"]

#: modules of the standard library whose types hold data and nothing else
_OF_DATA = {
    "collections", "copyreg", "datetime", "decimal", "enum", "fractions", "ipaddress", "pathlib", "time", "uuid",
    "zoneinfo",
}  # fmt: skip
_BUILTINS = {"set", "frozenset", "complex", "range", "slice", "object", "bytearray", "list", "tuple", "dict"}


@attrs.frozen(eq=False)
class Opaque:
    """A value of a type that is not read. Nothing of it is kept but the name of its type."""

    kind: str


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
