"""Text of other programs: encodings, delimiters, and values that name something."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_core import csv_delimiter, metadata_text, text_encoding, whole_number


@pytest.mark.parametrize("text", ["id,gloss\n1,book\n", "a", "größe;日本\n" * 9])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_a_mark(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "x").write_bytes(text.encode(encoding))
    assert (tmp_path / "x").read_text(encoding=text_encoding(tmp_path / "x")) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "x").write_bytes("id,gloss\n1,größe\n".encode(encoding))
    assert text_encoding(tmp_path / "x") == encoding


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("1,a\n2,b\n", ","),
        ("1;a, b\n2;c, d\n3;e\n", ";"),
        ("1\ta\n2\tb;c\n", "\t"),
        ("1|a\n2|b\n", "|"),
        ('1,"a;b"\n2,"c;d"\n', ","),
        ("sep=;\n1,2;3\n", ";"),
        ("one column\nonly\n", ","),
        ("", ","),
    ],
)
def test_delimiters(text: str, delimiter: str) -> None:
    assert csv_delimiter(text) == delimiter


def test_known_names_of_columns_decide() -> None:
    text = "id;gloss\n1,5;a\n2,5;b\n"
    assert csv_delimiter(text, {"id", "gloss"}) == ";"


@given(st.text(max_size=60))
def test_any_text_has_a_delimiter(text: str) -> None:
    assert csv_delimiter(text) in {",", ";", "\t", "|"}


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        (None, None, None), (float("nan"), None, None), ("", None, None), (" NaN ", None, None), ("None", None, None),
        (7, "7", 7), (7.0, "7", 7), ("7", "7", 7), ("7.0", "7", 7), ("007", "007", 7), (np.int64(7).item(), "7", 7),
        (-1, "-1", -1),
    ],
)  # fmt: skip
def test_values_as_tables_write_them(value: object, text: str | None, number: int | None) -> None:
    assert (metadata_text(value), whole_number(value)) == (text, number)


@pytest.mark.parametrize("value", [True, 7.5, float("inf"), [7], {"a": 1}, b"7", 1e300])
def test_values_that_name_nothing(value: object) -> None:
    for convert in (metadata_text, whole_number):
        with pytest.raises(ValueError, match=type(value).__name__):
            convert(value)


@pytest.mark.parametrize("value", ["anna", "7.5", "1e3", "9" * 5000])
def test_texts_that_are_no_whole_number(value: str) -> None:
    assert metadata_text(value) == value
    with pytest.raises(ValueError, match="str"):
        whole_number(value)
