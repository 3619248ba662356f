"""What signatures of the public interface mention is public, and the examples use nothing else."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import asl_core as asl
from asl_core import testing

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PUBLIC = {"asl_core": set(asl.__all__), "asl_core.testing": {*testing.__all__, "fixtures", "strategies"}}


def own_classes() -> set[str]:
    """Names of the classes of the core, the command line aside."""
    found = set()
    for module in pkgutil.walk_packages(asl.__path__, "asl_core."):
        if module.name.startswith(("asl_core.cli", "asl_core.scaffold", "asl_core.testing", "asl_core.__main__")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(value) and value.__module__ == module.name and not name.startswith("_"):
                found.add(name)
    return found


def annotated(value: Any) -> Iterator[str]:
    """Every annotation of a function, or of a class's members."""
    if inspect.isfunction(value):
        yield from map(str, inspect.get_annotations(value).values())
    elif isinstance(value, property):
        yield from annotated(value.fget)
    elif isinstance(value, staticmethod | classmethod):
        yield from annotated(value.__func__)
    elif inspect.isclass(value) and value.__module__.startswith("asl_core"):
        for name, text in inspect.get_annotations(value).items():
            if not name.startswith("_"):
                yield str(text)
        for name, member in vars(value).items():
            written = not name.startswith("_") or name == "__call__" or (name == "__init__" and not attrs.has(value))
            if written and not inspect.isclass(member):
                yield from annotated(member)


def test_every_class_that_a_public_signature_mentions_is_public() -> None:
    classes = own_classes()
    assert {"RunConfig", "Trainer"} < classes, "the walk found the core"
    hidden = {
        f"{name} mentions {word}"
        for name in asl.__all__
        for text in annotated(getattr(asl, name))
        for word in re.findall(r"[A-Za-z_]\w*", text)
        if word in classes and word not in asl.__all__
    }
    assert not hidden, sorted(hidden)


def test_public_names_are_what_they_say() -> None:
    """No module of the core takes the place of a function of the same name."""
    for module in pkgutil.iter_modules(asl.__path__):
        assert module.name not in asl.__all__, module.name
    assert all(callable(getattr(asl, name)) for name in ("compare", "pack", "load_curriculum", "run_curriculum"))


def private_imports(source: str) -> list[str]:
    """Imports of the core that are not public, as they are written."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.partition(".")[0] == "asl_core" and a.name not in PUBLIC]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "asl_core":
            names = PUBLIC.get(node.module or "", set())
            extra = {"testing"} if node.module == "asl_core" else set()
            found += [f"{node.module}.{a.name}" for a in node.names if a.name not in names | extra]
    return found


@pytest.mark.parametrize("file", sorted(EXAMPLES.rglob("*.py")), ids=lambda f: f.name)
def test_examples_import_public_names_alone(file: Path) -> None:
    assert not private_imports(file.read_text(encoding="utf-8"))


def test_a_private_import_is_seen() -> None:
    source = "import asl_core.config.sources\nfrom asl_core.x import compare\nfrom asl_core import run, testing, api"
    assert private_imports(source) == ["asl_core.config.sources", "asl_core.x.compare", "asl_core.api"]
