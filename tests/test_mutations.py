"""The study of mutations: its faults are programs that differ, the same every time, and its lists follow the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from studies import mutants as faults
from studies.known_mutants import EQUIVALENT, by_hand
from studies.mutant_runs import Covered
from studies.mutants import Mutant, compiled, mutants, sampled
from studies.mutations import MODULES, TESTS, Outcome, choose, table

SOURCE = '''"""A module."""
from math import pi

LIMIT = 3


def f(a: int, b: int = 1) -> int:
    """Text."""
    if a < b and not a:
        raise ValueError(f"{a + 1}")
    a += 1
    return max(a, b) - min(b, pow(a, 2)) - len("text" + "more")
'''
WHAT = [
    "3 to 4", "1 to 2", "condition always true", "condition never true", "And to Or", "Lt to LtE", "Lt to Gt",
    "Not removed", "statement removed", "Add to Sub", "statement removed", "1 to 2", "Sub to Add", "Sub to Add",
    "max to min", "min to max", "first two arguments swapped", "2 to 3",
]  # fmt: skip


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "m.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(faults, "ROOT", tmp_path)
    return "m.py"


def test_the_faults_of_a_module(module: str) -> None:
    found = mutants(module)
    assert [m.what for m in found] == WHAT
    assert {m.where for m in found} == {"module", "f"}
    assert len({m.id for m in found}) == len(found)
    plain = compile(SOURCE, "m.py", "exec")
    codes = [compiled(m) for m in found]
    assert all(code != plain for code in codes)
    for fault, expected in ((made(found, "max to min"), -8), (made(found, "Sub to Add"), 11)):
        space: dict[str, Any] = {}
        exec(compiled(fault), space)  # noqa: S102
        assert space["f"](5, 3) == expected


def made(found: list[Mutant], what: str) -> Mutant:
    return next(m for m in found if m.what == what)


def test_what_is_taken_depends_on_the_fault_alone(module: str, tmp_path: Path) -> None:
    taken = sampled(module, 6, seed=1)
    assert [m.line for m in taken] == sorted(m.line for m in taken)
    assert sampled(module, 6, seed=1) == taken
    assert {m.id for m in sampled(module, 6, seed=2)} != {m.id for m in taken}
    (tmp_path / module).write_text("# moved\n" + SOURCE, encoding="utf-8")
    assert [m.id for m in sampled(module, 6, seed=1)] == [m.id for m in taken]


def test_those_that_run_a_faulty_line_are_chosen_the_quickest_first(module: str) -> None:
    fault = Mutant(module, "f", 9, 10, "x", "y", 0)
    covered = [
        Covered("slow", 2.0, {module: [4, 9]}), Covered("quick", 1.0, {module: [10]}),
        Covered("other", 0.1, {module: [11]}), Covered("elsewhere", 0.1, {"n.py": [9]}),
        Covered("too slow", 99.0, {module: [9]}),
    ]  # fmt: skip
    assert [t.test for t in choose(fault, covered)] == ["quick", "slow"]
    constant = Mutant(module, "module", 4, 4, "x", "y", 0)
    assert [t.test for t in choose(constant, covered)] == ["other", "quick", "slow"]


def test_the_lists_follow_the_code() -> None:
    """A fault made by hand fits its source, and one that is called equivalent is still one of the module's."""
    every = {m.id for modules in MODULES.values() for module in modules for m in mutants(module)}
    assert not [known for known in EQUIVALENT if known not in every]
    assert all(len(reason) > 20 for reason in EQUIVALENT.values())
    own = by_hand()
    assert len({m.id for m in own}) == len(own) >= 15
    for fault in own:
        compiled(fault)
    assert not [name for name in TESTS if not (faults.ROOT / "tests" / name).is_file()]
    assert sum(sum(of.values()) for of in MODULES.values()) + len(own) >= 150


def test_table() -> None:
    def outcome(noticed: str | None) -> Outcome:
        return Outcome(Mutant("asl_core/training/labels.py", "f", 1, 1, "x", "y", 0), noticed, 1)

    rows = table([outcome("a test"), outcome("a test"), outcome(None)]).splitlines()
    assert rows[2] == "| labels | labels | 3 | 0 | 2 (66.7 %) | 1 |"
    assert rows[-1].startswith("| all |")
    assert rows[-1].endswith("| 3 | 0 | 2 (66.7 %) | 1 |")
