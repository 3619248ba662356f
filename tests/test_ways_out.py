"""Whatever a verb prints has gone through a function of ``asl_core.text``: held against the source of every verb."""

from __future__ import annotations

import ast
from pathlib import Path

import asl_core

PRINTS = {"echo", "print", "say"}
SAFE = {"one_line", "printable", "json_text", "Text", "sub"}  # re.sub, over what printable made
LINES = {"line"}  # of table_lines, audit_lines and why_lines, which make every line safe themselves


def test_every_print_is_safe() -> None:
    folder = Path(asl_core.__file__).parent
    files = [*sorted((folder / "cli").glob("*.py")), folder / "training" / "progress_bar.py"]
    unsafe, found = [], 0
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and _name(node.func) in PRINTS):
                continue
            found += 1
            if node.args and not _is_safe(node.args[0]):
                unsafe.append(f"{file.name}:{node.lineno}: {ast.unparse(node)}")
    assert found > 40
    assert not unsafe, "\n".join(unsafe)


def _is_safe(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_safe(node.body) and _is_safe(node.orelse)
    if isinstance(node, ast.Call):
        name = _name(node.func)
        if name == "Markdown":
            return _is_safe(node.args[0])
        escapes = name == "dumps" and not any(k.arg == "ensure_ascii" for k in node.keywords)
        return name in SAFE or escapes
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in LINES)


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
