"""Cells are read without running anything, and errors say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from asl_landmark_csv.cells import read_cell


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[0.5, 0.25]", [0.5, 0.25]),
        (" [1,0.000000,3] ", [1, 0, 3]),
        ("[0.5, nan, None, NaN, null]", [0.5, 0, 0, 0, 0]),
        ("[-1e-3]", [-1e-3]),
        ("[]", []),
        ("", None),
        ("0", None),
        ("0.0", None),
    ],
)
def test_lists_and_missing_values(text: str, values: list[float] | None) -> None:
    cell = read_cell(text)
    if values is None:
        assert cell is None
    else:
        assert cell is not None
        assert cell.dtype == np.float32
        np.testing.assert_array_equal(cell, np.array(values, dtype=np.float32))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[0.5 0.25]", "is not a list of numbers"),
        ("0.5", "is no list"),
        ("{}", "is no list"),
        ("[0.5, 'x']", "is not a list of numbers"),
        ('[0.5, "x"]', "value 2 of the list is 'x', which is no number"),
        ("[0.5, true]", "value 2 of the list is 'True'"),
        ("[0.5, [1]]", "value 2"),
        ("[0.5, Infinity]", "is a list with numbers of more than 32 bits"),
        ("[1e39]", "more than 32 bits"),
        ("[nan, 1e39]", "more than 32 bits"),
        ("[1e39, nan]", "more than 32 bits"),
        ("[1, nan, -1e39]", "more than 32 bits"),
        ("[1e999]", "more than 32 bits"),
        ("[0.5", "is not a list of numbers"),
        ("__import__('os').system('true')", "is not a list of numbers"),
        ("[" * 100_000, "is not a list of numbers"),
        ("[" + "9" * 5000 + "]", "is not a list of numbers"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="list") as fault:
        read_cell(text)
    assert reason in str(fault.value)
    assert len(str(fault.value)) < 200
