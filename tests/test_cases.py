"""Every fault that users and attackers met is a test; ``python tests/replay.py`` prints them as a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.table import Case, all_cases


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=c.id, marks=[pytest.mark.slow] if c.slow else []) for c in all_cases()]
)
def test_case(case: Case, tmp_path: Path) -> None:
    assert case.replay(tmp_path), "a case says what happened"
