"""Writing a new plugin from templates: the whole folder or nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

import asl_core
from asl_core.errors import UsageError
from asl_core.registry.installed import BUILTIN
from asl_core.scaffold.names import Names
from asl_core.scaffold.slots import STARTS, Start

__all__ = ["write_plugin"]


def write_plugin(names: Names, kind: str, out: Path) -> Path:
    """Write an installable package with one component of a kind into ``out``/NAME.

    Args:
        names: of :func:`asl_core.scaffold.names_for`.
        kind: of :data:`asl_core.scaffold.slots.STARTS`, a slot or a kind of one.
        out: its parent folder; created where it is missing.

    Returns:
        The new folder.

    Raises:
        UsageError: the new folder exists, or cannot be written.
    """
    folder = out / names.name
    if folder.exists():
        raise UsageError(f"{folder} exists already; choose another name, or another parent folder with --out DIR.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary = out / f".{names.name}-{os.getpid()}"
        temporary.mkdir()
        try:
            for path, text in _files(names, STARTS[kind]).items():
                target = temporary / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8", newline="\n")
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as fault:
        raise UsageError(
            f"{folder} cannot be written ({fault.strerror}); choose another parent folder with --out DIR."
        ) from fault
    return folder


def _files(names: Names, start: Start) -> dict[str, str]:
    """The text of each file, by its path in the new folder."""
    source = f"src/{names.package}"
    paths = {
        "package/pyproject.toml": "pyproject.toml",
        "package/README.md": "README.md",
        "package/__init__.py": f"{source}/__init__.py",
        "package/py.typed": f"{source}/py.typed",
        f"{start.kind}/module.py": f"{source}/{start.module}.py",
        f"{start.kind}/test.py": f"tests/test_{names.package}.py",
    }
    if start.options:
        paths[f"{start.kind}/options.py"] = f"{source}/options.py"
    words = _words(names, start)
    templates = resources.files("asl_core.scaffold") / "templates"
    return {
        path: Template((templates / f"{name}.tmpl").read_text(encoding="utf-8")).substitute(words)
        for name, path in sorted(paths.items(), key=lambda pair: pair[1])
    }


def _words(names: Names, start: Start) -> Mapping[str, str]:
    requirements = [f"{BUILTIN}>={asl_core.__version__}", *start.libraries]
    return {
        "name": names.name,
        "package": names.package,
        "Class": names.cls,
        "slot": start.slot,
        "words": start.words,
        "article": start.article,
        "Article": start.article.capitalize(),
        "summary": start.summary,
        "module": start.module,
        "hook": start.hook,
        "example": start.example.format(name=names.name),
        "dependencies": ", ".join(f'"{requirement}"' for requirement in requirements),
        "import_options": f"\n\nfrom {names.package}.options import {names.cls}Options" if start.options else "",
        "options_line": f"\n            options={names.cls}Options," if start.options else "",
        "options_row": f"| `src/{names.package}/options.py` | its settings |\n" if start.options else "",
        "suggests": f"\n            suggests={start.suggests}," if start.suggests else "",
    }
