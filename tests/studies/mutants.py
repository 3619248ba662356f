"""Small faults put into a module: which there are, which are taken, and the module's code with one of them.

Faults are made on the syntax tree, so that each is a program that compiles: a comparison turned round, an operator or
a boolean for another, a number one larger, a condition that always holds, a statement left out, two arguments
swapped. Texts are left alone, and so is everything inside of messages: a wrong word in a message is no silent error.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType

import attrs

__all__ = ["ROOT", "Mutant", "compiled", "in_function", "mutants", "replaced", "sampled"]

ROOT = Path(__file__).resolve().parents[2]

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt,), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "argmax": "argmin", "sum": "mean", "sorted": "list",
         "minimum": "maximum", "maximum": "minimum", "floor": "ceil", "ceil": "floor", "cumsum": "clone",
         "logsumexp": "amax", "double": "float"}  # fmt: skip

COMMUTATIVE = ("min", "max", "minimum", "maximum", "logaddexp")


@attrs.frozen
class Mutant:
    """One fault in one module."""

    module: str  #: its path from the repository's root
    where: str  #: the function it is in, dotted
    line: int
    end: int  #: the last line of what was changed
    text: str  #: the source of the line
    what: str  #: what was done
    number: int  #: among faults that are the same in all of the above but the line
    source: str | None = attrs.field(default=None, repr=False)  #: the whole module, where the fault was made by hand

    @property
    def id(self) -> str:
        """The same for the same fault, wherever its line moves to."""
        return f"{self.module} {self.where}: {self.text} [{self.what}]" + (f" #{self.number}" if self.number else "")

    def key(self, seed: int) -> str:
        """A number that decides whether it is taken; it does not depend on the rest of the module."""
        return hashlib.blake2b(f"{seed} {self.id}".encode(), digest_size=8).hexdigest()


def mutants(module: str) -> list[Mutant]:
    """Every fault there is for a module, in the order of its lines."""
    source = (ROOT / module).read_text(encoding="utf-8")
    lines = source.splitlines()
    found: list[Mutant] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for site in _sites(ast.parse(source)):
        text = lines[site.line - 1].strip()
        same = (site.where, text, site.what)
        found.append(Mutant(module, site.where, site.line, site.end, text, site.what, seen[same]))
        seen[same] += 1
    return found


def sampled(module: str, count: int, seed: int) -> list[Mutant]:
    """So many of them, by chance that depends on each fault alone: changes elsewhere in the module change few."""
    return sorted(sorted(mutants(module), key=lambda m: m.key(seed))[:count], key=lambda m: m.line)


def replaced(module: str, old: str, new: str, what: str) -> Mutant:
    """A fault made by hand: a text of the module that occurs once, and another in its place.

    Raises:
        ValueError: it does not occur once; the list has to follow the code.
    """
    source = (ROOT / module).read_text(encoding="utf-8")
    if source.count(old) != 1:
        raise ValueError(f"{old!r} occurs {source.count(old)} times in {module}; expected once")
    start = source[: source.index(old)].count("\n") + 1
    text = source.splitlines()[start - 1].strip()
    end = start + old.rstrip("\n").count("\n")
    return Mutant(module, "by hand", start, end, text, what, 0, source.replace(old, new))


def in_function(mutant: Mutant) -> bool:
    """Whether a fault is in the body of a function; any other is run once, when the module is imported."""
    tree = ast.parse((ROOT / mutant.module).read_text(encoding="utf-8"))
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda))
    bodies = (f.body if isinstance(f.body, list) else [f.body] for f in functions)
    return any(body[0].lineno <= mutant.line <= int(body[-1].end_lineno or 0) for body in bodies)


def compiled(mutant: Mutant) -> CodeType:
    """The module's code with the fault."""
    path = ROOT / mutant.module
    if mutant.source is not None:
        return compile(mutant.source, str(path), "exec")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    same = [s for s in _sites(tree) if (s.where, s.line, s.what) == (mutant.where, mutant.line, mutant.what)]
    first = min(m.number for m in mutants(mutant.module) if (m.where, m.line, m.what, m.text) ==
                (mutant.where, mutant.line, mutant.what, mutant.text))  # fmt: skip
    same[mutant.number - first].apply()
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


@attrs.frozen
class _Site:
    """Where a fault can be put."""

    where: str
    line: int
    end: int
    what: str
    apply: Callable[[], None]


def _sites(tree: ast.Module) -> Iterator[_Site]:
    yield from _inside(tree, ())


def _inside(parent: ast.AST, names: tuple[str, ...]) -> Iterator[_Site]:
    """The faults of everything below a node."""
    for field, value in ast.iter_fields(parent):
        for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or _left_alone(parent, field, node):
                continue
            inner = names
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                inner = (*names, node.name)
            for what, new in _changes(node):
                line, end = _span(node)
                yield _Site(".".join(inner) or "module", line, end, what, _setter(parent, field, place, new))
            if not isinstance(node, ast.Raise):  # what is raised is a message
                yield from _inside(node, inner)


def _left_alone(parent: ast.AST, field: str, node: ast.AST) -> bool:
    """Annotations, formatted texts, imports, type checking, ``__all__`` and doc strings."""
    if field in ("annotation", "returns", "decorator_list", "bases", "keywords") and not isinstance(parent, ast.Call):
        return True
    if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id in ("__all__", "__slots__")
    return isinstance(node, ast.keyword) and node.arg in ("help", "strict", "encoding", "kw_only", "eq", "frozen")


def _span(node: ast.AST) -> tuple[int, int]:
    """The lines on which a test sees the fault; of a compound statement, those of its head."""
    if isinstance(node, ast.comprehension):  # it has no place of its own
        return int(node.target.lineno), int(node.ifs[-1].end_lineno or 1)
    line = int(getattr(node, "lineno", 1))
    if isinstance(node, ast.If | ast.While):
        return line, int(node.test.end_lineno or line)
    return line, int(getattr(node, "end_lineno", None) or line)


def _setter(parent: ast.AST, field: str, place: int | None, new: ast.AST) -> Callable[[], None]:
    def change() -> None:
        if place is None:
            setattr(parent, field, new)
        else:
            getattr(parent, field)[place] = new

    return change


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:  # noqa: C901, PLR0912 - a branch for each kind of node
    """What can be done to one node: a name for it, and the node that takes its place."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator), ()):
                yield f"{_name(operator)} to {_name(other())}", _with(node, "ops", place, other())
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        other_op = OPERATORS[type(node.op)]()
        if not (isinstance(node.op, ast.Add | ast.Mod) and _has_text(node)):
            yield f"{_name(node.op)} to {_name(other_op)}", _with(node, "op", None, other_op)
    elif isinstance(node, ast.BoolOp):
        other_bool: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{_name(node.op)} to {_name(other_bool)}", _with(node, "op", None, other_bool)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield f"{_name(node.op)} removed", node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} to {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} to {node.value + 1}", ast.Constant(node.value + 1)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        if not isinstance(node, ast.While):  # or it would never end
            yield "condition always true", _with(node, "test", None, ast.Constant(True))
        yield "condition never true", _with(node, "test", None, ast.Constant(False))
    elif isinstance(node, ast.Raise | ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "statement removed", ast.copy_location(ast.Pass(), node)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Compare | ast.BoolOp):
        yield "result negated", _with(node, "value", None, ast.UnaryOp(ast.Not(), node.value))
    elif isinstance(node, ast.Continue):
        yield "continue removed", ast.copy_location(ast.Pass(), node)
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield "filter removed", _with(node, "ifs", None, [])


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    if len(node.args) >= 2 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
        called = ast.unparse(node.func).rpartition(".")[2]
        if called not in ("isinstance", "getattr", "setattr", "zip", "cast", *COMMUTATIVE):
            swapped = [node.args[1], node.args[0], *node.args[2:]]
            yield "first two arguments swapped", _with(node, "args", None, swapped)
    if isinstance(node.func, ast.Name) and node.func.id in NAMES:
        yield (
            f"{node.func.id} to {NAMES[node.func.id]}",
            _with(node, "func", None, ast.Name(NAMES[node.func.id], ast.Load())),
        )
    if isinstance(node.func, ast.Attribute) and node.func.attr in NAMES:
        other = ast.Attribute(node.func.value, NAMES[node.func.attr], ast.Load())
        yield f"{node.func.attr} to {other.attr}", _with(node, "func", None, other)


def _with(node: ast.AST, field: str, place: int | None, value: object) -> ast.AST:
    """A copy of a node with another field; what is below it stays the same objects."""
    other = copy.copy(node)
    if place is None:
        setattr(other, field, value)
    else:
        setattr(other, field, [value if n == place else old for n, old in enumerate(getattr(node, field))])
    return other


def _has_text(node: ast.BinOp | ast.AugAssign) -> bool:
    """Whether a sum is of texts."""
    return any(isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str))
               for n in ast.walk(node))  # fmt: skip


def _name(operator: ast.AST) -> str:
    return type(operator).__name__
