"""The tower: which module of the core imports which, drawn as floors.

    python tests/tower.py

Prints every wing from the ground up with its modules, lines and the wings that it imports, then the arrows that run
upwards and the circles. There must be none of either: ``tests/test_tower.py`` says so.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

__all__ = ["ORDER", "Module", "circles", "imports", "modules", "upward"]

ROOT = Path(__file__).resolve().parent.parent
#: the wings of ``asl_core`` from the ground up; a wing imports only those before it
ORDER = (
    "text", "errors", "compute", "files", "registry", "clips", "config", "contracts", "data", "model", "checkpoints",
    "evaluation", "training", "studies", "api", "testing", "scaffold", "cli",
)  # fmt: skip


@attrs.frozen
class Module:
    """A module of the core and the names of modules that it imports, wherever in its text."""

    name: str  #: below ``asl_core``: ``training.loop``
    lines: int
    imports: frozenset[str]

    @property
    def wing(self) -> str:
        """The part of the name before the first dot."""
        return self.name.partition(".")[0]


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """Dotted names that a file imports: ``package.module``, and ``package.module.name`` for ``from`` imports."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def modules(root: Path = ROOT) -> dict[str, Module]:
    """Every module of the core but the face itself, ``asl_core/__init__.py``, and ``__main__``."""
    core = root / "asl_core"
    paths = {
        ".".join(path.relative_to(core).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(core.rglob("*.py"))
        if path.parent != core or path.stem not in ("__init__", "__main__")
    }
    return {
        name: Module(name, len(path.read_text(encoding="utf-8").splitlines()), frozenset(_known(path, paths)))
        for name, path in paths.items()
    }


def _known(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for dotted in imports(path):
        if not dotted.startswith("asl_core."):
            continue
        name = dotted.removeprefix("asl_core.")
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name and known[name] != path:
            yield name


def upward(found: Mapping[str, Module]) -> list[str]:
    """Imports from a wing to one above it, or to one that has no place in the tower."""
    floor = {wing: n for n, wing in enumerate(ORDER)}
    return [
        f"{module.name} imports {other}"
        for module in found.values()
        for other in sorted(module.imports)
        if floor.get(found[other].wing, len(ORDER)) > floor.get(module.wing, -1)
    ]


def circles(found: Mapping[str, Module]) -> list[list[str]]:
    """Groups of modules that import each other in a loop (Tarjan's strongly connected components)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    loops: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in sorted(found[name].imports):
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            loop = [stack.pop()]
            while loop[-1] != name:
                loop.append(stack.pop())
            if len(loop) > 1:
                loops.append(sorted(loop))

    for name in found:
        if name not in number:
            visit(name)
    return loops


def floors(found: Mapping[str, Module]) -> dict[str, int]:
    """The floor of each wing: one above the highest wing that it imports."""
    below = {wing: {found[o].wing for m in found.values() if m.wing == wing for o in m.imports} for wing in ORDER}
    floor: dict[str, int] = {}
    for wing in ORDER:
        floor[wing] = 1 + max((floor.get(other, 0) for other in below[wing] - {wing}), default=0)
    return floor


def main() -> int:
    """Print the tower, its top first; 1 if an arrow runs up or there is a circle."""
    found = modules()
    floor = floors(found)
    for wing in reversed(ORDER):
        own = [m for m in found.values() if m.wing == wing]
        below = sorted({found[o].wing for m in own for o in m.imports} - {wing}, key=ORDER.index)
        names = " ".join(m.name.partition(".")[2] or m.name for m in own)
        print(f"{floor[wing]:3}  {wing:12}{sum(m.lines for m in own):6} lines  {names}")
        print(f"{'':30}-> {' '.join(below) or 'nothing of asl'}")
    up, loops = upward(found), circles(found)
    arrows = len({(m.wing, found[o].wing) for m in found.values() for o in m.imports if found[o].wing != m.wing})
    print(f"{len(ORDER)} wings and root files, {arrows} arrows between them, {len(up)} upwards, {len(loops)} circles")
    for line in [*up, *(" <-> ".join(loop) for loop in loops)]:
        print(f"  {line}")
    return int(bool(up or loops))


if __name__ == "__main__":
    sys.exit(main())
