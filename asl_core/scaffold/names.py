"""The names of a new plugin: package, module, class and component, all from one word."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys

import attrs

import asl_core
from asl_core.errors import UsageError
from asl_core.registry.component import Registry
from asl_core.registry.installed import BUILTIN, FORMER

__all__ = ["Names", "names_for"]

#: letters, digits and single dashes, dots or underscores between them: valid for packaging and for Python
_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_.][A-Za-z0-9]+)*")
_NOUNS = {"checkpoint-loader": "Loader", "dataset": "Dataset"}


@attrs.frozen
class Names:
    """The names of a plugin called ``my-tcn``."""

    name: str  #: ``my-tcn``: the distribution, the folder, the entry point and the component
    package: str  #: ``my_tcn``: the Python package
    cls: str  #: ``MyTcnEncoder``


def names_for(text: str, slot: str, registry: Registry) -> Names:
    """The names of a plugin called ``text``.

    Raises:
        UsageError: not a valid name, or taken by Python, an installed package or a component of the slot.
    """
    if not _PATTERN.fullmatch(text):
        raise UsageError(
            f"{text!r} cannot be the name of a plugin: expected letters and digits of the English alphabet, with "
            f"single dashes between words, beginning with a letter, such as my-{slot}."
        )
    name = re.sub(r"[-_.]+", "-", text).lower()
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names:
        raise UsageError(
            f"a plugin {name!r} would be the module {package}, which is Python's own; choose another name."
        )
    if importlib.util.find_spec(package) is not None or name in (BUILTIN, FORMER):
        raise UsageError(
            f"a plugin {name!r} would be the module {package}, and an installed package has that name; choose another, "
            f"or uninstall that package."
        )
    taken = [o.distribution for o in registry.slot(slot) if o.component.name == name]
    if taken:
        raise UsageError(f"there is {slot} {name!r} already, from {taken[0]}; choose another name (`asl ls {slot}`).")
    return Names(name, package, _class_name(name, slot))


def _class_name(name: str, slot: str) -> str:
    noun = _NOUNS.get(slot, slot.capitalize())
    words = "".join(part.capitalize() for part in name.split("-"))
    cls = words if words.endswith(noun) else words + noun
    # A plugin called "encoder" would begin with ``class Encoder(Encoder)``.
    return f"My{cls}" if cls in asl_core.__all__ else cls
