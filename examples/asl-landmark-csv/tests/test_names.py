"""Glosses of class numbers come in the files in which the field keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest
from asl_core import DataError

from asl_landmark_csv.names import read_names


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("id_to_label.json", '{"0": "book", "1": "thank you"}'),
        ("WLASL_v0.3.json", '[{"gloss": "book", "instances": []}, {"gloss": "thank you", "instances": []}]'),
        ("wlasl_class_list.txt", "0\tbook\n1\tthank you\n\n"),
        ("names.csv", "00,book\n1, thank you\n"),
    ],
)
def test_layouts(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_names(tmp_path / name) == {"0": "book", "1": "thank you"}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("x.json", "{", "expected JSON"),
        ("x.json", "3", "holds a int"),
        ("x.json", "{}", "names no gloss"),
        ("x.json", '{"zero": "book"}', "'zero'"),
        ("x.json", '{"0": 3}', "3 is no gloss"),
        ("x.json", '[{"word": "book"}]', "'gloss'"),
        ("x.json", "[" * 100_000, "x.json"),
        ("x.txt", "0 book\n0 chair\n", "line 2 names number 0 again"),
        ("x.txt", "book\n", "line 1 is 'book'"),
        ("x.txt", "", "names no gloss"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as fault:
        read_names(tmp_path / name)
    assert reason in str(fault.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_names(tmp_path / "gone.json")
