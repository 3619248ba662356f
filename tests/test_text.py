"""Text of files is written out where it is not drawn, and read back from a spreadsheet's cell without loss."""

from __future__ import annotations

import csv
import io
import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_core.text import cell, from_cell, json_text, one_line, printable, shortened, toml_string

HOSTILE = {
    "colour": "\x1b[31mred",
    "title": "\x1b]0;owned\x07",
    "eight-bit escape": "\x9b31m",
    "delete": "\x7f",
    "back": "abc\r\b\b",
    "direction": "a\u202eb\u2066c",
    "no width": "a\u200bb\u00adc\u2060\ufeff",
    "fillers": "a\u3164\u115f\u2800",
    "selectors": "a\ufe0f\U000e0101",
    "tags": "a\U000e0041",
    "separators": "a\u2028b\u2029c\u0085d",
    "surrogate": "a\udc80",
    "nul": "a\0b",
}


def test_shortened() -> None:
    assert shortened([]) == ""
    assert shortened("abc", 3) == "a, b, c"
    assert shortened("abcd", 3) == "a, b, c and 1 more"
    assert shortened(range(2000), 2, "; ") == "0; 1; and 1,998 more"


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_is_not_drawn_goes_out(name: str) -> None:
    text = HOSTILE[name]
    for shown in (printable(text), one_line(f"{text}\n"), one_line(text), cell(text)):
        assert shown.isprintable()
        assert not set(shown) & set("\u3164\u115f\u2800\ufe0f\U000e0101")
    for written in (json_text({text: [text]}), json_text([text], indent=1)):
        assert written.replace("\n", "").isprintable()
        assert text in str(json.loads(written)) or json.loads(written) in ([text], {text: [text]})


def test_letters_stay() -> None:
    for text in ("手話 Größe שלום a-b 'x' \\", "a\nb"):
        assert printable(text) == text
    assert one_line("a\nb") == "a\\nb"
    assert json_text({"手": "é"}) == '{"手": "é"}'


@pytest.mark.parametrize(
    "text",
    ["=cmd|' /C calc'!A0",
     "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "a;=1", "a\t=1", "'=1", "\ufeff=1",
     "|=1", "\u200b=1"],
)  # fmt: skip
def test_a_cell_is_no_formula(text: str) -> None:
    marked = cell(text)
    assert marked.startswith("'")
    assert ";" not in marked
    assert "\t" not in marked
    assert from_cell(marked) == text


@pytest.mark.parametrize("text", ["book", "a'b", "a=b", "a-b", "1.5", "a\\x1b", "C:\\clips", "", "手", "a; b"])
def test_most_cells_stand_as_they_are(text: str) -> None:
    assert cell(text) == text == from_cell(text)


@given(st.text(max_size=12) | st.text("=\\x0'\n\t;ab1", max_size=12))
def test_cells_are_read_back(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([cell(text), "x"])
    ((first, _),) = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert from_cell(first) == text
    assert first.isprintable()
    assert not first.lstrip().startswith(("=", "+", "-", "@"))


@given(st.text(max_size=20))
def test_json_is_read_back(text: str) -> None:
    assert json.loads(json_text(text)) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_toml_is_read_back(text: str) -> None:
    written = f"{toml_string(text)} = {toml_string(text)} # {one_line(text)}"
    assert written.isprintable()
    assert tomllib.loads(written) == {text: text}
